"""Interchanges that come again: dropped, set aside, or read after all; in every case no event twice and none lost."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from edi_gateway.model import RawDocument, Status
from edi_gateway.pipeline import process as processing
from edi_gateway.pipeline.process import process_pending
from edi_gateway.store import events, findings, inbox, interchanges, shipments
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, Document, DocumentState, FindingState
from edi_gateway.wiring import Wired
from tests import configured
from tests.unit.formats import x12
from tests.unit.pipeline.iftsta import interchange, message, sts

NOW = datetime(2026, 10, 12, 12, tzinfo=UTC)
FIRST = interchange(message(sts("K1", "13", 0)))
OTHER = interchange(message(sts("K1", "21", 30)))


@pytest.fixture
def wired(tmp_path: Path) -> Wired:
    """One carrier, two customers."""
    return configured.wired(tmp_path / "config")


@pytest.fixture
def lenient(tmp_path: Path) -> Wired:
    """The same, but the carrier uses references again."""
    carrier = configured.CARRIER + "    unique_references: false\n"
    return configured.wired(tmp_path / "lenient", carriers__speedy=carrier)


def receive(db: Database, content: bytes, name: str = "a.edi", at: datetime = NOW, carrier: str = "speedy") -> int:
    (received,) = inbox.receive(db, carrier, [RawDocument("speedy/files", name, content, at)])
    return received.document_id


def take(db: Database, wired: Wired, content: bytes, **more: Any) -> Document:
    """Receive and process one file; returns its document."""
    number = receive(db, content, **more)
    process_pending(db, wired.channels, wired.destinations)
    return inbox.document(db, number)


def retry(db: Database, wired: Wired, document: int) -> Document:
    """Read a document again."""
    with db.write() as connection:
        inbox.reopen(connection, document)
    process_pending(db, wired.channels, wired.destinations)
    return inbox.document(db, document)


def forget_entries(db: Database, document: int) -> None:
    """As if the document had been read by a version that entered no interchanges."""
    entered = METADATA.tables["interchange"]
    with db.write() as connection:
        connection.execute(delete(entered).where(entered.c.document_id == document))


def states(db: Database, document: int) -> list[str]:
    """What became of each of the document's interchanges."""
    return [str(each.state) for each in interchanges.of_document(db, document)]


def known(db: Database) -> int:
    """How many events stand."""
    return sum(not event.retracted for number in ("K1", "K2", "K3") for ship in shipments.history(db, number)
               for event in ship.events)  # fmt: skip


def test_an_interchange_that_comes_again_in_another_file_is_dropped(db: Database, wired: Wired) -> None:
    """The file's new interchange is read; of the old one there is no event, and the document says what it repeats."""
    take(db, wired, FIRST)
    second = take(db, wired, FIRST + b"\r\n" + interchange(message(sts("K2", "13", 0)), ref="I2"), name="b.edi")
    assert (second.state, second.events_new, second.events_duplicate) == (DocumentState.PROCESSED, 1, 0)
    assert states(db, second.id) == ["duplicate", "accepted"]
    (remark,) = findings.of_document(db, second.id)
    assert "document 1, received 2026-10-12T12:00:00Z" in remark.found
    assert findings.quarantine(db) == []


def test_a_file_of_nothing_but_repeated_interchanges_is_ignored(db: Database, wired: Wired) -> None:
    """It names the document it repeats, as one with the very same bytes does."""
    take(db, wired, FIRST)
    second = take(db, wired, FIRST + b"\r\n", name="b.edi")
    assert (second.state, second.duplicate_of, second.events_duplicate) == (DocumentState.IGNORED, 1, 0)
    assert retry(db, wired, second.id).state is DocumentState.IGNORED


def test_another_content_under_a_known_reference_is_set_aside(db: Database, wired: Wired) -> None:
    """The finding names the reference, the document that had it and what to do; nothing of it is recorded."""
    take(db, wired, FIRST)
    second = take(db, wired, OTHER, name="b.edi")
    assert (second.state, states(db, second.id), known(db)) == (DocumentState.QUARANTINED, ["failed"], 1)
    (finding,) = findings.quarantine(db)
    assert "reference I1 of document 1, received 2026-10-12T12:00:00Z" in finding.found
    assert (finding.level, finding.interchange, finding.code) == ("interchange", "I1", "26")
    assert "unique_references: false" in finding.advice


