"""What customers are owed, and sealing it: number, bytes and events told are committed together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from edi_gateway.model import Direction, OutboundDocument, Status, TrackingEvent, utc_now
from edi_gateway.store.bulk import among, insert_rows, instants, listed
from edi_gateway.store.dossier import EVENT, SHIPMENT, shown_event
from edi_gateway.store.engine import Database, chunks, insert_new, storable
from edi_gateway.store.owing import UsedUpError as UsedUpError  # noqa: PLC0414
from edi_gateway.store.sealed import Terms, enter
from edi_gateway.store.tables import METADATA, Action, OutboxState

OUTBOX: Final = METADATA.tables["outbox"]
DELIVERY: Final = METADATA.tables["delivery"]
CONTROL_NUMBER: Final = METADATA.tables["control_number"]
_SHOWN: Final = (
    SHIPMENT.c.epoch,
    SHIPMENT.c.status.label("current_status"),
    SHIPMENT.c.reason.label("current_reason"),
    SHIPMENT.c.direction.label("current_direction"),
    SHIPMENT.c.status_at,
    SHIPMENT.c.estimated_at,
    SHIPMENT.c.milestones,
)
_TOLD: Final = (OUTBOX.c.action, OUTBOX.c.trigger, OUTBOX.c.previous_status, OUTBOX.c.new_status)
_ALL: Final = 1_000_000_000
_OPPOSITE: Final = {Action.REPORT: Action.CANCEL, Action.CANCEL: Action.REPORT}
_OWED: Final = (
    "destination", "customer", "event_id", "shipment_id", "action", "trigger", "previous_status", "new_status",
    "created_at", "state", "error",
)  # fmt: skip


class Again(Enum):
    """Whether an event that was told before is told once more."""

    NEVER = "never"
    ANYHOW = "anyhow"
    STATUS_DIFFERS = "status differs"  # if the destination heard another status of the shipment last


class Owed(NamedTuple):
    """A destination shall hear of an event, or hear that it is void."""

    destination: str
    customer: str
    event_id: int
    shipment_id: int
    action: Action
    trigger: str = ""  # what of the shipment the event changed
    previous_status: Status | None = None  # of the shipment, just before
    new_status: Status | None = None  # and just after
    again: Again = Again.NEVER


@dataclass(frozen=True, slots=True)
class Due:
    """How much waits to be sealed for a destination, and since when."""

    count: int
    oldest_created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """An owed event of which no document could be made, and why."""

    outbox_id: int
    destination: str
    action: Action
    created_at: datetime
    error: str
    carrier: str
    tracking_number: str
    status: Status
    reason: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """An owed event with the present state of its shipment."""

    outbox_id: int
    action: Action
    event_id: int
    fingerprint: str
    event: TrackingEvent  # its provenance is left out
    shipment_id: int
    epoch: int
    status: Status
    reason: str
    direction: Direction
    status_at: datetime | None
    estimated_at: datetime | None
    milestones: Mapping[str, Sequence[str]]  # status → first, last, in ISO 8601
    trigger: str  # what the event changed when it became known, and the shipment's status before and after
    previous_status: Status | None
    new_status: Status | None


def owe(connection: Connection, rows: Iterable[Owed]) -> None:
    """Enter what destinations shall hear.

    Only what differs from what a destination was last sent is owed: a report that was not sealed yet and is cancelled
    was never said, a cancel is owed only where a report was sealed, and the same is never owed twice. What was
    refused before gives way, so that reopening it cannot contradict this. What becomes void stands before what is new.
    """
    all_rows = list(rows)
    standing = [row for row in all_rows if row.again is Again.STATUS_DIFFERS]
    wanted = {(row.destination, row.event_id): row for row in all_rows if row.again is not Again.STATUS_DIFFERS}
    known = _known(connection, {event_id for _, event_id in wanted})
    if known:
        _enter_again(connection, {key: row for key, row in wanted.items() if key in known})
    for row in standing:
        _put_right(connection, row)
    _enter_first(connection, [row for key, row in wanted.items() if key not in known])


def _enter_again(connection: Connection, wanted: Mapping[tuple[str, int], Owed]) -> None:
    """Enter what destinations shall hear of events they were to hear of before, as far as it differs."""
    if not wanted:
        return
    connection.execute(
        delete(OUTBOX).where(
            OUTBOX.c.event_id == bindparam("its_event"),
            OUTBOX.c.destination == bindparam("at"),
            (OUTBOX.c.state == OutboxState.REFUSED)
            | ((OUTBOX.c.state == OutboxState.PENDING) & (OUTBOX.c.action == bindparam("opposite"))),
        ),
        [
            {"its_event": row.event_id, "at": row.destination, "opposite": _OPPOSITE[row.action]}
            for row in wanted.values()
        ],
    )
    # Only now: on PostgreSQL the DELETE has waited for whoever was sealing these rows.
    told = _last_told(connection, {event_id for _, event_id in wanted})
    now = utc_now()
    owed = [
        dict(zip(_OWED, (*row[:-1], now, OutboxState.PENDING, ""), strict=True))
        for key, row in wanted.items()
        if row.again is Again.ANYHOW or (row.action is Action.REPORT) != (told.get(key) is Action.REPORT)
    ]
    if owed:
        connection.execute(insert_new(connection, OUTBOX), owed)


def _put_right(connection: Connection, row: Owed) -> None:
    """Let a destination hear where a shipment stands, if it was told otherwise last; or never, and it stands somewhere.

    What was told and is taken back, and what was never told, do not always leave a destination with the truth.
    """
    theirs = (OUTBOX.c.destination == row.destination, OUTBOX.c.shipment_id == row.shipment_id)
    heard = (OUTBOX.c.state != OutboxState.REFUSED, OUTBOX.c.new_status.is_not(None))
    last = select(OUTBOX.c.new_status).where(*theirs, *heard).order_by(OUTBOX.c.id.desc()).limit(1)
    before = connection.execute(last).scalar() or Status.UNKNOWN
    if before is not row.new_status:
        waiting = (OUTBOX.c.event_id == row.event_id, OUTBOX.c.state == OutboxState.PENDING)
        connection.execute(delete(OUTBOX).where(*theirs, *waiting))
        told = (*row[:6], before, row.new_status, utc_now(), OutboxState.PENDING, "")
        connection.execute(insert(OUTBOX), dict(zip(_OWED, told, strict=True)))


def due(db: Database, destination: str, most: int = _ALL) -> Due:
    """How much waits to be sealed for that destination, and since when; more than ``most`` is not counted."""
    waiting = select(OUTBOX.c.created_at).where(*_waiting(destination)).order_by(OUTBOX.c.id)
    some = waiting.order_by(None).limit(most).subquery()
    with db.read() as connection:
        count = connection.execute(select(func.count()).select_from(some)).scalar_one()
        return Due(count, connection.execute(waiting.limit(1)).scalar())


def pending_events(connection: Connection, destination: str, limit: int) -> list[Pending]:
    """What has waited longest for that destination, by shipment and then by time of the event.

    On PostgreSQL the rows are held until the commit; what another node holds is passed over.
    """
    longest = (
        with_shipments()
        .where(*_waiting(destination))
        .order_by(OUTBOX.c.id)
        .limit(limit)
        .with_for_update(of=OUTBOX, skip_locked=True)
    )
    return ordered(connection.execute(longest).all())


def seal(
    connection: Connection,
    destination: str,
    customer: str,
    control_number: int,
    document: OutboundDocument,
    outbox_ids: Collection[int],
    terms: Terms = Terms(),  # noqa: B008 -- it is frozen
) -> int:
    """Fix number, name and bytes of a document and what it tells; due at once. Return the delivery's id.

    Draw the control number in the same transaction, so that neither a number nor an event gets lost or used twice.
    Raises ValueError when one of the rows is not waiting (any more).
    """
    count = len(outbox_ids)
    delivery_id = enter(connection, destination, customer, control_number, document, event_count=count, terms=terms)
    _close(connection, outbox_ids, {"state": OutboxState.SEALED, "delivery_id": delivery_id})
    return delivery_id


def reseal(
    connection: Connection,
    replaced: Row[Any],
    control_number: int,
    document: OutboundDocument,
    rows: Sequence[Pending],
    terms: Terms = Terms(),  # noqa: B008 -- it is frozen
) -> int:
    """The same for events that lie in a delivery already, which this document replaces; return the new one's id."""
    at, count = (replaced.destination, replaced.customer), len(rows)
    delivery_id = enter(connection, *at, control_number, document, event_count=count, replaces=replaced.id, terms=terms)
    for some in chunks(row.outbox_id for row in rows):
        these = OUTBOX.c.id.in_(some)
        connection.execute(update(OUTBOX).where(these).values(delivery_id=delivery_id))
    return delivery_id


