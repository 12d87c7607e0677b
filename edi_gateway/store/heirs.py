"""What customers know of shipments whose events move to others: when epochs merge or part, their trackers follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from edi_gateway.store.bulk import among, listed
from edi_gateway.store.dossier import EVENT
from edi_gateway.store.feed import FEED, TRACKER, Seen, meet
from edi_gateway.store.tables import Action


def follow(connection: Connection, moved: Mapping[int, int], heirs: Mapping[int, int]) -> None:
    """Let trackers and feeds follow events to other shipments; to be called before shipments are deleted.

    ``moved``: event → its shipment now. ``heirs``: shipment that is no more → the one that has its events. A tracker
    goes to the heir, unless its customer has one of that; who was told of an event that moved has a tracker of where
    it is.
    """
    if heirs:
        _inherit(connection, heirs)
    told = _told(connection, moved)
    if told:
        theirs = [{"this": event, "shipment_id": moved[event]} for event in {row.event_id for row in told}]
        connection.execute(update(FEED).where(FEED.c.event_id == bindparam("this")), theirs)
        meet(connection, _seen(told, moved))


def _inherit(connection: Connection, heirs: Mapping[int, int]) -> None:
    both = {*heirs, *heirs.values()}
    query = select(TRACKER.c.id, TRACKER.c.customer, TRACKER.c.shipment_id)
    these = {"shipments": listed(connection, both)}
    theirs = query.where(among(connection.dialect.name, TRACKER.c.shipment_id, "shipments")).order_by(TRACKER.c.id)
    rows = connection.execute(theirs, these).all()
    has = {(row.customer, row.shipment_id) for row in rows}
    for row in rows:
        heir = heirs.get(row.shipment_id)
        if heir is None:
            continue
        this = TRACKER.c.id == row.id
        if (row.customer, heir) in has:
            connection.execute(delete(TRACKER).where(this))
        else:
            connection.execute(update(TRACKER).where(this).values(shipment_id=heir))
            has.add((row.customer, heir))


def _told(connection: Connection, moved: Mapping[int, int]) -> Sequence[Any]:
    """(customer, event, carrier, tracking number) of what feeds hold of these events."""
    query = (
        select(FEED.c.customer, FEED.c.event_id, EVENT.c.carrier, EVENT.c.tracking_number)
        .select_from(FEED.join(EVENT, FEED.c.event_id == EVENT.c.id))
        .where(among(connection.dialect.name, FEED.c.event_id, "events"))
    )
    return connection.execute(query, {"events": listed(connection, moved)}).all() if moved else ()


def _seen(told: Iterable[Any], moved: Mapping[int, int]) -> list[Seen]:
    return [
        Seen(row.customer, row.carrier, row.tracking_number, moved[row.event_id], row.event_id, Action.REPORT)
        for row in told
    ]
