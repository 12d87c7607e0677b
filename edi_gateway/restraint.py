"""What others are spared: more requests than they allow, and any while they fail."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edi_gateway.errors import TransientError
from edi_gateway.model import utc_now
from edi_gateway.quantities import Duration

log = structlog.get_logger()
_JITTER: Final = 0.2
_SECOND: Final = timedelta(seconds=1)
_NONE: Final = timedelta(0)


class Bucket:
    """A token for each request that is allowed now: full at first with ``size`` of them; None: as many as one likes."""

    def __init__(self, size: int | None, per_second: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._per_second = per_second
        self._clock = clock
        self._tokens = float(size or 0)
        self._at = clock()
        self._held_until = self._at

    def take(self, most: int = 1) -> int:
        """Take as many tokens as there are, at most so many; returns how many."""
        if self._clock() < self._held_until:
            return 0
        if self._size is None:
            return most
        taken = min(most, int(self._filled(self._size)))
        self._tokens -= taken
        return taken

    async def token(self) -> None:
        """Take one token as soon as there is one."""
        while not self.take():  # noqa: ASYNC110  time alone brings tokens, and another may be quicker
            await asyncio.sleep(self.wait())

    @property
    def left(self) -> float:
        """How many tokens there are."""
        return self._filled(self._size) if self._size is not None else math.inf

    def give_back(self, tokens: int) -> None:
        """Requests that were not made after all."""
        if self._size is not None:
            self._tokens = min(self._tokens + tokens, self._size)

    def wait(self) -> float:
        """Seconds until there is a token."""
        held = max(self._held_until - self._clock(), 0.0)
        if self._size is None:
            return held
        return max(held, (1.0 - self._filled(self._size)) / self._per_second)

    def hold(self, seconds: float) -> None:
        """No token for a while: the other side said so."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def _filled(self, size: int) -> float:
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._at) * self._per_second, size)
        self._at = now
        return self._tokens


class Circuit(BaseModel):
    """When a server that fails is left alone, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    failures: int = Field(5, ge=0, description="failures in a row that open the circuit; 0: never opened")
    pause: Duration = Field(30 * _SECOND, gt=_NONE, description="the first pause; every further one is twice as long")
    longest: Duration = Field(600 * _SECOND, gt=_NONE, description="no pause is longer than this")

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.longest < self.pause:
            raise ValueError(f"longest ({self.longest}) is less than pause ({self.pause})")
        return self


@dataclass(frozen=True, slots=True)
class _Pause:
    length: timedelta
    ends: float  # by the monotonic clock
    next_probe: datetime


class Breaker:
    """What is known of one place that may fail; ``name`` says which, for the log.

    Closed: everybody may try. After so many failures in a row it opens: nobody may, until the pause is over. Then it
    is half open: one at a time may try; success closes it, a failure opens it for twice as long.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0  # in a row
        self._failed_since: datetime | None = None
        self._why = TransientError()
        self._open: _Pause | None = None  # None: closed
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether nobody may try now."""
        return self._open is not None and time.monotonic() < self._open.ends

    @contextmanager
    def admitted(self) -> Iterator[bool]:
        """Around what is tried; yields whether it is a probe.

        Raises NotTriedError, or what the error that opened the circuit becomes, where nothing may be tried.
        """
        probe = self._admit()
        try:
            yield probe
        finally:
            if probe:
                self._probing = False

    def failed(self, error: TransientError, rule: Circuit, threshold: int, *, probe: bool) -> None:
        """It failed; so many failures in a row open the circuit, 0: none does."""
        self._failures += 1
        self._failed_since = self._failed_since or utc_now()
        self._why = error
        if not 0 < threshold <= self._failures or (self._open and not probe):
            return
        say, event = (log.warning, "circuit.still_open") if self._open else (log.error, "circuit.opened")
        length = min(self._open.length * 2, rule.longest) if self._open else rule.pause
        wait = length * random.uniform(1 - _JITTER, 1)  # noqa: S311 - so that not all are asked in one moment
        self._open = _Pause(length, time.monotonic() + wait.total_seconds(), utc_now() + wait)
        say(
            event,
            server=self._name,
            failures=self._failures,
            next_probe=self._open.next_probe.isoformat(timespec="seconds"),
            seconds=round(wait.total_seconds(), 3),
            why=str(error),
        )

    def succeeded(self) -> None:
        """It was reached."""
        if self._open:
            log.info("circuit.closed", server=self._name, failures=self._failures)
        self._failures = 0
        self._failed_since = self._open = None

    def _admit(self) -> bool:
        if self._open is None:
            return False
        if self._probing or self.open:
            next_probe = self._open.next_probe
            when = "is being tried now" if self._probing else f"is tried next at {next_probe:%Y-%m-%d %H:%M:%S} UTC"
            text = f"{self._why} (not tried: {self._name} has failed since {self._failed_since:%F %T} UTC and {when})"
            raise self._why.untried(text, next_probe)
        self._probing = True
        log.info("circuit.half_open", server=self._name)
        return True
