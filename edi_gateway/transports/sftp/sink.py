"""sFTP as a sink: a document appears under its name complete, or not at all, and never in the place of another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from edi_gateway.errors import RefusedError, TransientError
from edi_gateway.model import OutboundDocument
from edi_gateway.plugins import Step
from edi_gateway.transports.sftp.check import check, denied, remove_proof, write_proof
from edi_gateway.transports.sftp.endpoint import Endpoint
from edi_gateway.transports.sftp.link import Link
from edi_gateway.transports.sftp.listing import inside
from edi_gateway.transports.sftp.placing import Placing
from edi_gateway.transports.sftp.session import Session

_LONGEST: Final = 255  # bytes of a file name, on nearly every file system


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
    rename_refused: Literal["write_directly", "fail"] = Field(
        "write_directly",
        description="where the server refuses to rename: write under the final name, which is not atomic, or fail",
    )
    verify: Literal["size", "content", "none"] = Field(
        "size", description="what proves an upload: the size the server tells, the bytes read back, or its word alone"
    )

    _link: Link = PrivateAttr()

    def model_post_init(self, _context: Any, /) -> None:
        """Nothing is connected until there is something to send."""
        self._link = Link(self)

    async def send(self, document: OutboundDocument, *, again: bool) -> str:
        """Upload, verify, rename, verify once more; returns what was done and verified.

        An equal file that is there already is left alone; ``again`` says that an earlier attempt may have left a part.
        A file that is gone right after its upload has been collected.
        Raises RefusedError for a name no server can hold, TransientError for all else: so when another file stands
        under the name, which is never replaced.
        """
        _require_plain(document.name)
        session = await self._link.session()
        final = inside(self.path, document.name)
        direct = not self.temporary
        placing = Placing(session, final, document.content, self.verify, again=again, direct=direct)
        if already := await placing.look():
            return already
        if direct:
            return await placing.write_directly()
        return await placing.write_and_rename(
            inside(self.path, self.temporary.replace("{name}", document.name)),
            fall_back=self.rename_refused == "write_directly",
        )

    def check(self) -> AsyncIterator[Step]:
        """DNS, TCP, host key, login, listing, and whether a file can be written, renamed and deleted."""
        return check(self, [("list", self._try_list), ("write", self._try_write)])

    async def close(self) -> None:
        """End the connection; the next document opens another."""
        await self._link.close()

    async def _try_list(self, session: Session) -> str:
        try:
            async with session.request("list the folder", self.path):
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
