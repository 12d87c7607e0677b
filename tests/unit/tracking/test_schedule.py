"""When a shipment is checked, over its whole life, for every built-in schedule and for invented ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from edi_gateway.model import TrackingState
from edi_gateway.tracking.planning import Plan, Reply, Standing, after_failure, pause, plan, soonest
from edi_gateway.tracking.schedule import BUILT_IN, Phase, Schedule, ScheduleOption, Tail

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIXED = [name for name in BUILT_IN if name != "frequent"]
chances = st.floats(0, 1)


class Holder(BaseModel):
    model_config = ConfigDict(frozen=True)
    schedule: ScheduleOption


@dataclass
class Life:
    """A shipment that is checked as its schedule says; what it is may change at an age."""

    schedule: Schedule
    becomes: Callable[[timedelta, Standing], Standing] = lambda _age, standing: standing
    reply: Reply = Reply.ANSWERED
    ages: list[timedelta] = field(default_factory=list)
    end: TrackingState = TrackingState.ACTIVE

    def live(self, most: int = 5_000) -> Life:
        standing, now = Standing(START, START), START
        while len(self.ages) < most:
            self.ages.append(now - START)
            standing = self.becomes(now - START, standing)
            found = plan(self.schedule, standing, self.reply, now, lambda: 0.5)
            standing = replace(standing, quiet=found.quiet, tail=found.tail, unknown=found.unknown)
            self.end = found.state
            if found.due_at is None:
                break
            now = found.due_at
        return self

    def days(self) -> list[int]:
        return [age // DAY for age in self.ages]


def collected(_age: timedelta, standing: Standing) -> Standing:
    return replace(standing, collected=True)


def test_what_is_not_collected_is_asked_for_hourly_then_daily_and_given_up_after_a_fortnight() -> None:
    """age_based: hourly on days 0 to 7, daily on 8 to 14, then no more."""
    life = Life(BUILT_IN["age_based"]).live()
    days = life.days()
    assert [24] * 8 == [days.count(day) for day in range(8)]
    assert [1] * 7 == [days.count(day) for day in range(8, 15)]
    assert TrackingState.EXPIRED is life.end
    assert 15 == days[-1]  # the check that found its time over


def test_what_is_collected_is_asked_for_until_its_sixtieth_day() -> None:
    """age_based: one check on each of the days 15 to 60, only of what was collected."""
    life = Life(BUILT_IN["age_based"], collected).live()
    assert [1] * 46 == [life.days().count(day) for day in range(15, 61)]
    assert (TrackingState.EXPIRED, 61) == (life.end, life.days()[-1])


def test_while_nothing_changes_the_pauses_grow_to_a_day() -> None:
    """quiet_backoff: 10 minutes, 30 minutes, 2, 6, 24 hours, and then every day, which is called quiet."""
    life = Life(BUILT_IN["quiet_backoff"]).live(8)
    pauses = [later - earlier for earlier, later in pairwise(life.ages)]
    assert [10 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, DAY, DAY, DAY] == pauses
    assert TrackingState.QUIET is life.end


def test_on_news_the_pauses_begin_again() -> None:
    """quiet_backoff: who has news is checked ten minutes later, however long it had been quiet."""
    quiet = Standing(START, START, quiet=9)
    now = START + 10 * DAY
    assert 10 * MINUTE == soonest(BUILT_IN["quiet_backoff"], quiet, now)
    again = plan(BUILT_IN["quiet_backoff"], replace(quiet, quiet=0), Reply.ANSWERED, now, lambda: 0)
    assert (10 * MINUTE, TrackingState.ACTIVE) == ((again.due_at or START) - now, again.state)


def test_behind_a_webhook_it_is_checked_every_two_hours() -> None:
    """safety_net: no more and no less."""
    ages = Life(BUILT_IN["safety_net"]).live(100).ages
    assert {2 * HOUR} == {later - earlier for earlier, later in pairwise(ages)}


@given(chance=chances)
def test_frequent_pauses_lie_between_five_and_fifteen_minutes(chance: float) -> None:
    """frequent: drawn anew each time, so that not all shipments are checked in one moment."""
    found = pause(BUILT_IN["frequent"].phases[0], 0, lambda: chance)
    assert 5 * MINUTE <= found <= 15 * MINUTE
    assert pause(BUILT_IN["frequent"].phases[0], 0, lambda: 0) < pause(BUILT_IN["frequent"].phases[0], 0, lambda: 1)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("arrives", [HOUR, 3 * DAY, 13 * DAY])
def test_after_delivery_come_seven_daily_checks_and_no_more(name: str, arrives: timedelta) -> None:
    """Counted from the check that sees it delivered; then tracking is closed."""

    def becomes(age: timedelta, standing: Standing) -> Standing:
        return replace(standing, arrived=age >= arrives)

    life = Life(BUILT_IN[name], becomes).live()
    seen = next(index for index, age in enumerate(life.ages) if age >= arrives)
    tail = life.ages[seen:]
    assert (8, {DAY}) == (len(tail), {later - earlier for earlier, later in pairwise(tail)})
    assert TrackingState.CLOSED is life.end


def test_a_delivery_that_was_taken_back_is_tracked_as_before() -> None:
    """The seven checks begin anew when it is delivered again."""
    undone = Standing(START, START, tail=3)
    found = plan(BUILT_IN["safety_net"], undone, Reply.ANSWERED, START + DAY, lambda: 0)
    assert (START + DAY + 2 * HOUR, None) == (found.due_at, found.tail)


def test_a_number_the_carrier_does_not_know_is_asked_for_daily_and_given_up() -> None:
    """Fourteen answers of that kind in a row are believed."""
    life = Life(BUILT_IN["frequent"], reply=Reply.UNKNOWN).live()
    assert (list(range(14)), TrackingState.EXPIRED) == (life.days(), life.end)


def test_a_number_that_is_not_known_yet_is_asked_for_as_any_other() -> None:
    """An announced parcel has no events until it is handed over."""
    life = Life(BUILT_IN["age_based"], reply=Reply.NOT_YET).live(30)
    assert {HOUR} == {later - earlier for earlier, later in pairwise(life.ages)}


@pytest.mark.parametrize(("arrived", "state"), [(False, TrackingState.EXPIRED), (True, TrackingState.CLOSED)])
def test_what_is_gone_at_the_carrier_is_not_asked_for_again(arrived: bool, state: TrackingState) -> None:
    """Nothing more will ever be said of it."""
    standing = Standing(START, START, arrived=arrived, tail=0 if arrived else None)
    found = plan(BUILT_IN["frequent"], standing, Reply.GONE, START + HOUR, lambda: 0)
    assert (None, state) == (found.due_at, found.state)


def test_what_stays_silent_for_ninety_days_is_given_up() -> None:
    """A number that comes back later is another shipment."""
    life = Life(BUILT_IN["safety_net"], collected).live()
    assert (90, TrackingState.EXPIRED) == (life.days()[-1], life.end)


@given(st.integers(1, 100))
def test_pauses_after_failures_grow_to_an_hour(failures: int) -> None:
    """A carrier that does not answer is not hammered, and not forgotten."""
    assert MINUTE <= after_failure(failures) <= after_failure(failures + 1) <= HOUR


durations = st.integers(1, 500).map(lambda hours: timedelta(hours=hours))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule a person may write."""
    ends = sorted(draw(st.sets(durations, min_size=1, max_size=4)))
    unlimited = draw(st.booleans())
    phases = []
    for number, end in enumerate(ends):
        every = tuple(draw(st.lists(durations, min_size=1, max_size=4)))
        at_most = max(every) + draw(durations) if draw(st.booleans()) else None
        until = None if unlimited and number == len(ends) - 1 else end
        phases.append(Phase(until=until, every=every, at_most=at_most, only=draw(st.sampled_from([None, "collected"]))))
    tail = Tail(checks=draw(st.integers(0, 20)), every=draw(durations))
    return Schedule(phases=tuple(phases), after_delivery=tail, silence=draw(durations))


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    changed = START + draw(st.just(timedelta(0)) | durations)
    arrived = draw(st.booleans())
    tail = draw(st.none() | st.integers(0, 25))
    return Standing(START, changed, draw(st.booleans()), arrived, draw(st.integers(0, 20)), tail)


