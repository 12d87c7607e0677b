"""Who sends what: an attempt is claimed and written down before its first byte leaves, and only its claim ends it.

A claim is a lease. Whoever holds it renews it while sending; one that is not renewed, because its process died, runs
out, and the delivery is free again. The number of the attempt is the fence: what comes back from an earlier one can no
longer change the delivery.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select, text, union_all, update

from edi_gateway.model import Exchange, utc_now
from edi_gateway.store import endpoints, line
from edi_gateway.store.endpoints import Sign
from edi_gateway.store.engine import Database, storable
from edi_gateway.store.tables import METADATA, OPEN_DELIVERY, DeliveryState, Outcome

DELIVERY: Final = METADATA.tables["delivery"]
ATTEMPT: Final = METADATA.tables["attempt"]
LEASE: Final = timedelta(seconds=30)
_OPEN: Final = text(OPEN_DELIVERY)  # spelled out, so that the database sees that its partial index fits
_UNSETTLED: Final = (DeliveryState.SEALED, DeliveryState.RETRYING, DeliveryState.DEAD)
_FREE: Final = {"claimed_by": "", "claimed_until": None}
_MAYBE_THERE: Final = {Outcome.STARTED, Outcome.FAILED, Outcome.DELIVERED}  # the last: it is sent once more


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one attempt. ``again``: an earlier one may have arrived."""

    delivery_id: int
    name: str
    digest: str
    number: int  # of the attempt
    failures: int  # of earlier attempts, as far as they count for the schedule
    again: bool
    acknowledge_within: int = 0  # seconds after it arrived
    line: tuple[str, int] | None = None  # destination and shipment of a notification


@dataclass(frozen=True, slots=True)
class Blocking:
    """The dead letter that holds back the files behind it."""

    delivery_id: int
    name: str


def claim(
    db: Database,
    destination: str,
    owner: str,
    *,
    in_order: bool = False,
    line_per_shipment: bool = False,
    lease: timedelta = LEASE,
) -> Claim | None:
    """Begin an attempt at what has been due longest, or return None when nothing is due and free, or may be sent.

    The attempt is durable when this returns; only then may it send. ``in_order``: only the first file that is neither
    delivered nor given up comes into question; ``line_per_shipment``: the same for each shipment by itself. ``owner``
    is for people to see.
    """
    orders = {"in_order": in_order, "line_per_shipment": line_per_shipment}
    with db.read() as connection:  # most looks find nothing, and a look takes no lock
        if endpoints.gate(connection, destination, clock(connection)).closed:
            return None
        if connection.execute(_next(connection, destination, **orders)).first() is None:
            return None
    with db.write() as connection:
        gate = endpoints.gate(connection, destination, clock(connection), hold=True)
        if gate.closed:
            return None
        due = _next(connection, destination, **orders).with_for_update(skip_locked=True, of=DELIVERY)
        found = connection.execute(due).first()
        if found is None:
            return None
        if gate.probing:
            endpoints.begin_probe(connection, destination, clock(connection), lease)
        return _begin(connection, found, owner, lease)


def renew(db: Database, held: Claim, lease: timedelta = LEASE) -> bool:
    """Keep the claim for another lease; False when it is lost: somebody else has the delivery, or it is settled."""
    with db.write() as connection:
        until = {"claimed_until": clock(connection) + lease}
        return bool(connection.execute(update(DELIVERY).where(*_still(held)).values(until)).rowcount)


def release(db: Database, held: Claim, why: str) -> None:
    """Give the claim back without saying how the attempt ended: the delivery is due again at once."""
    with db.write() as connection:
        if connection.execute(update(DELIVERY).where(*_still(held)).values(_FREE)).rowcount:
            connection.execute(update(ATTEMPT).where(_this_attempt(held)).values(detail=storable(why)))


def release_all(db: Database) -> int:
    """Give back what an earlier process had claimed when it died; returns how much.

    Only for a process that knows that no other uses this database; anywhere else leases run out by themselves.
    """
    with db.write() as connection:
        claimed = update(DELIVERY).where(_OPEN, DELIVERY.c.claimed_until.is_not(None))
        return connection.execute(claimed.values(_FREE)).rowcount


