"""sFTP as a source: looks at a folder, takes what is finished, and clears it when told that it is safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from posixpath import basename
from typing import Annotated, Any, Final, Literal, Self

import structlog
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from edi_gateway.errors import TransientError
from edi_gateway.plugins import Arrival, Memory, Step
from edi_gateway.quantities import Size
from edi_gateway.transports.sftp.check import check, denied, remove_proof, write_proof
from edi_gateway.transports.sftp.clearing import delete, move
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.folder import Folder
from edi_gateway.transports.sftp.lanes import side_by_side
from edi_gateway.transports.sftp.link import Link
from edi_gateway.transports.sftp.listing import UNFINISHED, Entry, Look, batches, inside
from edi_gateway.transports.sftp.login import one_or_more
from edi_gateway.transports.sftp.looking import look
from edi_gateway.transports.sftp.session import Session
from edi_gateway.transports.sftp.taking import Taken, take, take_once

log = structlog.get_logger()

Globs = Annotated[tuple[str, ...], BeforeValidator(one_or_more)]
_REFUSALS: Final = 100  # files that could not be cleared in one poll, after which the rest waits for the next


def _names_another(template: str) -> str:
    if "{name}" not in template or template == "{name}" or "/" in template:
        raise ValueError(f"found {template!r}, expected a name with {{name}} and more, such as {{name}}.done")
    return template


class Move(BaseModel):
    """``after: {move: done}``: the folder that files are moved to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    move: str = Field(min_length=1, description="folder for what was taken, seen from path; made when missing")


