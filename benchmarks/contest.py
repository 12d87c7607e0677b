"""A contest: a peer and the gateway do the same work in turns, and the medians are compared."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Final, NamedTuple

_DIGITS: Final = 5  # significant ones of a figure


class MissingError(Exception):
    """Something a benchmark needs is not installed; the text says what, and how to get it."""


class Sides(NamedTuple):
    """Each does the work once, from a fresh start, and returns its figure in the contest's unit."""

    us: Callable[[], float]
    peer: Callable[[], float] | None


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared. ``unit`` is that of both figures, so that their ratio is ours through the peer's."""

    name: str
    unit: str
    against: str  # who the peer is and what it does; "" when there is none
    open: Callable[[], AbstractContextManager[Sides]]  # prepares what all runs share; may raise MissingError
    runs: int = 7
    warm_up: bool = True  # false where one run takes minutes and nothing is left warm by it


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over all runs; ``spread`` are the lowest and the highest ratio of two neighbouring runs."""

    unit: str
    against: str
    runs: int
    us: float
    peer: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        """Our median through the peer's."""
        return None if self.peer is None else self.us / self.peer


def run(contest: Contest) -> Result:
    """Let both work in turns, the peer first. Raises MissingError."""
    with contest.open() as sides:
        if contest.warm_up:
            _turn(sides)
        turns = [_turn(sides) for _ in range(contest.runs)]
    us = _rounded(median(ours for ours, _ in turns))
    pairs = [(ours, theirs) for ours, theirs in turns if theirs is not None]
    if not pairs:
        return Result(contest.unit, contest.against, contest.runs, us)
    ratios = [ours / theirs for ours, theirs in pairs]
    peer = _rounded(median(theirs for _, theirs in pairs))
    return Result(contest.unit, contest.against, contest.runs, us, peer, (min(ratios), max(ratios)))


def _turn(sides: Sides) -> tuple[float, float | None]:
    """Our figure and the peer's; neither pays for the garbage of the other."""
    gc.collect()
    theirs = sides.peer() if sides.peer else None
    gc.collect()
    return sides.us(), theirs


def _rounded(figure: float) -> float:
    return float(f"{figure:.{_DIGITS}g}")


def seconds(work: Callable[[], object]) -> float:
    """How long that takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
