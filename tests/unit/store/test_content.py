"""Bytes of any size, kept in pieces: a carrier's backlog of 100 MB is loaded while others are served."""

from __future__ import annotations

import tracemalloc
from typing import Final

import pytest

from edi_gateway.store import content
from edi_gateway.store.engine import Database

_SIZE: Final = 24 << 20
_ROOM: Final = 8 << 20  # for a few pieces, as they are on their way


def test_bytes_are_held_once_while_they_are_put_together(db: Database) -> None:
    """Loading takes the memory of what is loaded, not twice as much."""
    whole = bytes(range(256)) * (_SIZE // 256)
    with db.write() as connection:
        content.store(connection, {"d" * 64: whole})
    tracemalloc.start()
    try:
        loaded = content.load(db, "d" * 64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert loaded == whole
    assert peak < _SIZE + _ROOM


def test_storing_copies_no_more_than_a_piece(db: Database) -> None:
    """Bytes that are there already are stored without a second copy of them all."""
    whole = bytes(range(256)) * (_SIZE // 256)
    tracemalloc.start()
    try:
        with db.write() as connection:
            content.store(connection, {"d" * 64: whole})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < _ROOM


def test_bytes_that_are_not_there_are_asked_for_in_vain(db: Database) -> None:
    """Nothing is made up: no bytes is not the same as empty bytes."""
    with pytest.raises(LookupError, match="no bytes are stored"):
        content.load(db, "e" * 64)
