"""The daemon's steps, seen from outside after its death, and trip-wires that end it at one of them.

The functions below are wrapped in a process that is about to become the daemon. What they do stays the same; a page of
memory that outlives the process counts how often each was entered and left, and a trip-wire sends the process a signal
at a crossing that was chosen beforehand.
"""

from __future__ import annotations

import inspect
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tests.acceptance.swapping import swap

STEPS: Final[Mapping[str, Sequence[str]]] = {
    "migrating": ["edi_gateway.store.engine:Database.migrate"],
    "listing": ["edi_gateway.transports.sftp.folder:Folder.list"],
    "reading": ["edi_gateway.transports.sftp.reading:read"],
    "committing": ["edi_gateway.store.inbox:receive"],
    "clearing": ["edi_gateway.transports.sftp.source:SftpSource._clear"],
    "processing": ["edi_gateway.pipeline.process:process"],
    "sealing": ["edi_gateway.pipeline.seal:_seal_one"],
    "sending": ["edi_gateway.transports.sftp.upload:write"],
    "renaming": ["edi_gateway.transports.sftp.placing:Placing._rename"],
    "recording": ["edi_gateway.store.claims:_begin", "edi_gateway.store.claims:finish_attempt"],
}
"""Together they are everything the daemon does that leaves a trace; each is told by the functions that do it."""

WITHIN: Final[Mapping[str, Sequence[str]]] = {
    "any transaction": ["edi_gateway.store.engine:Database.write"],
    "events recorded": ["edi_gateway.store.events:record"],
    "duty entered": ["edi_gateway.store.outbox:owe"],
    "document sealed": ["edi_gateway.store.outbox:seal"],
}
"""Places inside those steps, where two writes have to be one."""

_ALL: Final = (*STEPS, *WITHIN)
_PAGE: Final = 16 * len(_ALL)  # bytes: entered and left, eight each

Edge = Literal["before", "during", "after"]


class Trip(NamedTuple):
    """Where the process gets a signal: at the ``nth`` crossing of a step's edge, or so many seconds into it."""

    step: str
    edge: Edge
    nth: int
    signal: int
    seconds: float = 0.0

    def __str__(self) -> str:
        where = f"{1000 * self.seconds:.1f} ms into" if self.edge == "during" else self.edge
        return f"{where} no. {self.nth} of {self.step}"


class Page:
    """How often each step was entered and left, in memory that outlives the process that writes it."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _PAGE)
        self._counts = memoryview(self._memory).cast("Q")
        self._turn = threading.Lock()

    def count(self, step: str, *, left: bool) -> int:
        """Count a crossing; returns how many of that sort there were now."""
        place = 2 * _ALL.index(step) + left
        with self._turn:
            self._counts[place] += 1
            return self._counts[place]

    def close(self) -> None:
        """Give the memory back."""
        self._counts.release()
        self._memory.close()

    def in_progress(self) -> list[str]:
        """The steps that were entered more often than left."""
        return [step for index, step in enumerate(STEPS) if self._counts[2 * index] > self._counts[2 * index + 1]]


def empty_page(path: Path) -> Path:
    """A page nothing is counted on yet."""
    path.write_bytes(bytes(_PAGE))
    return path


def in_progress(path: Path) -> list[str]:
    """What the process that had this page was doing when it ended."""
    page = Page(path)
    try:
        return page.in_progress()
    finally:
        page.close()


class _Watch(NamedTuple):
    page: Page
    trip: Trip | None


_watch: _Watch | None = None


def install() -> None:
    """Wrap every step; nothing is counted before `watch`. Raises LookupError when one does not exist any more."""
    for step, targets in (*STEPS.items(), *WITHIN.items()):
        for target in targets:
            swap(target, partial(_wrapped, step))


def watch(page: Path, trip: Trip | None) -> None:
    """Count this process's steps from now on, and end it at the trip-wire."""
    global _watch  # noqa: PLW0603 -- a process has one life
    _watch = _Watch(Page(page), trip)


@contextmanager
def _in(step: str) -> Iterator[None]:
    _cross(step, left=False)
    try:
        yield
    finally:
        _cross(step, left=True)


def _cross(step: str, *, left: bool) -> None:
    if _watch is None:
        return
    trip, number = _watch.trip, _watch.page.count(step, left=left)
    if trip is None or (trip.step, trip.edge == "after", trip.nth) != (step, left, number):
        return
    if trip.edge == "during":
        threading.Thread(target=_signal_later, args=(trip,), daemon=True).start()
    else:
        os.kill(os.getpid(), trip.signal)


def _signal_later(trip: Trip) -> None:
    time.sleep(trip.seconds)
    os.kill(os.getpid(), trip.signal)


def _wrapped(step: str, original: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def waits(*arguments: Any, **named: Any) -> Any:
            with _in(step):
                return await original(*arguments, **named)

        return waits
    if inspect.isgeneratorfunction(inspect.unwrap(original)):  # a context manager

        @wraps(original)
        @contextmanager
        def holds(*arguments: Any, **named: Any) -> Iterator[Any]:
            with _in(step), original(*arguments, **named) as held:
                yield held

        return holds

    @wraps(original)
    def does(*arguments: Any, **named: Any) -> Any:
        with _in(step):
            return original(*arguments, **named)

    return does
