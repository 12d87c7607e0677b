"""sFTP as a source: looks at a folder, takes what is finished, and clears it when told that it is safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from operator import attrgetter
from posixpath import basename
from typing import Annotated, Any, Literal

import structlog
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from edi_gateway.errors import TransientError
from edi_gateway.plugins import Arrival, Memory, Step
from edi_gateway.quantities import Size
from edi_gateway.transports.sftp.check import check, denied, remove_proof, write_proof
from edi_gateway.transports.sftp.clearing import delete, exists, move, unchanged
from edi_gateway.transports.sftp.endpoint import Endpoint, one_or_more
from edi_gateway.transports.sftp.listing import UNFINISHED, Entry, batches, entry, inside, settled, wanted
from edi_gateway.transports.sftp.reading import read
from edi_gateway.transports.sftp.session import Link, Session

log = structlog.get_logger()

Globs = Annotated[tuple[str, ...], BeforeValidator(one_or_more)]


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
    in_flight: int = Field(32, ge=1, le=1024, description="files read at the same time; 1 for servers that stall")
    batch_files: int = Field(64, ge=1, description="files committed at once, at most")
    batch_bytes: Size = Field(16_000_000, ge=1, description="size of what is committed at once, at most")
    max_size: Size = Field(256_000_000, ge=1, description="a larger file stays where it is, with a warning")

    _link: Link = PrivateAttr()

    def model_post_init(self, _context: Any, /) -> None:
        """Nothing is connected until the first poll."""
        self._link = Link(self)

    async def poll(self, memory: Memory) -> AsyncIterator[Sequence[Arrival]]:
        """Yield the files that are finished and not committed yet, in batches, in the order of their names.

        A file that cannot be read does not keep the others from arriving.
        Raises TransientError: at once when the folder cannot be listed, at the end when a file could not be read.
        """
        session = await self._link.session()
        failures: list[TransientError] = []
        for batch in batches(await self._fresh(session, memory), self.batch_files, self.batch_bytes):
            arrivals = await self._take(session, batch, memory, failures)
            if arrivals:
                yield arrivals
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

    async def _list(self, session: Session) -> tuple[list[Entry], set[str]]:
        """The files that are wanted, in the order of their names, and the names of all files."""
        found = []
        listing = session.sftp.scandir(self.path)
        while True:
            with session.request("list the folder", self.path):  # one answer at a time: a large folder takes long
                listed = await anext(listing, None)
            if listed is None:
                break
            found.append(entry(listed))
        files = sorted((each for each in found if each), key=attrgetter("name"))
        return [each for each in files if wanted(each.name, self.pattern, self.ignore)], {each.name for each in files}

    async def _fresh(self, session: Session, memory: Memory) -> list[Entry]:
        """Look at the folder, clear what is committed already, and return what may be read now."""
        listed, names = await self._list(session)
        same = settled(listed, memory.looks)
        finished = {each.name for each in listed if self._done_file(each) in names} if self.done_file else same
        keys = {each.key(self.path): each for each in listed}
        known = await memory.known(keys)
        await memory.retain(keys)
        await self._clear_again(
            session, [each for key, each in keys.items() if key in known and each.name in same | finished], memory
        )
        fresh = [each for key, each in keys.items() if key not in known and not memory.held(key)]
        return [each for each in fresh if each.name in finished and self._fits(each)]

    def _done_file(self, listed: Entry) -> str:
        return (self.done_file or "").replace("{name}", listed.name)

    def _fits(self, listed: Entry) -> bool:
        if (listed.size or 0) > self.max_size:
            self._warn("file.too_large", listed, size=listed.size, max_size=self.max_size)
            return False
        return True

    async def _take(
        self, session: Session, batch: Sequence[Entry], memory: Memory, failures: list[TransientError]
    ) -> list[Arrival]:
        """Read a batch; a file that cannot be read adds to ``failures``, one being written is looked at anew."""
        gate = asyncio.Semaphore(self.in_flight)
        contents = await asyncio.gather(*(self._read(session, each, gate) for each in batch))
        arrivals = []
        for each, content in zip(batch, contents, strict=True):
            if isinstance(content, TransientError):
                failures.append(content)
            elif content is not None and self._is_whole(each, content, memory):
                arrivals.append(Arrival(each.shown, content, each.key(self.path), partial(self._clear, each, memory)))
        return arrivals

    async def _read(self, session: Session, listed: Entry, gate: asyncio.Semaphore) -> bytes | TransientError | None:
        async with gate:
            try:
                return await read(session, inside(self.path, listed.name), listed.size or 0, self.max_size)
            except TransientError as error:
                return error

    def _is_whole(self, listed: Entry, content: bytes, memory: Memory) -> bool:
        if len(content) > self.max_size:
            self._warn("file.too_large", listed, size=len(content), max_size=self.max_size)
            return False
        if listed.size and listed.size != len(content):
            memory.looks.pop(listed.name, None)
            self._warn("file.size_differs", listed, size=listed.size, read=len(content))
            return False
        return True

    async def _clear(self, listed: Entry, memory: Memory) -> None:
        """Clear the copy of a committed file, but not a newer one of that name. Raises TransientError."""
        if self.after == "leave":
            return
        session = await self._link.session()
        if not await unchanged(session, self.path, listed):
            return
        if self.done_file:  # first: a done-file left behind would vouch for the next file of that name
            await delete(session, inside(self.path, self._done_file(listed)))
        if isinstance(self.after, Move):
            await move(session, self.path, listed, inside(self.path, self.after.move))
        else:
            await delete(session, inside(self.path, listed.name))
        memory.looks.pop(listed.name, None)
        await memory.forget(listed.key(self.path))

    async def _clear_again(self, session: Session, committed: Sequence[Entry], memory: Memory) -> None:
        """Clear what an earlier poll could not; it is not read again."""
        gate = asyncio.Semaphore(self.in_flight)

        async def attempt(each: Entry) -> None:
            async with gate:
                if session.broken:  # one wait for a server that hangs is enough
                    return
                try:
                    await self._clear(each, memory)
                except TransientError as error:
                    self._warn("document.not_cleared", each, why=str(error))

        await asyncio.gather(*(attempt(each) for each in committed))

    def _warn(self, event: str, listed: Entry, **details: object) -> None:
        log.warning(event, server=self.name, path=inside(self.path, listed.shown), **details)

    async def _try_list(self, session: Session) -> str:
        listed, names = await self._list(session)
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
        there = await exists(session, target)
        await remove_proof(session, proof, inside(target if there else self.path, f"{basename(proof)}.moved.tmp"))
        return f"a file was written in {self.path}, moved and deleted" + ("" if there else f"; {target} is to be made")
