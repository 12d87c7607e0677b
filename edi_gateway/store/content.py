"""Bytes, stored once each under their SHA-256."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import count
from typing import Final

from sqlalchemy import Connection, bindparam, select

from edi_gateway.store.engine import Database, chunks, insert_new
from edi_gateway.store.tables import METADATA

CONTENT: Final = METADATA.tables["content"]
_CHUNK_OF: Final = select(CONTENT.c.chunk).where(CONTENT.c.digest == bindparam("of"), CONTENT.c.seq == bindparam("at"))
_CHUNK: Final = 1 << 20  # one row holds at most 1 MiB, so that no driver builds one huge parameter


def store(connection: Connection, contents: Mapping[str, bytes]) -> None:
    """Store what is not there yet, digest → bytes."""
    there: set[str] = set()
    for digests in chunks(contents):
        known = select(CONTENT.c.digest).where(CONTENT.c.digest.in_(digests), CONTENT.c.seq == 0)
        there.update(connection.execute(known).scalars())
    adding = insert_new(connection, CONTENT)
    for digest in contents.keys() - there:
        content = memoryview(contents[digest])
        for seq, start in enumerate(range(0, len(content) or 1, _CHUNK)):  # nothing at all is a row too
            chunk = bytes(content[start : start + _CHUNK])
            connection.execute(adding, {"digest": digest, "seq": seq, "chunk": chunk})


def load(db: Database, digest: str) -> bytes:
    """The bytes of that digest, held once and no more while they are put together.

    Raises LookupError when there are none.
    """
    joined = BytesIO()  # hands out its buffer without a copy of it
    with db.read() as connection:
        if not [joined.write(chunk) for chunk in _chunks(connection, digest)]:
            raise LookupError(f"no bytes are stored under {digest}")
    return joined.getvalue()


def _chunks(connection: Connection, digest: str) -> Iterator[bytes]:
    for seq in count():
        chunk = connection.execute(_CHUNK_OF, {"of": digest, "at": seq}).scalar()
        if chunk is None:
            return
        yield chunk
        if len(chunk) < _CHUNK:
            return
