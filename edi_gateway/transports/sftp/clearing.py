"""What becomes of the remote copy once its bytes are committed: deleted, moved, or left where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from edi_gateway.transports.sftp.listing import Entry, inside
from edi_gateway.transports.sftp.looking import look
from edi_gateway.transports.sftp.session import GONE, Session


async def delete(session: Session, path: str) -> None:
    """Delete a file; one that is not there any more is no error. Raises TransientError."""
    async with session.request("delete it", path):
        with suppress(*GONE):
            await session.sftp.remove(path)


async def move(session: Session, folder: str, entry: Entry, target: str) -> None:
    """Move a file into the folder ``target``, which is made when missing, under a name that is free there.

    Raises TransientError.
    """
    path = inside(folder, entry.name)
    for name in _names(entry):
        free = inside(target, name)
        if not (await look(session, free)).there:
            break
    doing = f"move it to {free}"
    async with session.request(doing, path):
        with suppress(*GONE):
            await session.sftp.rename(path, free)
            return
    async with session.request(doing, path):
        await session.sftp.makedirs(target, exist_ok=True)
        with suppress(*GONE):  # now it is the file that has gone
            await session.sftp.rename(path, free)


def _names(entry: Entry) -> Iterator[str]:
    """The file's name, then with the file's time, then with a number: carriers send one name every day."""
    yield entry.name
    yield f"{entry.name}.{entry.mtime or 0}"
    yield from (f"{entry.name}.{entry.mtime or 0}.{number}" for number in count(2))
