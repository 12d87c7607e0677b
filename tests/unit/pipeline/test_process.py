"""From committed bytes to sealed files: what is recorded, what is owed, and that doing it again changes nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edi_gateway.errors import StorageError
from edi_gateway.model import RawDocument, Status
from edi_gateway.pipeline import process as processing
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.store import deliveries, events, findings, inbox, outbox, shipments, subscriptions
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DocumentState
from edi_gateway.wiring import Wired
from tests import configured
from tests.unit.pipeline.iftsta import interchange, message, sts

NOW = datetime(2026, 10, 12, 12, tzinfo=UTC)


@pytest.fixture
def wired(tmp_path: Path) -> Wired:
    """One carrier, two customers."""
    return configured.wired(tmp_path / "config")


def take(db: Database, wired: Wired, content: bytes, name: str = "a.edi") -> int:
    """Receive and process one file; returns its document's id."""
    (received,) = inbox.receive(db, "speedy", [RawDocument("speedy/files", name, content, NOW)])
    process_pending(db, wired.channels, wired.destinations)
    return received.document_id


def status(db: Database, number: str) -> Status:
    """Where the one shipment of that number stands."""
    (shipment,) = shipments.history(db, number)
    return shipment.status


def waiting(db: Database) -> dict[str, int]:
    """Events owed by destination."""
    return dict(shipments.overview(db).pending)


def sealed(db: Database, wired: Wired) -> list[str]:
    """Seal everything that is due; the text of every delivery, oldest first."""
    for destination in wired.destinations:
        seal_due(db, destination, datetime.now(UTC) + timedelta(seconds=1))
    return [deliveries.document(db, each).content.decode("latin-1") for each in reversed(deliveries.deliveries(db))]


def test_a_file_becomes_events_shipments_and_duties(db: Database, wired: Wired) -> None:
    """Only the customer whose rule matches is owed the event."""
    document = take(db, wired, interchange(message(sts("K1", "13", 0), sts("K1", "21", 30))))
    assert (inbox.document(db, document).state, inbox.document(db, document).events_new) == (DocumentState.PROCESSED, 2)
    assert status(db, "K1") is Status.DELIVERED
    assert waiting(db) == {"globex/edi": 2}


def test_the_same_facts_in_another_file_are_recognised(db: Database, wired: Wired) -> None:
    """Other bytes, the same event: one event with two sources, owed once."""
    take(db, wired, interchange(message(sts("K1", "21", 30))))
    again = take(db, wired, interchange(message(sts("K1", "21", 30, "RFF+CU:X")), ref="I2"), "b.edi")
    assert (inbox.document(db, again).events_new, inbox.document(db, again).events_duplicate) == (0, 1)
    ((event,),) = [shipment.events for shipment in shipments.history(db, "K1")]
    assert [source.document_id for source in event.sources] == [1, 2]
    assert waiting(db) == {"globex/edi": 1}


def test_a_bad_message_does_not_stop_its_neighbours(db: Database, wired: Wired) -> None:
    """The good messages' events are there; the bad one waits in quarantine with its place."""
    good, bad = message(sts("K1", "21", 0)), message(sts("K2", "21", 0), ref="2", trailer="9")
    document = take(db, wired, interchange(good, bad, message(sts("K3", "21", 0), ref="3")))
    assert inbox.document(db, document).state is DocumentState.PARTLY_PROCESSED
    assert [status(db, number) for number in ("K1", "K3")] == [Status.DELIVERED] * 2
    (finding,) = findings.quarantine(db)
    assert (finding.tag, finding.found, finding.message) == ("UNT", "9", "2")


def test_what_is_no_edi_is_kept_in_quarantine(db: Database, wired: Wired) -> None:
    """The bytes stay, and the reason says what was found."""
    document = take(db, wired, b"<html>504 Gateway Timeout</html>")
    assert inbox.document(db, document).state is DocumentState.QUARANTINED
    assert inbox.load(db, inbox.document(db, document).digest).startswith(b"<html>")
    (finding,) = findings.quarantine(db)
    assert "UNB" in finding.expected