def sealed_events(connection: Connection, delivery_id: int) -> list[Pending]:
    """What a delivery tells, as `pending_events` gives it, without what its destination was told otherwise since."""
    later = OUTBOX.alias("later")
    otherwise = select(later.c.id).where(
        later.c.event_id == OUTBOX.c.event_id,
        later.c.destination == OUTBOX.c.destination,
        later.c.state == OutboxState.SEALED,
        later.c.id > OUTBOX.c.id,
    )
    told = with_shipments().where(OUTBOX.c.delivery_id == delivery_id, ~otherwise.exists())
    return ordered(connection.execute(told).all())


def refuse(connection: Connection, outbox_ids: Collection[int], error: str) -> None:
    """Set owed events aside of which no document can be made. Raises ValueError when one is not waiting."""
    _close(connection, outbox_ids, {"state": OutboxState.REFUSED, "error": storable(error)})


def refused(db: Database, destination: str | None = None, limit: int = 1000) -> list[Refused]:
    """Owed events of which no document could be made, oldest first."""
    aside = (
        select(OUTBOX.c.id, OUTBOX.c.destination, OUTBOX.c.action, OUTBOX.c.created_at, OUTBOX.c.error)
        .add_columns(EVENT.c.carrier, EVENT.c.tracking_number, EVENT.c.status, EVENT.c.reason, EVENT.c.occurred_at)
        .select_from(OUTBOX.join(EVENT))
        .where(OUTBOX.c.state == OutboxState.REFUSED)
        .order_by(OUTBOX.c.id)
        .limit(limit)
    )
    aside = aside if destination is None else aside.where(OUTBOX.c.destination == destination)
    with db.read() as connection:
        return [Refused(*row) for row in connection.execute(aside)]


