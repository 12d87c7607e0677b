"""How destinations are doing, whoever sends to them: who failed and since when, who wants to wait, who is disabled.

A destination that failed a few times in a row is only probed: one attempt at a time, each after a longer pause, until
one arrives. So a dead one with a thousand files waiting costs few attempts, and the files keep theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, func, or_, select, text, update
from sqlmodel import Session
from sqlmodel import select as select_rows

from edi_gateway.store.engine import Database, insert_new, storable
from edi_gateway.store.tables import METADATA, OPEN_DELIVERY, PENDING, DeliveryState, Endpoint

ENDPOINT: Final = METADATA.tables["endpoint"]
DELIVERY: Final = METADATA.tables["delivery"]
OUTBOX: Final = METADATA.tables["outbox"]
IN_A_ROW: Final = 5  # failures after which it is probed, and a person told
WARNING: Final = timedelta(days=1)  # before it is disabled
_PROBE: Final = timedelta(seconds=10)  # the first pause; every further one is twice as long
_LONGEST: Final = timedelta(minutes=10)
_WELL: Final[dict[str, Any]] = {
    "failures": 0,
    "failing_since": None,
    "last_error": "",
    "probe_at": None,
    "warned_at": None,
}
_ENABLED: Final = _WELL | {"paused_until": None, "disabled_at": None, "disabled_why": ""}


@dataclass(frozen=True, slots=True)
class Sign:
    """What an attempt showed of the destination it was made to. Without ``why`` it arrived."""

    destination: str
    disabled_after: timedelta  # of nothing but failures
    why: str = ""
    busy_until: datetime | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A destination and what waits for it."""

    endpoint: Endpoint
    owed: int  # events to be sealed
    waiting: int  # sealed, neither delivered nor given up
    dead: int


class Gate(NamedTuple):
    """Whether anything may be sent to a destination now, and if so, whether it is a probe."""

    closed: bool
    probing: bool


_OPEN: Final = Gate(closed=False, probing=False)


def gate(connection: Connection, destination: str, now: datetime, *, hold: bool = False) -> Gate:
    """How it stands now. ``hold``: where something is wrong, it stays so until the commit."""
    this = _this(destination)
    found = connection.execute(this.with_for_update() if hold else this).one_or_none()
    return _OPEN if found is None else Gate(_closed(found, now), found.failures >= IN_A_ROW)


def begin_probe(connection: Connection, destination: str, now: datetime, lease: timedelta) -> None:
    """A probe begins: nothing else is sent as long as it may take."""
    this = ENDPOINT.c.destination == destination
    connection.execute(update(ENDPOINT).where(this).values(probe_at=now + lease))


def closed(db: Database, now: datetime) -> set[str]:
    """Every destination to which nothing may be sent now."""
    either = or_(ENDPOINT.c.disabled_at.is_not(None), ENDPOINT.c.paused_until > now, ENDPOINT.c.probe_at > now)
    with db.read() as connection:
        return set(connection.execute(select(ENDPOINT.c.destination).where(either)).scalars())


def note(connection: Connection, sign: Sign, now: datetime) -> None:
    """Write down what an attempt showed; to be called in the transaction that ends it."""
    this = ENDPOINT.c.destination == sign.destination
    if not sign.why:
        connection.execute(update(ENDPOINT).where(this, ENDPOINT.c.failures > 0).values(_WELL))
        return
    connection.execute(insert_new(connection, ENDPOINT), {"destination": sign.destination, **_ENABLED})
    before = connection.execute(_this(sign.destination).with_for_update()).one()
    connection.execute(update(ENDPOINT).where(this).values(_after(before, sign, now)))


def enable(db: Database, destination: str, now: datetime) -> int:
    """Send there again, from now on; what waits is due at once, in its order, with its whole schedule before it.

    Returns how much that is.
    """
    waiting = (text(OPEN_DELIVERY), DELIVERY.c.destination == destination)
    due = {"next_attempt_at": now, "failures": 0}
    in_front = DELIVERY.c.next_attempt_at.is_not(None)  # who stands in line behind another stays there
    with db.write() as connection:
        connection.execute(update(ENDPOINT).where(ENDPOINT.c.destination == destination).values(_ENABLED))
        connection.execute(update(DELIVERY).where(*waiting, in_front).values(due))
        count: int = connection.execute(select(func.count()).select_from(DELIVERY).where(*waiting)).scalar_one()
        return count


def disable(db: Database, destination: str, why: str, now: datetime) -> bool:
    """Send nothing there any more; False when that is so already."""
    values = {"disabled_at": now, "disabled_why": storable(why)}
    with db.write() as connection:
        connection.execute(insert_new(connection, ENDPOINT), {"destination": destination, **_ENABLED})
        free = (ENDPOINT.c.destination == destination, ENDPOINT.c.disabled_at.is_(None))
        return bool(connection.execute(update(ENDPOINT).where(*free).values(values)).rowcount)


def endpoint(db: Database, destination: str) -> Endpoint | None:
    """How a destination is doing; None when nothing was ever wrong."""
    with db.read() as connection, Session(connection) as session:
        return session.get(Endpoint, destination)


def standing(db: Database, destinations: Collection[str]) -> Sequence[Standing]:
    """How each of these is doing, and every other that anything is known of, with what waits for it; by name."""
    with db.read() as connection:
        with Session(connection) as session:
            known = {each.destination: each for each in session.exec(select_rows(Endpoint))}
        owed = _counted(connection, OUTBOX.c.destination, text(PENDING))
        waiting = _counted(connection, DELIVERY.c.destination, text(OPEN_DELIVERY))
        dead = _counted(connection, DELIVERY.c.destination, DELIVERY.c.state == DeliveryState.DEAD)
    return [
        Standing(
            known.get(name) or Endpoint(destination=name), owed.get(name, 0), waiting.get(name, 0), dead.get(name, 0)
        )
        for name in sorted({*destinations, *known})
    ]


def _this(destination: str) -> Any:
    return select(ENDPOINT).where(ENDPOINT.c.destination == destination)


def _closed(found: Row[Any], now: datetime) -> bool:
    return found.disabled_at is not None or any(until and until > now for until in (found.paused_until, found.probe_at))


def _after(before: Row[Any], sign: Sign, now: datetime) -> dict[str, Any]:
    """The row after another failure."""
    failures, since = before.failures + 1, before.failing_since or now
    values: dict[str, Any] = {"failures": failures, "failing_since": since, "last_error": storable(sign.why)}
    values["paused_until"] = max(filter(None, (before.paused_until, sign.busy_until)), default=None)
    if failures >= IN_A_ROW:
        values["probe_at"] = now + min(_PROBE * 2 ** min(failures - IN_A_ROW, 20), _LONGEST)
        ends = since + sign.disabled_after
        values["warned_at"] = now if before.warned_at is None and ends - WARNING <= now else before.warned_at
    warned = before.warned_at is not None and before.warned_at + WARNING <= now  # so it has failed for all that time
    if before.disabled_at is None and (sign.gone or warned):
        values |= {"disabled_at": now, "disabled_why": storable(sign.why)}
    return values


def _counted(connection: Connection, column: Any, condition: Any) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).where(condition).group_by(column))
    return {row[0]: row[1] for row in rows}
