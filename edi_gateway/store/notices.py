"""Sealing one document for each event, each with its number in the sequence of its shipment at a destination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from edi_gateway.model import OutboundDocument, TrackingEvent
from edi_gateway.store import line
from edi_gateway.store.dossier import EVENT, shown_event
from edi_gateway.store.engine import chunks
from edi_gateway.store.feed import TRACKER, automatic_id
from edi_gateway.store.sealed import Numbered, enter_each
from edi_gateway.store.tables import METADATA, OutboxState

OUTBOX: Final = METADATA.tables["outbox"]
TOLD: Final = METADATA.tables["told"]


class Notice(NamedTuple):
    """The document that tells one owed event."""

    outbox_id: int
    shipment_id: int
    number: int
    document: OutboundDocument


def counts(connection: Connection, destination: str, shipment_ids: Collection[int]) -> Counter[int]:
    """How many notifications of each shipment were sealed for the destination so far.

    Keep others from sealing for it meanwhile (`outbox.hold_sequence`).
    """
    found: Counter[int] = Counter()
    for some in chunks(shipment_ids):
        theirs = (TOLD.c.destination == destination, TOLD.c.shipment_id.in_(some))
        for shipment_id, count in connection.execute(select(TOLD.c.shipment_id, TOLD.c.count).where(*theirs)):
            found[shipment_id] = count
    return found


def seal_each(
    connection: Connection, destination: str, customer: str, notices: Sequence[Notice], *, in_line: bool
) -> None:
    """Fix bytes and number of each notice; due at once, or ``in_line`` once what is before it is settled."""
    if not notices:
        return
    ahead = line.busy(connection, destination, {one.shipment_id for one in notices}) if in_line else set()
    numbered = []
    for one in notices:
        behind = in_line and one.shipment_id in ahead
        numbered.append(Numbered(one.number, one.document, 1, shipment_id=one.shipment_id, behind=behind))
        ahead.add(one.shipment_id)
    ids = enter_each(connection, destination, customer, numbered)
    sealed = update(OUTBOX).where(OUTBOX.c.id == bindparam("this"))
    connection.execute(
        sealed.values(state=OutboxState.SEALED, delivery_id=bindparam("its_delivery")),
        [{"this": one.outbox_id, "its_delivery": key} for one, key in zip(notices, ids, strict=True)],
    )
    _count(connection, destination, {one.shipment_id: one.number for one in notices})


def reseal(connection: Connection, replaced: Row[Any], outbox_id: int, document: OutboundDocument) -> int:
    """Fix other bytes for an event that lies in a delivery already, in its place in line; return the new one's id."""
    one = Numbered(replaced.control_number, document, 1, replaced.id, replaced.shipment_id)
    [delivery_id] = enter_each(connection, replaced.destination, replaced.customer, [one])
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == outbox_id).values(delivery_id=delivery_id))
    return delivery_id


def tracker_ids(connection: Connection, customer: str, shipment_ids: Collection[int]) -> Mapping[int, str]:
    """Shipment → public id of the customer's tracker of it, of which it need not know yet."""
    found = {shipment_id: automatic_id(customer, shipment_id) for shipment_id in shipment_ids}
    for some in chunks(shipment_ids):
        theirs = (TRACKER.c.customer == customer, TRACKER.c.shipment_id.in_(some))
        for shipment_id, public_id in connection.execute(
            select(TRACKER.c.shipment_id, TRACKER.c.public_id).where(*theirs)
        ):
            found[shipment_id] = public_id  # noqa: PERF403 -- some have none
    return found


def histories(connection: Connection, shipment_ids: Collection[int]) -> Mapping[int, list[tuple[str, TrackingEvent]]]:
    """Shipment → its events that count, with their fingerprints, in the order they happened."""
    found: dict[int, list[tuple[str, TrackingEvent]]] = {shipment_id: [] for shipment_id in shipment_ids}
    for some in chunks(shipment_ids):
        theirs = select(EVENT).where(EVENT.c.shipment_id.in_(some), ~EVENT.c.retracted)
        for row in connection.execute(theirs).all():
            found[row.shipment_id].append((row.fingerprint, shown_event(row)))
    for events in found.values():
        events.sort(key=lambda each: (each[1].occurred_at, each[1].status.rank, each[0]))
    return found


def _count(connection: Connection, destination: str, last: Mapping[int, int]) -> None:
    known = counts(connection, destination, last)
    rows = [{"at": destination, "of": shipment_id, "to": number} for shipment_id, number in last.items()]
    first = [row for row in rows if row["of"] not in known]
    further = [row for row in rows if row["of"] in known]
    if first:
        values: dict[str, Any] = {
            "destination": bindparam("at"),
            "shipment_id": bindparam("of"),
            "count": bindparam("to"),
        }
        connection.execute(insert(TOLD).values(values), first)
    if further:
        this = (TOLD.c.destination == bindparam("at"), TOLD.c.shipment_id == bindparam("of"))
        connection.execute(update(TOLD).where(*this).values(count=bindparam("to")), further)