def reopen(db: Database, outbox_ids: Collection[int]) -> int:
    """Let refused events wait to be sealed again; return how many there were."""
    reopened = 0
    with db.write() as connection:
        for some in chunks(outbox_ids):
            these = OUTBOX.c.id.in_(some) & (OUTBOX.c.state == OutboxState.REFUSED)
            again = update(OUTBOX).where(these).values(state=OutboxState.PENDING, error="")
            reopened += connection.execute(again).rowcount
    return reopened


def next_control_number(connection: Connection, key: str, start: int, maximum: int, *, roll_over: bool) -> int:
    """Draw the next number of a sequence from ``start`` to ``maximum``: none twice, and none left out.

    A transaction that is rolled back gives its number back. A ``start`` that is raised later is jumped to, one that is
    lowered changes nothing before the next roll-over. Raises UsedUpError when the sequence may not begin again.
    """
    number = max(hold_sequence(connection, key, start), start)
    if number > maximum and not roll_over:
        raise UsedUpError(
            f"control numbers of {key} are used up: {maximum} was the last; allow roll-over or widen them"
        )
    number = start if number > maximum else number
    connection.execute(update(CONTROL_NUMBER).where(CONTROL_NUMBER.c.key == key).values(next_value=number + 1))
    return number


def hold_sequence(connection: Connection, key: str, start: int) -> int:
    """Wait until nobody else draws from the sequence, and keep it until the commit; return its next number."""
    connection.execute(insert_new(connection, CONTROL_NUMBER), {"key": key, "next_value": start})
    this = select(CONTROL_NUMBER.c.next_value).where(CONTROL_NUMBER.c.key == key).with_for_update()
    number: int = connection.execute(this).scalar_one()
    return number


