"""What a customer with access to the API may see: its trackers, and its events in the order of the commits."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, insert, or_, select, text, true, update

from edi_gateway.model import TrackingEvent, utc_now
from edi_gateway.store.bulk import among, listed
from edi_gateway.store.dossier import EVENT, shown_event
from edi_gateway.store.engine import Database, insert_new
from edi_gateway.store.tables import METADATA, Action, Origin, TrackerState

TRACKER: Final = METADATA.tables["tracker"]
FEED: Final = METADATA.tables["feed"]
_NAMESPACE: Final = uuid.UUID("5c0c3f6e-6f43-5d1b-9d7c-3d9be9a3f1a2")


class Seen(NamedTuple):
    """A customer may know of an event."""

    customer: str
    carrier: str
    tracking_number: str
    shipment_id: int
    event_id: int
    action: Action


class Place(NamedTuple):
    """A place in a feed: everything up to it has been read."""

    tx: int = 0
    id: int = 0


class Fed(NamedTuple):
    """One entry of a feed. ``event`` is as it stands now, without its provenance."""

    place: Place
    action: Action
    tracker_id: str
    key: str  # names the event towards customers
    event: TrackingEvent
    created_at: datetime


def enter(connection: Connection, rows: Iterable[Seen]) -> None:
    """Enter what customers may see from now on, in the transaction that records it.

    A customer with whom a shipment was never shared does not hear that an event of it is void, and one that paused
    its tracker hears nothing.
    """
    seen = list(rows)
    if not seen:
        return
    meet(connection, [row for row in seen if row.action is Action.REPORT])
    states = _states(connection, seen)
    tx = _transaction(connection)
    now = utc_now()
    told = [
        {
            "tx": tx,
            "customer": row.customer,
            "event_id": row.event_id,
            "shipment_id": row.shipment_id,
            "action": row.action.value,
            "created_at": now,
        }
        for row in seen
        if states.get((row.customer, row.shipment_id)) is TrackerState.ACTIVE
    ]
    if told:
        connection.execute(insert(FEED), told)


def page(db: Database, customer: str, after: Place, limit: int, *conditions: ColumnElement[bool]) -> list[Fed]:
    """What comes after that place, in order. Nothing ever appears before what was read once."""
    with db.read() as connection:
        beyond = or_(FEED.c.tx > after.tx, and_(FEED.c.tx == after.tx, FEED.c.id > after.id))
        wanted = (
            select(FEED.c.tx, FEED.c.id.label("feed_id"), FEED.c.action, FEED.c.created_at, TRACKER.c.public_id, EVENT)
            .select_from(
                FEED.join(EVENT, FEED.c.event_id == EVENT.c.id).join(
                    TRACKER,
                    and_(TRACKER.c.customer == FEED.c.customer, TRACKER.c.shipment_id == FEED.c.shipment_id),
                )
            )
            .where(FEED.c.customer == customer, beyond, _settled(connection), *conditions)
            .where(TRACKER.c.deleted_at.is_(None), FEED.c.id > TRACKER.c.fed_after)
            .order_by(FEED.c.tx, FEED.c.id)
            .limit(limit)
        )
        rows = connection.execute(wanted).all()
    return [_fed(row) for row in rows]


def ends(db: Database, customers: Collection[str]) -> Mapping[str, Place]:
    """Customer → the place of the last entry of its feed; those without any are left out."""
    found: dict[str, Place] = {}
    with db.read() as connection:
        last = (
            select(FEED.c.tx, FEED.c.id)
            .where(FEED.c.customer == bindparam("whose"), _settled(connection))
            .order_by(FEED.c.tx.desc(), FEED.c.id.desc())
            .limit(1)
        )
        for customer in customers:
            if row := connection.execute(last, {"whose": customer}).one_or_none():
                found[customer] = Place(row.tx, row.id)
    return found


def _fed(row: Row[Any]) -> Fed:
    place = Place(row.tx, row.feed_id)
    return Fed(place, Action(row.action), row.public_id, row.fingerprint, shown_event(row), row.created_at)


def _settled(connection: Connection) -> ColumnElement[bool]:
    """Of what is committed, that before which nothing can be committed any more."""
    if connection.dialect.name != "postgresql":
        return true()
    return FEED.c.tx < text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def _transaction(connection: Connection) -> int:
    if connection.dialect.name != "postgresql":
        return 0
    number: int = connection.execute(text("SELECT pg_current_xact_id()::text::bigint")).scalar_one()
    return number


def meet(connection: Connection, seen: Sequence[Seen]) -> None:
    """Let each customer have a tracker of each shipment; one that waits for the number gets the first shipment.

    In the transaction that records what is seen.
    """
    wanted = {(row.customer, row.shipment_id): row for row in seen}
    missing = {key: row for key, row in wanted.items() if key not in _states(connection, wanted.values())}
    if not missing:
        return
    for row in _expected(connection, {row.tracking_number for row in missing.values()}):
        fits = (
            key
            for key, each in missing.items()
            if (each.customer, each.tracking_number) == (row.customer, row.tracking_number)
            and row.carrier in {"", each.carrier}
        )
        if key := next(fits, None):
            met = {"shipment_id": missing[key].shipment_id, "carrier": missing.pop(key).carrier}
            connection.execute(update(TRACKER).where(TRACKER.c.id == row.id).values(met))
    now, ids = utc_now(), _free_ids(connection, missing)
    fresh = [
        {
            "public_id": ids[row.customer, row.shipment_id],
            "customer": row.customer,
            "carrier": row.carrier,
            "tracking_number": row.tracking_number,
            "shipment_id": row.shipment_id,
            "origin": Origin.RULE,
            "state": TrackerState.ACTIVE,
            "created_at": now,
            "fed_after": 0,
        }
        for row in missing.values()
    ]
    if fresh:
        connection.execute(insert_new(connection, TRACKER), fresh)


def _free_ids(connection: Connection, wanted: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
    """A public id for each; another one where a tracker has that which moved on from a shipment that is no more."""
    ids = {key: automatic_id(*key) for key in wanted}
    having = select(TRACKER.c.public_id).where(among(connection.dialect.name, TRACKER.c.public_id, "ids"))
    taken = set(connection.execute(having, {"ids": listed(connection, ids.values())}).scalars())
    return {key: str(uuid.uuid4()) if name in taken else name for key, name in ids.items()}


def automatic_id(customer: str, shipment_id: int) -> str:
    """The public id of a tracker that nobody asked for: the same whenever it is made, and no two customers' alike."""
    return str(uuid.uuid5(_NAMESPACE, f"{customer}/{shipment_id}"))