def test_a_partner_may_use_references_again(db: Database, lenient: Wired) -> None:
    """Another content is read; the same one is still dropped."""
    take(db, lenient, FIRST)
    second, third = take(db, lenient, OTHER, name="b.edi"), take(db, lenient, FIRST + b"\n", name="c.edi")
    assert (states(db, second.id), second.events_new) == (["accepted"], 1)
    assert states(db, third.id) == ["duplicate"]


def test_what_was_set_aside_can_be_released(db: Database, wired: Wired, lenient: Wired) -> None:
    """Retried under the switch it is read; and it stays accepted when the switch is taken back."""
    take(db, wired, FIRST)
    second = take(db, wired, OTHER, name="b.edi").id
    assert retry(db, wired, second).state is DocumentState.QUARANTINED
    released = retry(db, lenient, second)
    assert (released.state, released.events_new, known(db)) == (DocumentState.PROCESSED, 1, 2)
    assert [row.state for row in findings.of_document(db, second)] == [FindingState.RESOLVED]
    for document in (1, second):
        assert retry(db, wired, document).state is DocumentState.PROCESSED
    assert known(db) == 2


@pytest.mark.parametrize(
    "failed",
    [
        OTHER.replace(b"UNZ+1+I1", b"UNZ+1+I9"),
        interchange(message(sts("K1", "21", 0), trailer="9")),
        interchange(message(sts("K1", "21", 0)), test=True),
    ],
    ids=["its envelope was broken", "no message of it could be used", "it was marked as a test"],
)
def test_a_reference_that_failed_may_come_again(db: Database, wired: Wired, failed: bytes) -> None:
    """Only what was accepted stands in the way of a corrected one."""
    first = take(db, wired, failed)
    assert (first.state, states(db, first.id)) == (DocumentState.QUARANTINED, ["failed"])
    second = take(db, wired, FIRST, name="b.edi")
    assert (second.state, second.events_new) == (DocumentState.PROCESSED, 1)


def test_a_broken_envelope_is_said_to_be_broken_whatever_its_reference(db: Database, wired: Wired) -> None:
    """Cut short while it repeated a known reference: the sender has to know that it was cut short."""
    take(db, wired, FIRST)
    assert states(db, take(db, wired, OTHER[:-9], name="b.edi").id) == ["failed"]
    (finding,) = findings.quarantine(db)
    assert finding.expected == "UNZ"


def test_of_a_file_only_the_interchange_that_failed_may_come_again(db: Database, wired: Wired) -> None:
    """What stands beside it was accepted."""
    bad = interchange(message(sts("K2", "21", 0), trailer="9"), ref="I2")
    first = take(db, wired, FIRST + bad)
    assert (first.state, states(db, first.id)) == (DocumentState.PARTLY_PROCESSED, ["accepted", "failed"])
    mended = interchange(message(sts("K2", "21", 0)), ref="I2")
    assert states(db, take(db, wired, FIRST + mended, name="b.edi").id) == ["duplicate", "accepted"]
    assert known(db) == 2


def test_what_was_accepted_in_part_needs_a_new_reference(db: Database, wired: Wired) -> None:
    """The sender was told which message failed, and corrects it in an interchange of its own."""
    good, bad = message(sts("K1", "21", 0)), message(sts("K2", "21", 0), ref="2", trailer="9")
    assert states(db, take(db, wired, interchange(good, bad)).id) == ["accepted"]
    corrected = interchange(good, message(sts("K2", "21", 0), ref="2"))
    assert states(db, take(db, wired, corrected, name="b.edi").id) == ["failed"]
    assert states(db, take(db, wired, corrected.replace(b"I1", b"I2"), name="c.edi").id) == ["accepted"]
    assert known(db) == 2


def test_a_document_is_never_its_own_duplicate(db: Database, wired: Wired) -> None:
    """However often it is read."""
    document = take(db, wired, FIRST).id
    for _ in range(2):
        again = retry(db, wired, document)
        assert (again.state, states(db, document)) == (DocumentState.PROCESSED, ["accepted"])
        assert (again.events_new, again.events_duplicate, again.messages) == (1, 0, 1)


