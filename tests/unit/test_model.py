"""What events say of themselves, and how they are made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from edi_gateway.model import (
    Classifier,
    Location,
    MessageFunction,
    Status,
    TrackingEvent,
    make_event,
    make_position,
    make_provenance,
)
from edi_gateway.store.reports import MessageReport, prepare

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
TWICE = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # comes twice, an hour apart


def event(at: datetime) -> TrackingEvent:
    """A scan at that time."""
    return TrackingEvent("speedy", "SP1", Status.IN_TRANSIT, at)


def test_what_is_made_fast_is_what_its_class_makes() -> None:
    """The same fields, defaults and refusals, whichever way an event came into being."""
    made = make_event("speedy", "SP1", Status.DELIVERED, AT, classifier=Classifier.EST, location=Location("WIEN"))
    assert made == TrackingEvent(
        "speedy", "SP1", Status.DELIVERED, AT, classifier=Classifier.EST, location=Location("WIEN")
    )
    assert type(made) is TrackingEvent
    assert (made.references, made.provenance) == ({}, make_provenance())
    with pytest.raises(FrozenInstanceError):
        made.carrier = "other"  # type: ignore[misc]
    with pytest.raises(TypeError, match="occurred_at"):
        make_event("speedy", "SP1", Status.DELIVERED)  # type: ignore[call-arg]
    assert [getattr(make_position(*range(10)), each.name) for each in fields(make_position())] == [*range(10)]


def test_events_of_their_own_have_references_of_their_own() -> None:
    """What is filled in later for one event is not said of others."""
    one, other = (make_event("speedy", number, Status.DELIVERED, AT) for number in ("SP1", "SP2"))
    assert one.references is not other.references


def test_a_fingerprint_is_that_of_the_instant_whatever_clock_it_was_read_from() -> None:
    """08:30 in UTC and 10:30 two hours east are one fact; the window counts from the epoch."""
    east = AT.astimezone(timezone(timedelta(hours=2)))
    assert event(AT).fingerprint() == event(east).fingerprint() == "00078320cb817e7f0620d1899b2970cb"
    assert event(AT).fingerprint(30) == event(AT + timedelta(minutes=29)).fingerprint(30)
    assert event(AT).fingerprint(30) != event(AT + timedelta(minutes=30)).fingerprint(30)


def test_a_wall_time_that_comes_twice_is_two_instants() -> None:
    """Python takes the two for equal; neither what is compared nor what is stored may."""
    first, second = event(TWICE), event(TWICE.replace(fold=1))
    report = MessageReport(MessageFunction.ORIGINAL, "speedy", "", None, [first, second])
    assert first.occurred_at == second.occurred_at
    assert first.fingerprint() != second.fingerprint()
    assert second.fingerprint() == event(TWICE.astimezone(UTC) + timedelta(hours=1)).fingerprint()
    assert [said[7] for said in prepare(report, 1).said] == ["2026-10-25 00:30:00.000000", "2026-10-25 01:30:00.000000"]
