"""Shipments as a customer may see them: its trackers, and the events behind each; nothing of anybody else's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, or_, select

from edi_gateway.model import Direction, Status, TrackingState
from edi_gateway.store.bulk import among, listed
from edi_gateway.store.dossier import SHIPMENT
from edi_gateway.store.engine import Database
from edi_gateway.store.feed import TRACKER
from edi_gateway.store.scans import Scan, scans
from edi_gateway.store.tables import Origin, TrackerState
from edi_gateway.worlds import shown

_COLUMNS: Final = (
    TRACKER.c.id.label("tracker_id"),
    TRACKER.c.public_id,
    TRACKER.c.carrier.label("asked_carrier"),
    TRACKER.c.tracking_number.label("asked_number"),
    TRACKER.c.state.label("tracker_state"),
    TRACKER.c.origin,
    TRACKER.c.created_at,
    TRACKER.c.shipment_id,
    *(SHIPMENT.c[name] for name in ("epoch", "status", "reason", "direction", "status_at", "estimated_at")),
    SHIPMENT.c.milestones,
    SHIPMENT.c.tracking_state,
)
_WITH_SHIPMENT: Final = TRACKER.outerjoin(SHIPMENT, TRACKER.c.shipment_id == SHIPMENT.c.id)
_LATEST_FIRST: Final = (TRACKER.c.shipment_id.is_(None).desc(), SHIPMENT.c.epoch.desc(), TRACKER.c.id.desc())
_STANDS: Final = TRACKER.c.deleted_at.is_(None)


@dataclass(frozen=True, slots=True)
class Track:
    """A tracker and what is known of its shipment; before the first event, nothing is."""

    row_id: int
    id: str
    carrier: str  # "" while nobody knows
    tracking_number: str
    epoch: int
    origin: Origin
    state: TrackerState
    tracking_state: TrackingState
    created_at: datetime
    status: Status
    reason: str
    direction: Direction
    status_at: datetime | None
    estimated_delivery_at: datetime | None
    milestones: Mapping[Status, tuple[datetime, datetime]]
    scans: tuple[Scan, ...]  # in the order they happened

    @property
    def delivered_at(self) -> datetime | None:
        """When it was delivered first, where it is."""
        delivered = self.milestones.get(Status.DELIVERED)
        return delivered[0].astimezone(UTC) if delivered and self.status is Status.DELIVERED else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which trackers to list; what is None does not matter."""

    carrier: str | None = None
    tracking_number: str | None = None
    status: Status | None = None
    state: TrackerState | None = None


def by_numbers(db: Database, customer: str, numbers: Collection[str]) -> Mapping[str, Sequence[Track]]:
    """Tracking number → the customer's trackers of it, one that waits first, then the latest shipment.

    Unknown numbers are left out.
    """
    theirs = select(*_COLUMNS).select_from(_WITH_SHIPMENT).where(TRACKER.c.customer == bindparam("whose"), _STANDS)
    with db.read() as connection:
        these = {"whose": customer, "n": listed(connection, numbers)}
        wanted = theirs.where(among(connection.dialect.name, TRACKER.c.tracking_number, "n"))
        rows = connection.execute(wanted.order_by(*_LATEST_FIRST), these).all()
        found: dict[str, list[Track]] = defaultdict(list)
        for track in _tracks(connection, rows):
            found[track.tracking_number].append(track)
    return found


def by_id(db: Database, customer: str, tracker_id: str) -> Track | None:
    """The customer's tracker of that public id; None when there is none, or it is another's."""
    with db.read() as connection:
        rows = connection.execute(_of(customer).where(TRACKER.c.public_id == tracker_id)).all()
        return next(iter(_tracks(connection, rows)), None)


def listing(db: Database, customer: str, wanted: Wanted, after: int, limit: int) -> Sequence[Track]:
    """A customer's trackers that fit, in the order they were made, from after that one on."""
    query = _of(customer).where(TRACKER.c.id > after, *_conditions(wanted)).order_by(TRACKER.c.id).limit(limit)
    with db.read() as connection:
        return _tracks(connection, connection.execute(query).all())


def _of(customer: str) -> Select[Any]:
    return select(*_COLUMNS).select_from(_WITH_SHIPMENT).where(TRACKER.c.customer == customer, _STANDS)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.carrier is not None:
        found.append(TRACKER.c.carrier == wanted.carrier)
    if wanted.tracking_number is not None:
        found.append(TRACKER.c.tracking_number == wanted.tracking_number)
    if wanted.state is not None:
        found.append(TRACKER.c.state == wanted.state)
    if wanted.status is Status.UNKNOWN:
        found.append(or_(SHIPMENT.c.status == wanted.status, TRACKER.c.shipment_id.is_(None)))
    elif wanted.status is not None:
        found.append(SHIPMENT.c.status == wanted.status)
    return found


def _tracks(connection: Connection, rows: Sequence[Row[Any]]) -> list[Track]:
    ids = [row.shipment_id for row in rows if row.shipment_id is not None]
    told = scans(connection, ids) if ids else {}
    return [_track(row, told.get(row.shipment_id, ())) for row in rows]


def _track(row: Row[Any], told: Sequence[Scan]) -> Track:
    known = row.shipment_id is not None
    return Track(
        row_id=row.tracker_id,
        id=row.public_id,
        carrier=shown(row.asked_carrier),
        tracking_number=row.asked_number,
        epoch=row.epoch if known else 0,
        origin=row.origin,
        state=row.tracker_state,
        tracking_state=row.tracking_state if known else TrackingState.ACTIVE,
        created_at=row.created_at,
        status=row.status if known else Status.UNKNOWN,
        reason=row.reason if known else "",
        direction=row.direction if known else Direction.FORWARD,
        status_at=row.status_at,
        estimated_delivery_at=row.estimated_at,
        milestones={
            Status(name): (datetime.fromisoformat(first), datetime.fromisoformat(last))
            for name, (first, last) in (row.milestones or {}).items()
        },
        scans=tuple(told),
    )
