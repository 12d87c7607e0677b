"""Documents: bytes before meaning, once, and never lost."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from edi_gateway.errors import TransientError
from edi_gateway.model import RawDocument
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database
from edi_gateway.store.inbox import Counts, Received
from edi_gateway.store.tables import DocumentState
from tests.unit.store.building import START

RECEIVED, IGNORED = DocumentState.RECEIVED, DocumentState.IGNORED


def raw(content: bytes, name: str = "a.edi", channel: str = "in", key: str = "") -> RawDocument:
    return RawDocument(channel, name, content, START, key)


def settled(db: Database, document_id: int, state: DocumentState) -> None:
    with db.write() as connection:
        inbox.settle(connection, document_id, state, Counts())


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_bytes_come_back_as_they_came(db: Database, size: int) -> None:
    """Any size around the edges of a chunk, and nothing at all, is stored byte for byte."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    [received] = inbox.receive(db, "speedy", [raw(content)])
    document = inbox.document(db, received.document_id)

    assert (size, content) == (document.size, inbox.load(db, document.digest))


def test_same_bytes_from_the_same_carrier_are_a_duplicate_under_any_name(db: Database) -> None:
    """A copy is kept on record as ignored, and says whose copy it is; another carrier's is its own document."""
    first = inbox.receive(db, "speedy", [raw(b"x"), raw(b"y"), raw(b"x", "again.edi")])
    later = inbox.receive(db, "speedy", [raw(b"y", "other.edi", "webhook")])
    others = inbox.receive(db, "nordlog", [raw(b"x")])

    assert [Received(1, RECEIVED, None), Received(2, RECEIVED, None), Received(3, IGNORED, 1)] == first
    assert [Received(4, IGNORED, 2)] == later
    assert [Received(5, RECEIVED, None)] == others


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        (DocumentState.PROCESSED, IGNORED),
        (DocumentState.PARTLY_PROCESSED, IGNORED),
        (DocumentState.QUARANTINED, RECEIVED),
    ],
)
def test_bytes_that_could_not_be_used_may_be_sent_again(
    db: Database, earlier: DocumentState, now: DocumentState
) -> None:
    """Only a wholly quarantined document leaves room for the same bytes."""
    [first] = inbox.receive(db, "speedy", [raw(b"x")])
    settled(db, first.document_id, earlier)

    assert now is inbox.receive(db, "speedy", [raw(b"x")])[0].state


def test_a_batch_that_fails_leaves_nothing_behind(db: Database) -> None:
    """Bytes, rows and keys are one transaction: a batch with one impossible row is as if it never came."""
    bad = replace(raw(b"y", key="2"), received_at=START.replace(tzinfo=None))
    with pytest.raises(Exception, match="timezone"):
        inbox.receive(db, "speedy", [raw(b"x", key="1"), bad])

    assert ([], set()) == (inbox.documents(db), inbox.known(db, "in", ["1", "2"]))
    with pytest.raises(LookupError):
        inbox.load(db, raw(b"x").digest)


_KILLED_MIDWAY = """
import os, signal, sys
from datetime import UTC, datetime
from edi_gateway.model import RawDocument
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database
db = Database(sys.argv[1])
inbox.receive(db, "speedy", [RawDocument("in", "kept.edi", b"kept", datetime.now(UTC), "kept")])
with db.write() as connection:
    inbox.settle(connection, 1, inbox.DocumentState.PROCESSED, inbox.Counts())
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_only_the_transaction_it_was_in(db: Database) -> None:
    """What was received is there after kill -9, byte for byte; what was not committed never happened."""
    url = db._url.render_as_string(hide_password=False)
    killed = subprocess.run([sys.executable, "-c", _KILLED_MIDWAY, url], check=False)
    [document] = inbox.to_process(db, ["in"])

    assert -signal.SIGKILL == killed.returncode
    assert ("kept.edi", b"kept") == (document.name, inbox.load(db, document.digest))
    assert {"kept"} == inbox.known(db, "in", ["kept"])


def test_source_keys_say_which_copies_need_no_fetching(db: Database) -> None:
    """Keys are known per channel once committed, duplicates' keys too; without a key nothing is remembered."""
    inbox.receive(db, "speedy", [raw(b"x", key="1"), raw(b"x", key="2"), raw(b"z")])
    inbox.receive(db, "speedy", [raw(b"x", key="1")])

    assert {"1", "2"} == inbox.known(db, "in", ["1", "2", "3", ""])
    assert set() == inbox.known(db, "webhook", ["1"])


def test_retain_forgets_the_keys_of_files_that_are_gone(db: Database) -> None:
    """Of one channel, only what is still there is remembered."""
    inbox.receive(db, "speedy", [raw(b"x", key=str(number)) for number in range(5)])
    inbox.receive(db, "speedy", [raw(b"x", channel="webhook", key="0")])

    assert 3 == inbox.retain(db, "in", {"1", "4", "never seen"})
    assert {"1", "4"} == inbox.known(db, "in", [str(number) for number in range(5)])
    assert {"0"} == inbox.known(db, "webhook", ["0"])


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_retain_takes_no_turn_at_writing_where_nothing_is_gone(db: Database) -> None:
    """At every poll it is asked: it must not wait for a large document that another partner sent."""
    inbox.receive(db, "speedy", [raw(b"x", key="1")])
    with db.write():
        waited = threading.Thread(target=inbox.retain, args=(db, "in", {"1"}), daemon=True)
        waited.start()
        waited.join(10)
        assert not waited.is_alive()


