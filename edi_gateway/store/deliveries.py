"""Sealed documents: what became of each, and what a person can do about it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, func, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.store import content, line
from edi_gateway.store.alarms import AlarmKind, clear_alarm, raise_alarm
from edi_gateway.store.claims import Claim, clock
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, Attempt, Delivery, DeliveryState

DELIVERY: Final = METADATA.tables["delivery"]
RETRIABLE: Final = (DeliveryState.DEAD, DeliveryState.RETRYING, DeliveryState.SKIPPED)
_SKIPPABLE: Final = (DeliveryState.SEALED, DeliveryState.RETRYING, DeliveryState.DEAD, DeliveryState.REJECTED)
_ARRIVED: Final = (DeliveryState.DELIVERED, DeliveryState.ACKNOWLEDGED)


def document(db: Database, delivery: Delivery | Claim) -> OutboundDocument:
    """The sealed bytes under their name. Raises LookupError when there are none."""
    return OutboundDocument(delivery.name, content.load(db, delivery.digest))


def retry(db: Database, delivery_id: int) -> None:
    """Make a delivery that is dead, skipped or waits for its next attempt due now, with its whole schedule before it.

    Raises LookupError when there is no such delivery, or it is none of these.
    """
    with db.write() as connection:
        delivery = held(connection, delivery_id)
        if delivery.state not in RETRIABLE:
            raise LookupError(f"{_told(connection, delivery)}: there is nothing to retry")
        connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(_due_now()))
    tell_dead_letters(db, delivery.destination)


def retry_all(db: Database, destination: str, state: DeliveryState) -> int:
    """The same for everything of a destination in that state; returns how many there were."""
    with db.write() as connection:
        these = (DELIVERY.c.destination == destination, DELIVERY.c.state == state, DELIVERY.c.state.in_(RETRIABLE))
        due = connection.execute(update(DELIVERY).where(*these).values(_due_now())).rowcount
    tell_dead_letters(db, destination)
    return due


def skip(db: Database, delivery_id: int) -> Row[Any]:
    """Decide that the customer does not get this file: it is not tried again and holds nothing back; returns it.

    Raises LookupError when there is no such delivery, it is settled, or somebody sends it right now.
    """
    with db.write() as connection:
        delivery = held(connection, delivery_id)
        if delivery.state not in _SKIPPABLE:
            raise LookupError(f"{_told(connection, delivery)}: there is nothing to skip")
        _require_idle(connection, delivery)
        settle(connection, delivery_id, DeliveryState.SKIPPED)
    tell_dead_letters(db, delivery.destination)
    return delivery


def replaceable(connection: Connection, delivery_id: int, *, although_delivered: bool) -> Row[Any]:
    """The delivery, held until the commit, if another document may take its place.

    Raises LookupError when there is no such delivery, when it has been replaced, when somebody sends it right now, and,
    unless ``although_delivered``, when the customer has it.
    """
    delivery = held(connection, delivery_id)
    if delivery.state in _ARRIVED and not although_delivered:
        raise LookupError(
            f"{_told(connection, delivery)}: under a new number the customer would see its {delivery.event_count}"
            " events twice; say --although-delivered if that is what you want"
        )
    if delivery.state is DeliveryState.SUPERSEDED:
        raise LookupError(f"{_told(connection, delivery)}: there is nothing to issue again")
    _require_idle(connection, delivery)
    return delivery


def settle(connection: Connection, delivery_id: int, state: DeliveryState) -> None:
    """End a delivery by decision: nothing of it is sent any more."""
    ended = {"state": state, "next_attempt_at": None, "claimed_by": "", "claimed_until": None}
    this = update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(ended)
    ended_one = connection.execute(this.returning(DELIVERY.c.destination, DELIVERY.c.shipment_id)).one_or_none()
    if ended_one and ended_one.shipment_id:
        line.follow(connection, *ended_one)


def tell_dead_letters(db: Database, destination: str) -> None:
    """Let the alarms of a destination say what is true of its dead letters now."""
    dead = (DELIVERY.c.destination == destination, DELIVERY.c.state == DeliveryState.DEAD)
    with db.read() as connection:
        count = connection.execute(select_columns(func.count()).where(*dead)).scalar_one()
        newest = select_columns(DELIVERY).where(*dead).order_by(DELIVERY.c.id.desc()).limit(1)
        last = connection.execute(newest).one_or_none()
    if last is None:
        clear_alarm(db, AlarmKind.DEAD_LETTER, destination)
        clear_alarm(db, AlarmKind.ORDER_BLOCKED, destination)
        return
    text = (
        f"{count} dead letters, the latest is delivery {last.id} ({last.name}): {last.last_error}; see them with"
        f" edi-gateway deliveries list --state dead --destination {destination}, then retry, reissue or skip them"
    )
    raise_alarm(db, AlarmKind.DEAD_LETTER, destination, text)


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


def replaced_by(db: Database, delivery_id: int) -> int | None:
    """The delivery that took the place of this one."""
    with db.read() as connection:
        return _successor(connection, delivery_id)


def held(connection: Connection, delivery_id: int) -> Row[Any]:
    """The delivery's row, on PostgreSQL locked until the commit. Raises LookupError when there is none."""
    this = select_columns(DELIVERY).where(DELIVERY.c.id == delivery_id).with_for_update()
    found = connection.execute(this).one_or_none()
    if found is None:
        raise LookupError(f"no delivery {delivery_id}")
    return found


def _due_now() -> dict[str, Any]:
    return {"state": DeliveryState.RETRYING, "next_attempt_at": utc_now(), "failures": 0}


def _require_idle(connection: Connection, delivery: Row[Any]) -> None:
    if delivery.claimed_until is not None and delivery.claimed_until > clock(connection):
        raise LookupError(
            f"delivery {delivery.id} is being sent by {delivery.claimed_by}: wait until attempt {delivery.attempts}"
            " has ended, at the latest half a minute after that process has died"
        )


def _told(connection: Connection, delivery: Row[Any]) -> str:
    successor = _successor(connection, delivery.id) if delivery.state is DeliveryState.SUPERSEDED else None
    return f"delivery {delivery.id} is {delivery.state}" + (f" by delivery {successor}" if successor else "")


def _successor(connection: Connection, delivery_id: int) -> int | None:
    return connection.execute(select_columns(DELIVERY.c.id).where(DELIVERY.c.replaces == delivery_id)).scalar()
