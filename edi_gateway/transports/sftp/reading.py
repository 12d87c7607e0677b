"""Remote file → bytes, by plain reads, several in flight, until the server says that is all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Final

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.lanes import side_by_side
from edi_gateway.transports.sftp.session import GONE, Session

File = asyncssh.SFTPClientFile

_LEAST: Final = 32 * 1024  # what every server must be able to answer with (draft-ietf-secsh-filexfer-02, section 3)
_MOST: Final = 256 * 1024
_WINDOW: Final = 4 * 1024 * 1024  # bytes of one file that are asked for ahead; more would only fill memory


async def read(session: Session, path: str, size: int, most: int) -> bytes | None:
    """The content of a file, at most a window more than ``most`` bytes; None when it has vanished.

    ``size`` only says how much to ask for first: servers report too much, too little and nothing, answer with fewer
    bytes than asked for, and refuse to be asked about an open file. Raises TransientError.
    """
    file = await open_file(session, path)
    if file is None:
        return None
    try:
        return await read_open(session, file, path, size, most)
    finally:
        await close_file(session, file, path)


async def open_file(session: Session, path: str) -> File | None:
    """The file, opened for reading; None when it is not there. Raises TransientError."""
    async with session.request("open it", path):
        try:
            # Without a block size one read is one request; asyncssh's parallel reads fill gaps with zeros.
            return await session.sftp.open(path, encoding=None, block_size=0)
        except GONE:
            return None


async def close_file(session: Session, file: File, path: str) -> None:
    """Close what was only read: how that ends tells nothing about the bytes."""
    with suppress(TransientError):
        async with session.request("close it", path):
            await file.close()


async def read_open(session: Session, file: File, path: str, size: int, most: int) -> bytes:
    """As ``read``, of an open file."""
    content = BytesIO()  # hands its bytes over without a copy

    def take(offset: int, data: bytes) -> None:
        content.seek(offset)
        content.write(data)

    content.truncate(await visit(session, file, path, size, most, take))
    return content.getvalue()


async def visit(
    session: Session, file: File, path: str, size: int, most: int, take: Callable[[int, bytes], None]
) -> int:
    """Give every piece of an open file to ``take`` as (offset, bytes), in any order; returns where the file ended.

    Ends beyond ``most`` bytes, should the file go on. Pieces beyond the returned end are void. Raises TransientError.
    """
    reach = _Reach(session, file, path, size, take)
    done, goal = 0, size + 1 if size else _LEAST  # one byte more than there should be shows whether that is all
    with session.transfer():
        while reach.end is None and done <= most:
            goal = min(goal, most + 1)
            await reach.cover(done, goal)
            done, goal = goal, goal + max(goal, _LEAST)
    return done if reach.end is None else reach.end


class _Reach:
    """Reads ranges of one file side by side, and learns where it ends."""

    def __init__(self, session: Session, file: File, path: str, size: int, take: Callable[[int, bytes], None]) -> None:
        self.end: int | None = None
        self._session = session
        self._file = file
        self._path = path
        self._size = size
        self._take = take
        self._block = min(max(session.sftp.limits.max_read_len, _LEAST), _MOST)

    async def cover(self, start: int, stop: int) -> None:
        """Read all bytes from ``start`` to ``stop``, or to the end of the file."""
        starts = range(start, stop, self._block)
        width = min(self._session.width, max(_WINDOW // self._block, 1), len(starts))
        await side_by_side(width, starts, lambda start: self._fill(start, min(start + self._block, stop)))

    async def _fill(self, start: int, stop: int) -> None:
        """Servers answer with less than was asked for, long before the end of the file."""
        if self.end is not None and start >= self.end:
            return
        at = start
        while at < stop:
            if start < at == self._size:  # an answer shorter than asked, up to the size that was listed
                self._ends(at)
                return
            async with self._session.request("read it", self._path):
                data: bytes = await self._file.read(stop - at, at)
            if not data:
                self._ends(at)
                return
            self._take(at, data)
            at += len(data)

    def _ends(self, at: int) -> None:
        self.end = at if self.end is None else min(self.end, at)
