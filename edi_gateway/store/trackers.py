"""Trackers that customers ask for: made, found again, silenced and taken away, each in one transaction."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, text, update

from edi_gateway.history import DEFAULT_GAP, HistoryEvent, is_estimate, moves
from edi_gateway.model import utc_now
from edi_gateway.store import subscriptions
from edi_gateway.store.access import SILENT
from edi_gateway.store.bulk import among, listed
from edi_gateway.store.dossier import EVENT, SHIPMENT, event_of
from edi_gateway.store.engine import Database
from edi_gateway.store.events import take_turns
from edi_gateway.store.feed import FEED, TRACKER
from edi_gateway.store.reconcile import Change
from edi_gateway.store.subscriptions import SUBSCRIPTION
from edi_gateway.store.tables import Origin, TrackerState

_SILENT: Final = text(f"tracker.{SILENT}")  # spelled out, so that the database sees that its partial index fits
Gaps = Mapping[str, timedelta]
"""Carrier → the silence after which its numbers are other shipments'; all carriers there are."""


class Wish(NamedTuple):
    """What a customer wants to track; carrier "" means whoever carries it."""

    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True)
class Made:
    """What a wish led to: the public id of its tracker, and whether that is new."""

    id: str
    new: bool


@dataclass(slots=True)
class _Tracker:
    """A tracker's row, stored (``key``) or about to be."""

    carrier: str
    shipment_id: int | None
    public_id: str
    key: int = 0
    deleted: bool = False
    new: bool = False  # to the customer
    changed: bool = False


class _Known(NamedTuple):
    """A shipment under a number that may still be on its way."""

    id: int
    carrier: str


def create(
    connection: Connection, customer: str, wishes: Sequence[Wish], gaps: Gaps
) -> tuple[list[Made], Collection[int]]:
    """Subscribe a customer to these numbers, and give it a tracker of each; again is no mistake.

    A tracker meets the latest shipment of its number, unless nothing was heard of that for longer than the gap: then it
    waits for the next one. Returns what each wish led to, and the shipments the customer sees from now on. Recorders
    of the carriers wait, so that each event is either found here or finds the subscription.
    """
    _hold(connection, customer, {wish.carrier for wish in wishes}, gaps)
    subscriptions.enter(connection, customer, sorted(set(wishes)))
    numbers = {wish.tracking_number for wish in wishes}
    trackers = _stored(connection, customer, numbers)
    shipments = _latest(connection, numbers, gaps)
    made = {}
    for wish in dict.fromkeys(wishes):
        theirs = trackers[wish.tracking_number]
        fitting = [each for each in shipments[wish.tracking_number] if wish.carrier in {"", each.carrier}]
        made[wish] = _meet(theirs, wish, fitting)
    _write(connection, customer, trackers)
    rows = [each for theirs in trackers.values() for each in theirs]
    fresh = {each.shipment_id for each in rows if each.changed and each.shipment_id is not None}
    answers, seen = [], set[str]()
    for tracker in (made[wish] for wish in wishes):
        answers.append(Made(tracker.public_id, tracker.new and tracker.public_id not in seen))
        seen.add(tracker.public_id)
    return answers, fresh


def told(connection: Connection, shipment_ids: Collection[int]) -> list[Change]:
    """The events of shipments that stand, as if each had just come, in the order they happened."""
    theirs = (
        select(EVENT, SHIPMENT.c.estimated_at)
        .select_from(EVENT.join(SHIPMENT, EVENT.c.shipment_id == SHIPMENT.c.id))
        .where(among(connection.dialect.name, EVENT.c.shipment_id, "ids"), ~EVENT.c.retracted)
        .order_by(EVENT.c.shipment_id, EVENT.c.occurred_at, EVENT.c.id)
    )
    rows = {row.fingerprint: row for row in connection.execute(theirs, {"ids": listed(connection, shipment_ids)})}
    estimated = {row.shipment_id: row.estimated_at for row in rows.values()}
    by_shipment: dict[int, list[HistoryEvent]] = defaultdict(list)
    for row in rows.values():
        by_shipment[row.shipment_id].append(_history(row))
    return [
        Change(
            kind="new",
            event_id=rows[move.event.fingerprint].id,
            shipment_id=shipment_id,
            event=event_of(rows[move.event.fingerprint]),
            previous_status=move.before.status,
            status=move.after.status,
            reason_changed=move.before.reason != move.after.reason,
            estimate_changed=is_estimate(move.event) and move.event.occurred_at == estimated[shipment_id],
        )
        for shipment_id, events in by_shipment.items()
        for move in moves((), events)
    ]


