"""Circuit breakers: a server that cannot be reached is left alone for a growing while, then asked by one at a time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary, WeakValueDictionary

import structlog

from edi_gateway.errors import NotTriedError, TransientError
from edi_gateway.model import utc_now
from edi_gateway.transports.sftp.endpoint import Circuit
from edi_gateway.transports.sftp.hostkeys import HostKeyError

log = structlog.get_logger()

_JITTER: Final = 0.2


class CircuitOpenError(NotTriedError):
    """The server failed before and is left alone until ``next_probe``."""


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
        self._why: TransientError | None = None
        self._open: _Pause | None = None  # None: closed
        self._probing = False

    @contextmanager
    def attempt(self, rule: Circuit, weigh: Callable[[TransientError], int | None]) -> Iterator[None]:
        """Around one attempt; ``weigh`` tells what its error means for this place.

        A number: it has failed, and so many failures in a row open the circuit; 0: it was reached; None: no telling.
        Raises CircuitOpenError, or HostKeyError when that is what opened the circuit, without running the attempt.
        """
        probe = self._admit()
        try:
            yield
        except TransientError as error:
            threshold = weigh(error)
            if threshold:
                self._failed(error, rule, threshold, probe=probe)
            elif threshold == 0:
                self._succeeded()
            raise
        else:
            self._succeeded()
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        """Whether the attempt is a probe."""
        if self._open is None:
            return False
        if self._probing or time.monotonic() < self._open.ends:
            raise self._refusal(self._open)
        self._probing = True
        log.info("circuit.half_open", server=self._name)
        return True

    def _refusal(self, pause: _Pause) -> TransientError:
        when = "is being tried now" if self._probing else f"is tried next at {pause.next_probe:%Y-%m-%d %H:%M:%S} UTC"
        text = f"{self._why} (not tried: {self._name} has failed since {self._failed_since:%F %T} UTC and {when})"
        if isinstance(self._why, HostKeyError):
            return HostKeyError(text, shown=self._why.shown, trusted=self._why.trusted)
        return CircuitOpenError(text, pause.next_probe)

    def _failed(self, error: TransientError, rule: Circuit, threshold: int, *, probe: bool) -> None:
        self._failures += 1
        self._failed_since = self._failed_since or utc_now()
        self._why = error
        if not rule.failures or self._failures < threshold or (self._open and not probe):
            return
        say, event = (log.warning, "circuit.still_open") if self._open else (log.error, "circuit.opened")
        length = min(self._open.length * 2, rule.longest) if self._open else rule.pause
        wait = length * random.uniform(1 - _JITTER, 1)  # noqa: S311 - so that not all hosts are asked in one moment
        self._open = _Pause(length, time.monotonic() + wait.total_seconds(), utc_now() + wait)
        say(
            event,
            server=self._name,
            failures=self._failures,
            next_probe=self._open.next_probe.isoformat(timespec="seconds"),
            seconds=round(wait.total_seconds(), 3),
            why=str(error),
        )

    def _succeeded(self) -> None:
        if self._open:
            log.info("circuit.closed", server=self._name, failures=self._failures)
        self._failures = 0
        self._failed_since = self._why = self._open = None


_Breakers = WeakValueDictionary[Hashable, Breaker]
_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Breakers] = WeakKeyDictionary()


def breaker(key: Hashable, name: str) -> Breaker:
    """The one breaker of that key in the running event loop; it lives as long as somebody holds it."""
    breakers = _of_loop.setdefault(asyncio.get_running_loop(), _Breakers())
    found = breakers.get(key)
    if found is None:
        found = breakers[key] = Breaker(name)
    return found
