"""Requests that were refused, counted where a person sees them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from edi_gateway.store.engine import Database, insert_new, storable
from edi_gateway.store.tables import METADATA, RefusedRequests

REFUSED: Final = METADATA.tables["refused_requests"]
_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Refused:
    """So many requests to a channel with one status, and what was said of the last of them."""

    channel: str
    status: int
    count: int
    last_at: datetime
    why: str


def add(db: Database, refused: Collection[Refused]) -> None:
    """Count them, on the day of the last one; what is older than a month goes."""
    with db.write() as connection:
        for one in sorted(refused, key=lambda each: (each.channel, each.status)):  # as every node does
            key = {"channel": storable(one.channel), "day": one.last_at.date(), "status": one.status}
            connection.execute(insert_new(connection, REFUSED), {**key, "count": 0, "last_at": one.last_at, "why": ""})
            this = [REFUSED.c[name] == value for name, value in key.items()]
            values = {"count": REFUSED.c.count + one.count, "last_at": one.last_at, "why": storable(one.why)}
            connection.execute(update(REFUSED).where(*this).values(values))
        latest = max((one.last_at for one in refused), default=None)
        if latest:
            connection.execute(delete(REFUSED).where(REFUSED.c.day < (latest - _KEPT).date()))


def refused_since(db: Database, day: date) -> list[RefusedRequests]:
    """What was refused since the beginning of that day, in UTC, by channel."""
    wanted = select(RefusedRequests).where(col(RefusedRequests.day) >= day)
    with db.read() as connection, Session(connection) as session:
        return list(session.exec(wanted.order_by(*(col(getattr(RefusedRequests, name)) for name in _ORDER))))


_ORDER: Final = ("channel", "day", "status")