def _states(connection: Connection, seen: Iterable[Seen]) -> Mapping[tuple[str, int], TrackerState]:
    """(customer, shipment) → state of its tracker, for those that have one."""
    rows = list(seen)
    query = select(TRACKER.c.customer, TRACKER.c.shipment_id, TRACKER.c.state).where(
        TRACKER.c.customer == bindparam("whose"), among(connection.dialect.name, TRACKER.c.shipment_id, "shipments")
    )
    found: dict[tuple[str, int], TrackerState] = {}
    for customer in sorted({row.customer for row in rows}):
        theirs = {row.shipment_id for row in rows if row.customer == customer}
        these = {"whose": customer, "shipments": listed(connection, theirs)}
        found.update(((row.customer, row.shipment_id), row.state) for row in connection.execute(query, these))
    return found


def _expected(connection: Connection, numbers: Collection[str]) -> Sequence[Row[Any]]:
    """Trackers that wait for these numbers, those that name a carrier first."""
    wanted = (
        select(TRACKER)
        .where(text("tracker.shipment_id IS NULL"), among(connection.dialect.name, TRACKER.c.tracking_number, "n"))
        .order_by(TRACKER.c.carrier.desc(), TRACKER.c.id)
    )
    return connection.execute(wanted, {"n": listed(connection, numbers)}).all()
