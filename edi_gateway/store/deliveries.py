"""Sealed documents on their way: every attempt is a row before the first byte leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.store import content
from edi_gateway.store.engine import Database, storable
from edi_gateway.store.tables import METADATA, Attempt, Delivery, DeliveryState, Outcome

DELIVERY: Final = METADATA.tables["delivery"]
ATTEMPT: Final = METADATA.tables["attempt"]
_OPEN: Final = (DeliveryState.SEALED, DeliveryState.RETRYING)


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt that may now send. ``again``: the document may have arrived already."""

    number: int
    again: bool


def due_deliveries(db: Database, destination: str, now: datetime, limit: int = 100) -> list[Delivery]:
    """Deliveries of that destination whose next attempt is due, in the order they were sealed."""
    wanted = select(Delivery).where(Delivery.destination == destination, col(Delivery.state).in_(_OPEN))
    wanted = wanted.where(col(Delivery.next_attempt_at) <= now).order_by(col(Delivery.id)).limit(limit)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(wanted))


def document(db: Database, delivery: Delivery) -> OutboundDocument:
    """The sealed bytes under their name, for one more attempt."""
    return OutboundDocument(delivery.name, content.load(db, delivery.digest))


def start_attempt(db: Database, delivery_id: int) -> Started:
    """Write down durably that an attempt begins; only then may it send.

    Raises LookupError when there is no such delivery, or it needs no attempt.
    """
    with db.write() as connection:
        delivery = _held(connection, delivery_id)
        if delivery.state not in _OPEN:
            raise LookupError(f"delivery {delivery_id} is {delivery.state}: it is not to be sent")
        earlier = select_columns(ATTEMPT.c.outcome).where(ATTEMPT.c.delivery_id == delivery_id)
        outcomes = set(connection.execute(earlier).scalars())
        number = delivery.attempts + 1
        row = {"delivery_id": delivery_id, "number": number, "started_at": utc_now(), "outcome": Outcome.STARTED}
        connection.execute(insert(ATTEMPT), row | {"detail": ""})
        connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(attempts=number))
    return Started(number, again=not outcomes.isdisjoint({Outcome.STARTED, Outcome.FAILED}))


def finish_attempt(
    db: Database,
    delivery_id: int,
    number: int,
    outcome: Outcome,
    detail: str = "",
    next_attempt_at: datetime | None = None,
) -> DeliveryState:
    """Write down how an attempt ended, and return what that makes of the delivery.

    A failure without a next attempt, and a refusal, make it a dead letter. ``detail`` is what was verified, or went
    wrong. Raises LookupError when there is no such delivery.
    """
    now, detail = utc_now(), storable(detail)
    values: dict[str, Any] = {"next_attempt_at": None, "last_error": detail, "state": DeliveryState.DEAD}
    if outcome is Outcome.DELIVERED:
        values = {"next_attempt_at": None, "last_error": "", "state": DeliveryState.DELIVERED, "delivered_at": now}
    elif outcome is Outcome.FAILED and next_attempt_at is not None:
        values |= {"next_attempt_at": next_attempt_at, "state": DeliveryState.RETRYING}
    this = (ATTEMPT.c.delivery_id == delivery_id) & (ATTEMPT.c.number == number)
    with db.write() as connection:
        _held(connection, delivery_id)
        connection.execute(update(ATTEMPT).where(this).values(finished_at=now, outcome=outcome, detail=detail))
        connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(values))
    return DeliveryState(values["state"])


def retry(db: Database, delivery_id: int) -> None:
    """Make a dead letter, or a delivery that waits for its next attempt, due now.

    Raises LookupError when there is no such delivery, or it is neither.
    """
    with db.write() as connection:
        delivery = _held(connection, delivery_id)
        if delivery.state not in (DeliveryState.DEAD, DeliveryState.RETRYING):
            raise LookupError(f"delivery {delivery_id} is {delivery.state}: there is nothing to retry")
        now = {"state": DeliveryState.RETRYING, "next_attempt_at": utc_now()}
        connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(now))


def deliveries(
    db: Database, *, destination: str | None = None, state: DeliveryState | None = None, limit: int = 100
) -> list[Delivery]:
    """Deliveries that fit every filter given, newest first."""
    wanted = select(Delivery).order_by(col(Delivery.id).desc()).limit(limit)
    for column, value in ((Delivery.destination, destination), (Delivery.state, state)):
        wanted = wanted if value is None else wanted.where(col(column) == value)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(wanted))


def delivery(db: Database, delivery_id: int) -> tuple[Delivery, list[Attempt]]:
    """That delivery and its attempts in order. Raises LookupError when there is none."""
    tried = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(col(Attempt.number))
    with db.read() as connection, Session(connection) as session:
        found = session.get(Delivery, delivery_id)
        attempts = list(session.exec(tried))
    if found is None:
        raise LookupError(f"no delivery {delivery_id}")
    return found, attempts


def _held(connection: Connection, delivery_id: int) -> Row[Any]:
    """The delivery's row, on PostgreSQL locked until the commit."""
    this = select_columns(DELIVERY).where(DELIVERY.c.id == delivery_id).with_for_update()
    found = connection.execute(this).one_or_none()
    if found is None:
        raise LookupError(f"no delivery {delivery_id}")
    return found
