"""The short way, for reports that follow on, ends in the same rows as the long way through all that was ever said."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from edi_gateway.model import Classifier, Direction, Location, Status, TrackingEvent
from edi_gateway.store import dossier, events, sequel
from edi_gateway.store.engine import Database
from edi_gateway.store.events import Recorded
from edi_gateway.store.reports import MessageReport
from edi_gateway.store.tables import METADATA
from tests.unit.store.building import (
    CANCELLATION,
    ORIGINAL,
    REPLACEMENT,
    START,
    message,
    new_document,
    on_day,
    record,
    statuses,
    tracking,
)

DELIVERED, IN_TRANSIT, LOST, PICKED_UP = Status.DELIVERED, Status.IN_TRANSIT, Status.LOST, Status.PICKED_UP
GAP = timedelta(days=10)
EARLY, LATE = timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))
Batch = Sequence[MessageReport]
SHIPMENT, EVENT, PROVENANCE = (METADATA.tables[name] for name in ("shipment", "event", "provenance"))


def outcome(
    db: Database, documents: Sequence[int], batches: Sequence[Batch], *, long_way: bool = False, window: int = 1
) -> tuple[list[object], object]:
    """What recording the batches one after the other reports and leaves; all of it is rolled back.

    A document that comes a second time is processed again.
    """
    told = []
    with db.write() as connection, pytest.MonkeyPatch.context() as patch:
        if long_way:
            patch.setattr(sequel, "following", lambda *_: ())
        for turn, (document_id, batch) in enumerate(zip(documents, batches, strict=True)):
            again = document_id in documents[:turn]
            received_at = START + timedelta(days=30, minutes=document_id)
            recorded = events.record(
                connection, document_id, received_at, batch, window=window, gap=GAP, reprocess=again
            )
            told.append(comparable(connection, recorded))
        found = rows(connection)
        connection.rollback()
    return told, found


def comparable(connection: Connection, recorded: Recorded) -> object:
    """What was reported to have changed, with names instead of numbers; nothing depends on the order of changes."""
    shipments, fingerprints = names(connection)
    changes = [
        (one.kind, fingerprints[one.event_id], shipments[one.shipment_id], one.previous_status, one.status,
         one.reason_changed, repr(one.event))
        for one in recorded.changes
    ]  # fmt: skip
    return recorded.new, recorded.duplicates, recorded.retracted, sorted(changes)


def names(connection: Connection) -> tuple[dict[int, tuple[str, str, int]], dict[int, str]]:
    """Shipments and events by id, as nothing but their content names them."""
    shipments = connection.execute(
        select(SHIPMENT.c.id, SHIPMENT.c.carrier, SHIPMENT.c.tracking_number, SHIPMENT.c.epoch)
    )
    fingerprints = connection.execute(select(EVENT.c.id, EVENT.c.fingerprint))
    return {key: tuple(name) for key, *name in shipments}, {row.id: row.fingerprint for row in fingerprints}


def rows(connection: Connection) -> dict[str, list[str]]:
    """Every row of the tables, with names instead of numbers."""
    shipments, fingerprints = names(connection)

    def named(row: Any) -> dict[str, object]:
        said = row._asdict() | {"id": 0}
        if "shipment_id" in said:
            said["shipment_id"] = shipments[said["shipment_id"]]
        if "event_id" in said:
            said["event_id"] = fingerprints[said["event_id"]]
        return dict(said)

    return {
        table.name: sorted(repr(named(row)) for row in connection.execute(select(table)))
        for table in (SHIPMENT, EVENT, PROVENANCE)
    }


def agree(db: Database, documents: Sequence[int], batches: Sequence[Batch], window: int = 1) -> bool:
    """Whether both ways end alike."""
    short, long = (outcome(db, documents, batches, long_way=way, window=window) for way in (False, True))
    assert short[1] == long[1]
    assert short[0] == long[0]
    return True


@st.composite
def scan(draw: st.DrawFn, days: Sequence[int]) -> TrackingEvent:
    """An event on one of these days, of few numbers, statuses and minutes, so that many meet."""
    day, zone = draw(st.sampled_from(days)), timezone(timedelta(hours=draw(st.sampled_from([0, 0, 14, -11]))))
    said = {
        "tracking_number": draw(st.sampled_from(["P1", "P1", "P2", "P3", "Pä"])),
        "correction": draw(st.sampled_from([False, False, False, True])),
        "classifier": draw(st.sampled_from([Classifier.ACT, Classifier.ACT, Classifier.ACT, Classifier.EST])),
        "direction": draw(st.sampled_from([Direction.FORWARD, Direction.FORWARD, Direction.RETURN])),
        "mapped": draw(st.sampled_from([True, True, True, False])),
        "reason": draw(st.sampled_from(["", "delay.weather"])),
        "references": draw(st.sampled_from([{}, {"CN": ("1", 'ä"\\')}])),
        "location": draw(st.sampled_from([Location(), Location("Köln", "DECGN", "DE")])),
    }
    status = draw(st.sampled_from([PICKED_UP, IN_TRANSIT, LOST, DELIVERED]))
    if draw(st.sampled_from([False, False, False, True])):
        event = on_day(status, day, **said)
        return replace(event, occurred_at=event.occurred_at.replace(tzinfo=zone))
    hour = 24 * day + draw(st.sampled_from([0, 8, 8 + 1 / 60, 8 + 1 / 120, 8 + 1 / 3_600_000, 12, 23.99]))
    event = tracking(status, hour, **said)
    return replace(event, occurred_at=event.occurred_at.astimezone(zone))


@st.composite
def reports(draw: st.DrawFn, days: Sequence[int]) -> MessageReport:
    function = draw(st.sampled_from([ORIGINAL] * 6 + [CANCELLATION, REPLACEMENT]))
    told = draw(st.lists(scan(days), min_size=0 if function is CANCELLATION else 1, max_size=4))
    number, issued = draw(st.sampled_from(["", "", "N1", "N2"])), draw(st.sampled_from([None, 1, 2]))
    return message(*told, function=function, number=number, issued=issued)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Batch], list[int]]:
    """Batches that mostly go forward in time, and for each which document it is of; some come again."""
    batches: list[Batch] = []
    day = 0
    for _ in range(draw(st.integers(2, 5))):
        batches.append(draw(st.lists(reports([day, day, day + 1]), min_size=1, max_size=2)))
        day += draw(st.sampled_from([1, 1, 2, 9, 12, -1]))
    numbers = list(range(len(batches)))
    if draw(st.booleans()):
        again = draw(st.sampled_from(numbers))
        batches.append(draw(st.sampled_from([batches[again], batches[again][:1], []])))
        numbers.append(again)
    return batches, numbers


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=histories(), window=st.sampled_from([1, 1, 5, 60]))
def test_both_ways_end_in_the_same_rows(db: Database, told: tuple[list[Batch], list[int]], window: int) -> None:
    """Whatever is told, in whatever order: every column of every row, and every change reported, is the same."""
    batches, numbers = told
    documents = [new_document(db) for _ in range(max(numbers) + 1)]

    assert agree(db, [documents[number] for number in numbers], batches, window)


DAY = 24
CASES: dict[str, list[MessageReport]] = {
    "a second report of the same fact": [message(tracking(hour=8)), message(tracking(hour=8))],
    "the same minute as what is known": [message(tracking(hour=8)), message(tracking(hour=8 + 1 / 120))],
    "the same fact twice in one batch": [message(tracking(hour=8), tracking(hour=8 + 1 / 120))],
    "before what is known": [message(tracking(DELIVERED, 9)), message(tracking(IN_TRANSIT, 8))],
    "before an estimate": [message(tracking(DELIVERED, 30, classifier=Classifier.EST)), message(tracking(hour=8))],
    "a day without a time": [message(tracking(hour=8)), message(on_day(IN_TRANSIT, 0))],
    "a time on a day that was told without": [message(on_day(IN_TRANSIT, 0)), message(tracking(hour=20))],
    "that day in another zone": [
        message(replace(on_day(), occurred_at=datetime(2026, 3, 2, 12, tzinfo=EARLY))),
        message(replace(tracking(), occurred_at=datetime(2026, 3, 2, 23, tzinfo=LATE))),
    ],
    "a cancellation": [message(tracking(hour=8)), message(tracking(hour=8), function=CANCELLATION)],
    "what was cancelled beforehand": [message(tracking(hour=8), function=CANCELLATION), message(tracking(hour=8))],
    "a number that was cancelled beforehand": [
        message(function=CANCELLATION, number="N1", issued=2), message(tracking(hour=8), number="N1", issued=1)
    ],
    "a number that is replaced": [
        message(tracking(hour=8), number="N1", issued=1),
        message(tracking(DELIVERED, 9), number="N1", issued=2, function=REPLACEMENT),
        message(tracking(PICKED_UP, 40), number="N1", issued=1),
    ],
    "a silence longer than the gap": [message(tracking(hour=8)), message(tracking(DELIVERED, 11 * DAY))],
    "a silence within one batch": [message(tracking(hour=8), tracking(DELIVERED, 11 * DAY))],
    "a second epoch": [
        message(tracking(hour=8), tracking(DELIVERED, 11 * DAY)), message(tracking(PICKED_UP, 12 * DAY))
    ],
    "an epoch between two others": [
        message(tracking(hour=8), tracking(DELIVERED, 21 * DAY)), message(tracking(PICKED_UP, 9 * DAY))
    ],
    "after a retraction": [
        message(tracking(hour=8)), message(tracking(hour=8), function=CANCELLATION), message(tracking(DELIVERED, 9))
    ],
    "after the loss": [message(tracking(LOST, 8)), message(tracking(IN_TRANSIT, 9), tracking(DELIVERED, 10))],
    "after the delivery": [message(tracking(DELIVERED, 8)), message(tracking(IN_TRANSIT, 9, correction=True))],
    "the way back": [message(tracking(DELIVERED, 8)), message(tracking(IN_TRANSIT, 9, direction=Direction.RETURN))],
    "the end of the calendar": [
        message(replace(on_day(), occurred_at=datetime(9999, 12, 30, 12, tzinfo=UTC))),
        message(replace(tracking(), occurred_at=datetime(9999, 12, 30, 20, tzinfo=UTC))),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_touches_on_known_things_goes_the_long_way(db: Database, name: str) -> None:
    """Each of these would be stored wrongly if it were taken for a report that only follows on."""
    batches = [[report] for report in CASES[name]]

    assert agree(db, [new_document(db) for _ in batches], batches)


def test_what_only_follows_on_goes_the_short_way(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """New numbers, and later events of known ones, estimates and unknown codes among them, read no histories."""
    first = message(tracking(PICKED_UP, 7), tracking(IN_TRANSIT, 8), tracking(tracking_number="P2"), number="N1")
    then = message(
        tracking(Status.UNKNOWN, 9, mapped=False, raw_code="Z1"),
        tracking(DELIVERED, 30, classifier=Classifier.EST),
        tracking(DELIVERED, 40),
        number="N2",
    )
    monkeypatch.setattr(dossier, "load", lambda *_: pytest.fail("looked at all that is known"))

    assert [3, 3] == [record(db, report).new for report in (first, then)]
    assert {(1, DELIVERED), (1, IN_TRANSIT)} == set(statuses(db))


def test_a_shipment_whose_span_is_not_known_goes_the_long_way_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a former version left it; from then on its span is known."""
    record(db, message(tracking(PICKED_UP, 7)))
    with db.write() as connection:
        connection.execute(update(SHIPMENT).values(earliest_at=None, latest_at=None))
    assert 0 == record(db, message(tracking(PICKED_UP, 7))).new

    monkeypatch.setattr(dossier, "load", lambda *_: pytest.fail("looked at all that is known"))
    assert 1 == record(db, message(tracking(DELIVERED, 9))).new
