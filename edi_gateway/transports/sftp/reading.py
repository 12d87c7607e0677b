"""Remote file → bytes, by plain reads until the server says that is all."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.session import GONE, Session

_LEAST: Final = 32 * 1024  # what every server must be able to answer with (draft-ietf-secsh-filexfer-02, section 3)
_MOST: Final = 256 * 1024


async def read(session: Session, path: str, size: int, most: int) -> bytes | None:
    """The content of a file, at most a block more than ``most`` bytes; None when it has vanished.

    ``size`` only says how much to ask for first: servers report too much, too little and nothing, answer with fewer
    bytes than asked for, and refuse to be asked about an open file. Raises TransientError.
    """
    with session.request("open it", path):
        try:
            # Without a block size one read is one request; asyncssh's parallel reads fill gaps with zeros.
            file = await session.sftp.open(path, encoding=None, block_size=0)
        except GONE:
            return None
    content = bytearray()
    block = min(max(session.sftp.limits.max_read_len, _LEAST), _MOST)
    try:
        while len(content) <= most:
            left = size - len(content)
            with session.request("read it", path):
                data: bytes = await file.read(min(left + 1, block) if left > 0 else block, len(content))
            if not data:
                break
            content += data
    finally:
        with suppress(TransientError), session.request("close it", path):
            await file.close()
    return bytes(content)
