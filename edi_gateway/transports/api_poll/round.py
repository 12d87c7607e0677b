"""One poll of an API: due checks are claimed as fast as the carrier allows, and asked side by side."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import structlog

from edi_gateway.errors import AttentionError, GatewayError, TransientError
from edi_gateway.plugins import Arrival
from edi_gateway.restraint import Breaker, Bucket, Circuit
from edi_gateway.tracking.checks import Check, Checks, Ended
from edi_gateway.tracking.planning import Reply

log = structlog.get_logger()
_LONGEST: Final = 300.0  # seconds until a poll ends, so that what was configured meanwhile comes into force
_WORTH_WAITING: Final = 5.0  # seconds; a longer pause is left to the next poll


class WaitError(TransientError):
    """The carrier is to be asked again at that time, and not before."""

    def __init__(self, message: str, until: datetime, seconds: float) -> None:
        self.until = until
        self.seconds = seconds
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the carrier said to one question: its documents, and what they mean for each check."""

    documents: Sequence[tuple[str, bytes]]  # name and bytes
    ended: Sequence[Ended]


Ask = Callable[[Sequence[Check]], Awaitable[Answered]]


@dataclass(slots=True)
class Round:
    """The poll. Checks that were claimed and did not end are given back, whatever happens."""

    checks: Checks
    ask: Ask
    bucket: Bucket
    breaker: Breaker
    circuit: Circuit
    at_once: int  # questions side by side
    batch: int  # numbers in one
    lease: timedelta
    probing: bool = False  # one question, until there is an answer
    _running: dict[asyncio.Task[Answered], Sequence[Check]] = field(default_factory=dict)
    _held: dict[int, Check] = field(default_factory=dict)
    _more: bool = True
    _answers: int = 0
    _failure: TransientError | None = None
    _begun: float = field(default_factory=time.monotonic)

    async def arrivals(self) -> AsyncGenerator[Sequence[Arrival], None]:
        """What comes back, as it comes; the checks end when it is acked. Raises TransientError at the end."""
        try:
            while await self._begin_more():
                if not self._running:
                    await asyncio.sleep(self.bucket.wait())
                    continue
                free = self._more and self._room() > 0
                timeout = max(self.bucket.wait(), 0.001) if free else None
                done, _ = await asyncio.wait(self._running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                arrivals = await self._collect(done)
                if arrivals:
                    yield arrivals
        finally:
            await self._abandon()
        if self._failure and (isinstance(self._failure, AttentionError) or not self._answers):
            raise self._failure

    async def _begin_more(self) -> bool:
        """Begin as many questions as there is room for; returns whether the poll goes on."""
        if self.breaker.open or time.monotonic() - self._begun > _LONGEST:
            self._more = False
        free = self._room()
        if self._more and free > 0 and (allowed := self.bucket.take(free)):
            claimed = await self.checks.claim(allowed * self.batch, self.lease)
            self._held |= {check.id: check for check in claimed}
            rest = iter(claimed)
            while group := list(islice(rest, self.batch)):
                self._running[asyncio.ensure_future(self.ask(group))] = group
                allowed -= 1
            self.bucket.give_back(allowed)
            self._more = bool(claimed)
        return bool(self._running) or (self._more and self.bucket.wait() < _WORTH_WAITING)

    def _room(self) -> int:
        """How many questions may be asked besides those that run."""
        return (1 if self.probing and not self._answers else self.at_once) - len(self._running)

    async def _collect(self, done: set[asyncio.Task[Answered]]) -> Sequence[Arrival]:
        """The documents of what has ended; what brought none is written down at once."""
        arrivals: list[Arrival] = []
        ended: list[Ended] = []
        for task in done:
            group = self._running.pop(task)
            answered = self._judged(task, group)
            arrivals += [Arrival(name, content, "", _nothing) for name, content in answered.documents]
            ended += answered.ended
        if not arrivals:
            await self._finish(ended)
            return ()

        async def finish() -> None:
            await self._finish(ended)

        return [*arrivals[:-1], arrivals[-1]._replace(ack=finish)]

    async def _finish(self, ended: Sequence[Ended]) -> None:
        if ended:
            await self.checks.finish(ended)
            for each in ended:
                self._held.pop(each.check.id, None)

    def _judged(self, task: asyncio.Task[Answered], group: Sequence[Check]) -> Answered:
        error = task.exception()
        if error is None:
            self._answers += 1
            self.breaker.succeeded()
            return task.result()
        if isinstance(error, WaitError):
            log.info("api.wait", until=error.until.isoformat(timespec="seconds"), why=str(error))
            self.bucket.hold(error.seconds)
            return _ended(group, error, error.until)
        if not isinstance(error, TransientError):  # one number that makes us fail must not keep others waiting
            log.error("api.defect", first=group[0].tracking_number, exc_info=error)
            error = TransientError(f"{type(error).__name__}: {error}")
        log.warning("api.unanswered", numbers=len(group), first=group[0].tracking_number, why=str(error))
        attention = isinstance(error, AttentionError)
        threshold = 1 if attention else self.circuit.failures  # where we are not let in, tries that go on do harm
        self.breaker.failed(error, self.circuit, threshold, probe=self.probing)
        if self._failure is None or attention:
            self._failure = error
        return _ended(group, error, None)

    async def _abandon(self) -> None:
        """Cut off what still runs, and give back what did not end."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        with suppress(GatewayError):  # the claims run out by themselves
            await self.checks.release(list(self._held.values()))


def _ended(group: Sequence[Check], error: TransientError, again_at: datetime | None) -> Answered:
    return Answered((), [Ended(check, None, str(error), again_at) for check in group])


def answered(
    checks: Sequence[Check], replies: dict[str, Reply], pages: Sequence[bytes], etag: str, modified: str
) -> Answered:
    """What those replies and pages amount to. An answer that is the same as last time is not kept once more."""
    digest = hashlib.sha256(b"\0".join(pages)).hexdigest() if pages else ""
    ended = [
        Ended(check, replies[check.tracking_number], digest=digest, etag=etag, modified=modified) for check in checks
    ]
    heard = Reply.ANSWERED in replies.values()
    if not heard or not any(pages) or all(check.digest == digest for check in checks):
        return Answered((), ended)
    name = checks[0].tracking_number + (f"+{len(checks) - 1}" if len(checks) > 1 else "")
    documents = [(name if number == 1 else f"{name} page {number}", page) for number, page in enumerate(pages, 1)]
    return Answered(documents, ended)


async def _nothing() -> None:
    return