def test_one_file_that_holds_a_reference_twice(db: Database, wired: Wired) -> None:
    """The first counts; the same again is dropped, another content set aside, at every reading alike."""
    document = take(db, wired, FIRST + FIRST + OTHER).id
    assert states(db, document) == ["accepted", "duplicate", "failed"]
    retry(db, wired, document)
    assert (states(db, document), known(db)) == (["accepted", "duplicate", "failed"], 1)


@pytest.mark.parametrize(
    "content",
    [
        OTHER.replace(b"+SPEEDY+", b"+NORDLOG+"),
        OTHER.replace(b"+HUB+", b"+HUB:14+"),
        OTHER.replace(b"I1", b"I2"),
    ],
    ids=["sender", "recipient", "reference"],
)
def test_references_are_counted_by_sender_and_recipient(db: Database, wired: Wired, content: bytes) -> None:
    """A reference another partnership used is none of this one's."""
    take(db, wired, FIRST)
    assert states(db, take(db, wired, content, name="b.edi").id) == ["accepted"]


def test_a_number_with_leading_zeros_is_the_same_reference(db: Database, wired: Wired) -> None:
    """Carriers pad control references as they like."""
    take(db, wired, FIRST.replace(b"I1", b"7"))
    assert states(db, take(db, wired, OTHER.replace(b"I1", b"0007"), name="b.edi").id) == ["failed"]


def test_a_reference_may_come_again_after_a_year(db: Database, wired: Wired) -> None:
    """Its digits have been used up meanwhile; the same content is a duplicate even then."""
    take(db, wired, FIRST)
    later = NOW + timedelta(days=367)
    assert states(db, take(db, wired, FIRST + b"\n", name="b.edi", at=later).id) == ["duplicate"]
    assert states(db, take(db, wired, OTHER, name="c.edi", at=later).id) == ["accepted"]


