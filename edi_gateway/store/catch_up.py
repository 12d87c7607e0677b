"""What a destination was owed in a span of time, what became of that, and sending some of it once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, case, func, insert, select, update

from edi_gateway.model import TrackingEvent
from edi_gateway.store import outbox
from edi_gateway.store.dossier import EVENT, shown_event
from edi_gateway.store.engine import Database, chunks, storable
from edi_gateway.store.outbox import Pending
from edi_gateway.store.tables import METADATA, Action, DeliveryState, OutboxState

OUTBOX: Final = METADATA.tables["outbox"]
DELIVERY: Final = METADATA.tables["delivery"]
_BOTH: Final = OUTBOX.outerjoin(DELIVERY, OUTBOX.c.delivery_id == DELIVERY.c.id)
_LOST: Final = (DeliveryState.DEAD, DeliveryState.SKIPPED)
_ARRIVED: Final = (DeliveryState.DELIVERED, DeliveryState.ACKNOWLEDGED, DeliveryState.REJECTED)


class Standing(StrEnum):
    """What became of something that was owed."""

    WAITING = "waiting"  # to be sealed or sent, which happens by itself
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"  # it arrived, and its receiver says that it could not use it, or a part of it
    MISSING = "missing"  # nothing happens unless somebody does something


class Span(NamedTuple):
    """What was owed from the first of these instants on, until just before the second."""

    start: datetime
    end: datetime


class Missing(NamedTuple):
    """Something a destination was owed and did not get."""

    outbox_id: int
    destination: str
    action: Action
    owed_at: datetime
    why: str  # refused: no document could be made of it; else the state of its delivery
    key: str  # names the event towards customers
    event: TrackingEvent


@dataclass(frozen=True, slots=True)
class Picked:
    """Something to be sent once more, with the delivery it lies in; None when it was refused."""

    pending: Pending
    delivery: Row[Any] | None

    @property
    def lost(self) -> bool:
        """Whether its delivery did not arrive and never will by itself."""
        return self.delivery is not None and self.delivery.state in _LOST

    @property
    def moves(self) -> bool:
        """Whether it was never told, so that what tells it now takes the place of what did not."""
        return self.delivery is None or self.lost


def _standing() -> ColumnElement[Any]:
    return case(
        (OUTBOX.c.state == OutboxState.PENDING, Standing.WAITING.value),
        (OUTBOX.c.state == OutboxState.REFUSED, Standing.MISSING.value),
        (DELIVERY.c.state.in_((DeliveryState.SEALED, DeliveryState.RETRYING)), Standing.WAITING.value),
        (DELIVERY.c.state == DeliveryState.DELIVERED, Standing.DELIVERED.value),
        (DELIVERY.c.state == DeliveryState.ACKNOWLEDGED, Standing.ACKNOWLEDGED.value),
        (DELIVERY.c.state == DeliveryState.REJECTED, Standing.REJECTED.value),
        else_=Standing.MISSING.value,
    )


def counts(db: Database, customer: str, destinations: Collection[str], span: Span) -> Mapping[str, Counter[Standing]]:
    """Destination → how much of what it was owed stands how."""
    standing = _standing()
    wanted = select(OUTBOX.c.destination, standing.label("standing"), func.count())
    wanted = wanted.select_from(_BOTH).where(*_owed(customer, destinations, span))
    found: dict[str, Counter[Standing]] = {name: Counter() for name in destinations}
    with db.read() as connection:
        for destination, word, count in connection.execute(wanted.group_by(OUTBOX.c.destination, standing)):
            found[destination][Standing(word)] = count
    return found


def missing(
    db: Database, customer: str, destinations: Collection[str], span: Span, after: int, limit: int
) -> Sequence[Missing]:
    """What is missing, in the order it was owed, from after that row of the outbox on."""
    wanted = (
        select(OUTBOX.c.id, OUTBOX.c.destination, OUTBOX.c.action, OUTBOX.c.created_at, OUTBOX.c.state)
        .add_columns(DELIVERY.c.state.label("delivery_state"), OUTBOX.c.event_id)
        .select_from(_BOTH)
        .where(*_owed(customer, destinations, span), _standing() == Standing.MISSING.value, OUTBOX.c.id > after)
        .order_by(OUTBOX.c.id)
        .limit(limit)
    )
    with db.read() as connection:
        rows = connection.execute(wanted).all()
        theirs = select(EVENT).where(EVENT.c.id.in_({row.event_id for row in rows}))
        events = {row.id: row for row in connection.execute(theirs)}
    return [
        Missing(
            row.id,
            row.destination,
            row.action,
            row.created_at,
            str(row.delivery_state or row.state),
            events[row.event_id].fingerprint,
            shown_event(events[row.event_id]),
        )
        for row in rows
    ]


def count(connection: Connection, customer: str, destination: str, span: Span, before: datetime | None) -> int:
    """How much `pick` would find."""
    return connection.execute(
        select(func.count()).select_from(_BOTH).where(*_chosen(customer, destination, span, before))
    ).scalar_one()


def pick(
    connection: Connection,
    customer: str,
    destination: str,
    span: Span,
    before: datetime | None,
    *,
    after: int = 0,
    limit: int,
) -> list[Picked]:
    """What is missing, in the order it was owed; with ``before``, also what was told in documents sealed before.

    Each with its delivery, on PostgreSQL held until the commit. Keep others from sealing for it meanwhile.
    """
    chosen = (*_chosen(customer, destination, span, before), OUTBOX.c.id > after)
    ids = select(OUTBOX.c.id).select_from(_BOTH).where(*chosen).order_by(OUTBOX.c.id).limit(limit)
    return _picked(connection, connection.execute(ids).scalars().all(), before)


def whole(connection: Connection, picked: Sequence[Picked]) -> list[Picked]:
    """The same with all else that lies in the lost deliveries among them, and was not told otherwise since."""
    lost = {each.delivery.id for each in picked if each.lost and each.delivery is not None}
    have = {each.pending.outbox_id for each in picked}
    more: list[int] = []
    for some in chunks(lost):
        rest = select(OUTBOX.c.id).where(OUTBOX.c.delivery_id.in_(some), _is_last()).order_by(OUTBOX.c.id)
        more += [found for found in connection.execute(rest).scalars() if found not in have]
    return [*picked, *_picked(connection, more, None)]


def move(connection: Connection, outbox_ids: Iterable[int], delivery_id: int) -> None:
    """Let what was never told lie in that delivery."""
    for some in chunks(outbox_ids):
        told = {"state": OutboxState.SEALED, "delivery_id": delivery_id, "error": ""}
        connection.execute(update(OUTBOX).where(OUTBOX.c.id.in_(some)).values(told))


def copy(connection: Connection, outbox_ids: Iterable[int], delivery_id: int) -> None:
    """Let what was told before lie in that delivery, too."""
    names = [column.name for column in OUTBOX.columns if column.name not in {"id", "delivery_id"}]
    for some in chunks(outbox_ids):
        these = select(bindparam("its", delivery_id), *(OUTBOX.c[name] for name in names))
        connection.execute(insert(OUTBOX).from_select(["delivery_id", *names], these.where(OUTBOX.c.id.in_(some))))


def refuse(connection: Connection, outbox_id: int, why: str) -> None:
    """Set aside what can be told no longer."""
    values = {"state": OutboxState.REFUSED, "delivery_id": None, "error": storable(why)}
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == outbox_id).values(values))


def space_out(connection: Connection, moments: Sequence[tuple[int, datetime]]) -> None:
    """Let each of these deliveries be due then, unless it waits for another one."""
    if moments:
        this = (DELIVERY.c.id == bindparam("this"), DELIVERY.c.next_attempt_at.is_not(None))
        due = update(DELIVERY).where(*this).values(next_attempt_at=bindparam("moment"))
        connection.execute(due, [{"this": delivery_id, "moment": moment} for delivery_id, moment in moments])


def last_success(db: Database, destination: str) -> datetime | None:
    """When that was owed which arrived last; None when nothing ever did."""
    with db.read() as connection:
        theirs = select(func.max(DELIVERY.c.id)).where(
            DELIVERY.c.destination == destination, DELIVERY.c.state.in_(_ARRIVED)
        )
        latest = connection.execute(theirs.where(DELIVERY.c.event_count > 0)).scalar()
        return connection.execute(select(func.min(OUTBOX.c.created_at)).where(OUTBOX.c.delivery_id == latest)).scalar()


def _owed(customer: str, destinations: Collection[str], span: Span) -> tuple[ColumnElement[bool], ...]:
    return (
        OUTBOX.c.customer == customer,
        OUTBOX.c.destination.in_(destinations),
        OUTBOX.c.created_at >= span.start,
        OUTBOX.c.created_at < span.end,
        _is_last(),
    )


def _is_last() -> ColumnElement[bool]:
    """Of several duties about one event, the last one counts."""
    later = OUTBOX.alias("later")
    return ~(
        select(later.c.id)
        .where(
            later.c.event_id == OUTBOX.c.event_id,
            later.c.destination == OUTBOX.c.destination,
            later.c.state != OutboxState.REFUSED,
            later.c.id > OUTBOX.c.id,
        )
        .correlate(OUTBOX)
        .exists()
    )


def _chosen(customer: str, destination: str, span: Span, before: datetime | None) -> tuple[ColumnElement[bool], ...]:
    wanted = _standing() == Standing.MISSING.value
    if before is not None:
        wanted = wanted | (DELIVERY.c.state.in_(_ARRIVED) & (DELIVERY.c.sealed_at < before))
    return (*_owed(customer, [destination], span), wanted)


def _picked(connection: Connection, ids: Sequence[int], before: datetime | None) -> list[Picked]:
    pending: list[Pending] = []
    within: dict[int, int | None] = {}
    for some in chunks(ids):
        these: Select[Any] = outbox.with_shipments().where(OUTBOX.c.id.in_(some))
        pending += outbox.ordered(connection.execute(these).all())
        lying = select(OUTBOX.c.id, OUTBOX.c.delivery_id).where(OUTBOX.c.id.in_(some))
        within.update({row.id: row.delivery_id for row in connection.execute(lying)})
    held: dict[int, Row[Any]] = {}
    for some in chunks(sorted({each for each in within.values() if each is not None})):
        of = select(DELIVERY).where(DELIVERY.c.id.in_(some)).order_by(DELIVERY.c.id).with_for_update()
        held.update({row.id: row for row in connection.execute(of)})
    states = _LOST if before is None else (*_LOST, *_ARRIVED)
    found = [Picked(row, held.get(within[row.outbox_id] or 0)) for row in pending]
    # What somebody had tried again, or settled, just before it was held is no business of ours any more.
    return [each for each in found if each.delivery is None or each.delivery.state in states]