def test_a_test_interchange_is_set_aside_unless_the_channel_takes_it(db: Database, tmp_path: Path) -> None:
    """Test data must not reach a customer's production file."""
    content = interchange(message(sts("K1", "21", 0)), test=True)
    take(db, configured.wired(tmp_path / "strict"), content)
    assert shipments.history(db, "K1") == []
    accepting = configured.CARRIER + "    accept_test: true\n"
    take(db, configured.wired(tmp_path / "open", carriers__speedy=accepting), content, "b.edi")
    assert status(db, "K1") is Status.DELIVERED


def test_a_retry_after_the_mapping_is_mended_replaces_what_was_said(db: Database, tmp_path: Path) -> None:
    """The unmapped event makes room for the mapped one; the customer hears of it once."""
    before = configured.wired(tmp_path / "before")
    document = take(db, before, interchange(message(sts("K1", "QX::87", 0))))
    assert [code.raw_code for code in shipments.unmapped(db)] == ["QX"]
    own = tmp_path / "mappings" / "speedy.yaml"
    own.parent.mkdir()
    own.write_text("extends: standard/iftsta\ncode_lists: [{agency: '87', codes: {QX: DELIVERED}}]\n")
    mended = configured.wired(
        tmp_path / "after",
        gateway=f"mappings: [{own.parent}, {configured.MAPPINGS}]\nidentity: HUB\n",
        carriers__speedy=configured.CARRIER.replace("standard/iftsta", "speedy"),
    )
    with db.write() as connection:
        inbox.reopen(connection, document)
    process_pending(db, mended.channels, mended.destinations)
    assert status(db, "K1") is Status.DELIVERED
    assert shipments.unmapped(db) == []
    assert waiting(db) == {"globex/edi": 1}


