"""Who asks a carrier for which number, when: checks are claimed as deliveries are, and ended in batches.

A claim is a lease, and the number of the check is the fence: what comes back from an earlier one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, or_, select, text, update

from edi_gateway.model import Status, TrackingState
from edi_gateway.store.claims import clock
from edi_gateway.store.engine import Database, chunks, storable
from edi_gateway.store.events import take_turns
from edi_gateway.store.tables import METADATA
from edi_gateway.store.tracking import OPEN_CHECK
from edi_gateway.tracking.checks import Check, Ended
from edi_gateway.tracking.planning import Plan, Reply, Standing, after_failure

CHECK: Final = METADATA.tables["tracking_check"]
SHIPMENT: Final = METADATA.tables["shipment"]
_OPEN: Final = text(OPEN_CHECK)  # spelled out, so that the database sees that its partial index fits
_FREE: Final = {"claimed_by": "", "claimed_until": None}
_ARRIVED: Final = {Status.DELIVERED, Status.RETURNED, Status.CANCELLED}
_COLLECTED: Final = {status.value for status in Status if status.rank >= Status.PICKED_UP.rank}

Planner = Callable[[Standing, Reply, datetime], tuple[Plan, timedelta]]
"""Standing, reply, now → what comes next, and how soon the next check is on news."""


def claim(db: Database, channel: str, owner: str, most: int, lease: timedelta) -> list[Check]:
    """Begin the checks of a channel that have been due longest, at most so many; none when nothing is due and free.

    They are nobody else's until the lease has run out. ``owner`` is for people to see.
    """
    with db.read() as connection:  # most looks find nothing, and a look takes no lock
        if connection.execute(_due(connection, channel, 1)).first() is None:
            return []
    with db.write() as connection:
        now = clock(connection)
        found = connection.execute(_due(connection, channel, most).with_for_update(skip_locked=True)).all()
        begun = {"checks": CHECK.c.checks + 1, "claimed_by": owner, "claimed_until": now + lease, "checked_at": now}
        for some in chunks(row.id for row in found):
            connection.execute(update(CHECK).where(CHECK.c.id.in_(some)).values(begun))
    return [
        Check(row.id, row.tracking_number, row.checks + 1, row.failures, row.digest, row.etag, row.modified)
        for row in found
    ]


def release(db: Database, checks: Sequence[Check]) -> None:
    """Give claims back; the checks are due as they were."""
    if not checks:
        return
    with db.write() as connection:
        held = _held(connection, checks)
        for each in sorted(checks, key=lambda check: check.id):
            if each.id in held:
                connection.execute(update(CHECK).where(CHECK.c.id == each.id).values(_FREE))


def release_all(db: Database) -> int:
    """Give back what an earlier process had claimed when it died; returns how many.

    Only for a process that knows that no other uses this database; anywhere else leases run out by themselves.
    """
    with db.write() as connection:
        return connection.execute(update(CHECK).where(CHECK.c.claimed_until.is_not(None)).values(_FREE)).rowcount


def finish(db: Database, carrier: str, ended: Sequence[Ended], planner: Planner) -> int:
    """Write down how checks of a carrier ended and when the next ones are; returns how many of them still counted.

    What the shipments are by now decides with, and they show how they are tracked.
    """
    with db.write() as connection:
        take_turns(connection, {carrier})  # before the rows: whoever records events has them the other way round
        now = clock(connection)
        rows = _held(connection, [each.check for each in ended])
        shipments = _shipments(connection, carrier, {row.tracking_number for row in rows.values()})
        changed = [
            _ended(rows[each.check.id], shipments.get(rows[each.check.id].tracking_number), each, planner, now)
            for each in ended
            if each.check.id in rows
        ]
        if changed:
            settable: dict[str, Any] = {name: bindparam(name) for name in changed[0] if name != "this"}
            statement = update(CHECK).where(CHECK.c.id == bindparam("this")).values(settable)
            connection.execute(statement, sorted(changed, key=lambda values: int(values["this"])))
            _show(connection, [(shipments.get(rows[each["this"]].tracking_number), each["state"]) for each in changed])
    return len(changed)


def _due(connection: Connection, channel: str, most: int) -> Select[Any]:
    now = clock(connection)
    free = or_(CHECK.c.claimed_until.is_(None), CHECK.c.claimed_until < now)
    due = select(CHECK).where(_OPEN, CHECK.c.channel == channel, CHECK.c.due_at <= now, free)
    return due.order_by(CHECK.c.due_at, CHECK.c.id).limit(most)


def _held(connection: Connection, checks: Sequence[Check]) -> Mapping[int, Row[Any]]:
    """The rows of those checks that are still the latest of their numbers and not stopped meanwhile."""
    numbers = {check.id: check.number for check in checks}
    rows: dict[int, Row[Any]] = {}
    for some in chunks(numbers):
        wanted = select(CHECK).where(CHECK.c.id.in_(some), _OPEN).order_by(CHECK.c.id).with_for_update()
        rows |= {row.id: row for row in connection.execute(wanted) if row.checks == numbers[row.id]}
    return rows


def _shipments(connection: Connection, carrier: str, numbers: Collection[str]) -> Mapping[str, Row[Any]]:
    """Tracking number → the latest shipment under it."""
    found: dict[str, Row[Any]] = {}
    for some in chunks(sorted(numbers)):
        theirs = select(SHIPMENT).where(SHIPMENT.c.carrier == carrier, SHIPMENT.c.tracking_number.in_(some))
        found |= {row.tracking_number: row for row in connection.execute(theirs.order_by(SHIPMENT.c.epoch))}
    return found


def _standing(row: Row[Any], shipment: Row[Any] | None) -> Standing:
    news = row.changed_at > (row.checked_at or row.started_at)  # it came while the check was on its way
    return Standing(
        started_at=row.started_at,
        changed_at=row.changed_at,
        collected=shipment is not None and not _COLLECTED.isdisjoint(shipment.milestones),
        arrived=shipment is not None and shipment.status in _ARRIVED,
        quiet=0 if news else row.quiet,
        tail=row.tail,
        unknown=row.unknown,
    )


def _ended(row: Row[Any], shipment: Row[Any] | None, each: Ended, planner: Planner, now: datetime) -> dict[str, Any]:
    kept = {name: getattr(row, name) for name in _KEPT}
    values: dict[str, Any] = {"this": row.id, **kept, **_FREE, "error": storable(each.error)}
    values["epoch"] = row.epoch if shipment is None else shipment.epoch
    if each.reply is None:
        failures = row.failures + (each.again_at is None)
        again = each.again_at or now + after_failure(failures)
        return values | {"due_at": again, "failures": failures}
    following, soonest = planner(_standing(row, shipment), each.reply, now)
    return values | {
        "due_at": following.due_at,
        "state": following.state,
        "quiet": following.quiet,
        "tail": following.tail,
        "unknown": following.unknown,
        "soonest": int(soonest.total_seconds()),
        "failures": 0,
        "reply": each.reply,
        "digest": each.digest,
        "etag": storable(each.etag),
        "modified": storable(each.modified),
    }


_KEPT: Final = (
    "due_at",
    "state",
    "quiet",
    "tail",
    "unknown",
    "soonest",
    "failures",
    "reply",
    "digest",
    "etag",
    "modified",
)


def _show(connection: Connection, shown: Sequence[tuple[Row[Any] | None, TrackingState]]) -> None:
    """Let shipments say how they are tracked."""
    different = [
        {"this": shipment.id, "tracking_state": state}
        for shipment, state in shown
        if shipment is not None and shipment.tracking_state is not state
    ]
    if different:
        connection.execute(update(SHIPMENT).where(SHIPMENT.c.id == bindparam("this")), different)
