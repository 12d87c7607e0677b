"""Notifications of one shipment to one destination stand in line: where order matters, only the first is due.

Whoever stands behind another is sealed without an instant for its next attempt. What settles the first (it arrived, a
person skipped it or had it issued anew) lets the next one follow, in the same transaction. So a look for something to
send passes over nobody who has to wait, however many they are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, Connection, TextClause, select, text, update

from edi_gateway.model import utc_now
from edi_gateway.store.engine import chunks
from edi_gateway.store.tables import METADATA, UNSETTLED_OF_SHIPMENT, DeliveryState

DELIVERY: Final = METADATA.tables["delivery"]


def busy(connection: Connection, destination: str, shipment_ids: Collection[int]) -> set[int]:
    """Those of the shipments of which something sealed for the destination is not settled.

    On PostgreSQL the last in each line is held until the commit: it cannot be settled before what comes behind it is
    there to follow.
    """
    found: set[int] = set()
    for some in chunks(sorted(shipment_ids)):
        behind = DELIVERY.alias("behind")
        later = select(behind.c.id).where(
            _unsettled("behind"),
            behind.c.shipment_id == DELIVERY.c.shipment_id,
            behind.c.destination == destination,
            behind.c.control_number > DELIVERY.c.control_number,
        )
        theirs = (DELIVERY.c.shipment_id.in_(some), DELIVERY.c.destination == destination)
        last = select(DELIVERY.c.shipment_id).where(_unsettled("delivery"), *theirs, ~later.exists())
        held = last.order_by(DELIVERY.c.shipment_id).with_for_update(of=DELIVERY)
        found.update(connection.execute(held).scalars())
    return found


def follow(connection: Connection, destination: str, shipment_id: int) -> None:
    """Let the first who is not settled be due, if it had to wait for somebody before it."""
    first = (
        select(DELIVERY.c.id)
        .where(_unsettled("delivery"), DELIVERY.c.shipment_id == shipment_id, DELIVERY.c.destination == destination)
        .order_by(DELIVERY.c.control_number)
        .limit(1)
        .scalar_subquery()
    )
    waiting = (DELIVERY.c.id == first, DELIVERY.c.state == DeliveryState.SEALED, DELIVERY.c.next_attempt_at.is_(None))
    connection.execute(update(DELIVERY).where(*waiting).values(next_attempt_at=utc_now()))


def is_first() -> ColumnElement[bool]:
    """Whether nothing before a delivery of the same shipment and destination is unsettled."""
    ahead = DELIVERY.alias("ahead")
    before = select(ahead.c.id).where(
        _unsettled("ahead"),
        ahead.c.shipment_id == DELIVERY.c.shipment_id,
        ahead.c.destination == DELIVERY.c.destination,
        ahead.c.control_number < DELIVERY.c.control_number,
    )
    return ~before.correlate(DELIVERY).exists()


def leave(connection: Connection, shipment_ids: Collection[int]) -> None:
    """Take deliveries out of the lines of shipments that are no more: their events belong to others now."""
    now = utc_now()
    for some in chunks(sorted(shipment_ids)):
        theirs = (_unsettled("delivery"), DELIVERY.c.shipment_id.in_(some))
        waiting = (DELIVERY.c.state == DeliveryState.SEALED, DELIVERY.c.next_attempt_at.is_(None))
        connection.execute(update(DELIVERY).where(*theirs, *waiting).values(next_attempt_at=now))
        connection.execute(update(DELIVERY).where(*theirs).values(shipment_id=None))


def _unsettled(name: str) -> TextClause:
    """Spelled out as the partial index has it, so that the database sees that it fits."""
    return text(UNSETTLED_OF_SHIPMENT.replace("state", f"{name}.state").replace("shipment_id", f"{name}.shipment_id"))