def test_a_big_interchange_is_not_its_own_duplicate_after_a_crash(
    db: Database, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was entered with its first batch; read again from the start it goes on, and a repeat of it is still one."""
    content = interchange(*(message(sts("K1", "21", minute), ref=str(minute)) for minute in range(9)))
    monkeypatch.setattr(processing, "EVENTS_PER_TRANSACTION", 2)
    record, calls = events.record, list[int]()

    def dies_at_the_third(*args: Any, **more: Any) -> events.Recorded:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return record(*args, **more)

    monkeypatch.setattr(events, "record", dies_at_the_third)
    number = receive(db, content)
    with pytest.raises(KeyboardInterrupt):
        process_pending(db, wired.channels, wired.destinations)
    assert (states(db, number), known(db)) == (["accepted"], 4)
    process_pending(db, wired.channels, wired.destinations)
    document = inbox.document(db, number)
    assert (document.state, document.events_new, known(db)) == (DocumentState.PROCESSED, 9, 9)
    assert states(db, take(db, wired, content + b"\n", name="b.edi").id) == ["duplicate"]


@pytest.mark.parametrize("later", [FIRST + b"\n", OTHER], ids=["the same", "another content"])
def test_what_was_told_before_interchanges_were_entered_is_no_repeat(db: Database, wired: Wired, later: bytes) -> None:
    """Read again, it keeps what it told, though another has its reference by now; and so at every further reading."""
    first = take(db, wired, FIRST).id
    forget_entries(db, first)
    second = take(db, wired, later, name="b.edi")
    events_before = known(db)
    for _ in range(2):
        again = retry(db, wired, first)
        assert (again.state, again.events_retracted) == (DocumentState.PROCESSED, 0)
        assert [states(db, document) for document in (first, second.id)] == [["accepted"], ["accepted"]]
        assert known(db) == events_before


def test_a_cancellation_told_before_interchanges_were_entered_is_no_repeat(db: Database, wired: Wired) -> None:
    """One that names a report and no event keeps cancelling it."""
    take(db, wired, FIRST)
    cancelling = take(db, wired, interchange(message(bgm="23+R1+1"), ref="I2"), name="b.edi").id
    forget_entries(db, cancelling)
    take(db, wired, interchange(message(sts("K3", "13", 0), bgm="23+R3+9"), ref="I2"), name="c.edi")
    assert (retry(db, wired, cancelling).state, known(db)) == (DocumentState.PROCESSED, 1)


def test_what_was_set_aside_before_interchanges_were_entered_may_be_a_repeat(db: Database, wired: Wired) -> None:
    """Only the interchange of which something was told stands; the other was told by the corrected file."""
    bad = interchange(message(sts("K2", "21", 0), trailer="9"), ref="I2")
    first = take(db, wired, FIRST + bad).id
    forget_entries(db, first)
    take(db, wired, interchange(message(sts("K2", "21", 0)), ref="I2"), name="b.edi")
    retry(db, wired, first)
    assert (states(db, first), known(db)) == (["accepted", "failed"], 2)


def test_of_two_that_are_processed_at_the_same_moment_one_is_set_aside(db: Database, wired: Wired) -> None:
    """Two channels, or two nodes, cannot both accept a reference."""
    documents = [
        inbox.document(db, receive(db, interchange(message(sts("K1", "21", minute))), name=str(minute)))
        for minute in range(8)
    ]
    channel, ready = wired.channels["speedy/files"], threading.Barrier(len(documents))

    def work(document: Document) -> None:
        ready.wait()
        processing.process(db, document, channel, wired.destinations)

    threads = [threading.Thread(target=work, args=(document,)) for document in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    became = sorted(state for document in documents for state in states(db, document.id))
    assert became == ["accepted", *["failed"] * 7]
    assert known(db) == 1


def test_without_a_reference_nothing_is_compared(db: Database, wired: Wired) -> None:
    """It can neither repeat another nor be repeated."""
    take(db, wired, FIRST.replace(b"+I1", b"+"))
    second = take(db, wired, OTHER.replace(b"+I1", b"+"), name="b.edi")
    assert states(db, second.id) == ["accepted"]
    assert shipments.history(db, "K1")[0].status is Status.DELIVERED


def test_test_interchanges_have_references_of_their_own(db: Database, tmp_path: Path) -> None:
    """The first production file is not set aside for the last test's number."""
    accepting = configured.wired(tmp_path / "open", carriers__speedy=configured.CARRIER + "    accept_test: true\n")
    take(db, accepting, interchange(message(sts("K1", "13", 0)), test=True))
    assert states(db, take(db, accepting, OTHER, name="b.edi").id) == ["accepted"]


def test_another_carriers_references_are_its_own(db: Database, wired: Wired) -> None:
    """Even when both write the same sender."""
    take(db, wired, FIRST)
    channel = wired.channels["speedy/files"]
    others = replace(channel, name="nordlog/files", partner=replace(channel.partner, carrier="nordlog"))
    (received,) = inbox.receive(db, "nordlog", [RawDocument("nordlog/files", "b.edi", OTHER, NOW)])
    process_pending(db, {"nordlog/files": others}, wired.destinations)
    assert states(db, received.document_id) == ["accepted"]


def test_control_numbers_of_x12_are_references_too(db: Database, tmp_path: Path) -> None:
    """The same ISA13 with the same content is dropped, with another set aside; a partner may use numbers again."""
    carrier = configured.CARRIER.replace("type: edifact", "type: x12").replace("iftsta", "x12-214")
    again = carrier + "    unique_references: false\n"
    strict = configured.wired(tmp_path / "strict", carriers__speedy=carrier)
    lenient = configured.wired(tmp_path / "lenient", carriers__speedy=again)
    first = x12.sample("~\r\n")
    other = first.replace(b"SP4711", b"SP4712").replace(b"*000000042", b"*      42 ")
    assert states(db, take(db, strict, first).id) == ["accepted"]
    repeated = take(db, strict, b"\r\n" + first, name="b.edi")
    assert (repeated.state, states(db, repeated.id)) == (DocumentState.IGNORED, ["duplicate"])
    [remark] = findings.of_document(db, repeated.id)
    assert (remark.severity, remark.code) == ("warning", "26")
    reused = take(db, strict, other, name="c.edi")
    assert (reused.state, states(db, reused.id)) == (DocumentState.QUARANTINED, ["failed"])
    [finding] = findings.quarantine(db)
    assert "of document 1" in finding.found
    assert retry(db, lenient, reused.id).state is DocumentState.PROCESSED
    assert [str(ship.status) for ship in shipments.history(db, "SP4712")] == ["DELIVERED"]
