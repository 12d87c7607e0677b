"""A run under fire: one life of the daemon after the other, each ended by a signal where it was aimed at."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.acceptance import steps
from tests.acceptance.aims import End, Pause, Sight, Starting, Working
from tests.acceptance.dropping import all_taken, drop
from tests.acceptance.forkserver import Forked, ForkServer
from tests.acceptance.gateway import MAILBOXES, Gateway, Start, wait_until
from tests.acceptance.steps import STEPS, Trip
from tests.acceptance.verdict import Deviation, deviations
from tests.acceptance.witness import Witness
from tests.acceptance.world import CarrierFile, World

_STARTS_WITHIN: Final = 30.0  # seconds
_STOPS_WITHIN: Final = 15.0 + 5.0  # seconds: the stop time-out, and a slow machine
_LOOK_AGAIN: Final = 0.004  # seconds
_COMING: Final = 0.3  # seconds of work within which a life's files are dropped


@dataclass(slots=True)
class Report:
    """What a run under fire went through."""

    lives: list[str] = field(default_factory=list)
    kills: int = 0
    stops: int = 0
    hit: Counter[str] = field(default_factory=Counter)  # what was in progress when a kill came
    tripped: Counter[str] = field(default_factory=Counter)  # kills at that step's wire
    missed: int = 0  # kills that came although their step did not, in time
    pauses: int = 0
    reloads: int = 0
    cut_off: int = 0  # attempts to deliver
    seen_cut_off: int = 0  # unfinished uploads left behind

    def __str__(self) -> str:
        if not self.kills:
            return f"{self.pauses} pauses, {self.stops} stops"
        hit = ", ".join(f"{step} {self.hit[step]}" for step in ("starting", *STEPS, "between"))
        return (
            f"{self.kills} kills ({self.tripped.total()} at a chosen step, {self.missed} after it did not come),"
            f" {self.stops} stops, {self.reloads} reloads; in progress at a kill: {hit};"
            f" attempts to deliver cut off: {self.cut_off}, uploads left unfinished: {self.seen_cut_off}"
        )


class Fire:
    """Lives of one gateway over one server's mailboxes.

    A life whose end does not come about is ended after ``longest`` seconds of work.
    """

    def __init__(
        self, gateway: Gateway, root: Path, forks: ForkServer, rng: random.Random, longest: float = 5.0
    ) -> None:
        self.report = Report()
        self._gateway = gateway
        self._root = root
        self._forks = forks
        self._rng = rng
        self._longest = longest
        self._witness = Witness(root)
        self._page = gateway.log.with_name("steps")
        self._start_took = 0.3  # seconds; learned from every life

    def live(self, files: Sequence[CarrierFile], end: End) -> None:
        """One life: files keep coming until its end; what has not come by then is dropped before the next."""
        process = self._gateway.start(self._start(end.trip))
        assert isinstance(process, Forked)
        life = _Life(self._gateway, process, self._root, end, self._start_took, self._longest)
        begun = time.monotonic() + self._start_took
        coming = sorted((begun + self._rng.uniform(0, _COMING), file.name, file) for file in files)
        while not life.over():
            while coming and coming[0][0] <= time.monotonic():
                drop(self._root, coming.pop(0)[-1])
            time.sleep(_LOOK_AGAIN)
        self._start_took = life.start_took or self._start_took
        self.report.pauses += life.paused
        self.report.reloads += life.reloaded
        self._end(process, end)
        for *_, file in coming:
            drop(self._root, file)

    def finish(self, world: World, start: Start | None = None) -> list[Deviation]:
        """The last life brings everything to its end and stops; returns what came out wrong."""
        gateway = self._gateway
        gateway.start(start or self._start(None))
        wait_until(lambda: "daemon.started" in gateway.events(), _STARTS_WITHIN, "started")
        with gateway.idle() as nothing_waits:
            wait_until(lambda: all_taken(self._root) and nothing_waits(), 60, "everything delivered")
        assert gateway.stop() == 0
        attempts = [delivery["attempts"] for delivery in gateway.ask("deliveries", "list", "--limit", "100000")]
        self.report.cut_off = sum(attempts) - len(attempts) - gateway.logged("delivery.retrying")
        self.report.seen_cut_off = self._witness.cut_off
        return [*deviations(world, gateway, self._root), *self._witness.deviations()]

    def _start(self, trip: Trip | None) -> Start:
        page = steps.empty_page(self._page)
        return lambda arguments, log: self._forks.start(arguments, log, page, trip)

    def _end(self, process: Forked, end: End) -> None:
        """Send the signal, unless the trip-wire did, and write down where it hit."""
        tripped = process.poll() is not None
        process.send_signal(end.signal)
        if end.second:
            time.sleep(end.second.seconds)
            process.send_signal(end.second.signal)
        code = process.wait(_STOPS_WITHIN)
        started = self._gateway.has_started()
        doing = steps.in_progress(self._page) or (["between"] if started else [])
        doing += [] if started else ["starting"]
        report, last = self.report, self._gateway.last_words()
        report.lives.append(f"{len(report.lives) + 1}: {end}: hit {', '.join(doing)}")
        if end.signal == signal.SIGKILL:
            assert code == -signal.SIGKILL, f"{end}: it ended by itself with {code}: {last}"
            report.kills += 1
            report.hit.update(doing)
            if end.trip is not None:
                report.missed += not tripped
                report.tripped[end.trip.step] += tripped
        else:
            assert code in _codes(end, started=started), f"{end}: it ended with {code}: {last}"
            report.stops += 1
        self._witness.look()


def _codes(end: End, *, started: bool) -> set[int]:
    """How a process may end that was asked to."""
    first = set() if started else {-end.signal}  # before it listens
    return {0} | first | ({-end.second.signal} if end.second else set())


class _Life:
    """A life that goes on, and whether it is time to end it."""

    def __init__(
        self, gateway: Gateway, process: Forked, root: Path, end: End, starting: float, longest: float
    ) -> None:
        self.start_took = 0.0  # seconds; 0 until it is known
        self.paused = False
        self.reloaded = False
        self._gateway = gateway
        self._process = process
        self._aim = aim = end.aim
        self._reload = end.reload
        self._begun = time.monotonic()
        self._ends_at = self._begun + (starting * aim.share if isinstance(aim, Starting) else _STARTS_WITHIN)
        self._longest = longest
        self._seen = False
        self._touched = _touched(root / aim.of) if isinstance(aim, Sight) and "/" in aim.of else lambda: False

    def over(self) -> bool:
        """Look at what has happened since the last look."""
        now = time.monotonic()
        if now >= self._ends_at or self._process.poll() is not None:
            return True
        logged = set(self._gateway.events())
        if "daemon.started" in logged:
            self.start_took = now - self._begun
            self._ends_at = now + (self._aim.seconds if isinstance(self._aim, Working) else self._longest)
        if self._reload is not None and self.start_took and now >= self._begun + self.start_took + self._reload:
            self._reload, self.reloaded = None, True
            self._process.send_signal(signal.SIGHUP)
        if isinstance(self._aim, Sight) and not self._seen and (self._aim.of in logged or self._touched()):
            self._seen, self._ends_at = True, now + self._aim.seconds
        if isinstance(self._aim, Pause) and self._process.stopped():
            time.sleep(self._aim.seconds)
            self.paused = True
            self._process.send_signal(signal.SIGCONT)
            self._ends_at = time.monotonic() + self._aim.then
        return False


def _touched(folder: Path) -> Callable[[], bool]:
    """Whether a carrier's file has been cleared, or something has come, been renamed or gone at a customer's."""
    ours = not MAILBOXES.keys() & {*folder.parts}  # there, what comes is what we drop
    last = _files(folder)

    def touched() -> bool:
        nonlocal last
        before, last = last, _files(folder)
        return bool(before - last) if ours else before != last

    return touched


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}