def finish_attempt(
    db: Database,
    held: Claim,
    outcome: Outcome,
    detail: str = "",
    next_attempt_at: datetime | None = None,
    *,
    tried: bool = True,
    exchange: Exchange | None = None,
    sign: Sign | None = None,
) -> DeliveryState | None:
    """Write down how an attempt ended; returns what that makes of the delivery.

    A failure without a next attempt, and a refusal, make it a dead letter. ``detail`` is what was verified, or went
    wrong. What was not even ``tried`` uses up nothing of the schedule. ``sign`` is what it showed of the destination.
    None: a later attempt or a person has decided meanwhile, and the delivery stays as it is.
    """
    now, detail = utc_now(), storable(detail)
    values: dict[str, Any] = {"next_attempt_at": None, "last_error": detail, "state": DeliveryState.DEAD}
    if outcome is Outcome.DELIVERED:
        values = {"next_attempt_at": None, "last_error": "", "state": DeliveryState.DELIVERED, "delivered_at": now}
        values["acknowledge_by"] = now + timedelta(seconds=held.acknowledge_within) if held.acknowledge_within else None
    elif outcome is Outcome.FAILED and next_attempt_at is not None:
        values |= {"next_attempt_at": next_attempt_at, "state": DeliveryState.RETRYING}
    values |= {"failures": held.failures + (tried and outcome is Outcome.FAILED), **_FREE}
    ended: dict[str, Any] = {"finished_at": now, "outcome": outcome, "detail": detail}
    if exchange:
        ended |= {"status": exchange.status, "milliseconds": exchange.milliseconds, "answer": storable(exchange.answer)}
    with db.write() as connection:
        if sign:  # first, as in `claim`: who holds the row of a destination may wait for a delivery's, not the reverse
            endpoints.note(connection, sign, clock(connection))
        connection.execute(update(ATTEMPT).where(_this_attempt(held)).values(ended))
        decided = connection.execute(update(DELIVERY).where(*_still(held)).values(values)).rowcount
        if decided and held.line and outcome is Outcome.DELIVERED:
            line.follow(connection, *held.line)
    return DeliveryState(values["state"]) if decided else None


def blocking(db: Database, destination: str) -> Blocking | None:
    """The dead letter that holds back what is behind it at a destination with strict order."""
    first = select(DELIVERY).where(DELIVERY.c.id == _first_unsettled(destination))
    behind = select(DELIVERY.c.id).where(_OPEN, DELIVERY.c.destination == destination).limit(1)
    with db.read() as connection:
        found = connection.execute(first.where(DELIVERY.c.state == DeliveryState.DEAD)).one_or_none()
        if found is None or connection.execute(behind).first() is None:
            return None
    return Blocking(found.id, found.name)


def free(now: datetime) -> ColumnElement[bool]:
    """Deliveries nobody holds."""
    return or_(DELIVERY.c.claimed_until.is_(None), DELIVERY.c.claimed_until < now)


def clock(connection: Connection) -> datetime:
    """Leases of several nodes are measured by one clock."""
    if connection.dialect.name == "postgresql":
        return connection.execute(select(func.now())).scalar_one()
    return utc_now()


def _next(
    connection: Connection, destination: str, *, in_order: bool = False, line_per_shipment: bool = False
) -> Select[Any]:
    now = clock(connection)
    due = select(DELIVERY).where(_OPEN, DELIVERY.c.destination == destination, DELIVERY.c.next_attempt_at <= now)
    if in_order:
        return due.where(free(now), DELIVERY.c.id == _first_unsettled(destination))
    due = due.where(line.is_first()) if line_per_shipment else due
    return due.where(free(now)).order_by(DELIVERY.c.next_attempt_at, DELIVERY.c.id).limit(1)


def _first_unsettled(destination: str) -> Any:
    """The id of the first file neither delivered nor given up: one step into the index for each state."""
    firsts = union_all(
        *(
            select(func.min(DELIVERY.c.id).label("id")).where(
                DELIVERY.c.destination == destination, DELIVERY.c.state == state
            )
            for state in _UNSETTLED
        )
    ).subquery()
    return select(func.min(firsts.c.id)).scalar_subquery()


def _begin(connection: Connection, delivery: Row[Any], owner: str, lease: timedelta) -> Claim:
    earlier = select(ATTEMPT.c.outcome).where(ATTEMPT.c.delivery_id == delivery.id)
    outcomes = set(connection.execute(earlier).scalars())
    number = delivery.attempts + 1
    row = {"delivery_id": delivery.id, "number": number, "started_at": utc_now(), "outcome": Outcome.STARTED}
    connection.execute(insert(ATTEMPT), row | {"detail": "", "answer": ""})
    claimed = {"attempts": number, "claimed_by": owner, "claimed_until": clock(connection) + lease}
    connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery.id).values(claimed))
    again = not outcomes.isdisjoint(_MAYBE_THERE)
    return Claim(
        delivery_id=delivery.id,
        name=delivery.name,
        digest=delivery.digest,
        number=number,
        failures=delivery.failures,
        again=again,
        acknowledge_within=delivery.acknowledge_within,
        line=(delivery.destination, delivery.shipment_id) if delivery.shipment_id else None,
    )


def _still(held: Claim) -> tuple[ColumnElement[bool], ...]:
    """While the delivery is open and this attempt is its latest."""
    return DELIVERY.c.id == held.delivery_id, DELIVERY.c.attempts == held.number, DELIVERY.c.state.in_(_UNSETTLED[:2])


def _this_attempt(held: Claim) -> ColumnElement[bool]:
    return (ATTEMPT.c.delivery_id == held.delivery_id) & (ATTEMPT.c.number == held.number)
