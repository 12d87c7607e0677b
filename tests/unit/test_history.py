"""Where a shipment stands is a function of the set of its events."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.history import HistoryEvent, ShipmentState, moves, split_epochs, state_of
from edi_gateway.model import Classifier, Direction, Status

START = datetime(2026, 3, 1, tzinfo=UTC)
FORWARD, RETURN = Direction.FORWARD, Direction.RETURN


def happened(status: Status, hour: float, **more: object) -> HistoryEvent:
    occurred_at = START + timedelta(hours=hour)
    return HistoryEvent(f"{status}@{hour}{sorted(more.items())}", status, occurred_at, **more)  # type: ignore[arg-type]


EVENTS = st.builds(
    happened,
    st.sampled_from(Status),
    st.integers(0, 5),
    reason=st.sampled_from(["", "delay.weather"]),
    classifier=st.sampled_from(Classifier),
    direction=st.sampled_from(Direction),
    correction=st.booleans(),
    mapped=st.sampled_from([True, True, False]),
    retracted=st.sampled_from([False, False, True]),
)


@given(st.lists(EVENTS, min_size=6, max_size=6))
def test_any_order_of_arrival_gives_one_state(events: list[HistoryEvent]) -> None:
    """All 720 orders of six events, with late ones, duplicates, estimates and returns, end in one state."""
    expected = state_of(events)

    assert all(expected == state_of(order) for order in permutations(events))


@given(st.lists(EVENTS, max_size=5, unique_by=lambda event: event.fingerprint), st.lists(EVENTS, max_size=5))
def test_what_does_not_move_counts_for_nothing(events: list[HistoryEvent], others: list[HistoryEvent]) -> None:
    """Estimates, unmapped codes, retracted events and UNKNOWN leave state and milestones as they were."""
    still = [event for event in others if not event.moving]

    assert state_of(events) == state_of(events + still)


@given(st.lists(EVENTS, max_size=6, unique_by=lambda event: event.fingerprint), st.integers(0, 6))
def test_moves_lead_from_what_was_known_to_the_state_of_all(events: list[HistoryEvent], known: int) -> None:
    """The chain of moves begins at the old state, has no gap, and each step is the state of what it has seen."""
    old, new = events[:known], sorted(events[known:], key=lambda event: event.order)
    found = list(moves(old, reversed(new)))

    seen = list(old)
    for event, move in zip(new, found, strict=True):
        before = state_of(seen)
        seen.append(event)
        after = state_of(seen)
        assert (event, decided(before), decided(after)) == (move.event, decided(move.before), decided(move.after))


def decided(state: ShipmentState) -> tuple[object, ...]:
    return state.status, state.reason, state.direction, state.status_at, state.fingerprint


def test_no_events_is_unknown() -> None:
    """A shipment nothing is known of stands at UNKNOWN, since no time."""
    assert ShipmentState() == state_of([])


def test_latest_event_decides_and_rank_breaks_the_tie() -> None:
    """At the same instant the status further along stands."""
    events = [happened(Status.OUT_FOR_DELIVERY, 2), happened(Status.IN_TRANSIT, 2), happened(Status.PICKED_UP, 1)]

    assert Status.OUT_FOR_DELIVERY is state_of(events).status


def test_an_exception_of_later_time_moves_backwards_too() -> None:
    """Time decides, not rank: a parcel out for delivery may come back into transit."""
    events = [happened(Status.OUT_FOR_DELIVERY, 2), happened(Status.EXCEPTION, 3, reason="delay.weather")]
    state = state_of(events)

    assert (Status.EXCEPTION, "delay.weather", events[1].fingerprint) == (state.status, state.reason, state.fingerprint)


@pytest.mark.parametrize("terminal", [Status.DELIVERED, Status.RETURNED, Status.CANCELLED])
@pytest.mark.parametrize(
    ("later", "leaves"),
    [
        (happened(Status.IN_TRANSIT, 5), False),
        (happened(Status.CANCELLED, 5, reason="late"), False),
        (happened(Status.LOST, 5), False),
        (happened(Status.IN_TRANSIT, 5, correction=True), True),
        (happened(Status.IN_TRANSIT, 5, direction=RETURN), True),
        (happened(Status.IN_TRANSIT, 5, direction=RETURN, classifier=Classifier.EST), False),
    ],
)
def test_terminal_status_is_left_only_by_correction_or_return(
    terminal: Status, later: HistoryEvent, leaves: bool
) -> None:
    """A later ordinary scan does not undo the end; a correction or the way back does."""
    expected = later if leaves else happened(terminal, 1)

    assert (expected.status, expected.reason) == decided(state_of([happened(terminal, 1), later]))[:2]


def test_once_on_the_way_back_the_end_is_the_end() -> None:
    """Terminal in return direction is not left by another return event."""
    events = [happened(Status.RETURNED, 1, direction=RETURN), happened(Status.IN_TRANSIT, 2, direction=RETURN)]

    assert Status.RETURNED is state_of(events).status


def test_a_lost_parcel_found_again_moves_on() -> None:
    """LOST ends only until the next scan."""
    events = [happened(Status.LOST, 1), happened(Status.IN_TRANSIT, 2)]

    assert Status.IN_TRANSIT is state_of(events).status


def test_an_earlier_correction_does_not_reopen() -> None:
    """A correction that lies before the delivery corrects something else."""
    events = [happened(Status.DELIVERED, 3), happened(Status.IN_TRANSIT, 2, correction=True)]

    assert Status.DELIVERED is state_of(events).status


def test_milestones_keep_first_and_last_time_even_after_the_end() -> None:
    """Every moving event of a status counts for its milestone, whether or not it moved the shipment."""
    events = [happened(Status.IN_TRANSIT, 4), happened(Status.IN_TRANSIT, 1), happened(Status.DELIVERED, 3)]

    assert {
        Status.IN_TRANSIT: (START + timedelta(hours=1), START + timedelta(hours=4)),
        Status.DELIVERED: (START + timedelta(hours=3),) * 2,
    } == state_of(events).milestones


def test_epochs_are_cut_where_silence_is_longer_than_the_gap() -> None:
    """A gap of exactly 90 days is the same shipment still, a second more is the next."""
    day = timedelta(days=1)
    times = [START + 180 * day + timedelta(seconds=1), START, START + 90 * day]

    assert [[1, 2], [0]] == split_epochs(times)


@given(st.lists(st.integers(0, 400)), st.integers(1, 100))
def test_epochs_hold_every_time_once_in_order(days: list[int], gap: int) -> None:
    """Epochs partition the times; inside one no gap is too long, between two every gap is."""
    times = [START + timedelta(days=day) for day in days]
    width = timedelta(days=gap)
    epochs = [[times[index] for index in epoch] for epoch in split_epochs(times, width)]

    assert sorted(times) == [time for epoch in epochs for time in epoch]
    assert all(later - earlier <= width for epoch in epochs for earlier, later in pairwise(epoch))
    assert all(right[0] - left[-1] > width for left, right in pairwise(epochs))
