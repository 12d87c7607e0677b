"""What only polling caught of a carrier that has a webhook, too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from edi_gateway.model import RawDocument, Status, utc_now
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database
from edi_gateway.store.missed import Watched, _heard_first, counts, missed
from tests.unit.store.building import message, record, tracking

MINUTES = timedelta(minutes=15)
SPEEDY = Watched("speedy", ["speedy/live"], ["speedy/api"], MINUTES)
NOON = (utc_now() - timedelta(days=2)).replace(hour=12, minute=0)


def told(db: Database, channel: str, minutes: float, *events: Any) -> int:
    """These events came by that channel, so many minutes after noon the day before yesterday."""
    at = NOON + timedelta(minutes=minutes)
    raw = RawDocument(channel, "", f"{channel} {minutes} {events}".encode(), at)
    [document] = inbox.receive(db, channel.partition("/")[0], [raw])
    record(db, message(*events, carrier=channel.partition("/")[0]), document_id=document.document_id, received_at=at)
    return document.document_id


def test_what_a_webhook_told_first_or_in_time_was_not_missed(db: Database) -> None:
    """Before the poll, or up to a quarter of an hour after it; and what came by file first was not polling's catch."""
    told(db, "speedy/live", 0, tracking(hour=1))
    told(db, "speedy/api", 5, tracking(hour=1), tracking(hour=2))
    told(db, "speedy/live", 20, tracking(hour=2))
    told(db, "speedy/files", 30, tracking(hour=3))
    told(db, "speedy/api", 35, tracking(hour=3))
    assert [] == missed(db, [SPEEDY], NOON - timedelta(days=1))


def test_what_no_webhook_told_in_time_is_counted_by_day_and_code(db: Database) -> None:
    """Never and late apart, with the latest one as an example; the day is that of the poll."""
    told(db, "speedy/live", 0, tracking(hour=0))
    first = told(db, "speedy/api", 10, tracking(hour=1), tracking(hour=2), tracking(Status.DELIVERED, 3))
    told(db, "speedy/live", 26, tracking(hour=2))
    told(db, "speedy/files", 27, tracking(hour=1))
    again = told(db, "speedy/api", 24 * 60, tracking(hour=1), tracking(hour=4, tracking_number="P2"))
    day = NOON.date()
    assert [
        (day + timedelta(days=1), "speedy", "speedy/api", "IN_TRANSIT", "IN_TRANSIT", 1, 0, "P2", again),
        (day, "speedy", "speedy/api", "IN_TRANSIT", "IN_TRANSIT", 1, 1, "P1", first),
        (day, "speedy", "speedy/api", "DELIVERED", "DELIVERED", 1, 0, "P1", first),
    ] == [
        (
            one.day,
            one.carrier,
            one.channel,
            one.code,
            one.status,
            one.never,
            one.late,
            one.tracking_number,
            one.document,
        )
        for one in missed(db, [SPEEDY], NOON - timedelta(days=1))
    ]
    assert {"speedy": 4} == counts(db, [SPEEDY], NOON - timedelta(days=1))
    assert {"speedy": 1} == counts(db, [SPEEDY], NOON + timedelta(hours=1))


def test_what_a_webhook_may_still_tell_is_not_counted_yet(db: Database) -> None:
    """Nobody is blamed for what was polled a moment ago; nor for what was void."""
    now = (utc_now() - NOON).total_seconds() / 60
    told(db, "speedy/api", now - 5, tracking(hour=1))
    assert {} == counts(db, [SPEEDY], NOON)
    assert {"speedy": 1} == counts(db, [Watched("speedy", ["speedy/live"], ["speedy/api"], MINUTES / 5)], NOON)


def test_carriers_are_not_mixed_up(db: Database) -> None:
    """Another carrier's webhook tells nothing of this one's shipments, though their numbers are equal."""
    told(db, "speedy/api", 0, tracking(hour=1))
    told(db, "other/live", 1, tracking(hour=1, carrier="other"))
    other = Watched("other", ["other/live"], ["other/api"], MINUTES)
    assert {"speedy": 1} == counts(db, [SPEEDY, other], NOON - timedelta(days=1))


def test_only_what_was_polled_lately_is_looked_through(db: Database) -> None:
    """A table of millions of documents is not read for a day's report: each step goes by an index."""
    wanted = _heard_first(SPEEDY, NOON, utc_now())
    with db.read() as connection:
        dialect = connection.dialect
        statement = str(wanted.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        if dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement.replace('%', '%%')}"))
            assert "Seq Scan" not in plan
        else:
            plan = "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))
            assert "SCAN" not in plan
    assert "ix_document_channel" in plan
    assert "ix_provenance_document_id" in plan
    assert "ix_provenance_event_id" in plan