def test_a_hundred_thousand_keys_are_no_trouble(db: Database) -> None:
    """Folders that are never cleared stay usable."""
    names = [f"/out/{number:06}" for number in range(100_000)]
    document = raw(b"x")
    inbox.receive(db, "speedy", [replace(document, key=name) for name in names[:100]])

    assert set(names[:100]) == inbox.known(db, "in", names)
    assert 1 == inbox.retain(db, "in", names[1:])


def test_names_no_database_takes_are_stored_legibly(db: Database) -> None:
    """A file name of broken bytes does not stop its document, and its key is recognised again."""
    inbox.receive(db, "speedy", [raw(b"x", "a\udcff\0.edi", key="a\udcff|1")])

    assert "a\ufffd\ufffd.edi" == inbox.to_process(db, ["in"])[0].name
    assert {"a\udcff|1"} == inbox.known(db, "in", ["a\udcff|1"])


def test_documents_wait_oldest_first_until_settled(db: Database) -> None:
    """Settling takes a document off the list and keeps its counts; reopening puts it back."""
    received = inbox.receive(db, "speedy", [raw(b"1"), raw(b"2"), raw(b"3")])
    counts = Counts(messages=3, events_new=2, events_duplicate=1, findings=1)
    with db.write() as connection:
        inbox.settle(connection, 2, DocumentState.PARTLY_PROCESSED, counts, "one message\0")
    document = inbox.document(db, 2)

    assert [1, 3] == [document.id for document in inbox.to_process(db, ["in"])]
    assert [1] == [document.id for document in inbox.to_process(db, ["in"], limit=1)]
    assert (3, 2, 1, 0, 1, "one message\ufffd") == (
        document.messages, document.events_new, document.events_duplicate, document.events_retracted,
        document.findings, document.error,
    )  # fmt: skip
    assert document.processed_at is not None

    assert [] == inbox.to_process(db, ["no longer configured"])

    with db.write() as connection:
        inbox.reopen(connection, 2)
    assert [one.document_id for one in received] == [document.id for document in inbox.to_process(db, ["in"])]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_what_waits_for_one_channel_is_found_by_an_index(db: Database) -> None:
    """However many documents were processed, and however many of other channels wait."""
    asked: list[tuple[str, Any]] = []
    event.listen(db._reader, "before_cursor_execute", lambda *what: asked.append((what[2], what[3])))
    inbox.to_process(db, ["in"])
    statement, parameters = asked[-1]
    with db.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()

    assert ["SEARCH document USING INDEX ix_document_waiting (channel=?)"] == [row.detail for row in plan]


def test_documents_are_found_by_carrier_channel_and_state(db: Database) -> None:
    """Filters narrow the list together; newest comes first."""
    inbox.receive(db, "speedy", [raw(b"1"), raw(b"2", channel="webhook")])
    inbox.receive(db, "nordlog", [raw(b"3")])
    settled(db, 1, DocumentState.PROCESSED)

    assert [3, 2, 1] == [document.id for document in inbox.documents(db)]
    assert [2, 1] == [document.id for document in inbox.documents(db, carrier="speedy")]
    assert [2] == [document.id for document in inbox.documents(db, channel="webhook")]
    assert [1] == [document.id for document in inbox.documents(db, carrier="speedy", state=DocumentState.PROCESSED)]


def test_asking_for_what_is_not_there_says_so(db: Database) -> None:
    """A wrong number is a LookupError that names it."""
    with pytest.raises(LookupError, match="no document 7"):
        inbox.document(db, 7)
    with pytest.raises(LookupError, match="no document 7"), db.write() as connection:
        inbox.reopen(connection, 7)


def test_a_full_disk_stops_the_receipt_and_not_the_gateway(tmp_path: Path) -> None:
    """When the database has no room the batch is not received, and the next one is once there is room again."""
    db = Database(f"sqlite:///{tmp_path / 'gateway.sqlite'}")  # PostgreSQL cannot be told to be full
    db.migrate()
    with db.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(TransientError, match="full"):
        inbox.receive(db, "speedy", [raw(b"x" * 500_000)])
    with db.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")

    assert [Received(1, RECEIVED, None)] == inbox.receive(db, "speedy", [raw(b"x" * 500_000)])
    db.close()


def test_instants_keep_their_microseconds(db: Database) -> None:
    """What arrived within one second stays in order, in both databases."""
    inbox.receive(db, "speedy", [replace(raw(b"x"), received_at=START + timedelta(microseconds=1))])

    assert START + timedelta(microseconds=1) == inbox.document(db, 1).received_at
