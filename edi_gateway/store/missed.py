"""What a carrier's webhook did not tell, or too late: events that were heard of by polling first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, exists, func, select

from edi_gateway.model import utc_now
from edi_gateway.store.dossier import EVENT, PROVENANCE
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA

DOCUMENT: Final = METADATA.tables["document"]


@dataclass(frozen=True, slots=True)
class Watched:
    """A carrier that is polled behind a webhook."""

    carrier: str
    webhooks: Collection[str]  # channels
    polled: Collection[str]
    within: timedelta  # how long after the poll a webhook may tell the same


@dataclass(frozen=True, slots=True)
class Missed:
    """Events of one kind and day that polling caught: some no webhook ever told, some came by one later."""

    day: date  # UTC, of the poll
    carrier: str
    channel: str  # that caught them
    code: str  # the carrier's own
    status: str
    never: int
    late: int
    tracking_number: str  # of the latest one
    document: int  # that told it


def missed(db: Database, carriers: Sequence[Watched], since: datetime) -> list[Missed]:
    """What was polled since then, the latest day first, and in it the most frequent.

    What was polled so lately that a webhook may still tell it is left out; so are events that were retracted.
    """
    kinds: dict[tuple[date, str, str, str, str], Counter[bool]] = {}
    latest: dict[tuple[date, str, str, str, str], Row[Any]] = {}
    for watched in carriers:
        for row in _caught(db, watched, since):
            kind = (row.received_at.date(), watched.carrier, row.channel, row.raw_code, row.status)
            kinds.setdefault(kind, Counter())[row.told_at is None] += 1
            latest[kind] = row
    found = [
        Missed(*kind, counted[True], counted[False], latest[kind].tracking_number, latest[kind].document)
        for kind, counted in kinds.items()
    ]
    return sorted(found, key=lambda one: (-one.day.toordinal(), one.carrier, -one.never - one.late, one.code))


def counts(db: Database, carriers: Sequence[Watched], since: datetime) -> Mapping[str, int]:
    """Carrier → events that polling caught, where there are any."""
    found: Counter[str] = Counter()
    for one in missed(db, carriers, since):
        found[one.carrier] += one.never + one.late
    return found


def _caught(db: Database, watched: Watched, since: datetime) -> Iterator[Row[Any]]:
    with db.read() as connection:
        for row in connection.execute(_heard_first(watched, since, utc_now() - watched.within)):
            if row.told_at is None or row.told_at - row.received_at > watched.within:
                yield row


def _heard_first(watched: Watched, since: datetime, until: datetime) -> Select[Any]:
    """Events whose first telling came by polling, and when a webhook first told each."""
    earlier, later, by = PROVENANCE.alias("earlier"), PROVENANCE.alias("later"), DOCUMENT.alias("by")
    before = (earlier.c.received_at < PROVENANCE.c.received_at) | (
        (earlier.c.received_at == PROVENANCE.c.received_at) & (earlier.c.id < PROVENANCE.c.id)
    )
    told = (
        select(func.min(later.c.received_at))
        .join(by, by.c.id == later.c.document_id)
        .where(later.c.event_id == PROVENANCE.c.event_id, by.c.channel.in_(watched.webhooks))
        .scalar_subquery()
    )
    return (
        select(
            PROVENANCE.c.received_at,
            DOCUMENT.c.channel,
            DOCUMENT.c.id.label("document"),
            EVENT.c.raw_code,
            EVENT.c.status,
            EVENT.c.tracking_number,
            told.label("told_at"),
        )
        .join_from(DOCUMENT, PROVENANCE, PROVENANCE.c.document_id == DOCUMENT.c.id)
        .join(EVENT, EVENT.c.id == PROVENANCE.c.event_id)
        .where(
            DOCUMENT.c.channel.in_(watched.polled),
            DOCUMENT.c.received_at >= since,
            DOCUMENT.c.received_at < until,
            ~EVENT.c.retracted,
            ~exists().where(earlier.c.event_id == PROVENANCE.c.event_id, before),
        )
        .order_by(PROVENANCE.c.received_at, PROVENANCE.c.id)
    )
