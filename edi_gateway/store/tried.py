"""The deliveries of one destination as its customer may see them, each with its attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, select, union_all, update

from edi_gateway.model import utc_now
from edi_gateway.store import deliveries
from edi_gateway.store.claims import clock
from edi_gateway.store.dossier import SHIPMENT
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, DeliveryState

DELIVERY: Final = METADATA.tables["delivery"]
ATTEMPT: Final = METADATA.tables["attempt"]
_DONE: Final = (DeliveryState.SUPERSEDED,)
_SHOWN: Final = 20  # attempts of a delivery, the latest


class Tried(NamedTuple):
    """A delivery, the shipment it tells of, and the latest attempts in order."""

    delivery: Row[Any]
    attempts: Sequence[Row[Any]]


class BusyError(Exception):
    """It is being sent right now."""


class SupersededError(Exception):
    """Another delivery has taken its place."""


def page(
    db: Database, customer: str, destination: str, state: DeliveryState | None, before: int, limit: int
) -> Sequence[Tried]:
    """A destination's deliveries, the newest first, from before that one on; 0 is from the newest."""
    states = [state] if state else list(DeliveryState)
    # One step into the index for each state, whatever else there is.
    newest = union_all(*(_newest(destination, each, before, limit) for each in states)).subquery()
    wanted = _deliveries(customer, destination).where(DELIVERY.c.id.in_(select(newest.c.id)))
    return _tried(db, wanted.order_by(DELIVERY.c.id.desc()).limit(limit))


def one(db: Database, customer: str, destination: str, name: str) -> Tried | None:
    """The delivery of that name; None when that destination has none."""
    wanted = _deliveries(customer, destination).where(DELIVERY.c.name == name)
    return next(iter(_tried(db, wanted.order_by(DELIVERY.c.id.desc()).limit(1))), None)


def again(db: Database, customer: str, delivery_id: int) -> None:
    """Have the same bytes sent once more under the same name, as soon as possible, also where they arrived.

    Raises LookupError when the customer has no such delivery, BusyError, SupersededError.
    """
    with db.write() as connection:
        found = deliveries.held(connection, delivery_id)
        if found.customer != customer:
            raise LookupError
        if found.state in _DONE:
            raise SupersededError
        if found.claimed_until is not None and found.claimed_until > clock(connection):
            raise BusyError
        values = {"state": DeliveryState.RETRYING, "next_attempt_at": utc_now(), "failures": 0, "acknowledge_by": None}
        connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(values))
    deliveries.tell_dead_letters(db, found.destination)


def _newest(destination: str, state: DeliveryState, before: int, limit: int) -> Any:
    theirs = [DELIVERY.c.destination == destination, DELIVERY.c.state == state]
    if before:
        theirs.append(DELIVERY.c.id < before)
    some = select(DELIVERY.c.id).where(*theirs).order_by(DELIVERY.c.id.desc()).limit(limit).subquery()
    return select(some.c.id)


def _deliveries(customer: str, destination: str) -> Select[Any]:
    return (
        select(DELIVERY, SHIPMENT.c.carrier, SHIPMENT.c.tracking_number)
        .select_from(DELIVERY.outerjoin(SHIPMENT, DELIVERY.c.shipment_id == SHIPMENT.c.id))
        .where(DELIVERY.c.customer == customer, DELIVERY.c.destination == destination)
    )


def _tried(db: Database, wanted: Select[Any]) -> Sequence[Tried]:
    with db.read() as connection:
        rows = connection.execute(wanted).all()
        attempts: dict[int, list[Row[Any]]] = defaultdict(list)
        theirs = select(ATTEMPT).where(ATTEMPT.c.delivery_id.in_([row.id for row in rows]))
        for attempt in connection.execute(theirs.order_by(ATTEMPT.c.delivery_id, ATTEMPT.c.number)):
            attempts[attempt.delivery_id].append(attempt)
    return [Tried(row, attempts[row.id][-_SHOWN:]) for row in rows]
