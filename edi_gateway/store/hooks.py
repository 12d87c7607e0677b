"""Webhook endpoints that customers make, change, rotate and delete by the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, text, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from edi_gateway.model import utc_now
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, OPEN_DELIVERY, PENDING, DeliveryState, WebhookEndpoint

ENDPOINT: Final = METADATA.tables["webhook_endpoint"]
DELIVERY: Final = METADATA.tables["delivery"]
OUTBOX: Final = METADATA.tables["outbox"]
_HEALTH: Final = METADATA.tables["endpoint"]
_ALARM: Final = METADATA.tables["alarm"]
MOST: Final = 20  # endpoints of a customer
_AFTERWARDS: Final = timedelta(minutes=2)  # for so long, a node that has not looked since may still owe to one


class TooManyError(Exception):
    """A customer has as many endpoints as it may have."""


def create(db: Database, customer: str, values: Mapping[str, Any]) -> WebhookEndpoint:
    """Enter an endpoint of that customer. Raises TooManyError."""
    row = {
        **values,
        "public_id": str(uuid4()),
        "customer": customer,
        "rotation": 1,
        "revision": 1,
        "created_at": utc_now(),
    }
    with db.write() as connection:
        connection.execute(insert(ENDPOINT), row)
        theirs = (ENDPOINT.c.customer == customer, ENDPOINT.c.deleted_at.is_(None))
        if connection.execute(select_columns(func.count()).select_from(ENDPOINT).where(*theirs)).scalar_one() > MOST:
            raise TooManyError
    return WebhookEndpoint(**row)


def change(db: Database, customer: str, public_id: str, values: Mapping[str, Any]) -> WebhookEndpoint | None:
    """Change an endpoint; returns it as it is now, or None when that customer has none of that id."""
    return _change(db, customer, public_id, dict(values))


def rotate(db: Database, customer: str, public_id: str) -> WebhookEndpoint | None:
    """Let another secret sign from now on, and the one before for a while, too; None as above."""
    return _change(db, customer, public_id, {"rotation": ENDPOINT.c.rotation + 1, "rotated_at": utc_now()})


def remove(db: Database, customer: str, public_id: str) -> bool:
    """Send nothing more to an endpoint: what it is owed is dropped. False when there is none, as above."""
    found = _change(db, customer, public_id, {"deleted_at": utc_now()})
    if found is None:
        return False
    with db.write() as connection:
        _forget(connection, found.destination)
    return True


def sweep(db: Database) -> None:
    """Drop what was still owed to endpoints while they were being deleted."""
    with db.read() as connection, Session(connection) as session:
        lately = col(WebhookEndpoint.deleted_at) > utc_now() - _AFTERWARDS
        gone = [row.destination for row in session.exec(select(WebhookEndpoint).where(lately))]
    for destination in gone:
        with db.write() as connection:
            _forget(connection, destination)


def endpoints(db: Database, customer: str = "") -> Sequence[WebhookEndpoint]:
    """All there are, or a customer's, the oldest first."""
    wanted = select(WebhookEndpoint).where(col(WebhookEndpoint.deleted_at).is_(None)).order_by(col(WebhookEndpoint.id))
    wanted = wanted.where(WebhookEndpoint.customer == customer) if customer else wanted
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(wanted))


def endpoint(db: Database, customer: str, public_id: str) -> WebhookEndpoint | None:
    """A customer's endpoint; None when it has none of that id."""
    with db.read() as connection, Session(connection) as session:
        return _found(session, customer, public_id)


def state(db: Database) -> tuple[int, int]:
    """Another one after every change of any endpoint."""
    with db.read() as connection:
        found = connection.execute(select_columns(func.count(), func.coalesce(func.sum(ENDPOINT.c.revision), 0))).one()
    return int(found[0]), int(found[1])


def _found(session: Session, customer: str, public_id: str) -> WebhookEndpoint | None:
    return session.exec(
        select(WebhookEndpoint).where(
            WebhookEndpoint.public_id == public_id,
            WebhookEndpoint.customer == customer,
            col(WebhookEndpoint.deleted_at).is_(None),
        )
    ).one_or_none()


def _change(db: Database, customer: str, public_id: str, values: Mapping[str, Any]) -> WebhookEndpoint | None:
    theirs = (ENDPOINT.c.public_id == public_id, ENDPOINT.c.customer == customer, ENDPOINT.c.deleted_at.is_(None))
    with db.write() as connection, Session(connection) as session:
        found = _found(session, customer, public_id)
        if found is None:
            return None
        changed = update(ENDPOINT).where(*theirs).values(**values, revision=ENDPOINT.c.revision + 1)
        if not connection.execute(changed).rowcount:
            return None
        session.refresh(found)
        return found


def _forget(connection: Connection, destination: str) -> None:
    """Owe nothing there any more, and try nothing any more; what was tried stays to be seen."""
    connection.execute(delete(OUTBOX).where(text(PENDING), OUTBOX.c.destination == destination))
    ended = {"state": DeliveryState.SKIPPED, "next_attempt_at": None, "claimed_by": "", "claimed_until": None}
    for these in (text(OPEN_DELIVERY), DELIVERY.c.state == DeliveryState.DEAD):
        connection.execute(update(DELIVERY).where(these, DELIVERY.c.destination == destination).values(ended))
    connection.execute(delete(_HEALTH).where(_HEALTH.c.destination == destination))
    connection.execute(delete(_ALARM).where(_ALARM.c.subject == destination))
