"""What a server says of one file, and what of it is in truth ours."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

import asyncssh

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.reading import close_file, open_file, visit
from edi_gateway.transports.sftp.session import GONE, UNABLE, Session

_MUTE: Final = (*UNABLE, asyncssh.SFTPFailure)


class Seen(NamedTuple):
    """``there`` is None when the server does not tell; so are size in bytes and time in seconds."""

    there: bool | None
    size: int | None = None
    mtime: int | None = None


async def look(session: Session, path: str, *, follow: bool = False) -> Seen:
    """Ask for what stands under a name; ``follow``: for what it leads to. Raises TransientError.

    The path is asked, never an open handle, and a server may refuse that as well.
    """
    async with session.request("look at it", path):
        try:
            found = await (session.sftp.stat(path) if follow else session.sftp.lstat(path))
        except GONE:
            return Seen(there=False)
        except _MUTE:
            return Seen(there=None)
        return Seen(True, found.size, found.mtime)


class Match(Enum):
    """How a remote file compares with what it should hold."""

    MISSING = "missing"
    EQUAL = "equal"
    BEGINNING = "beginning"  # shorter, and equal as far as it goes
    OTHER = "other"
    UNREADABLE = "unreadable"


async def compare(session: Session, path: str, content: bytes) -> Match:
    """Read a remote file, holding none of it, next to what it should be. Raises TransientError."""
    try:
        file = await open_file(session, path)
    except TransientError as error:
        if isinstance(error.__cause__, _MUTE):
            return Match.UNREADABLE
        raise
    if file is None:
        return Match.MISSING
    differs = False

    def take(offset: int, data: bytes) -> None:
        nonlocal differs
        differs = differs or not content.startswith(data, offset)

    try:
        length = await visit(session, file, path, len(content), len(content), take)
    finally:
        await close_file(session, file, path)
    if differs or length > len(content):
        return Match.OTHER
    return Match.EQUAL if length == len(content) else Match.BEGINNING
