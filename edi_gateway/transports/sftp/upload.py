"""Bytes → remote file: written side by side, stored, closed."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.clearing import delete
from edi_gateway.transports.sftp.lanes import side_by_side
from edi_gateway.transports.sftp.looking import look
from edi_gateway.transports.sftp.reading import File, close_file
from edi_gateway.transports.sftp.session import GONE, Session

_LEAST: Final = 32 * 1024  # what every server must be able to take (draft-ietf-secsh-filexfer-02, section 3)
_MOST: Final = 256 * 1024
_WINDOW: Final = 4 * 1024 * 1024  # bytes on their way unanswered


async def write(session: Session, path: str, content: bytes, *, direct: bool = False, fresh: bool = False) -> None:
    """Make a file anew and, where the server can, have it on disk. Raises TransientError.

    ``direct``: it is seen while it grows, so what breaks off must be a beginning of it and nothing else.
    ``fresh``: nothing may stand under that name yet.
    """
    file = await (_create(session, path, "xb") if fresh else _open(session, path))
    try:
        with session.transfer():
            await _fill(session, file, path, content, 1 if direct else session.width)
            async with session.request("have it stored", path):
                with suppress(asyncssh.SFTPOpUnsupported):
                    await file.fsync()
    except BaseException:
        await close_file(session, file, path)
        raise
    async with session.request("close it", path):
        await file.close()  # its answer may be the first to tell of a full disk


async def _open(session: Session, path: str) -> File:
    """Open for writing; what is left of an upload that broke off is removed where it cannot be overwritten."""
    try:
        return await _create(session, path, "wb")
    except TransientError as error:
        if session.broken or isinstance(error.__cause__, GONE) or not (await look(session, path)).there:
            raise
    await delete(session, path)
    return await _create(session, path, "wb")


async def _create(session: Session, path: str, mode: str) -> File:
    async with session.request("open it for writing", path):
        # Without attributes nothing is sent to set them by; without a block size one write is one request.
        return await session.sftp.open(path, mode, encoding=None, block_size=0)


async def _fill(session: Session, file: File, path: str, content: bytes, width: int) -> None:
    block = min(max(session.sftp.limits.max_write_len, _LEAST), _MOST)
    starts = range(0, len(content), block)

    async def put(start: int) -> None:
        async with session.request("write it", path):
            await file.write(content[start : start + block], start)

    await side_by_side(min(width, max(_WINDOW // block, 1), len(starts)), starts, put)
