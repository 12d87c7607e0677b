"""Archived documents through today's mapping: what a fresh database would say, and nothing told twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from edi_gateway.errors import StorageError, TransientError
from edi_gateway.model import RawDocument
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.replay import Replay, Tally
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.store import events, findings, inbox, replays, shipments
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, Action, DocumentState
from edi_gateway.wiring import Wired
from tests import configured
from tests.unit.pipeline.iftsta import interchange, message, sts

NOW = datetime(2026, 10, 12, 12, tzinfo=UTC)
WRONG = "extends: standard/iftsta\nevent: {text: '^BGM@1.1'}\n"
MENDED = "extends: standard/iftsta\nevent: {text: FTX@4.1}\ncode_lists: [{agency: '87', codes: {QX: DELIVERED}}]\n"
FILES = [
    interchange(message(sts("K1", "13", 0, "FTX+AAO+++DEPOT"), sts("K1", "QX::87", 30)), ref="I1"),
    interchange(message(sts("K1", "QX::87", 30, "FTX+AAO+++DOOR"), bgm="23+R2+9"), ref="I2"),
    interchange(message(sts("K2", "QY::87", 10)), message(sts("K3", "21", 0), ref="2", trailer="9"), ref="I3"),
    interchange(message(sts("K1", "13", 0), bgm="23+R4+1"), ref="I4"),
    interchange(message(sts("K4", "21", 5)), ref="I1"),
    interchange(message(sts("K5", "21", 5, "FTX+AAO+++DOOR")), ref="I6"),
    interchange(message(sts("K5", "21", 5, "FTX+AAO+++FRONT DOOR", "LOC+14+DEHAM")), ref="I7"),
    interchange(message(sts("K6", "21", 5)), ref="I8"),
    interchange(message(sts("K6", "21", 5, "FTX+AAO+++GARAGE")), ref="I9"),
]


def speaking(folder: Path, mapping: str) -> Wired:
    """The usual partners, the carrier read by that mapping."""
    (folder / "mappings").mkdir(parents=True)
    (folder / "mappings" / "speedy.yaml").write_text(mapping)
    return configured.wired(
        folder / "config",
        gateway=f"mappings: [{folder / 'mappings'}, {configured.MAPPINGS}]\nidentity: HUB\n",
        carriers__speedy=configured.CARRIER.replace("standard/iftsta", "speedy"),
    )


@pytest.fixture
def before(tmp_path: Path) -> Wired:
    return speaking(tmp_path / "before", WRONG)


@pytest.fixture
def after(tmp_path: Path) -> Wired:
    return speaking(tmp_path / "after", MENDED)


def fill(db: Database, wired: Wired, files: list[bytes] = FILES) -> None:
    """Receive the files, a minute apart, and process them."""
    for index, content in enumerate(files):
        document = RawDocument("speedy/files", f"{index}.edi", content, NOW + timedelta(minutes=index))
        inbox.receive(db, "speedy", [document])
        process_pending(db, wired.channels, wired.destinations)


def work(db: Database, wired: Wired) -> Replay:
    return Replay(db, wired.channels, wired.destinations)


def replay(db: Database, wired: Wired) -> Tally:
    """Read everything again."""
    replays.ask(db, replays.choose(db))
    return work(db, wired).run()


def everything(db: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    with db.read() as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
            for name, table in METADATA.tables.items()
        }


def known(db: Database) -> list[dict[str, Any]]:
    """Every event that stands, with its shipment, but without numbers that depend on the order of things."""
    event, shipment = METADATA.tables["event"], METADATA.tables["shipment"]
    with db.read() as connection:
        rows = connection.execute(select(event).where(~event.c.retracted).order_by(event.c.fingerprint)).all()
        ships = {row.id: row._asdict() | {"id": 0} for row in connection.execute(select(shipment)).all()}
    return [row._asdict() | {"id": 0, "shipment_id": 0, "shipment": ships[row.shipment_id]} for row in rows]


def waiting(db: Database) -> dict[str, int]:
    return dict(shipments.overview(db).pending)


def seal(db: Database, wired: Wired) -> None:
    """Everything owed lies in a file now."""
    for destination in wired.destinations:
        seal_due(db, destination, datetime.now(UTC) + timedelta(seconds=1))
    assert waiting(db) == {}


def test_a_replay_gives_what_a_fresh_database_would(db: Database, before: Wired, after: Wired, tmp_path: Path) -> None:
    """Mended codes, texts from another place, and an event that two documents tell."""
    fill(db, before)
    fresh = Database(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    fresh.migrate()
    fill(fresh, after)
    assert known(db) != known(fresh)
    replay(db, after)
    assert known(db) == known(fresh)
    assert [document.state for document in inbox.documents(db)] == [
        document.state for document in inbox.documents(fresh)
    ]
    fresh.close()


def test_a_preview_counts_truly_and_changes_nothing(db: Database, before: Wired, after: Wired) -> None:
    """Not one row differs afterwards; then the replay does what was said."""
    fill(db, before)
    seal(db, before)
    untouched = everything(db)
    told = work(db, after).preview(replays.choose(db))
    assert everything(db) == untouched
    done = replay(db, after)
    assert (told.documents, told.parts, told.counts) == (len(FILES), 1, done.counts)
    assert (told.states, told.interchanges, told.owed) == (done.states, done.interchanges, done.owed)
    assert (done.counts.events_new, done.counts.events_retracted) == (1, 1)
    assert done.owed == {("globex/edi", Action.REPORT): 1, ("globex/edi", Action.CANCEL): 1}


def test_codes_mapped_since_are_told_once(db: Database, before: Wired, after: Wired) -> None:
    """What was sent is taken back and sent mended, the rest not sent again; a second replay says nothing new."""
    fill(db, before)
    seal(db, before)
    replay(db, after)
    assert waiting(db) == {"globex/edi": 2}
    seal(db, after)
    again = replay(db, after)
    assert (again.counts.events_new, again.counts.events_retracted, again.owed) == (0, 0, {})
    assert waiting(db) == {}


def test_what_a_document_was_the_first_to_tell_stays_its_own(db: Database, before: Wired) -> None:
    """Counts, findings and interchanges of a document read again with nothing changed are what they were."""
    fill(db, before)
    rows = ("finding", "event", "shipment", "interchange")
    then, documents = (
        everything(db),
        [document.model_dump(exclude={"processed_at"}) for document in inbox.documents(db)],
    )
    replay(db, before)
    assert [document.model_dump(exclude={"processed_at"}) for document in inbox.documents(db)] == documents
    assert {name: everything(db)[name] for name in rows} == {name: then[name] for name in rows}


def test_an_interrupted_replay_goes_on_where_it_was(db: Database, before: Wired, after: Wired, tmp_path: Path) -> None:
    """Wherever it is killed; what was done is not done again, and the end is the same."""
    fill(db, before)
    fresh = Database(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    fresh.migrate()
    fill(fresh, after)
    replays.ask(db, replays.choose(db))

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    for left in (8, 7, 6):
        with pytest.raises(KeyboardInterrupt):
            work(db, after).run(interrupted)
        assert len(replays.left(db)) == left
    assert work(db, after).run().documents == 6
    assert (replays.left(db), known(db)) == ([], known(fresh))
    fresh.close()


def test_a_document_whose_replay_breaks_off_is_as_it_was(
    db: Database, before: Wired, after: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database refuses in the middle: nothing of that document has changed, and it is still to be done."""
    fill(db, before)
    replays.ask(db, replays.choose(db, [1]))
    untouched = everything(db)
    record = events.record

    def refused(*args: Any, **more: Any) -> events.Recorded:
        record(*args, **more)
        raise TransientError("disk full")

    monkeypatch.setattr(events, "record", refused)
    with pytest.raises(TransientError):
        work(db, after).run()
    assert everything(db) == untouched