def silent(connection: Connection, shipment_ids: Collection[int]) -> set[tuple[str, int]]:
    """(customer, shipment) of these where the customer wants to hear nothing."""
    wanted = select(TRACKER.c.customer, TRACKER.c.shipment_id)
    wanted = wanted.where(_SILENT, among(connection.dialect.name, TRACKER.c.shipment_id, "ids"))
    return {(row[0], row[1]) for row in connection.execute(wanted, {"ids": listed(connection, shipment_ids)})}


def let(db: Database, customer: str, tracker_id: str, state: TrackerState) -> bool:
    """Pause a tracker or let it go on; returns whether the customer has one of that id."""
    with db.write() as connection:
        its = update(TRACKER).where(*_its(customer, tracker_id)).values(state=state)
        return bool(connection.execute(its).rowcount)


def remove(db: Database, customer: str, tracker_id: str, gaps: Gaps) -> bool:
    """Delete a tracker and end its subscription; returns whether the customer had one of that id.

    Nothing more of its shipment is told, whatever rules say; the number's next shipment is another matter. What of
    the number is tracked besides keeps its subscription.
    """
    its = _its(customer, tracker_id)
    with db.write() as connection:
        carrier = connection.execute(select(TRACKER.c.carrier).where(*its)).scalar()
        if carrier is None:
            return False
        _hold(connection, customer, {carrier}, gaps)
        joined = TRACKER.outerjoin(SHIPMENT, TRACKER.c.shipment_id == SHIPMENT.c.id)
        rows = select(TRACKER, SHIPMENT.c.epoch).select_from(joined)
        row = connection.execute(rows.where(*its)).one_or_none()
        if row is None:
            return False
        if row.shipment_id is None:
            connection.execute(delete(TRACKER).where(TRACKER.c.id == row.id))
        else:
            last = connection.execute(select(func.max(FEED.c.id))).scalar() or 0
            gone = {"state": TrackerState.PAUSED, "deleted_at": utc_now(), "fed_after": last}
            connection.execute(update(TRACKER).where(TRACKER.c.id == row.id).values(gone))
        same = (TRACKER.c.customer == customer, TRACKER.c.tracking_number == row.tracking_number)
        others = connection.execute(rows.where(*same, TRACKER.c.deleted_at.is_(None), TRACKER.c.id != row.id)).all()
        _unsubscribe(connection, row, others)
    return True


def _its(customer: str, tracker_id: str) -> tuple[Any, ...]:
    return TRACKER.c.customer == customer, TRACKER.c.public_id == tracker_id, TRACKER.c.deleted_at.is_(None)


def _hold(connection: Connection, customer: str, carriers: Collection[str], gaps: Gaps) -> None:
    """Until the commit, nobody records what concerns these carriers ("": any), nor changes the customer's trackers."""
    held = set(gaps) if "" in carriers else set(carriers)
    take_turns(connection, held | {f"trackers of {customer}"})


def _stored(connection: Connection, customer: str, numbers: Collection[str]) -> dict[str, list[_Tracker]]:
    """Tracking number → the customer's trackers of it, deleted ones as well."""
    theirs = select(TRACKER).where(
        TRACKER.c.customer == bindparam("whose"), among(connection.dialect.name, TRACKER.c.tracking_number, "n")
    )
    found: dict[str, list[_Tracker]] = defaultdict(list)
    for row in connection.execute(theirs.order_by(TRACKER.c.id), {"whose": customer, "n": listed(connection, numbers)}):
        kept = _Tracker(row.carrier, row.shipment_id, row.public_id, row.id, row.deleted_at is not None)
        found[row.tracking_number].append(kept)
    return found


