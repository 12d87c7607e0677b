"""Which numbers are tracked: taken up by themselves or by a person, sooner checked on news, stopped, counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, exists, func, select, update

from edi_gateway.model import Status, TrackingState
from edi_gateway.store.bulk import among, holds_any, listed
from edi_gateway.store.checks import CHECK, SHIPMENT
from edi_gateway.store.claims import clock
from edi_gateway.store.engine import Database, chunks, insert_new
from edi_gateway.store.events import take_turns
from edi_gateway.store.tables import METADATA

SUBSCRIPTION: Final = METADATA.tables["subscription"]
_OVER: Final = [status.value for status in Status if status.terminal and status is not Status.LOST]
_OVERDUE: Final = timedelta(minutes=15)
_AT_ONCE: Final = 5_000
_MARGIN: Final = 10_000  # rows that a transaction may have numbered before others, and committed after them


@dataclass(frozen=True, slots=True)
class Reached:
    """Up to where shipments and subscriptions have been looked through for numbers to track."""

    shipment: int = 0
    subscription: int = 0


@dataclass(frozen=True, slots=True)
class Tracked:
    """How many numbers of a channel are tracked: ``due`` now, ``overdue`` for a quarter of an hour, or stopped."""

    channel: str
    waiting: int
    due: int
    overdue: int
    failing: int  # whose last check had no answer
    stopped: Mapping[str, int]  # by state


def enlist(db: Database, channel: str, carrier: str, silence: timedelta, reached: Reached) -> tuple[int, Reached]:
    """Take up what came since ``reached``: numbers subscribed to at this carrier, and shipments of it on their way.

    Returns how many were new. A number that is or was tracked is left as it is.
    """
    with db.read() as connection:
        now = clock(connection)
        ends = Reached(_highest(connection, SHIPMENT), _highest(connection, SUBSCRIPTION))
        numbers = set(_numbers(connection, _shipments(channel, carrier, now - silence, reached)))
        numbers |= set(_numbers(connection, _subscriptions(channel, carrier, reached)))
    if numbers:
        with db.write() as connection:
            _add(connection, channel, carrier, numbers)
    return len(numbers), ends


def track(db: Database, channel: str, carrier: str, numbers: Collection[str]) -> None:
    """Track these numbers from now on, whatever was decided of them before; they are due at once."""
    with db.write() as connection:
        take_turns(connection, {carrier})
        take_up(connection, channel, carrier, numbers)


def take_up(connection: Connection, channel: str, carrier: str, numbers: Collection[str]) -> None:
    """The same in a transaction of the caller's, who holds the carrier."""
    _add(connection, channel, carrier, numbers)
    now = clock(connection)
    for some in chunks(numbers):
        these = (CHECK.c.channel == channel) & CHECK.c.tracking_number.in_(some)
        connection.execute(update(CHECK).where(these).values({**_afresh(now), "checks": CHECK.c.checks + 1}))
        _show(connection, carrier, some, TrackingState.ACTIVE)


def untrack(db: Database, channel: str, carrier: str, numbers: Collection[str]) -> int:
    """Stop checking these numbers until a person says otherwise; returns how many were tracked."""
    stopped = 0
    paused = {"state": TrackingState.PAUSED, "due_at": None, "claimed_by": "", "claimed_until": None}
    with db.write() as connection:
        take_turns(connection, {carrier})
        for some in chunks(numbers):
            these = (CHECK.c.channel == channel) & CHECK.c.tracking_number.in_(some)
            stopped += connection.execute(update(CHECK).where(these).values(paused)).rowcount
            _show(connection, carrier, some, TrackingState.PAUSED)
    return stopped


def heard(connection: Connection, numbers: Iterable[tuple[str, str]]) -> None:
    """There is news of these (carrier, tracking number), whoever brought it: they are checked soon again.

    What is stopped stays so, unless the number is another shipment's by now. In the transaction that records the news.
    """
    if not holds_any(connection, CHECK.name):
        return
    wanted = set(numbers)
    these = {"numbers": listed(connection, {number for _, number in wanted})}
    rows = [
        row
        for row in connection.execute(_tracked(connection.dialect.name), these)
        if (row.carrier, row.tracking_number) in wanted
    ]
    if rows:
        now = clock(connection)
        news = [{"this": row.id, **_on_news(row, now)} for row in rows]
        settable: dict[str, Any] = {name: bindparam(name) for name in news[0] if name != "this"}
        connection.execute(update(CHECK).where(CHECK.c.id == bindparam("this")).values(settable), news)


