"""Checks that somebody waits for: brought forward, and watched until what they brought has been read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, text, update

from edi_gateway.model import TrackingState
from edi_gateway.store.bulk import among, listed
from edi_gateway.store.checks import CHECK
from edi_gateway.store.claims import clock
from edi_gateway.store.engine import Database, chunks
from edi_gateway.store.events import take_turns
from edi_gateway.store.tables import METADATA
from edi_gateway.store.tracked import take_up

DOCUMENT: Final = METADATA.tables["document"]
_WAITING: Final = text("state = 'received'")  # as the partial index says it
_GIVEN_UP: Final = (TrackingState.EXPIRED, TrackingState.CLOSED)
Number = tuple[str, str]  # carrier, tracking number
Asked = Mapping[str, Collection[str]]
"""Carrier → the channels that ask it for numbers."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A check that somebody waits for: it, or one after it, has the answer."""

    id: int
    channel: str
    carrier: str
    tracking_number: str
    number: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where awaited checks stand: ``asked`` have an answer, ``failed`` have none, the others are still to be made."""

    asked: Sequence[Awaited]
    failed: Sequence[Awaited]
    left: Sequence[Awaited]


def hasten(
    db: Database, numbers: Iterable[Number], asked: Asked, fresh: timedelta
) -> tuple[Sequence[Awaited], Collection[Number]]:
    """Let these be checked now, as far as they are tracked; returns the checks to wait for.

    And the numbers the carrier spoke of less than ``fresh`` ago: they are not asked for again.
    """
    wanted = _of(numbers, asked)
    if not wanted:
        return [], ()
    awaited, forward, current = [], [], set()
    with db.write() as connection:
        now = clock(connection)
        for row in _rows(connection, wanted):
            running = row.claimed_until is not None and row.claimed_until > now
            known = row.reply and not row.failures and row.checked_at is not None and row.checked_at > now - fresh
            if row.due_at is None:
                continue
            if known and not running and row.due_at > now:
                current.add((row.carrier, row.tracking_number))
                continue
            number = row.checks + (not running)
            awaited.append(Awaited(row.id, row.channel, row.carrier, row.tracking_number, number))
            if not running and row.due_at > now:
                forward.append(row.id)
        for some in chunks(forward):
            these = CHECK.c.id.in_(some) & (CHECK.c.due_at > now)
            connection.execute(update(CHECK).where(these).values(due_at=now))
    return awaited, current


def revive(db: Database, numbers: Collection[Number], asked: Asked) -> None:
    """Track these again where a schedule has ended or never began; they are due at once. A person's stop stays."""
    wanted = _of(numbers, asked)
    if not wanted:
        return
    with db.write() as connection:
        take_turns(connection, {carrier for carrier, _ in wanted})
        rows = {(row.channel, row.tracking_number): row for row in _rows(connection, wanted)}
        over = sorted(
            (channel, carrier, number)
            for (carrier, number), channels in wanted.items()
            for channel in channels
            if (row := rows.get((channel, number))) is None or row.state in _GIVEN_UP
        )
        for (channel, carrier), group in groupby(over, key=lambda each: each[:2]):
            take_up(connection, channel, carrier, [number for _, _, number in group])


def progress(db: Database, awaited: Sequence[Awaited]) -> Progress:
    """Where these checks stand."""
    asked, failed, left = [], [], []
    with db.read() as connection:
        now = clock(connection)
        rows: dict[int, Row[Any]] = {}
        for some in chunks(each.id for each in awaited):
            rows |= {row.id: row for row in connection.execute(select(CHECK).where(CHECK.c.id.in_(some)))}
        for each in awaited:
            row = rows.get(each.id)
            running = row is not None and row.claimed_until is not None
            due = row is not None and row.due_at is not None and row.due_at <= now
            if row is not None and (row.checks < each.number or (row.checks == each.number and (running or due))):
                left.append(each)
            elif row is None or (row.failures and not running):
                failed.append(each)
            else:
                asked.append(each)
    return Progress(asked, failed, left)


def unread(db: Database, channels: Collection[str]) -> Mapping[str, int]:
    """Channel → its first document that nobody has read yet; channels without one are left out."""
    theirs = select(DOCUMENT.c.channel, func.min(DOCUMENT.c.id)).where(_WAITING)
    theirs = theirs.where(DOCUMENT.c.channel.in_(sorted(channels))).group_by(DOCUMENT.c.channel)
    with db.read() as connection:
        return {row[0]: row[1] for row in connection.execute(theirs)}


def last_document(db: Database) -> int:
    """The latest document there is."""
    with db.read() as connection:
        return connection.execute(select(func.max(DOCUMENT.c.id))).scalar() or 0


def _of(numbers: Iterable[Number], asked: Asked) -> Mapping[Number, Collection[str]]:
    return {number: asked[number[0]] for number in numbers if number[0] in asked}


def _rows(connection: Connection, wanted: Mapping[Number, Collection[str]]) -> list[Row[Any]]:
    """The checks of these numbers in these channels."""
    of = select(CHECK).where(among(connection.dialect.name, CHECK.c.tracking_number, "n")).order_by(CHECK.c.id)
    rows = connection.execute(of, {"n": listed(connection, {number for _, number in wanted})})
    return [row for row in rows if row.channel in wanted.get((row.carrier, row.tracking_number), ())]
