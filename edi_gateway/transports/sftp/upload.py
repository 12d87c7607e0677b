"""Bytes → remote file: written under a temporary name, proved, and only then given its own."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.clearing import exists
from edi_gateway.transports.sftp.session import GONE, Session

_BLOCK: Final = 1024 * 1024


async def write(session: Session, path: str, content: bytes) -> None:
    """Make or overwrite a file and, where the server can, have it on disk. Raises TransientError."""
    with session.request("open it for writing", path):
        file = await session.sftp.open(path, "wb", encoding=None)
    try:
        for start in range(0, len(content), _BLOCK):
            with session.request("write it", path):
                await file.write(content[start : start + _BLOCK], start)
        with session.request("have it stored", path), suppress(asyncssh.SFTPOpUnsupported):
            await file.fsync()
    except BaseException:
        with suppress(TransientError), session.request("close it", path):
            await file.close()
        raise
    with session.request("close it", path):
        await file.close()  # its answer may be the first to tell of a full disk


async def prove(session: Session, path: str, expected: int) -> bool:
    """Compare the size the server reports with what was sent; False when the file is not there.

    The path is asked, not the open handle: some servers refuse the latter. Raises TransientError.
    """
    with session.request("ask for its size", path):
        try:
            found = (await session.sftp.stat(path)).size
        except GONE:
            return False
    if found not in {None, expected}:
        raise TransientError(f"{session.name} {path}: found {found:,} bytes, expected the {expected:,} that were sent")
    return True


async def rename(session: Session, path: str, target: str) -> str:
    """Give the file its final name, in one step where the server can; returns what was done. Raises TransientError.

    SFTP version 3 has no rename that replaces, so without OpenSSH's extension an existing target is removed first.
    """
    doing = f"rename it to {target}"
    with session.request(doing, path), suppress(asyncssh.SFTPOpUnsupported):
        await session.sftp.posix_rename(path, target)
        return "renamed"
    with session.request(doing, path):
        try:
            await session.sftp.rename(path, target)
        except asyncssh.SFTPError as error:
            if isinstance(error, GONE) or not await exists(session, target):
                raise
            await session.sftp.remove(target)
            await session.sftp.rename(path, target)
            return "renamed in place of an older one"
    return "renamed"
