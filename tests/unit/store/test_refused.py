"""Requests that were refused are counted by channel, day and status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from edi_gateway.store import refused
from edi_gateway.store.engine import Database
from edi_gateway.store.refused import Refused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_counts_of_a_day_add_up_and_go_after_a_month(db: Database) -> None:
    """The last reason stays; another status or day is another line."""
    refused.add(db, [Refused("a/b", 401, 2, NOON, "no token"), Refused("a/b", 429, 1, NOON, "rate")])
    refused.add(
        db, [Refused("a/b", 401, 3, NOON + timedelta(hours=1), "odd \0 token"), Refused("", 401, 1, NOON, "none")]
    )
    refused.add(db, [Refused("a/b", 401, 1, NOON + timedelta(days=1), "again")])
    found = refused.refused_since(db, NOON.date())
    assert [("", 1, 401, 1), ("a/b", 1, 401, 5), ("a/b", 1, 429, 1), ("a/b", 2, 401, 1)] == [
        (one.channel, one.day.day, one.status, one.count) for one in found
    ]
    assert ("odd \N{REPLACEMENT CHARACTER} token", NOON + timedelta(hours=1)) == (found[1].why, found[1].last_at)
    assert ["again"] == [one.why for one in refused.refused_since(db, NOON.date() + timedelta(days=1))]
    refused.add(db, [Refused("a/b", 413, 1, NOON + timedelta(days=30, hours=13), "late")])
    assert [413, 401] == [one.status for one in reversed(refused.refused_since(db, NOON.date()))]
