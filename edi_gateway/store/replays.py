"""Documents that are to be read again: chosen, noted down, and struck off one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, select

from edi_gateway.model import utc_now
from edi_gateway.store.engine import Database, chunks, insert_new
from edi_gateway.store.tables import METADATA, Action, DocumentState

DOCUMENT: Final = METADATA.tables["document"]
REPLAY: Final = METADATA.tables["replay"]
OUTBOX: Final = METADATA.tables["outbox"]
_READ: Final = (DocumentState.PROCESSED, DocumentState.PARTLY_PROCESSED, DocumentState.QUARANTINED)


class Chosen(NamedTuple):
    """A document to be read again."""

    id: int
    channel: str
    size: int


def choose(
    db: Database,
    numbers: Collection[int] = (),
    *,
    channel: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Chosen]:
    """Documents that fit every condition given, oldest first, but neither copies of others nor what waits anyway.

    Received from ``since`` on and before ``until``.
    """
    wanted = select(DOCUMENT.c.id, DOCUMENT.c.channel, DOCUMENT.c.size).where(DOCUMENT.c.state.in_(_READ))
    if channel:
        wanted = wanted.where(DOCUMENT.c.channel == channel)
    if since:
        wanted = wanted.where(DOCUMENT.c.received_at >= since)
    if until:
        wanted = wanted.where(DOCUMENT.c.received_at < until)
    with db.read() as connection:
        if not numbers:
            return _chosen(connection.execute(wanted).all())
        rows = [
            row
            for some in chunks(sorted(set(numbers)))
            for row in connection.execute(wanted.where(DOCUMENT.c.id.in_(some))).all()
        ]
    return _chosen(rows)


def ask(db: Database, chosen: Iterable[Chosen]) -> None:
    """Note down what is to be read again, so that a replay that is interrupted can go on."""
    now = utc_now()
    rows = [{"document_id": document.id, "asked_at": now} for document in chosen]
    if rows:
        with db.write() as connection:
            connection.execute(insert_new(connection, REPLAY), rows)


def left(db: Database) -> list[Chosen]:
    """What was asked for and has not been read again yet, oldest first."""
    asked = select(DOCUMENT.c.id, DOCUMENT.c.channel, DOCUMENT.c.size).join(REPLAY)
    with db.read() as connection:
        return _chosen(connection.execute(asked).all())


def strike(connection: Connection, document_id: int) -> None:
    """The document has been read again, in the transaction that says so."""
    connection.execute(delete(REPLAY).where(REPLAY.c.document_id == document_id))


def abandon(db: Database) -> int:
    """Forget what is left; return how many documents that were."""
    with db.write() as connection:
        return connection.execute(delete(REPLAY)).rowcount


def owed_since(
    connection: Connection, moment: datetime, event_ids: Collection[int]
) -> Mapping[tuple[str, Action], int]:
    """How much was entered in the outbox about these events from that moment on, by destination and action."""
    counted: dict[tuple[str, Action], int] = {}
    for some in chunks(set(event_ids)):
        entered = (
            select(OUTBOX.c.destination, OUTBOX.c.action, func.count())
            .where(OUTBOX.c.created_at >= moment, OUTBOX.c.event_id.in_(some))
            .group_by(OUTBOX.c.destination, OUTBOX.c.action)
        )
        for destination, action, count in connection.execute(entered):
            counted[destination, action] = counted.get((destination, action), 0) + count
    return counted


def _chosen(rows: Sequence[object]) -> list[Chosen]:
    return sorted(Chosen(*row) for row in rows)  # type: ignore[misc]