def test_a_document_we_fail_on_is_set_aside_and_the_next_is_read(
    db: Database, before: Wired, after: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the preview, too, which stays without effect."""
    fill(db, before)
    record = events.record

    def fails_on_the_first(*args: Any, **more: Any) -> events.Recorded:
        if args[1] == 1:
            raise OverflowError("date value out of range")
        return record(*args, **more)

    monkeypatch.setattr(events, "record", fails_on_the_first)
    untouched = everything(db)
    with capture_logs(processors=[merge_contextvars]) as said:
        told = work(db, after).preview(replays.choose(db, [1, 2]))
        assert (everything(db), told.states) == (untouched, {DocumentState.QUARANTINED: 1, DocumentState.PROCESSED: 1})
        replays.ask(db, replays.choose(db, [1, 2]))
        assert work(db, after).run().states == told.states
    assert [line["document"] for line in said if line["event"] == "document.defect"] == [1, 1]
    assert "date value out of range" in findings.quarantine(db)[0].found
    assert replays.left(db) == []


def test_documents_are_chosen_by_number_channel_and_time(db: Database, before: Wired) -> None:
    """What waits to be processed, and copies of others, are left out."""
    fill(db, before)
    inbox.receive(
        db, "speedy", [RawDocument("speedy/more", "x", b"x", NOW), RawDocument("speedy/files", "y", b"x", NOW)]
    )

    def numbers(*args: Any, **more: Any) -> list[int]:
        return [document.id for document in replays.choose(db, *args, **more)]

    assert numbers() == numbers(channel="speedy/files") == list(range(1, 10))
    assert numbers([5, 2, 10, 11, 99]) == [2, 5]
    assert numbers(since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=3)) == [2, 3]
    assert numbers(channel="speedy/more") == []
    assert replays.abandon(db) == 0


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_preview_on_a_full_disk_says_so_and_leaves_nothing(db: Database, before: Wired, after: Wired) -> None:
    """SQLite takes back more than was asked for; nothing may be set aside for the sake of it."""
    content = interchange(*(message(sts(f"K{n}", "QX::87", n % 60), ref=str(n)) for n in range(300)))
    fill(db, before, [content])
    stood = [(each.state, each.events_new) for each in inbox.documents(db)]
    with db.write() as connection:
        there = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {there}")
    with pytest.raises(StorageError, match="full"):
        work(db, after).preview(replays.choose(db))
    assert [(each.state, each.events_new) for each in inbox.documents(db)] == stood
    assert findings.quarantine(db) == []
    with db.write() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {there + 1_000}")
    assert work(db, after).preview(replays.choose(db)).counts.events_duplicate == 0
