"""Asking carriers now: numbers whose checks are brought forward, and a bounded wait for what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from edi_gateway.store import asking
from edi_gateway.store.asking import Asked, Awaited, Number
from edi_gateway.store.engine import Database

LONGEST: Final = 25.0  # seconds anybody waits
_LOOK: Final = 0.25  # seconds between two looks
_FRESH: Final = timedelta(seconds=15)  # a carrier that said something so lately is not asked again
_MOST: Final = 32  # who may wait at a time; each of them looks into the database again and again
_MOST_OF_ONE: Final = 8  # customer's requests among them


class Refresh(StrEnum):
    """What came of asking a carrier now."""

    ANSWERED = "answered"  # by now, or a moment ago
    UNANSWERED = "unanswered"  # not in time, or not at all
    NOT_ASKED = "not_asked"  # it sends by itself, or is no longer asked for this number


@dataclass(frozen=True, slots=True)
class CarrierApis:
    """The carriers that are asked: their channels, and how to have one polled, and what came in at one read."""

    asked: Callable[[], Asked]
    poll: Callable[[str], None]
    read: Callable[[str], None]


NO_APIS: Final = CarrierApis(dict, lambda _: None, lambda _: None)


@dataclass(slots=True)
class _Wait:
    """Checks that are not made yet, and those whose answers are still to be read: up to which document."""

    left: Sequence[Awaited]
    unread: list[tuple[Awaited, int]] = field(default_factory=list)
    failed: list[Awaited] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return not self.left and not self.unread

    @property
    def unanswered(self) -> set[Number]:
        late = [*self.left, *self.failed, *(each for each, _ in self.unread)]
        return {(each.carrier, each.tracking_number) for each in late}


class Refreshing:
    """Lets callers wait for carriers."""

    def __init__(self, db: Database, apis: CarrierApis) -> None:
        self._db = db
        self._apis = apis
        self._waiting: list[str] = []  # customers, once for each of their requests

    async def revive(self, numbers: Collection[Number]) -> None:
        """Have these tracked again whose schedule has ended, or never began."""
        await asyncio.to_thread(asking.revive, self._db, numbers, self._apis.asked())

    async def now(self, customer: str, numbers: Collection[Number], most: float = LONGEST) -> Mapping[Number, Refresh]:
        """Ask the carriers for these numbers now, and wait at most so many seconds until what they say is read."""
        asked = self._apis.asked()
        polled = {number for number in numbers if number[0] in asked}
        said = dict.fromkeys(numbers, Refresh.NOT_ASKED)
        if not polled:
            return said
        if len(self._waiting) >= _MOST or self._waiting.count(customer) >= _MOST_OF_ONE:
            return said | dict.fromkeys(polled, Refresh.UNANSWERED)
        self._waiting.append(customer)
        try:
            awaited, current = await asyncio.to_thread(asking.hasten, self._db, polled, asked, _FRESH)
            wait = _Wait(awaited)
            await self._until(wait, time.monotonic() + most)
        finally:
            self._waiting.remove(customer)
        came = {(each.carrier, each.tracking_number) for each in awaited} | set(current)
        said |= dict.fromkeys(came, Refresh.ANSWERED)
        return said | dict.fromkeys(wait.unanswered, Refresh.UNANSWERED)

    async def _until(self, wait: _Wait, end: float) -> None:
        while not wait.over and time.monotonic() < end:
            for channel in {each.channel for each in wait.left}:
                self._apis.poll(channel)
            await asyncio.sleep(_LOOK)
            await asyncio.to_thread(self._look, wait)
            for channel in {each.channel for each, _ in wait.unread}:
                self._apis.read(channel)

    def _look(self, wait: _Wait) -> None:
        if wait.left:
            found = asking.progress(self._db, wait.left)
            last = asking.last_document(self._db)  # what a check brought was kept before it ended
            wait.left = found.left
            wait.failed += found.failed
            wait.unread += [(each, last) for each in found.asked]
        waiting = asking.unread(self._db, {each.channel for each, _ in wait.unread}) if wait.unread else {}
        wait.unread = [(each, last) for each, last in wait.unread if waiting.get(each.channel, last + 1) <= last]