def counts(db: Database) -> list[Tracked]:
    """How much is tracked, channel by channel."""
    with db.read() as connection:
        now = clock(connection)
        going = CHECK.c.due_at.is_not(None)
        sums = select(
            CHECK.c.channel,
            _sum(going).label("waiting"),
            _sum(CHECK.c.due_at <= now).label("due"),
            _sum(CHECK.c.due_at <= now - _OVERDUE).label("overdue"),
            _sum(going & (CHECK.c.failures > 0)).label("failing"),
        )
        found = connection.execute(sums.group_by(CHECK.c.channel).order_by(CHECK.c.channel)).all()
        ended = select(CHECK.c.channel, CHECK.c.state, func.count().label("many")).where(CHECK.c.due_at.is_(None))
        stopped: dict[str, dict[str, int]] = {}
        for row in connection.execute(ended.group_by(CHECK.c.channel, CHECK.c.state).order_by(CHECK.c.state)):
            stopped.setdefault(row.channel, {})[str(row.state)] = row.many
    return [
        Tracked(row.channel, row.waiting, row.due, row.overdue, row.failing, stopped.get(row.channel, {}))
        for row in found
    ]


def _add(connection: Connection, channel: str, carrier: str, numbers: Collection[str]) -> None:
    now = clock(connection)
    common = {"channel": channel, "carrier": carrier, "epoch": 0, "checks": 0, **_afresh(now), "error": ""}
    rows = [common | {"tracking_number": number} for number in sorted(set(numbers))]
    for some in chunks(rows, _AT_ONCE):
        connection.execute(insert_new(connection, CHECK), some)


def _afresh(now: datetime) -> dict[str, Any]:
    """What a number begins with, and begins with again."""
    return {
        "state": TrackingState.ACTIVE,
        "due_at": now,
        "claimed_by": "",
        "claimed_until": None,
        "failures": 0,
        "quiet": 0,
        "unknown": 0,
        "tail": None,
        "soonest": 0,
        "started_at": now,
        "changed_at": now,
        "digest": "",
        "etag": "",
        "modified": "",
    }


def _on_news(row: Row[Any], now: datetime) -> dict[str, Any]:
    kept = {
        "state": row.state,
        "due_at": row.due_at,
        "quiet": row.quiet,
        "tail": row.tail,
        "started_at": row.started_at,
    }
    news = kept | {"changed_at": now, "unknown": 0}
    if row.due_at is not None:
        soon = min(row.due_at, now + timedelta(seconds=row.soonest))
        return news | {"state": TrackingState.ACTIVE, "due_at": soon, "quiet": 1 if row.quiet else 0}
    if row.state is not TrackingState.PAUSED and 0 < row.epoch < (row.latest or 0):
        return news | {"state": TrackingState.ACTIVE, "due_at": now, "quiet": 0, "tail": None, "started_at": now}
    return news


@lru_cache
def _tracked(dialect: str) -> Select[Any]:
    same = (SHIPMENT.c.carrier == CHECK.c.carrier) & (SHIPMENT.c.tracking_number == CHECK.c.tracking_number)
    latest = select(func.max(SHIPMENT.c.epoch)).where(same).scalar_subquery().label("latest")
    return select(CHECK, latest).where(among(dialect, CHECK.c.tracking_number, "numbers")).order_by(CHECK.c.id)


def _shipments(channel: str, carrier: str, since: datetime, reached: Reached) -> Select[Any]:
    # SQLite would look through all shipments of the carrier by the index that it has for them.
    theirs = SHIPMENT.c.carrier.concat("") if reached.shipment > _MARGIN else SHIPMENT.c.carrier
    new = (SHIPMENT.c.id > reached.shipment - _MARGIN, theirs == carrier)
    going = (SHIPMENT.c.status.not_in(_OVER), SHIPMENT.c.latest_at >= since)
    return select(SHIPMENT.c.tracking_number).where(*new, *going, ~_is_there(channel, SHIPMENT.c.tracking_number))


def _subscriptions(channel: str, carrier: str, reached: Reached) -> Select[Any]:
    new = (SUBSCRIPTION.c.id > reached.subscription - _MARGIN, SUBSCRIPTION.c.carrier == carrier)
    return select(SUBSCRIPTION.c.tracking_number).where(*new, ~_is_there(channel, SUBSCRIPTION.c.tracking_number))


def _is_there(channel: str, number: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(CHECK.c.channel == channel, CHECK.c.tracking_number == number)


def _numbers(connection: Connection, wanted: Select[Any]) -> list[str]:
    return list(connection.execute(wanted.distinct()).scalars())


def _highest(connection: Connection, table: Any) -> int:
    return connection.execute(select(func.max(table.c.id))).scalar() or 0


def _sum(condition: Any) -> Any:
    return func.coalesce(func.count().filter(condition), 0)


def _show(connection: Connection, carrier: str, numbers: Collection[str], state: TrackingState) -> None:
    """Let the shipments say it, the latest under each number."""
    other = SHIPMENT.alias()
    same = (other.c.carrier == SHIPMENT.c.carrier) & (other.c.tracking_number == SHIPMENT.c.tracking_number)
    latest = select(func.max(other.c.epoch)).where(same).scalar_subquery()
    theirs = (SHIPMENT.c.carrier == carrier) & SHIPMENT.c.tracking_number.in_(numbers)
    shown = update(SHIPMENT).where(theirs, SHIPMENT.c.epoch == latest).values(tracking_state=state)
    connection.execute(shown)
