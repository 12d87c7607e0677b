"""What a shipment's events, taken together, say of it: pure functions of the set of events.

Nothing here depends on the order in which events arrived; files overtake each other, and the answer must not care.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from edi_gateway.model import Classifier, Direction, Status

DEFAULT_GAP: Final = timedelta(days=90)


class Scan(Protocol):
    """What of an event decides whether it moves a shipment."""

    @property
    def status(self) -> Status:
        """Where it puts the shipment."""

    @property
    def classifier(self) -> Classifier:
        """Whether it happened."""

    @property
    def direction(self) -> Direction:
        """Which way the goods travel."""

    @property
    def mapped(self) -> bool:
        """Whether it was understood."""

    @property
    def correction(self) -> bool:
        """Whether it may leave a terminal status."""


class Estimate(NamedTuple):
    """When delivery is expected; of several, the greatest counts: the one that was stated last."""

    stated_at: datetime
    occurs_at: datetime


class HistoryEvent(NamedTuple):
    """The part of a tracking event that decides where its shipment stands."""

    fingerprint: str
    status: Status
    occurred_at: datetime  # aware
    reason: str = ""
    classifier: Classifier = Classifier.ACT
    direction: Direction = Direction.FORWARD
    correction: bool = False
    mapped: bool = True
    retracted: bool = False
    date_only: bool = False

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Place in the history: time, then rank of the status, then fingerprint, so that no two events tie."""
        return self.occurred_at, self.status.rank, self.fingerprint

    @property
    def moving(self) -> bool:
        """Whether the event may move a status, and was not taken back."""
        return not self.retracted and may_move(self)


class ShipmentState(NamedTuple):
    """Where a shipment stands; ``fingerprint`` and ``status_at`` name the event that decided, or nothing."""

    status: Status = Status.UNKNOWN
    reason: str = ""
    direction: Direction = Direction.FORWARD
    status_at: datetime | None = None
    fingerprint: str = ""
    milestones: Mapping[Status, tuple[datetime, datetime]] = MappingProxyType({})  # first and last time


class Move(NamedTuple):
    """What one event changed, were the events before it all that was known."""

    event: HistoryEvent
    before: ShipmentState  # both without milestones
    after: ShipmentState


def split_epochs(times: Sequence[datetime], gap: timedelta = DEFAULT_GAP) -> list[list[int]]:
    """Indices of ``times`` in time order, cut where two neighbours lie more than ``gap`` apart.

    A carrier uses a tracking number again after a while; each cut begins another shipment (epoch).
    """
    epochs: list[list[int]] = []
    for index in sorted(range(len(times)), key=times.__getitem__):
        if epochs and times[index] - times[epochs[-1][-1]] <= gap:
            epochs[-1].append(index)
        else:
            epochs.append([index])
    return epochs


def state_of(events: Iterable[HistoryEvent]) -> ShipmentState:
    """The state these events add up to, whatever order they come in."""
    moving = _in_order(events)
    state = reduce(_step, moving, ShipmentState())
    milestones: dict[Status, tuple[datetime, datetime]] = {}
    for event in moving:
        first, _ = milestones.get(event.status, (event.occurred_at, event.occurred_at))
        milestones[event.status] = (first, event.occurred_at)
    return ShipmentState(state.status, state.reason, state.direction, state.status_at, state.fingerprint, milestones)


def moves(known: Iterable[HistoryEvent], told: Iterable[HistoryEvent]) -> Iterator[Move]:
    """Add ``told`` to ``known`` one by one in time order, each with the current state before and after it.

    A late event may change nothing, because what is known already happened after it.
    """
    standing = _in_order(known)
    passed, folded = 0, ShipmentState()  # everything up to the event being added
    before = reduce(_step, standing, folded)
    for event in sorted(told, key=lambda event: event.order):
        while passed < len(standing) and standing[passed].order < event.order:
            folded = _step(folded, standing[passed])
            passed += 1
        folded = _step(folded, event) if event.moving else folded
        after = reduce(_step, standing[passed:], folded)
        yield Move(event, before, after)
        before = after


def may_move(event: Scan) -> bool:
    """Whether the event may move a status: it happened and was understood."""
    return event.classifier is Classifier.ACT and event.mapped and event.status is not Status.UNKNOWN


def is_estimate(event: Scan) -> bool:
    """Whether the event says when delivery is expected."""
    return event.classifier is Classifier.EST and event.status is Status.DELIVERED


def stays(status: Status, direction: Direction, event: Scan) -> bool:
    """Whether a shipment of that status and direction keeps them in spite of a later event that may move it."""
    if not status.terminal or status is Status.LOST or event.correction:
        return False
    return event.direction is not Direction.RETURN or direction is not Direction.FORWARD


def _step(state: ShipmentState, event: HistoryEvent) -> ShipmentState:
    if stays(state.status, state.direction, event):
        return state
    return ShipmentState(event.status, event.reason, event.direction, event.occurred_at, event.fingerprint)


def _in_order(events: Iterable[HistoryEvent]) -> list[HistoryEvent]:
    return sorted((event for event in events if event.moving), key=lambda event: event.order)
