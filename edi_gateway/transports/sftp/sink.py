"""sFTP as a sink: a document appears under its name complete, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, PrivateAttr

from edi_gateway.errors import RefusedError, TransientError
from edi_gateway.model import OutboundDocument
from edi_gateway.plugins import Step
from edi_gateway.transports.sftp.check import check, denied, remove_proof, write_proof
from edi_gateway.transports.sftp.clearing import delete
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.listing import inside
from edi_gateway.transports.sftp.reading import read
from edi_gateway.transports.sftp.session import Link, Session
from edi_gateway.transports.sftp.upload import prove, rename, write

_LONGEST: Final = 255  # bytes of a file name, on nearly every file system
_COMPARED: Final = 16 * 1024 * 1024  # a file up to this size is read back to see whether it has arrived


def _temporary(template: str) -> str:
    if template and ("{name}" not in template or template == "{name}"):
        raise ValueError(f'found {template!r}, expected {{name}} and more, such as {{name}}.tmp, or "" for none')
    return template


class SftpSink(Endpoint):
    """A folder to put documents in."""

    path: str = Field(".", min_length=1, description="folder to write to, seen from where the login leads; must exist")
    temporary: Annotated[str, AfterValidator(_temporary)] = Field(
        "{name}.tmp",
        description='name during the upload, seen from path; "" writes under the final name, which is not atomic',
    )

    _link: Link = PrivateAttr()

    def model_post_init(self, _context: Any, /) -> None:
        """Nothing is connected until there is something to send."""
        self._link = Link(self)

    async def send(self, document: OutboundDocument, *, again: bool) -> str:
        """Upload, prove the size, rename, prove once more; returns what was done and verified.

        ``again``: an earlier attempt may have arrived, so an equal file is left alone. A file that is gone right after
        its upload has been collected. Raises RefusedError for a name no server can hold, TransientError for all else.
        """
        _require_plain(document.name)
        session = await self._link.session()
        final = inside(self.path, document.name)
        if again and await _arrived(session, final, document.content):
            return f"already there, {len(document.content):,} bytes compared"
        if self.temporary:
            temporary = inside(self.path, self.temporary.replace("{name}", document.name))
            done = await _write_and_rename(session, temporary, final, document.content)
        else:
            await write(session, final, document.content)
            done = "written directly, not atomic"
        there = await prove(session, final, len(document.content))
        return f"{done}, {len(document.content):,} bytes verified" if there else f"{done}, collected already"

    def check(self) -> AsyncIterator[Step]:
        """DNS, TCP, host key, login, listing, and whether a file can be written, renamed and deleted."""
        return check(self, [("list", self._try_list), ("write", self._try_write)])

    async def close(self) -> None:
        """End the connection; the next document opens another."""
        await self._link.close()

    async def _try_list(self, session: Session) -> str:
        try:
            with session.request("list the folder", self.path):
                names = await session.sftp.listdir(self.path)
        except TransientError as error:
            if not denied(error):
                raise
            return f"not needed: {error}"
        return f"{len(set(names) - {'.', '..'})} entries in {self.path}"

    async def _try_write(self, session: Session) -> str:
        proof = await write_proof(session, self.path)
        await remove_proof(session, proof, f"{proof}.renamed.tmp" if self.temporary else None)
        return f"a file was written in {self.path}, " + ("renamed and deleted" if self.temporary else "and deleted")


def _require_plain(name: str) -> None:
    if name in {"", ".", ".."} or set(name) & {"/", "\0"} or len(name.encode("utf-8", "replace")) > _LONGEST:
        raise RefusedError(f"file name {name!r}: expected 1 to {_LONGEST} bytes without a slash; correct file_name")


async def _arrived(session: Session, path: str, content: bytes) -> bool:
    with suppress(TransientError):
        if len(content) <= _COMPARED and await prove(session, path, len(content)):
            return await read(session, path, len(content), len(content)) == content
    return False


async def _write_and_rename(session: Session, temporary: str, final: str, content: bytes) -> str:
    try:
        await write(session, temporary, content)
        await prove(session, temporary, len(content))
        return await rename(session, temporary, final)
    except TransientError:
        if not session.broken:  # what is left of it takes room that may be missing
            with suppress(TransientError):
                await delete(session, temporary)
        raise
