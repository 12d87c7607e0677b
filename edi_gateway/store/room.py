"""Whether the database takes what it is given: asked with a real commit, because nothing else is an answer."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete

from edi_gateway.store.content import CONTENT
from edi_gateway.store.engine import Database, insert_new

_KEY: Final = "room"  # no digest looks like this
_SIZE: Final = 1 << 20


def prove_room(db: Database) -> None:
    """Commit a mebibyte and take it back. Raises StorageError when the database refuses."""
    _forget(db)
    with db.write() as connection:
        connection.execute(insert_new(connection, CONTENT), {"digest": _KEY, "seq": 0, "chunk": bytes(_SIZE)})
    _forget(db)


def _forget(db: Database) -> None:
    with db.write() as connection:
        connection.execute(delete(CONTENT).where(CONTENT.c.digest == _KEY))
