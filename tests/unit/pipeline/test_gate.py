"""The gate: work is held back while the database takes nothing, and goes on by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from edi_gateway.errors import StorageError
from edi_gateway.pipeline.gate import Gate
from edi_gateway.store.alarms import alarms
from edi_gateway.store.content import CONTENT
from edi_gateway.store.engine import Database
from edi_gateway.store.room import prove_room
from tests.unit.store.building import second_node

PLENTY = 1 << 60  # bytes that no disk has free


@contextmanager
def no_more_pages(db: Database) -> Iterator[None]:
    """SQLite as on a full disk: it takes nothing that needs another page."""
    with db.write() as connection:
        connection.execute(text("PRAGMA max_page_count=1"))  # as many as there are
    try:
        yield
    finally:
        with db.write() as connection:
            connection.execute(text("PRAGMA max_page_count=4294967294"))


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_it_opens_only_when_a_commit_went_through(db: Database) -> None:
    """A closed gate asks the database with a write: that it can be read, or takes an empty one, is no answer."""
    gate = Gate(db, None, 0)
    assert not gate.open
    with no_more_pages(db):
        await gate.look()
        assert not gate.open
    await gate.look()
    assert gate.open


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_it_asks_for_room_before_the_last_is_used(db: Database, tmp_path: Path) -> None:
    """With less room than asked for it closes while the database still takes everything, and says so as an alarm."""
    roomy, crowded = Gate(db, tmp_path, 0), Gate(db, tmp_path, PLENTY)
    await roomy.look()
    await crowded.look()
    assert (roomy.open, crowded.open) == (True, False)
    assert "least_free in gateway.yaml" in alarms(db)[0].text


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_a_refusal_closes_it_until_it_is_looked_at_again(db: Database) -> None:
    """Who waits goes on as soon as the database takes something again."""
    gate = Gate(db, None, 0)
    await gate.look()
    await gate.close(StorageError("database: no room"))
    waiting = asyncio.create_task(gate.wait())
    assert not gate.open
    assert [alarm.text for alarm in alarms(db)] == ["database: no room"]
    await gate.look()
    await asyncio.wait_for(waiting, 10)
    assert list(alarms(db)) == []


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_a_defect_of_a_look_does_not_end_the_watch(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else would ever open the gate again."""
    monkeypatch.setattr("edi_gateway.pipeline.gate._EVERY", 0.01)
    folder = tmp_path / "away"  # a disk that is not there fails in a way nobody thought of
    gate = Gate(db, folder, 0)
    gate._pause = 0.01
    with capture_logs() as logs:
        watching = asyncio.create_task(gate.watch())
        async with asyncio.timeout(10):
            while not any(record["event"] == "gate.defect" for record in logs):  # noqa: ASYNC110  a log tells nobody
                await asyncio.sleep(0.01)
        folder.mkdir()
        await asyncio.wait_for(gate.wait(), 10)
        watching.cancel()


def test_two_nodes_may_ask_for_room_at_once(db: Database) -> None:
    """Neither is refused because of the other, and nothing of it stays."""
    begin = threading.Barrier(2)

    def ask(node: Database) -> None:
        for _ in range(5):
            begin.wait(10)
            prove_room(node)

    with second_node(db) as other, ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, (db, other)))
    with db.read() as connection:
        assert connection.execute(select(CONTENT)).first() is None
