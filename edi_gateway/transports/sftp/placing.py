"""One document's way to its name at a server, whatever that server can and cannot do."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.clearing import delete
from edi_gateway.transports.sftp.looking import Match, Seen, compare, look
from edi_gateway.transports.sftp.session import GONE, Session
from edi_gateway.transports.sftp.upload import write

Verify = Literal["size", "content", "none"]


class Placing:
    """``final`` is where ``content`` is to stand.

    ``again``: an earlier attempt may have left a part of it there. ``direct``: it is always written under that name.
    """

    def __init__(
        self, session: Session, final: str, content: bytes, verify: Verify, *, again: bool, direct: bool
    ) -> None:
        self._session = session
        self._final = final
        self._content = content
        self._verify = verify
        self._again = again
        self._direct = direct
        self._half = False  # what stands under the final name is an upload of ours that broke off
        self._unseen = False  # the server does not tell what stands there

    async def look(self) -> str:
        """A receipt when the document is there already, else "" when its name is free.

        Raises TransientError when another file stands there.
        """
        seen = await look(self._session, self._final, follow=True)
        match = Match.MISSING if seen.there is False else await compare(self._session, self._final, self._content)
        if match is Match.EQUAL:
            return f"already there, {len(self._content):,} bytes compared"
        shorter = seen.size is not None and seen.size < len(self._content)
        self._unseen = match is Match.UNREADABLE and seen.there is None
        self._half = self._again and (
            match is Match.BEGINNING or (match is Match.UNREADABLE and self._direct and shorter)
        )
        if match is Match.MISSING or self._unseen or self._half:
            return ""
        raise self._taken(seen)

    async def write_directly(self, why: str = "") -> str:
        """Upload under the final name, for all to see while it grows. Raises TransientError."""
        fresh = self._unseen and not (self._direct and self._again)
        await write(self._session, self._final, self._content, direct=True, fresh=fresh)
        verified = await self._prove(self._final)
        return f"written directly, not atomic{why}, {verified or 'collected already'}"

    async def write_and_rename(self, temporary: str, *, fall_back: bool) -> str:
        """Upload under a temporary name, then rename. Raises TransientError.

        ``fall_back``: where the server refuses to rename, the file is written directly.
        """
        try:
            await write(self._session, temporary, self._content)
            await self._prove(temporary)
            if self._half:
                await delete(self._session, self._final)
            refusal = await self._rename(temporary)
            collected = bool(refusal) and (await look(self._session, temporary)).there is False
            if refusal and not collected and not fall_back:
                raise refusal
        except TransientError:
            await self._tidy(temporary)  # what is left of it takes room that may be missing
            raise
        if collected and not (await look(self._session, self._final, follow=True)).there:
            return _collected(temporary)
        if refusal and not collected:
            await self._tidy(temporary)
            return await self.write_directly(", as the server refuses to rename")
        return f"renamed, {await self._look_back()}"

    async def _look_back(self) -> str:
        """What can be said of a file that has its name. Raises TransientError when it is not as it was sent.

        It was proved before the server renamed it: a line that breaks now must not have it sent again.
        """
        try:
            return await self._prove(self._final) or "collected already"
        except TransientError:
            if not self._session.broken:
                raise
            return f"{len(self._content):,} bytes verified before that, the connection broke after it"

    async def _rename(self, temporary: str) -> TransientError | None:
        """Give the file its final name where that is free; returns the refusal, if any. Raises TransientError.

        Plain rename must not replace a file (draft-ietf-secsh-filexfer-02, section 6.5), OpenSSH's extension does.
        """
        try:
            await self._ask_to_rename(temporary, posix=False)
        except TransientError as error:
            if self._session.broken or not isinstance(error.__cause__, asyncssh.SFTPError):
                raise
            seen = await look(self._session, self._final, follow=True)
            if seen.there:
                raise self._taken(seen) from error
            if seen.there is None or isinstance(error.__cause__, GONE):
                return error
            return await self._rename_over(temporary, error)
        return None

    async def _rename_over(self, temporary: str, refusal: TransientError) -> TransientError | None:
        """Some servers rename in OpenSSH's way alone; nothing stands under the name that it could replace."""
        try:
            await self._ask_to_rename(temporary, posix=True)
        except TransientError:
            if self._session.broken:
                raise
            return refusal
        return None

    async def _ask_to_rename(self, temporary: str, *, posix: bool) -> None:
        sftp = self._session.sftp
        async with self._session.request(f"rename it to {self._final}", temporary):
            await (sftp.posix_rename if posix else sftp.rename)(temporary, self._final)

    async def _prove(self, path: str) -> str:
        """What was verified of an upload; "" when it is not there any more. Raises TransientError."""
        expected = len(self._content)
        if self._verify == "none":
            return f"{expected:,} bytes, not verified"
        if self._verify == "content":
            match = await compare(self._session, path, self._content)
            if match is Match.MISSING:
                return ""
            if match is not Match.EQUAL:
                said = f"{match.value} when read back, expected the {expected:,} bytes that were sent"
                raise TransientError(f"{self._session.name} {path}: {said}")
            return f"{expected:,} bytes compared"
        seen = await look(self._session, path, follow=True)
        if seen.there is False:
            return ""
        if seen.size is None:
            return f"{expected:,} bytes, not verified as the server tells no size"
        if seen.size != expected:
            raise TransientError(
                f"{self._session.name} {path}: found {seen.size:,} bytes, expected the {expected:,} that were sent; "
                "where a server tells wrong sizes, set verify: content"
            )
        return f"{expected:,} bytes verified"

    async def _tidy(self, path: str) -> None:
        if not self._session.broken:
            with suppress(TransientError):
                await delete(self._session, path)

    def _taken(self, seen: Seen) -> TransientError:
        size = "" if seen.size is None else f" of {seen.size:,} bytes"
        when = "" if seen.mtime is None else f" from {datetime.fromtimestamp(seen.mtime, UTC):%Y-%m-%d %H:%M} UTC"
        return TransientError(
            f"{self._session.name} {self._final}: another file stands under that name{size}{when}; it is not replaced: "
            "have it collected or removed, and see whether two configurations write to this folder"
        )


def _collected(temporary: str) -> str:
    return f'collected already, under its temporary name {temporary}; temporary: "" suits this server better'