def test_many_transactions_give_the_same_as_one(db: Database, wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    """A big document is committed piece by piece, and its state with the last."""
    content = interchange(*(message(sts(f"K{n}", "21", n), ref=str(n)) for n in range(20)))
    monkeypatch.setattr(processing, "EVENTS_PER_TRANSACTION", 3)
    document = take(db, wired, content)
    settled = inbox.document(db, document)
    assert (settled.state, settled.events_new) == (DocumentState.PROCESSED, 20)
    assert waiting(db) == {"globex/edi": 20}


def test_a_crash_between_two_transactions_loses_and_doubles_nothing(
    db: Database, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document is read again from the start; what was committed is recognised."""
    content = interchange(*(message(sts(f"K{n}", "21", n), ref=str(n)) for n in range(9)))
    monkeypatch.setattr(processing, "EVENTS_PER_TRANSACTION", 2)
    record, calls = events.record, list[int]()

    def dies_at_the_third(*args: Any, **more: Any) -> events.Recorded:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return record(*args, **more)

    monkeypatch.setattr(events, "record", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        take(db, wired, content)
    assert waiting(db) == {"globex/edi": 4}
    process_pending(db, wired.channels, wired.destinations)
    assert waiting(db) == {"globex/edi": 9}
    assert shipments.overview(db).events == 9


def breaks_off(db: Database, wired: Wired, content: bytes, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process a document two events at a time and die in the third transaction; the size of every batch, also later."""
    monkeypatch.setattr(processing, "EVENTS_PER_TRANSACTION", 2)
    record, sizes = events.record, list[int]()

    def dies_at_the_third(*args: Any, **more: Any) -> events.Recorded:
        sizes.append(sum(len(prepared.report.events) for prepared in args[3]))
        if len(sizes) == 3:
            raise KeyboardInterrupt
        return record(*args, **more)

    monkeypatch.setattr(events, "record", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        take(db, wired, content)
    return sizes


def test_a_reading_that_broke_off_goes_on_piece_by_piece(
    db: Database, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A big document is not held in memory as a whole because the process was killed; its counts are those of all."""
    content = interchange(*(message(sts(f"K{n}", "21", n), ref=str(n)) for n in range(9)))
    sizes = breaks_off(db, wired, content, monkeypatch)
    process_pending(db, wired.channels, wired.destinations)
    assert sizes[3:] == [2, 2, 2, 2, 1]
    (document,) = inbox.documents(db)
    assert (document.events_new, document.events_duplicate, document.messages) == (9, 0, 9)


_NOTHING, _LAST = "standard/iftsta\n", "    mapping: standard/iftsta\n"


@pytest.mark.parametrize(
    ("old", "new", "sizes"),
    [
        (_NOTHING, _NOTHING, [2, 2, 2, 2, 1]),
        ("Europe/Berlin", "Europe/Lisbon", [9]),
        ("channels:", "dedupe_window: 1h\nchannels:", [9]),
        ("type: edifact", "type: edifact, charset: UNOD", [9]),
        (_LAST, _LAST + "    accept_test: true\n", [9]),
        (_LAST, _LAST + "    unique_references: false\n", [9]),
    ],
    ids=["nothing", "timezone", "dedupe_window", "charset", "accept_test", "unique_references"],
)
def test_a_reading_that_broke_off_goes_on_only_in_the_same_way(
    db: Database, wired: Wired, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: str, new: str, sizes: list[int]
) -> None:
    """Whatever was changed that decides what is read: the document is read anew and in one piece."""
    content = interchange(*(message(sts(f"K{n}", "21", n), ref=str(n)) for n in range(9)))
    recorded = breaks_off(db, wired, content, monkeypatch)
    after = configured.wired(tmp_path / "after", carriers__speedy=configured.CARRIER.replace(old, new))
    process_pending(db, after.channels, after.destinations)
    assert recorded[3:] == sizes
    told = [shipments.history(db, f"K{n}") for n in range(9)]
    assert [sum(not event.retracted for ship in those for event in ship.events) for those in told] == [1] * 9
    assert waiting(db) == {"globex/edi": 9}


def test_a_reading_that_broke_off_goes_on_with_another_mapping(
    db: Database, wired: Wired, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The daemon was started again with a mended mapping: nothing the first part said remains beside it."""
    content = interchange(*(message(sts(f"K{n}", "QX::87", n), ref=str(n)) for n in range(9)))
    breaks_off(db, wired, content, monkeypatch)
    own = tmp_path / "mappings" / "speedy.yaml"
    own.parent.mkdir()
    own.write_text("extends: standard/iftsta\ncode_lists: [{agency: '87', codes: {QX: DELIVERED}}]\n")
    mended = configured.wired(
        tmp_path / "mended",
        gateway=f"mappings: [{own.parent}, {configured.MAPPINGS}]\nidentity: HUB\n",
        carriers__speedy=configured.CARRIER.replace("standard/iftsta", "speedy"),
    )
    process_pending(db, mended.channels, mended.destinations)
    assert (shipments.unmapped(db), waiting(db)) == ([], {"globex/edi": 9})


def test_a_retry_after_the_time_zone_is_mended_replaces_what_was_said(
    db: Database, wired: Wired, tmp_path: Path
) -> None:
    """The mapping is the same, and yet the document says something else."""
    document = take(db, wired, interchange(message(sts("K1", "21", 0))))
    zone = configured.CARRIER.replace("Europe/Berlin", "Europe/Lisbon")
    mended = configured.wired(tmp_path / "mended", carriers__speedy=zone)
    with db.write() as connection:
        inbox.reopen(connection, document)
    process_pending(db, mended.channels, mended.destinations)
    ((was, now),) = [shipment.events for shipment in shipments.history(db, "K1")]
    assert [(event.event.occurred_at.hour, event.retracted) for event in (was, now)] == [(8, True), (8, False)]
    assert waiting(db) == {"globex/edi": 1}


def test_files_are_sealed_in_batches_with_numbers_that_follow_each_other(db: Database, wired: Wired) -> None:
    """At most three events a file; control numbers 1, 2, 3; each event in one of them."""
    take(db, wired, interchange(message(*(sts(f"K{n}", "21", n) for n in range(7)))))
    files = sealed(db, wired)
    assert [text.count("STS+") for text in files] == [3, 3, 1]
    assert [text.rpartition("UNZ+1+")[2] for text in files] == ["1'", "2'", "3'"]
    assert sorted(re.findall(r"CNI\+\d+\+(\w+)", "".join(files))) == [f"K{n}" for n in range(7)]
    assert waiting(db) == {}


def test_a_subscriber_receives_what_no_rule_gives_it(db: Database, wired: Wired) -> None:
    """Only the numbers it asked for, and as its destination wants them: changes of status."""
    subscriptions.subscribe(db, "initech", ["K1"])
    take(db, wired, interchange(message(sts("K1", "13", 0), sts("K1", "21", 30), sts("K2", "21", 0))))
    assert waiting(db) == {"globex/edi": 3, "initech/edi": 2}


def test_an_estimate_and_an_old_scan_change_no_status(db: Database, wired: Wired) -> None:
    """A customer of status changes does not hear of them."""
    subscriptions.subscribe(db, "initech", ["K1"])
    take(db, wired, interchange(message(sts("K1", "21", 30))))
    take(db, wired, interchange(message(sts("K1", "13", 0)), ref="I2"), "late.edi")
    expected = message("CNI+1+K1'STS+1+21'DTM+132:202610130800:203'")
    take(db, wired, interchange(expected, ref="I3"), "estimate.edi")
    assert status(db, "K1") is Status.DELIVERED
    assert waiting(db) == {"globex/edi": 3, "initech/edi": 1}


def test_a_cancellation_reaches_a_customer_who_was_told(db: Database, wired: Wired) -> None:
    """What was sent is taken back in a message of function 1; what was not sent yet is just not sent."""
    told = sts("K1", "21", 30)
    take(db, wired, interchange(message(told)))
    sealed(db, wired)
    take(db, wired, interchange(message(told, bgm="23+R2+1"), ref="I2"), "cancel.edi")
    assert status(db, "K1") is Status.UNKNOWN
    *_, cancelling = sealed(db, wired)
    assert "BGM+23+2-1+1'" in cancelling
    untold = sts("K2", "21", 30)
    take(db, wired, interchange(message(untold), ref="I3"), "c.edi")
    take(db, wired, interchange(message(untold, bgm="23+R3+1"), ref="I4"), "d.edi")
    assert waiting(db) == {}


def test_a_replacement_takes_the_place_of_what_it_replaces(db: Database, wired: Wired) -> None:
    """Same report number, function 5: the old event counts for nothing, the new one stands."""
    take(db, wired, interchange(message(sts("K1", "21", 30))))
    take(db, wired, interchange(message(sts("K1", "210", 31), bgm="23+R1+5"), ref="I2"), "replace.edi")
    assert status(db, "K1") is Status.ATTEMPT_FAILURE


def test_what_the_character_set_lacks_is_set_aside_and_said(db: Database, wired: Wired) -> None:
    """The neighbours are sent; the event waits with the character that stopped it."""
    subscriptions.subscribe(db, "initech", ["K1", "K2"])
    bad = sts("K1", "21", 0, "LOC+14+:::MÜNCHEN")
    take(db, wired, interchange(message(bad, sts("K2", "21", 0))))
    texts = [text for text in sealed(db, wired) if "INITECH" in text]
    assert [("K2" in text, "K1" in text) for text in texts] == [(True, False)]
    (refused,) = outbox.refused(db)
    assert "'Ü'" in refused.error
    assert refused.destination == "initech/edi"


def test_a_byte_limit_makes_more_files(db: Database, tmp_path: Path) -> None:
    """No file is larger, unless one event alone is."""
    small = configured.GLOBEX.replace("at_most: 3", "at_most: 100, max_bytes: 1kB")
    wired = configured.wired(tmp_path / "config", customers__globex=small)
    take(db, wired, interchange(message(*(sts(f"K{n}", "21", n) for n in range(40)))))
    files = sealed(db, wired)
    assert len(files) > 1
    assert all(len(text) <= 1000 for text in files)
    assert sum(text.count("STS+") for text in files) == 40


def test_a_document_we_fail_on_does_not_hold_up_those_behind_it(
    db: Database, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes to quarantine with the reason; the next one is processed in the same round."""
    record = events.record

    def fails_on_the_first(*args: Any, **more: Any) -> events.Recorded:
        if args[1] == 1:
            raise OverflowError("date value out of range")
        return record(*args, **more)

    monkeypatch.setattr(events, "record", fails_on_the_first)
    for name, number in (("a.edi", "K1"), ("b.edi", "K2")):
        content = interchange(message(sts(number, "21", 0)), ref=name[0])
        inbox.receive(db, "speedy", [RawDocument("speedy/files", name, content, NOW)])
    process_pending(db, wired.channels, wired.destinations)
    assert [inbox.document(db, number).state for number in (1, 2)] == [
        DocumentState.QUARANTINED,
        DocumentState.PROCESSED,
    ]
    assert "date value out of range" in findings.quarantine(db)[0].found


def test_a_full_database_leaves_the_document_as_it_was(tmp_path: Path, wired: Wired) -> None:
    """It waits, is never set aside for that, and is processed when there is room again."""
    db = Database(f"sqlite:///{tmp_path / 'gateway.sqlite'}")  # PostgreSQL cannot be told to be full
    db.migrate()
    content = interchange(*(message(sts(f"K{n}", "21", n % 60), ref=str(n)) for n in range(500)))
    (received,) = inbox.receive(db, "speedy", [RawDocument("speedy/files", "a.edi", content, NOW)])
    room(db, 5)
    with pytest.raises(StorageError, match="full"):
        process_pending(db, wired.channels, wired.destinations)
    assert inbox.document(db, received.document_id).state is DocumentState.RECEIVED
    assert (findings.of_document(db, received.document_id), waiting(db)) == ([], {})
    room(db, 1_000_000)
    assert process_pending(db, wired.channels, wired.destinations) == 1
    assert inbox.document(db, received.document_id).events_new == 500
    db.close()


def room(db: Database, pages: int) -> None:
    """Let the database grow by so many pages."""
    with db.write() as connection:
        there = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {there + pages}")


@pytest.mark.parametrize("state", ["53100", "25006", "0A000"], ids=["disk full", "read only", "stand-by"])
@pytest.mark.parametrize("db", ["postgres"], indirect=True)
def test_a_refusing_server_leaves_the_document_as_it_was(db: Database, wired: Wired, state: str) -> None:
    """Whatever keeps PostgreSQL from writing: nothing is set aside, and it goes on by itself."""
    content = interchange(message(sts("K1", "21", 0)))
    (received,) = inbox.receive(db, "speedy", [RawDocument("speedy/files", "a.edi", content, NOW)])
    with db.write() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION no() RETURNS trigger AS"
            f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$ LANGUAGE plpgsql;"
            " CREATE TRIGGER no BEFORE INSERT ON event EXECUTE FUNCTION no()"
        )
    try:
        with pytest.raises(StorageError, match="no"):
            process_pending(db, wired.channels, wired.destinations)
    finally:  # the database may serve another test
        with db.write() as connection:
            connection.exec_driver_sql("DROP FUNCTION no CASCADE")
    assert inbox.document(db, received.document_id).state is DocumentState.RECEIVED
    assert findings.of_document(db, received.document_id) == []
    assert process_pending(db, wired.channels, wired.destinations) == 1
    assert waiting(db) == {"globex/edi": 1}


def test_each_channel_is_processed_by_itself(db: Database, wired: Wired) -> None:
    """A round of one channel leaves the documents of others to theirs."""
    channel = wired.channels["speedy/files"]
    channels = {name: replace(channel, name=name) for name in ("speedy/files", "speedy/more")}
    for name in channels:
        content = interchange(message(sts("K1", "21", 0)), ref=name)
        inbox.receive(db, "speedy", [RawDocument(name, "a.edi", content, NOW)])
    assert process_pending(db, {"speedy/more": channels["speedy/more"]}, wired.destinations) == 1
    assert [document.state for document in inbox.documents(db)] == [DocumentState.PROCESSED, DocumentState.RECEIVED]


def test_stopping_does_not_wait_for_the_end_of_a_document(db: Database, wired: Wired) -> None:
    """It is asked for at every message; the document waits, and is read to its end later."""
    content = interchange(*(message(sts(f"K{n}", "21", n % 60), ref=str(n)) for n in range(100)))
    (received,) = inbox.receive(db, "speedy", [RawDocument("speedy/files", "a.edi", content, NOW)])
    asked = iter(range(1000))
    assert process_pending(db, wired.channels, wired.destinations, lambda: next(asked) >= 10) == 0
    assert next(asked) == 11
    assert inbox.document(db, received.document_id).state is DocumentState.RECEIVED
    assert process_pending(db, wired.channels, wired.destinations) == 1
    assert shipments.overview(db).events == 100


def test_used_up_control_numbers_end_the_round(db: Database, tmp_path: Path) -> None:
    """What is sealed stays sealed, the rest waits; nobody turns in circles."""
    few = configured.GLOBEX + "    control_numbers: {maximum: 1, roll_over: false}\n"
    wired = configured.wired(tmp_path / "config", customers__globex=few)
    take(db, wired, interchange(message(*(sts(f"K{n}", "21", n) for n in range(5)))))
    assert len(sealed(db, wired)) == 1
    assert waiting(db) == {"globex/edi": 2}


def test_who_was_told_hears_of_a_retraction_even_after_unsubscribing(db: Database, wired: Wired) -> None:
    """What was said must not stand only because nobody asks any more."""
    subscriptions.subscribe(db, "initech", ["K1"])
    told = sts("K1", "21", 30)
    take(db, wired, interchange(message(told)))
    sealed(db, wired)
    subscriptions.unsubscribe(db, "initech", ["K1"])
    take(db, wired, interchange(message(told, bgm="23+R2+1"), ref="I2"), "cancel.edi")
    assert waiting(db) == {"globex/edi": 1, "initech/edi": 1}


def test_a_second_reading_corrects_the_first(db: Database, wired: Wired, tmp_path: Path) -> None:
    """What only this document told, and the mapping read from a wrong place, is not kept."""
    wrong = tmp_path / "mappings" / "speedy.yaml"
    wrong.parent.mkdir()
    wrong.write_text("extends: standard/iftsta\nevent: {account: BGM@1.1, text: '^BGM@1.1'}\n")
    mistaken = configured.wired(
        tmp_path / "mistaken",
        gateway=f"mappings: [{wrong.parent}, {configured.MAPPINGS}]\nidentity: HUB\n",
        carriers__speedy=configured.CARRIER.replace("standard/iftsta", "speedy"),
    )
    document = take(db, mistaken, interchange(message(sts("K1", "21", 0))))
    ((before,),) = [shipment.events for shipment in shipments.history(db, "K1")]
    with db.write() as connection:
        inbox.reopen(connection, document)
    process_pending(db, wired.channels, wired.destinations)
    ((after,),) = [shipment.events for shipment in shipments.history(db, "K1")]
    assert (before.event.text, after.event.text) == ("23", "")


@pytest.mark.parametrize("account_first", [True, False])
def test_an_account_told_later_is_not_too_late(db: Database, tmp_path: Path, *, account_first: bool) -> None:
    """Which customer an event is for does not depend on the order of the files that tell it; each hears of it once."""
    every = configured.INITECH.replace("    events: status_changes\n", "")
    wired = configured.wired(tmp_path / "config", customers__initech=every)
    bare, full = sts("K1", "21", 0), sts("K1", "21", 0, "RFF+ADE:7712")
    for ref, told in zip(("I1", "I2"), (full, bare) if account_first else (bare, full), strict=True):
        take(db, wired, interchange(message(told), ref=ref), ref)
    assert waiting(db) == {"globex/edi": 1, "initech/edi": 1}
    sealed(db, wired)
    take(db, wired, interchange(message(sts("K1", "21", 0, "RFF+ADE:7712", "RFF+CU:PO1")), ref="I3"), "c")
    assert waiting(db) == {}
