"""What a carrier is spared: more requests than it allows, and any while it fails."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from edi_gateway.errors import NotTriedError, TransientError
from edi_gateway.model import utc_now
from edi_gateway.transports.api_poll.options import Circuit, Rate

log = structlog.get_logger()
_JITTER: Final = 0.2


class Bucket:
    """A token for each request that is allowed now; full at first, and never fuller than ``rate.requests``."""

    def __init__(self, rate: Rate | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.requests) if rate else 0.0
        self._at = clock()
        self._held_until = clock()

    def take(self, most: int) -> int:
        """Take as many tokens as there are, at most so many; returns how many."""
        now = self._clock()
        if now < self._held_until:
            return 0
        if self._rate is None:
            return most
        taken = min(most, int(self._filled(now)))
        self._tokens -= taken
        return taken

    async def token(self) -> None:
        """Take one token as soon as there is one."""
        while not self.take(1):  # noqa: ASYNC110  time alone brings tokens, and another may be quicker
            await asyncio.sleep(self.wait())

    def give_back(self, tokens: int) -> None:
        """Requests that were not made after all."""
        if self._rate is not None:
            self._tokens = min(self._tokens + tokens, self._rate.requests)

    def wait(self) -> float:
        """Seconds until there is a token."""
        now = self._clock()
        held = max(self._held_until - now, 0.0)
        if self._rate is None:
            return held
        lacking = max(1.0 - self._filled(now), 0.0)
        return max(held, lacking * self._rate.per.total_seconds() / self._rate.requests)

    def hold(self, seconds: float) -> None:
        """No token for a while: the carrier said so."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def _filled(self, now: float) -> float:
        if self._rate is not None:
            come = (now - self._at) * self._rate.requests / self._rate.per.total_seconds()
            self._tokens = min(self._tokens + come, self._rate.requests)
        self._at = now
        return self._tokens


class Breaker:
    """Closed: everything is asked. After so many failures in a row it opens: nothing is, until the pause is over.

    Then one question is; its answer closes the circuit, a failure opens it for twice as long.
    """

    def __init__(self, name: str, rule: Circuit, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._rule = rule
        self._clock = clock
        self._failures = 0
        self._why = ""
        self._length: timedelta | None = None  # None: closed
        self._ends = 0.0
        self._next: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether nothing may be asked now."""
        return self._length is not None and self._clock() < self._ends

    def admit(self) -> bool:
        """Whether it is but one question that may be asked; raises NotTriedError where none is."""
        if self.open and self._next:
            when = f"{self._next:%Y-%m-%d %H:%M:%S} UTC"
            raise NotTriedError(f"{self._why} (not tried: {self._name} is tried next at {when})", self._next)
        return self._length is not None

    def succeeded(self) -> None:
        """There was an answer."""
        if self._length is not None:
            log.info("circuit.closed", server=self._name, failures=self._failures)
        self._failures, self._length, self._next = 0, None, None

    def failed(self, error: TransientError, *, at_once: bool = False) -> None:
        """There was none. ``at_once``: asking on would do harm."""
        self._failures += 1
        self._why = str(error)
        if self.open or (not at_once and not 0 < self._rule.failures <= self._failures):
            return
        self._length = min(self._length * 2, self._rule.longest) if self._length else self._rule.pause
        wait = self._length * random.uniform(1 - _JITTER, 1)  # noqa: S311 - so that not all are asked in one moment
        self._ends, self._next = self._clock() + wait.total_seconds(), utc_now() + wait
        log.error("circuit.opened", server=self._name, failures=self._failures, why=self._why)
