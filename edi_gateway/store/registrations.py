"""Who registers a channel at its carrier: one at a time, whichever node; its number is the fence."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, or_, select, update
from sqlmodel import Session

from edi_gateway.store.claims import clock
from edi_gateway.store.engine import Database, insert_new
from edi_gateway.store.tables import METADATA, RegistrationRow

REGISTRATION: Final = METADATA.tables["registration"]
_LEASE: Final = timedelta(minutes=5)  # longer than a call may take, with a token before it
_NEW: Final = {"url": "", "subscription_id": "", "calls": 0, "failures": 0, "error": "", "claimed_by": ""}
_FREE: Final = {"claimed_by": "", "claimed_until": None}


def find(db: Database, channel: str) -> RegistrationRow | None:
    """What is known of a channel's registration."""
    with db.read() as connection, Session(connection) as session:
        return session.get(RegistrationRow, channel)


def due(db: Database, channels: Collection[str]) -> set[str]:
    """Those of these channels whose registration has to be renewed now, and is nobody's."""
    with db.read() as connection:
        wanted = select(REGISTRATION.c.channel).where(_due(clock(connection)))
        return set(connection.execute(wanted).scalars()).intersection(channels)


def claim(db: Database, channel: str, owner: str, *, only_due: bool = False) -> RegistrationRow | None:
    """Begin a call; None while somebody else is at it, or, with ``only_due``, when it is not due any more."""
    with db.write() as connection:
        connection.execute(insert_new(connection, REGISTRATION), {"channel": channel, **_NEW})
        now = clock(connection)
        held = (REGISTRATION.c.channel == channel) & (_due(now) if only_due else _free(now))
        begun = {"calls": REGISTRATION.c.calls + 1, "claimed_by": owner, "claimed_until": now + _LEASE}
        if not connection.execute(update(REGISTRATION).where(held).values(begun)).rowcount:
            return None
        with Session(connection) as session:
            found = session.get_one(RegistrationRow, channel)
            session.expunge(found)
            return found


def finish(db: Database, held: RegistrationRow, **values: Any) -> bool:
    """Write down how the call ended; False when somebody else has called since."""
    mine = (REGISTRATION.c.channel == held.channel) & (REGISTRATION.c.calls == held.calls)
    with db.write() as connection:
        return bool(connection.execute(update(REGISTRATION).where(mine).values(**values, **_FREE)).rowcount)


def _due(now: datetime) -> ColumnElement[bool]:
    return (REGISTRATION.c.due_at <= now) & _free(now)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(REGISTRATION.c.claimed_until.is_(None), REGISTRATION.c.claimed_until < now)