class SftpSource(Endpoint):
    """Files of one folder, each taken once.

    A file is taken when two polls in a row saw it with the same size and time, or when its done-file is there.
    """

    path: str = Field(".", min_length=1, description="folder to look at, seen from where the login leads")
    pattern: Globs = Field(("*",), min_length=1, description="glob or list of globs a name must fit; case counts")
    ignore: Globs = Field(UNFINISHED, description="globs of names to pass over: uploads that are not finished")
    after: Literal["delete", "leave"] | Move = Field(
        "leave", description="what becomes of a file that was taken: delete, leave, or {move: folder}"
    )
    done_file: Annotated[str, AfterValidator(_names_another)] | None = Field(
        None, description="take a file only once this one is there, such as {name}.done; both are cleared together"
    )
    one_shot: bool = Field(
        False, description="the server gives each file away once: it is read in one go, and closed after the commit"
    )
    trust_sizes: bool = Field(
        True, description="whether a file must have as many bytes as the server says; false where it tells wrong sizes"
    )
    batch_files: int = Field(64, ge=1, description="files committed at once, at most")
    batch_bytes: Size = Field(16_000_000, ge=1, description="size of what is committed at once, at most")
    max_size: Size = Field(256_000_000, ge=1, description="a larger file stays where it is, with a warning")

    _link: Link = PrivateAttr()
    _folder: Folder = PrivateAttr()
    _turn: int = PrivateAttr(0)  # whose turn it is to be cleared, where most are refused

    @model_validator(mode="after")
    def _moves_away(self) -> Self:
        if isinstance(self.after, Move) and inside(self.path, self.after.move) == inside(self.path, "."):
            raise ValueError(f"after: {{move: {self.after.move}}} leads to path itself, expected another folder")
        return self

    def model_post_init(self, _context: Any, /) -> None:
        """Nothing is connected until the first poll."""
        self._link = Link(self)
        self._folder = Folder(self.path, self.pattern, self.ignore)

    async def poll(self, memory: Memory) -> AsyncIterator[Sequence[Arrival]]:
        """Yield the files that are finished and not committed yet, in batches, in the order of their names.

        A file that cannot be read does not keep the others from arriving.
        Raises TransientError: at once when the folder cannot be listed, at the end when a file could not be read.
        """
        session = await self._link.session()
        failures: list[TransientError] = []
        for batch in batches(await self._fresh(session, memory), self.batch_files, self.batch_bytes):
            session = await self._link.session()  # what was not committed of the last batch may have cost the former
            taken = await self._take(session, batch, failures)
            whole = [each for each in taken if self._is_whole(each, memory)]
            try:
                if whole:
                    yield [self._arrival(session, each, memory) for each in whole]
            finally:
                if any(each.held for each in taken):  # not committed: to close it would tell that we have it
                    session.abort()
            if failures and session.broken:
                break
        if failures:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise TransientError(f"{failures[0]}{more}") from failures[0]

    def check(self) -> AsyncIterator[Step]:
        """DNS, TCP, host key, login, listing and, unless files are left, whether they can be cleared."""
        tries = [("list", self._try_list), ("clear", self._try_clear)]
        return check(self, tries[:1] if self.after == "leave" else tries)

    async def close(self) -> None:
        """End the connection; the next poll opens another."""
        await self._link.close()

    async def _fresh(self, session: Session, memory: Memory) -> list[Entry]:
        """Look at the folder, clear what is committed already, and return what may be read now."""
        entries, names = await self._folder.list(session, all_names=bool(self.done_file))
        seen = await asyncio.to_thread(Look.at, self.path, entries, memory.looks)
        if self.done_file:
            seen = await asyncio.to_thread(seen.vouched, self.done_file, names)
        known = await memory.known(seen.files)
        await memory.retain(seen.files)
        committed, fresh = await asyncio.to_thread(seen.split, known)
        if self.after != "leave":
            await self._clear_again(session, committed, memory)
        return [each for each in fresh if not memory.held(each.key(self.path)) and self._fits(each)]

    def _fits(self, listed: Entry) -> bool:
        if self.trust_sizes and (listed.size or 0) > self.max_size:
            self._warn("file.too_large", listed, size=listed.size, max_size=self.max_size)
            return False
        return True

    async def _take(self, session: Session, batch: Sequence[Entry], failures: list[TransientError]) -> list[Taken]:
        """Read a batch, in its order; a file that cannot be read adds to ``failures``."""
        found: dict[str, Taken] = {}

        async def attempt(listed: Entry) -> None:
            path = inside(self.path, listed.name)
            try:
                taken = await (take_once if self.one_shot else take)(session, path, listed, self.max_size)
            except TransientError as error:
                failures.append(error)
            else:
                found.update({listed.name: taken} if taken else {})

        await side_by_side(min(self.in_flight, len(batch)), batch, attempt)
        return [found[each.name] for each in batch if each.name in found]

    def _is_whole(self, taken: Taken, memory: Memory) -> bool:
        listed, length = taken.listed, len(taken.content)
        if length > self.max_size:
            self._warn("file.too_large", listed, size=length, max_size=self.max_size)
            return False
        if self.trust_sizes and listed.size and listed.size != length:
            memory.looks.pop(listed.name, None)
            self._warn("file.size_differs", listed, size=listed.size, read=length)
            return False
        return True

    def _arrival(self, session: Session, taken: Taken, memory: Memory) -> Arrival:
        listed = taken.listed
        ack = partial(self._release, session, taken, memory)
        return Arrival(listed.shown, taken.content, listed.key(self.path), ack)

    async def _release(self, session: Session, taken: Taken, memory: Memory) -> None:
        """The bytes are committed: close what is still open, then clear the copy. Raises TransientError."""
        await taken.release(session, inside(self.path, taken.listed.name))
        if self.after != "leave":
            await self._clear(taken.listed, memory)

    async def _clear(self, listed: Entry, memory: Memory) -> None:
        """Clear the copy of a committed file, but not a newer one of that name. Raises TransientError."""
        session = await self._link.session()
        if not await self._stands(session, listed):
            return
        if self.done_file:  # first: a done-file left behind would vouch for the next file of that name
            await delete(session, inside(self.path, self.done_file.replace("{name}", listed.name)))
        if isinstance(self.after, Move):
            await move(session, self.path, listed, inside(self.path, self.after.move))
        else:
            await delete(session, inside(self.path, listed.name))
        memory.looks.pop(listed.name, None)
        await memory.forget(listed.key(self.path))

    async def _stands(self, session: Session, listed: Entry) -> bool:
        """Whether the file still is the one that was listed; where the server does not tell, it is listed again."""
        now = await look(session, inside(self.path, listed.name))
        if now.there is None:
            return await self._folder.still_lists(session, listed)
        if now.there and not listed.same(now.size if self.trust_sizes else None, now.mtime):
            self._warn("file.changed", listed)
            return False
        return now.there

    async def _clear_again(self, session: Session, committed: Sequence[Entry], memory: Memory) -> None:
        """Clear what an earlier poll could not; it is not read again. Where most is refused, not all is tried."""
        start = self._turn % (len(committed) or 1)
        refused: list[tuple[Entry, TransientError]] = []

        async def attempt(listed: Entry) -> None:
            if session.broken or len(refused) >= _REFUSALS:
                return
            self._turn += 1
            try:
                await self._clear(listed, memory)
            except TransientError as error:
                refused.append((listed, error))

        await side_by_side(self.in_flight, [*committed[start:], *committed[:start]], attempt)
        if refused:
            listed, error = refused[0]
            self._warn("document.not_cleared", listed, files=len(refused), waiting=len(committed), why=str(error))

    def _warn(self, event: str, listed: Entry, **details: object) -> None:
        log.warning(event, server=self.name, path=inside(self.path, listed.shown), **details)

    async def _try_list(self, session: Session) -> str:
        listed, names = await self._folder.list(session, all_names=True)
        return f"{len(names)} files in {self.path}, {len(listed)} of them wanted"

    async def _try_clear(self, session: Session) -> str:
        try:
            proof = await write_proof(session, self.path)
        except TransientError as error:
            if not denied(error):
                raise
            return f"not tried, as that takes the right to write: {error}"
        if not isinstance(self.after, Move):
            await remove_proof(session, proof, None)
            return f"a file was written in {self.path} and deleted"
        target = inside(self.path, self.after.move)
        there = (await look(session, target)).there
        await remove_proof(session, proof, inside(target if there else self.path, f"{basename(proof)}.moved.tmp"))
        return f"a file was written in {self.path}, moved and deleted" + ("" if there else f"; {target} is to be made")
