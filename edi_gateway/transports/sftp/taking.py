"""One file as it is taken from a server: its bytes, and what keeps it open until they are committed."""

from __future__ import annotations

from dataclasses import dataclass

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.listing import Entry
from edi_gateway.transports.sftp.reading import File, open_file, read, read_open
from edi_gateway.transports.sftp.session import Session


@dataclass(slots=True)
class Taken:
    """A file that was read; ``held`` is its handle where closing it tells the server that we have it."""

    listed: Entry
    content: bytes
    held: File | None = None

    async def release(self, session: Session, path: str) -> None:
        """Close it, now that its bytes are committed. Raises TransientError."""
        file, self.held = self.held, None
        if file:
            async with session.request("close it", path):
                await file.close()


async def take(session: Session, path: str, listed: Entry, most: int) -> Taken | None:
    """Read a file; None when it has vanished. Raises TransientError."""
    content = await read(session, path, listed.size or 0, most)
    return None if content is None else Taken(listed, content)


async def take_once(session: Session, path: str, listed: Entry, most: int) -> Taken | None:
    """Read a file that the server gives away once; it stays open, for its end is what counts as given.

    Raises TransientError, with the connection cut: a server that sees it break off lets us have the file again.
    """
    file = await open_file(session, path)
    if file is None:
        return None
    try:
        return Taken(listed, await read_open(session, file, path, listed.size or 0, most), file)
    except TransientError:
        session.abort()
        raise
