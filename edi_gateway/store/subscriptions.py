"""Which customer wants to hear of which tracking number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from edi_gateway.model import utc_now
from edi_gateway.store.bulk import among, holds_any, listed
from edi_gateway.store.engine import Database, chunks, insert_new
from edi_gateway.store.tables import METADATA, Subscription
from edi_gateway.worlds import named_in, world_of

SUBSCRIPTION: Final = METADATA.tables["subscription"]


def subscribe(db: Database, customer: str, tracking_numbers: Collection[str], carrier: str = "") -> None:
    """Let a customer hear of these numbers, of that carrier or ("") whoever carries them. Again is no mistake."""
    with db.write() as connection:
        enter(connection, customer, [(carrier, number) for number in tracking_numbers])


def enter(connection: Connection, customer: str, numbers: Collection[tuple[str, str]]) -> None:
    """The same of (carrier, tracking number), in the caller's transaction."""
    now = utc_now()
    rows = [
        {"customer": customer, "carrier": _of_world(customer, carrier), "tracking_number": number, "created_at": now}
        for carrier, number in numbers
    ]
    if rows:
        connection.execute(insert_new(connection, SUBSCRIPTION), rows)


def unsubscribe(db: Database, customer: str, tracking_numbers: Collection[str], carrier: str = "") -> int:
    """End subscriptions exactly as they were made; return how many there were."""
    ended, carrier = 0, _of_world(customer, carrier)
    theirs = (SUBSCRIPTION.c.customer == customer) & (SUBSCRIPTION.c.carrier == carrier)
    with db.write() as connection:
        for some in chunks(tracking_numbers):
            these = delete(SUBSCRIPTION).where(theirs, SUBSCRIPTION.c.tracking_number.in_(some))
            ended += connection.execute(these).rowcount
    return ended


def subscriptions(db: Database, customer: str | None = None, limit: int = 1000) -> list[Subscription]:
    """Subscriptions, of one customer or all, in the order they were made."""
    wanted = select_rows(Subscription).order_by(col(Subscription.id)).limit(limit)
    wanted = wanted if customer is None else wanted.where(Subscription.customer == customer)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(wanted))


def subscribers(connection: Connection, numbers: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], set[str]]:
    """(carrier, tracking number) → customers who want to hear of it; numbers nobody asked for are left out."""
    if not holds_any(connection, SUBSCRIPTION.name):
        return {}
    wanted = set(numbers)
    carriers = {carrier for carrier, _ in numbers}
    these = {"numbers": listed(connection, {number for _, number in wanted})}
    found: dict[tuple[str, str], set[str]] = {}
    for tracking_number, of_carrier, customer in connection.execute(_query(connection.dialect.name), these).all():
        for carrier in (of_carrier,) if of_carrier else carriers:
            if (carrier, tracking_number) in wanted:
                found.setdefault((carrier, tracking_number), set()).add(customer)
    return found


def _of_world(customer: str, carrier: str) -> str:
    """The carrier as the customer means it: in a test world, never a live one of that name."""
    return named_in(world_of(customer), carrier) if carrier else ""


@lru_cache
def _query(dialect: str) -> Select[Any]:
    theirs = select(SUBSCRIPTION.c.tracking_number, SUBSCRIPTION.c.carrier, SUBSCRIPTION.c.customer)
    return theirs.where(among(dialect, SUBSCRIPTION.c.tracking_number, "numbers"))
