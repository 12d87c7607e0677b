"""Short ways to say what a carrier reported, and to see what is stored of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from edi_gateway.history import DEFAULT_GAP
from edi_gateway.model import MessageFunction, OutboundDocument, Provenance, RawDocument, Status, TrackingEvent
from edi_gateway.store import claims, events, inbox, outbox
from edi_gateway.store.claims import Claim
from edi_gateway.store.engine import Database
from edi_gateway.store.events import Recorded
from edi_gateway.store.reports import MessageReport
from edi_gateway.store.tables import METADATA, Outcome

START = datetime(2026, 3, 1, tzinfo=UTC)
EDI = "globex.edi"
ORIGINAL, CANCELLATION, REPLACEMENT = MessageFunction


def tracking(status: Status = Status.IN_TRANSIT, hour: float = 8, **more: Any) -> TrackingEvent:
    """An event of parcel P1 that many hours after the first of March."""
    told = {"carrier": "speedy", "tracking_number": "P1", "status": status, "raw_code": status.value} | more
    return TrackingEvent(occurred_at=START + timedelta(hours=hour), **told)


def on_day(status: Status = Status.IN_TRANSIT, day: int = 0, **more: Any) -> TrackingEvent:
    """The same, but the carrier named only the day."""
    return tracking(status, 24 * day + 12, date_only=True, **more)


def message(
    *told: TrackingEvent,
    function: MessageFunction = ORIGINAL,
    number: str = "",
    issued: float | None = None,
    carrier: str = "speedy",
) -> MessageReport:
    """A message with these events, each in a segment of its own."""
    issued_at = None if issued is None else START + timedelta(hours=issued)
    placed = [
        replace(
            event, provenance=Provenance("I1", "M1", number, segment, segment * 10, segment * 10 + 9, "m.yaml", "v1")
        )
        for segment, event in enumerate(told, start=2)
    ]
    return MessageReport(function, carrier, number, issued_at, placed)


def new_document(db: Database, name: str = "", carrier: str = "speedy") -> int:
    """A received document nobody sent before; its number."""
    raw = RawDocument("in", name, f"{name} {carrier} {datetime.now(UTC).timestamp()}".encode(), START)
    return inbox.receive(db, carrier, [raw])[0].document_id


def record(
    db: Database,
    *reports: MessageReport,
    document_id: int | None = None,
    received_at: datetime = START,
    gap: timedelta = DEFAULT_GAP,
    **more: Any,
) -> Recorded:
    """Record the messages as one document."""
    document_id = document_id or new_document(db)
    with db.write() as connection:
        return events.record(connection, document_id, received_at, reports, gap=gap, **more)


def stored(db: Database, carrier: str = "speedy") -> tuple[list[Any], list[Any]]:
    """Shipments and reported events without keys that depend on the order of arrival."""
    shipment, event, told = (METADATA.tables[name] for name in ("shipment", "event", "provenance"))
    number = (shipment.c.tracking_number, shipment.c.epoch)
    with db.read() as connection:
        shipments = connection.execute(select(shipment).where(shipment.c.carrier == carrier).order_by(*number)).all()
        rows = connection.execute(select(event).where(event.c.carrier == carrier)).all()
        sources = connection.execute(select(told)).all()
    epochs = {row.id: (row.tracking_number, row.epoch) for row in shipments}
    return (
        [row._asdict() | {"id": 0} for row in shipments],
        sorted(
            (
                row.fingerprint, epochs[row.shipment_id], row.status, row.occurred_at, row.date_only, row.correction,
                row.retracted, sorted((said.document_id, said.segment) for said in sources if said.event_id == row.id),
            )
            for row in rows
            if any(said.event_id == row.id for said in sources)
        ),
    )  # fmt: skip


def facts(db: Database) -> list[tuple[str, str, bool]]:
    """What is stored of parcel P1: status, time, retracted."""
    event = METADATA.tables["event"]
    with db.read() as connection:
        rows = connection.execute(select(event).order_by(event.c.occurred_at, event.c.status)).all()
    return [(row.status.value, f"{row.occurred_at:%d %H:%M}", row.retracted) for row in rows]


def statuses(db: Database) -> list[tuple[int, Status]]:
    """Epoch and status of each of parcel P1's shipments."""
    shipment = METADATA.tables["shipment"]
    with db.read() as connection:
        rows = connection.execute(select(shipment).order_by(shipment.c.epoch)).all()
    return [(row.epoch, row.status) for row in rows]


def kinds(recorded: Recorded) -> Sequence[tuple[str, Status, bool, Status, Status]]:
    """The changes in short: kind, event's status, moved, shipment's status before and after.

    Without what is said besides, for those who heard otherwise.
    """
    said = (one for one in recorded.changes if one.kind not in {"decides", "voided"})
    return [(one.kind, one.event.status, one.moved, one.previous_status, one.status) for one in said]


def sealed(db: Database, destination: str = EDI) -> int:
    """A sealed document of no events, due now; its delivery."""
    with db.write() as connection:
        number = outbox.next_control_number(connection, destination, 1, 999_999, roll_over=False)
        return outbox.seal(connection, destination, "globex", number, OutboundDocument(f"{number}.edi", b"UNB"), [])


def claimed(db: Database, destination: str = EDI, **more: Any) -> Claim:
    """The claim of what is due there next."""
    claim = claims.claim(db, destination, "here", **more)
    assert claim is not None
    return claim


def end(db: Database, outcome: Outcome, destination: str = EDI, **more: Any) -> None:
    """Attempt what is due there next, with that outcome and no further attempt."""
    claims.finish_attempt(db, claimed(db, destination, **more), outcome, "no such folder")


def due_ids(db: Database, destination: str = EDI, **more: Any) -> list[int]:
    """What could be claimed there now; claims nothing."""
    found: list[Claim] = []
    while claim := claims.claim(db, destination, "here", **more):
        found.append(claim)
    for claim in found:
        _unclaim(db, claim)
    return [claim.delivery_id for claim in found]


def _unclaim(db: Database, claim: Claim) -> None:
    """As if it had never been."""
    delivery, attempt = METADATA.tables["delivery"], METADATA.tables["attempt"]
    before = {"attempts": claim.number - 1, "claimed_by": "", "claimed_until": None}
    with db.write() as connection:
        connection.execute(update(delivery).where(delivery.c.id == claim.delivery_id).values(before))
        theirs = (attempt.c.delivery_id == claim.delivery_id, attempt.c.number == claim.number)
        connection.execute(delete(attempt).where(*theirs))


@contextmanager
def second_node(db: Database) -> Iterator[Database]:
    """The same database as another process sees it."""
    node = Database(db._url.render_as_string(hide_password=False))
    yield node
    node.close()
