"""Where lives of the daemon end: points in time, sights, and steps, spread by a seed over all that the daemon does."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle, islice
from typing import Final, NamedTuple

from tests.acceptance.gateway import FOLDERS
from tests.acceptance.steps import STEPS, Edge, Trip

_INTO: Final = 0.01  # seconds into a step at most
_AFTERMATH: Final = 0.02  # seconds after something was seen within which its consequences are under way
_AT_WORK: Final = 1.5  # seconds of work within which a life ends that ends at any time
_COMING: Final = 0.5  # seconds within which most is going on: what has come is being dealt with
_LOGGED: Final = ("document.received", "document.processed", "delivery.sealed", "delivery.delivered")
_EDGES: Final[Sequence[Edge]] = ("before", "during", "after")
_OFTEN: Final[Mapping[str, int]] = {"listing": 8, "any transaction": 20}  # times in a life; everything else is rarer
_ANY: Final = "any transaction"


class Starting(NamedTuple):
    """Within the start: after that share of what starting took last time."""

    share: float

    def __str__(self) -> str:
        return f"{self.share:.0%} into its start"


class Working(NamedTuple):
    """After so many seconds of work."""

    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.3f} s into its work"


class Sight(NamedTuple):
    """So many seconds after something was logged, or after something happened in a mailbox."""

    of: str  # the event's name, or the folder
    seconds: float

    def __str__(self) -> str:
        return f"{1000 * self.seconds:.1f} ms after {self.of}"


class Pause(NamedTuple):
    """Stopped (SIGSTOP) at the trip-wire for so many seconds; then it goes on, and ends after some work."""

    at: Trip
    seconds: float
    then: float

    def __str__(self) -> str:
        return f"{self.then:.3f} s after a pause of {self.seconds:g} s {self.at}"


class Second(NamedTuple):
    """A signal that comes so many seconds after the first: somebody does not want to wait."""

    signal: int
    seconds: float

    def __str__(self) -> str:
        return f", {signal.Signals(self.signal).name} {self.seconds:.3f} s later"


class End(NamedTuple):
    """How a life ends: where, and by which signal."""

    aim: Trip | Sight | Starting | Working | Pause
    signal: int = signal.SIGKILL
    second: Second | None = None
    reload: float | None = None  # seconds of work after which it is told to load its configuration anew

    @property
    def trip(self) -> Trip | None:
        """The wire in the process itself, if there is one."""
        return self.aim if isinstance(self.aim, Trip) else self.aim.at if isinstance(self.aim, Pause) else None

    def __str__(self) -> str:
        reload = "" if self.reload is None else f", SIGHUP {self.reload:.3f} s into its work"
        return f"{signal.Signals(self.signal).name} {self.aim}{self.second or ''}{reload}"


def newborn(rng: random.Random) -> list[End]:
    """Two kills while the tables are being made."""
    return [End(Trip("migrating", "during", 1, signal.SIGKILL, rng.uniform(0, 0.1))), End(Starting(rng.uniform(0, 1)))]


def spread(rng: random.Random, kills: int) -> list[End]:
    """So many kills, half of them at steps, the others at any time or sight; every sixth after a reload.

    For every eighth there is another life that is asked to stop, and may find that somebody does not want to wait.
    """
    steps, starts, sights = (kills + 1) // 2, kills // 10, kills // 8
    ends = [
        *(End(trip) for trip in islice(_trips(rng, signal.SIGKILL), steps)),
        *(End(Starting(rng.uniform(0, 1))) for _ in range(starts)),
        *(End(Sight(rng.choice((*_LOGGED, *FOLDERS)), rng.uniform(0, _AFTERMATH))) for _ in range(sights)),
        *(End(Working(rng.uniform(0, _AT_WORK))) for _ in range(kills - steps - starts - sights)),
    ]
    for index in rng.sample(range(kills), kills // 6):
        ends[index] = ends[index]._replace(reload=rng.uniform(0, _COMING))
    ends += _stops(rng, kills // 8)
    rng.shuffle(ends)
    return ends


def _stops(rng: random.Random, stops: int) -> Iterator[End]:
    trips, second = _trips(rng, signal.SIGTERM), cycle((signal.SIGKILL, None, signal.SIGTERM))
    for index in range(stops):
        if index % 2:
            yield End(next(trips), signal.SIGTERM)
        else:
            hurry = next(second)
            late = Second(hurry, rng.uniform(0, _COMING)) if hurry else None
            yield End(Working(rng.uniform(0, _COMING)), signal.SIGTERM, late)


def paused(rng: random.Random, pauses: int, seconds: float) -> list[End]:
    """So many lives that are suspended for so long within a request to a server, go on, and stop in order."""
    requests = islice(cycle(("sending", "reading", "clearing", "listing", "renaming")), pauses)
    trips = [Trip(step, "during", 1, signal.SIGSTOP, rng.uniform(0, _INTO)) for step in requests]
    return [End(Pause(trip, seconds, rng.uniform(0, 1)), signal.SIGTERM) for trip in trips]


def _trips(rng: random.Random, number: int) -> Iterator[Trip]:
    """Every step in turn, in an order of its own each round, at one edge after the other."""
    edges = {step: cycle(rng.sample(_EDGES, 3)) for step in (*STEPS, _ANY)}
    rounds = (rng.sample(list(edges), len(edges)) for _ in iter(int, 1))
    for step in chain.from_iterable(rounds):
        edge = next(edges[step])
        often = 1 if step == "migrating" else _OFTEN.get(step, rng.choice((1, 1, 2)))
        yield Trip(step, edge, rng.randint(1, often), number, rng.uniform(0, _INTO) if edge == "during" else 0)