def _known(connection: Connection, event_ids: Collection[int]) -> set[tuple[str, int]]:
    """(destination, event) of everything that was ever owed about these events."""
    highest = connection.exec_driver_sql("SELECT max(event_id) FROM outbox").scalar() or 0
    event_ids = [event_id for event_id in event_ids if event_id <= highest]  # nobody was ever to hear of the others
    if not event_ids:
        return set()
    these = {"events": listed(connection, event_ids)}
    return {(at, event_id) for at, event_id in connection.execute(_told_of(connection.dialect.name), these)}


@lru_cache
def _told_of(dialect: str) -> Select[Any]:
    return select(OUTBOX.c.destination, OUTBOX.c.event_id).where(among(dialect, OUTBOX.c.event_id, "events"))


def _enter_first(connection: Connection, rows: Iterable[Owed]) -> None:
    """Enter what destinations shall hear of events they never were to hear of; nothing of that can be void."""
    now, report, pending = instants(connection)(utc_now()), Action.REPORT.value, OutboxState.PENDING.value
    values: list[str | int | None] = []
    for destination, customer, event_id, shipment_id, action, trigger, previous, new, _ in rows:
        if action is Action.REPORT:
            before, after = previous and previous.value, new and new.value
            values += (
                destination, customer, event_id, shipment_id, report, trigger, before, after, now, pending, ""
            )  # fmt: skip
    insert_rows(connection, "outbox", _OWED, values)


def _last_told(connection: Connection, event_ids: Collection[int]) -> dict[tuple[str, int], Action]:
    """(destination, event) → what was sealed about it last."""
    told: dict[tuple[str, int], Action] = {}
    for some in chunks(event_ids):
        sealed = (
            select(OUTBOX.c.destination, OUTBOX.c.event_id, OUTBOX.c.action)
            .where(OUTBOX.c.event_id.in_(some), OUTBOX.c.state == OutboxState.SEALED)
            .order_by(OUTBOX.c.id)
        )
        told.update(((row.destination, row.event_id), row.action) for row in connection.execute(sealed))
    return told


def _waiting(destination: str) -> tuple[ColumnElement[bool], ...]:
    # Spelled out, because a bound value would hide from SQLite that its partial index fits.
    return OUTBOX.c.destination == destination, OUTBOX.c.state == literal_column("'pending'")


def _close(connection: Connection, outbox_ids: Collection[int], values: Mapping[str, object]) -> None:
    closed = 0
    for some in chunks(outbox_ids):
        these = OUTBOX.c.id.in_(some) & (OUTBOX.c.state == OutboxState.PENDING)
        closed += connection.execute(update(OUTBOX).where(these).values(dict(values))).rowcount
    if closed != len(outbox_ids):
        raise ValueError(f"{len(outbox_ids) - closed} of {len(outbox_ids)} outbox rows do not wait any more")


def with_shipments() -> Select[Any]:
    """Owed events with what is known of their shipments."""
    return select(OUTBOX.c.id.label("outbox_id"), *_TOLD, EVENT, *_SHOWN).select_from(
        OUTBOX.join(EVENT).join(SHIPMENT, EVENT.c.shipment_id == SHIPMENT.c.id)
    )


def ordered(rows: Sequence[Row[Any]]) -> list[Pending]:
    """These by shipment and then by time of the event."""
    return [_pending(row) for row in sorted(rows, key=lambda row: (row.shipment_id, row.occurred_at, row.outbox_id))]


def _pending(row: Row[Any]) -> Pending:
    return Pending(
        outbox_id=row.outbox_id,
        action=row.action,
        event_id=row.id,
        fingerprint=row.fingerprint,
        event=shown_event(row),
        shipment_id=row.shipment_id,
        epoch=row.epoch,
        status=row.current_status,
        reason=row.current_reason,
        direction=row.current_direction,
        status_at=row.status_at,
        estimated_at=row.estimated_at,
        milestones=row.milestones,
        trigger=row.trigger,
        previous_status=row.previous_status,
        new_status=row.new_status,
    )
