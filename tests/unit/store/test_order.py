"""Files overtake each other, come twice and are cut differently; what is stored must not care."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edi_gateway.model import Status, TrackingEvent
from edi_gateway.store.engine import Database
from edi_gateway.store.events import record
from edi_gateway.store.reports import MessageReport
from tests.unit.store.building import (
    CANCELLATION,
    ORIGINAL,
    REPLACEMENT,
    START,
    message,
    new_document,
    stored,
    tracking,
)

GAP = timedelta(days=3)


@st.composite
def told(draw: st.DrawFn) -> TrackingEvent:
    """Few enough different events that the same fact is often told twice, at another time, or with its day only."""
    date_only = draw(st.booleans())
    return tracking(
        draw(st.sampled_from([Status.IN_TRANSIT, Status.DELIVERED, Status.LOST])),
        24 * draw(st.sampled_from([0, 1, 6])) + (12 if date_only else draw(st.sampled_from([7, 7 + 1 / 120, 9]))),
        date_only=date_only,
        correction=draw(st.sampled_from([False, False, True])),
        tracking_number=draw(st.sampled_from(["P1", "P1", "P2"])),
    )


@st.composite
def reports(draw: st.DrawFn) -> MessageReport:
    """Messages under few numbers, so that they cancel and replace each other."""
    function = draw(st.sampled_from([ORIGINAL, ORIGINAL, CANCELLATION, REPLACEMENT]))
    events = draw(st.lists(told(), min_size=0 if function is CANCELLATION else 1, max_size=3))
    return message(
        *events,
        function=function,
        number=draw(st.sampled_from(["", "N1", "N2"])),
        issued=draw(st.sampled_from([None, 1, 2, 3])),
    )


def of_carrier(report: MessageReport, carrier: str) -> MessageReport:
    events = [tracking_event_of(event, carrier) for event in report.events]
    return MessageReport(report.function, carrier, report.document_number, report.issued_at, events)


def tracking_event_of(event: TrackingEvent, carrier: str) -> TrackingEvent:
    return TrackingEvent(**{name: getattr(event, name) for name in event.__slots__} | {"carrier": carrier})


def take(db: Database, carrier: str, told: Sequence[Sequence[tuple[int, MessageReport]]]) -> None:
    for batch in told:
        with db.write() as connection:
            for document_id, report in batch:
                received_at = START + timedelta(minutes=document_id)
                record(connection, document_id, received_at, [of_carrier(report, carrier)], gap=GAP)


def batches(
    messages: Sequence[tuple[int, MessageReport]], cuts: Sequence[int]
) -> list[list[tuple[int, MessageReport]]]:
    edges = [0, *sorted(cut % (len(messages) + 1) for cut in cuts), len(messages)]
    return [list(messages[start:end]) for start, end in pairwise(edges)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_and_batching_of_the_same_messages_is_stored_alike(db: Database, data: st.DataObject) -> None:
    """Duplicates, days without time, cancellations and replacements in any order end in one stored state."""
    said = data.draw(st.lists(reports(), min_size=2, max_size=6))
    documents = [new_document(db) for _ in said]
    messages = list(zip(documents, said, strict=True))
    shuffled = data.draw(st.permutations(messages + data.draw(st.lists(st.sampled_from(messages), max_size=2))))
    one, other = uuid4().hex, uuid4().hex
    take(db, one, [[entry] for entry in messages])
    take(db, other, batches(shuffled, data.draw(st.lists(st.integers(0, 6), max_size=2))))

    assert without_carrier(db, one) == without_carrier(db, other)


def without_carrier(db: Database, carrier: str) -> tuple[object, object]:
    """What is stored, where fingerprints stand for their order only: they have the carrier in them."""
    shipments, events = stored(db, carrier)
    names = {event[0]: event[1:3] + event[3:5] for event in events} | {"": ()}
    return (
        # Bounds may be wider than they have to be, depending on who came first: they only spare a look.
        [
            {key: value for key, value in row.items() if key not in {"earliest_at", "latest_at"}}
            | {"carrier": "", "fingerprint": names[row["fingerprint"]]}
            for row in shipments
        ],
        sorted(event[1:] for event in events),
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(reports(), min_size=1, max_size=2), min_size=1, max_size=4), st.data())
def test_reading_a_document_again_changes_nothing(
    db: Database, files: list[list[MessageReport]], data: st.DataObject
) -> None:
    """Reprocessing with the same mapping finds every event where it is, and tells nobody."""
    carrier = uuid4().hex
    documents = [(new_document(db), [of_carrier(report, carrier) for report in file]) for file in files]
    with db.write() as connection:
        for document_id, told in documents:
            record(connection, document_id, START, told, gap=GAP)
    before = stored(db, carrier)
    again, said = data.draw(st.sampled_from(documents))
    with db.write() as connection:
        recorded = record(connection, again, START, said, gap=GAP, reprocess=True)

    assert [] == recorded.changes
    assert before == stored(db, carrier)