@given(schedules(), standings(), st.sampled_from(Reply), st.floats(0, 3_000), chances)
def test_a_next_check_lies_ahead_or_there_is_none(
    schedule: Schedule, standing: Standing, reply: Reply, hours: float, chance: float
) -> None:
    """Whatever is written: never in the past, and a state that stops has no next check, one that goes on has."""
    now = START + timedelta(hours=hours)
    found: Plan = plan(schedule, standing, reply, now, lambda: chance)
    going = found.state in {TrackingState.ACTIVE, TrackingState.QUIET}
    assert going is (found.due_at is not None)
    assert found.due_at is None or found.due_at >= now + timedelta(seconds=1)


@given(schedules(), st.booleans(), st.booleans())
def test_every_shipment_is_given_up_some_day(schedule: Schedule, is_collected: bool, arrives: bool) -> None:
    """No schedule checks a silent number for ever."""

    def becomes(_age: timedelta, standing: Standing) -> Standing:
        return replace(standing, collected=is_collected, arrived=arrives)

    assert Life(schedule, becomes).live().end in {TrackingState.EXPIRED, TrackingState.CLOSED}


def test_a_schedule_is_named_or_written_out() -> None:
    """One value where a list may stand is a list of one."""
    own = {"phases": [{"until": "2d", "every": "30m"}, {"every": ["1h", "6h"]}], "after_delivery": {"checks": 0}}
    assert BUILT_IN["frequent"] == Holder.model_validate({"schedule": "frequent"}).schedule
    written = Holder.model_validate({"schedule": own}).schedule
    assert ((30 * MINUTE,), (HOUR, 6 * HOUR)) == tuple(phase.every for phase in written.phases)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("often", "expected one of frequent, age_based"),
        ({"phases": []}, "at least 1 item"),
        ({"phases": [{"every": "0s"}]}, "greater than or equal to"),
        ({"phases": [{"every": "1h"}, {"every": "2h"}]}, "not the last"),
        ({"phases": [{"until": "2d", "every": "1h"}, {"until": "1d", "every": "2h"}]}, "later than the one before"),
        ({"phases": [{"every": "1h", "at_most": "5m"}]}, "no less than every"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(option: object, said: str) -> None:
    """The mistake is named."""
    with pytest.raises(ValidationError, match=said):
        Holder.model_validate({"schedule": option})