def _latest(connection: Connection, numbers: Collection[str], gaps: Gaps) -> Mapping[str, Sequence[_Known]]:
    """Tracking number → each carrier's latest shipment of it that is not over for good, the latest heard of first."""
    dialect, now = connection.dialect.name, utc_now()
    heard_at = select(func.max(EVENT.c.received_at)).where(EVENT.c.shipment_id == SHIPMENT.c.id).scalar_subquery()
    theirs = select(
        SHIPMENT.c.id, SHIPMENT.c.carrier, SHIPMENT.c.tracking_number, SHIPMENT.c.latest_at, heard_at.label("heard_at")
    ).where(among(dialect, SHIPMENT.c.carrier, "carriers"), among(dialect, SHIPMENT.c.tracking_number, "n"))
    these = {"carriers": listed(connection, gaps.keys()), "n": listed(connection, numbers)}
    latest = {
        (row.carrier, row.tracking_number): row
        for row in connection.execute(theirs.order_by(SHIPMENT.c.epoch), these).all()
    }
    found: dict[str, list[tuple[datetime, _Known]]] = defaultdict(list)
    for row in latest.values():
        heard = max(row.latest_at or now, row.heard_at or now)  # news of long ago is news
        if now - heard <= gaps.get(row.carrier, DEFAULT_GAP):
            found[row.tracking_number].append((heard, _Known(row.id, row.carrier)))
    ordered = {number: sorted(those, reverse=True) for number, those in found.items()}
    return defaultdict(list, {number: [known for _, known in those] for number, those in ordered.items()})


def _meet(trackers: list[_Tracker], wish: Wish, shipments: Iterable[_Known]) -> _Tracker:
    """The tracker a wish leads to, among those there are or new; every shipment has one then."""
    waiting = [each for each in trackers if each.shipment_id is None]
    met = []
    for known in shipments:
        tracker = next((each for each in trackers if each.shipment_id == known.id), None)
        if tracker is None:
            tracker = next((each for each in waiting if each.carrier in {"", known.carrier}), None) or _new(trackers)
            tracker.carrier, tracker.shipment_id, tracker.changed = known.carrier, known.id, True
            waiting = [each for each in waiting if each is not tracker]
        elif tracker.deleted:
            tracker.public_id, tracker.deleted, tracker.new, tracker.changed = str(uuid.uuid4()), False, True, True
        met.append(tracker)
    if met:
        return met[0]
    fits = (each for each in waiting if not wish.carrier or each.carrier in {"", wish.carrier})
    tracker = next(fits, None) or _new(trackers)
    if wish.carrier and tracker.carrier != wish.carrier:
        tracker.carrier, tracker.changed = wish.carrier, True
    return tracker


def _new(trackers: list[_Tracker]) -> _Tracker:
    tracker = _Tracker("", None, str(uuid.uuid4()), new=True, changed=True)
    trackers.append(tracker)
    return tracker


def _write(connection: Connection, customer: str, trackers: Mapping[str, Sequence[_Tracker]]) -> None:
    now = utc_now()
    changed = [(number, each) for number, theirs in trackers.items() for each in theirs if each.changed]
    for _, each in changed:
        if each.key:
            values: dict[str, Any] = {"carrier": each.carrier, "shipment_id": each.shipment_id}
            if each.new:
                asked = {"origin": Origin.REQUEST, "state": TrackerState.ACTIVE, "created_at": now, "deleted_at": None}
                values |= {"public_id": each.public_id, **asked}
            connection.execute(update(TRACKER).where(TRACKER.c.id == each.key).values(values))
    fresh = [
        {
            "public_id": each.public_id,
            "customer": customer,
            "carrier": each.carrier,
            "tracking_number": number,
            "shipment_id": each.shipment_id,
            "origin": Origin.REQUEST,
            "state": TrackerState.ACTIVE,
            "created_at": now,
            "deleted_at": None,
            "fed_after": 0,
        }
        for number, each in changed
        if not each.key
    ]
    if fresh:
        connection.execute(insert(TRACKER), fresh)


def _unsubscribe(connection: Connection, gone: Row[Any], others: Sequence[Row[Any]]) -> None:
    later = any(
        each.carrier == gone.carrier and (each.epoch is None or each.epoch > (gone.epoch or 0)) for each in others
    )
    ended = set() if later else {gone.carrier}
    if not later and all(each.carrier == gone.carrier for each in others):
        ended.add("")
    theirs = (SUBSCRIPTION.c.customer == gone.customer, SUBSCRIPTION.c.tracking_number == gone.tracking_number)
    connection.execute(delete(SUBSCRIPTION).where(*theirs, SUBSCRIPTION.c.carrier.in_(sorted(ended))))


def _history(row: Row[Any]) -> HistoryEvent:
    """What of an event decides where its shipment stands."""
    return HistoryEvent(
        fingerprint=row.fingerprint,
        status=row.status,
        occurred_at=row.occurred_at,
        reason=row.reason,
        classifier=row.classifier,
        direction=row.direction,
        correction=row.correction,
        mapped=row.mapped,
        date_only=row.date_only,
    )
