"""What waits for whom, and that looking for it does not cost more the more there is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, literal, select, text

from edi_gateway.model import utc_now
from edi_gateway.store import claims, outbox, waiting
from edi_gateway.store.engine import Database
from edi_gateway.store.outbox import Owed
from edi_gateway.store.tables import METADATA, Action, Outcome
from edi_gateway.store.waiting import Stranded
from tests.unit.store.building import EDI, claimed, message, new_document, record, sealed, tracking

LATER = timedelta(hours=1)
BACKLOG = 50_000


@pytest.fixture
def sqlite_db(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """Only SQLite says in a few words how it would do it."""
    database = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'gateway.sqlite')}")
    yield database
    database.close()


def owe(db: Database, destination: str, count: int) -> None:
    changes = record(db, message(*(tracking(tracking_number=f"{destination}{n}") for n in range(count)))).changes
    rows = [Owed(destination, "globex", change.event_id, change.shipment_id, Action.REPORT) for change in changes]
    with db.write() as connection:
        outbox.owe(connection, rows)


def backlog(db: Database, destination: str) -> None:
    """So many files that are due at one destination."""
    last = sealed(db, destination)
    table = METADATA.tables["delivery"]
    numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < BACKLOG - 1))
    copied = [(table.c.id + numbers.c.n) if column.name == "id" else column for column in table.c]
    with db.write() as connection:
        copies = select(*copied).select_from(table.join(numbers, literal(1) == 1)).where(table.c.id == last)
        connection.execute(insert(table).from_select(list(table.c), copies))
    if db._url.drivername != "sqlite":
        with db.write() as connection:
            connection.execute(text("SELECT setval(pg_get_serial_sequence('delivery', 'id'), max(id)) FROM delivery"))
            connection.execute(text("ANALYZE delivery"))


def test_what_waits_is_found_by_destination(db: Database) -> None:
    """Counted as far as it matters, with the time since when; files only if they are due and nobody holds them."""
    assert ({}, set()) == (waiting.to_seal(db, 10), waiting.to_send(db, utc_now()))
    for destination, count in (("a/edi", 3), ("b/edi", 1), ("c/edi", 2)):
        owe(db, destination, count)
    found = waiting.to_seal(db, 2)
    assert {"a/edi": 2, "b/edi": 1, "c/edi": 2} == {name: owed.count for name, owed in found.items()}
    assert found["a/edi"] == outbox.due(db, "a/edi", 2)

    for destination in ("a/edi", "b/edi", EDI):
        sealed(db, destination)
    claimed(db, "b/edi")
    assert {"a/edi", EDI} == waiting.to_send(db, utc_now())
    assert {"a/edi", "b/edi", EDI} == waiting.to_send(db, utc_now() + LATER)


@pytest.mark.parametrize(
    "look",
    [
        lambda db: waiting.to_send(db, utc_now()),
        lambda db: waiting.to_seal(db, 500),
        lambda db: claims.claim(db, EDI, "here"),
        lambda db: claims.claim(db, EDI, "here", in_order=True),
        lambda db: claims.blocking(db, EDI),
        lambda db: outbox.due(db, EDI, 500),
    ],
    ids=["to_send", "to_seal", "claim", "claim_in_order", "blocking", "due"],
)
def test_a_look_goes_through_an_index_and_sorts_nothing(sqlite_db: Database, look: Callable[[Database], Any]) -> None:
    """Whatever the scheduler asks every second steps from one index entry to the next."""
    db = sqlite_db
    sealed(db)
    sealed(db)
    owe(db, EDI, 1)
    plans: list[str] = []

    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> None:
        if statement.startswith(("SELECT", "WITH")) and ("delivery" in statement or "outbox" in statement):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.extend(row[3] for row in rows)

    for engine in (db._reader, db._writer):
        event.listen(engine, "before_cursor_execute", explain)
    look(db)
    assert plans
    assert [] == [step for step in plans if "TEMP B-TREE" in step or step in {"SCAN delivery", "SCAN outbox"}]


def test_a_long_queue_at_one_destination_is_no_burden_for_the_others(db: Database) -> None:
    """With 50,000 files waiting for one, a look for all and a claim for another take a few milliseconds."""
    backlog(db, "full/edi")
    sealed(db)
    begun = utc_now()
    for _ in range(10):
        assert {EDI, "full/edi"} == waiting.to_send(db, utc_now())
    assert utc_now() - begun < timedelta(seconds=1)
    assert claims.claim(db, EDI, "here") is not None
    begun = utc_now()
    for _ in range(10):
        assert claims.claim(db, "full/edi", "here") is not None
    assert utc_now() - begun < timedelta(seconds=2)


def test_what_waits_for_partners_that_are_gone_is_told(db: Database) -> None:
    """Events and files of a destination, documents of a channel; what is configured or settled is no matter."""
    owe(db, "gone/edi", 12)
    for destination in ("gone/edi", "gone/edi", "gone/edi", EDI, "other/edi"):
        sealed(db, destination)
    claims.finish_attempt(db, claimed(db, "other/edi"), Outcome.DELIVERED)
    new_document(db)

    assert [Stranded("channel", "in", 0, 2), Stranded("destination", "gone/edi", 12, 3)] == waiting.stranded(
        db, set(), {EDI}
    )
    assert [] == waiting.stranded(db, {"in"}, {EDI, "gone/edi"})
