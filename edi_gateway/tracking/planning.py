"""What a check's answer makes of its schedule: when the next one is, or that there is none. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from edi_gateway.model import TrackingState
from edi_gateway.tracking.schedule import Phase, Schedule, Tail

_SHORTEST_RETRY: Final = timedelta(minutes=1)
_LONGEST_RETRY: Final = timedelta(hours=1)


class Reply(StrEnum):
    """What the carrier said of one number."""

    ANSWERED = "answered"  # and whether that is news is seen when it is read
    NOT_YET = "not_yet"  # announced, but nothing is known so far
    UNKNOWN = "unknown"  # there is no such number
    GONE = "gone"  # there was, and nothing more will be said of it


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a tracked shipment when a check of it ends."""

    started_at: datetime  # when tracking began, or was taken up again
    changed_at: datetime  # of the last news, or as above
    collected: bool = False
    arrived: bool = False  # delivered, returned or cancelled
    quiet: int = 0  # checks in a row that brought no news, before this one
    tail: int | None = None  # checks made since it arrived, before this one; None: it had not
    unknown: int = 0  # checks in a row whose number the carrier did not know, before this one


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written down after a check. ``due_at`` None: there is no further one."""

    due_at: datetime | None
    state: TrackingState
    quiet: int = 0
    tail: int | None = None
    unknown: int = 0


def plan(schedule: Schedule, standing: Standing, reply: Reply, now: datetime, chance: Callable[[], float]) -> Plan:
    """The next check after one that ended ``now``; ``chance`` gives numbers from 0 to 1 to draw pauses with."""
    if reply is Reply.GONE:
        return Plan(None, TrackingState.CLOSED if standing.arrived else TrackingState.EXPIRED, tail=standing.tail)
    if standing.arrived:
        return _after_arrival(schedule.after_delivery, standing, now)
    if reply is Reply.UNKNOWN and not standing.collected:
        return _unknown(schedule.unknown, standing, now)
    phase = schedule.phase(now - standing.started_at)
    ended = phase is None or (phase.only is not None and not standing.collected)
    if phase is None or ended or now - standing.changed_at > schedule.silence:
        return Plan(None, TrackingState.EXPIRED, standing.quiet + 1)
    due_at = now + pause(phase, standing.quiet, chance)
    last = len(phase.every) > 1 and standing.quiet >= len(phase.every) - 1
    return Plan(due_at, TrackingState.QUIET if last else TrackingState.ACTIVE, standing.quiet + 1)


def soonest(schedule: Schedule, standing: Standing, now: datetime) -> timedelta:
    """The pause before the next check when there is news ``now``."""
    return (schedule.phase(now - standing.started_at) or schedule.phases[-1]).every[0]


def pause(phase: Phase, quiet: int, chance: Callable[[], float]) -> timedelta:
    """The pause after ``quiet`` checks in a row that brought nothing."""
    shortest = phase.every[min(quiet, len(phase.every) - 1)]
    if phase.at_most is None:
        return shortest
    return shortest + (phase.at_most - shortest) * chance()


def after_failure(failures: int) -> timedelta:
    """The pause after so many checks in a row that had no answer at all."""
    return min(_SHORTEST_RETRY * (1 << min(failures - 1, 10)), _LONGEST_RETRY)


def _after_arrival(rule: Tail, standing: Standing, now: datetime) -> Plan:
    made = 0 if standing.tail is None else standing.tail + 1  # the check that saw it first is none of them
    if made >= rule.checks:
        return Plan(None, TrackingState.CLOSED, tail=made)
    return Plan(now + rule.every, TrackingState.ACTIVE, tail=made)


def _unknown(rule: Tail, standing: Standing, now: datetime) -> Plan:
    made = standing.unknown + 1
    if made >= rule.checks:
        return Plan(None, TrackingState.EXPIRED, unknown=made)
    return Plan(now + rule.every, TrackingState.ACTIVE, unknown=made)
