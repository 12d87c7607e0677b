"""What waits for whom. A look for something to do costs as much as there is to do, however much lies behind it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import CTE, Column, Connection, TextClause, func, literal_column, select, text

from edi_gateway.store.claims import free
from edi_gateway.store.engine import Database
from edi_gateway.store.outbox import Due
from edi_gateway.store.tables import METADATA, OPEN_DELIVERY, PENDING, DocumentState

OUTBOX: Final = METADATA.tables["outbox"]
DELIVERY: Final = METADATA.tables["delivery"]
DOCUMENT: Final = METADATA.tables["document"]
_PENDING: Final = text(PENDING)  # spelled out, so that the database sees that its partial indexes fit
_OPEN: Final = text(OPEN_DELIVERY)


@dataclass(frozen=True, slots=True)
class Stranded:
    """What waits for a partner the configuration does not have (any more)."""

    kind: Literal["channel", "destination"]
    name: str
    events: int  # to be sealed
    files: int  # sealed and to be sent, or received and to be processed


def to_seal(db: Database, most: int) -> dict[str, Due]:
    """Destination → what waits to be sealed for it; more than ``most`` is not counted."""
    at = _each(OUTBOX.c.destination, _PENDING)
    theirs = (_PENDING, OUTBOX.c.destination == at.c.name)
    some = select(literal_column("1")).where(*theirs).correlate(at).limit(most).subquery()
    count = select(func.count()).select_from(some).scalar_subquery()
    oldest = select(OUTBOX.c.created_at).where(*theirs).order_by(OUTBOX.c.id).limit(1).correlate(at).scalar_subquery()
    waiting = select(at.c.name, count, oldest).where(at.c.name.is_not(None))
    with db.read() as connection:
        return {name: Due(number, since) for name, number, since in connection.execute(waiting)}


def to_send(db: Database, now: datetime) -> set[str]:
    """Destinations with a sealed file that is due and nobody holds."""
    at = _each(DELIVERY.c.destination, _OPEN)
    theirs = (_OPEN, DELIVERY.c.destination == at.c.name, DELIVERY.c.next_attempt_at <= now, free(now))
    due = select(at.c.name).where(select(DELIVERY.c.id).where(*theirs).correlate(at).exists())
    with db.read() as connection:
        return set(connection.execute(due).scalars())


def stranded(db: Database, channels: Collection[str], destinations: Collection[str]) -> list[Stranded]:
    """What waits for channels and destinations that are not among these."""
    received = DOCUMENT.c.state == DocumentState.RECEIVED
    with db.read() as connection:
        events = _counted(connection, OUTBOX.c.destination, _PENDING)
        files = _counted(connection, DELIVERY.c.destination, _OPEN)
        documents = _counted(connection, DOCUMENT.c.channel, received)
    lost = sorted((events.keys() | files.keys()) - set(destinations))
    return [
        *(Stranded("channel", name, 0, documents[name]) for name in sorted(documents.keys() - set(channels))),
        *(Stranded("destination", name, events.get(name, 0), files.get(name, 0)) for name in lost),
    ]


def _each(column: Column[Any], condition: TextClause) -> CTE:
    """Every value of the column, by steps from one to the next through the index instead of over every row."""
    first = select(func.min(column).label("name")).where(condition).cte("each", recursive=True)
    following = select(func.min(column)).where(condition, column > first.c.name).correlate(first).scalar_subquery()
    return first.union_all(select(following).where(first.c.name.is_not(None)))


def _counted(connection: Connection, column: Column[Any], condition: Any) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).where(condition).group_by(column))
    return {row[0]: row[1] for row in rows}
