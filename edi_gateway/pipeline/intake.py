"""Sources → inbox: bytes are committed before anybody reads them, and the source's copy is cleared only then."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from edi_gateway.errors import GatewayError
from edi_gateway.model import RawDocument, utc_now
from edi_gateway.pipeline.checking import TrackingChecks
from edi_gateway.pipeline.partners import Channel
from edi_gateway.plugins import Arrival, Asking, Source
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Wait:
    """Until when a file that lacks its end is left alone, and what it held when it began to wait."""

    until: float
    digest: bytes


@dataclass(slots=True)
class ChannelMemory:
    """What one channel's source remembers: looks and waits in this process, committed copies in the database."""

    db: Database
    channel: str
    looks: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    stopping: Callable[[], bool] = lambda: False  # nothing more may begin
    asked: TrackingChecks | None = None
    _waits: dict[str, _Wait] = field(default_factory=dict)

    @property
    def checks(self) -> TrackingChecks:
        """The queue of tracking checks; raises LookupError for a source that has none."""
        if self.asked is None:
            raise LookupError(f"{self.channel} asks for no tracking numbers")
        return self.asked

    async def known(self, keys: Collection[str]) -> set[str]:
        """Those of ``keys`` whose bytes are committed already."""
        return await asyncio.to_thread(inbox.known, self.db, self.channel, keys)

    async def forget(self, key: str) -> None:
        """A copy has been cleared: another one may come with the same key."""
        await asyncio.to_thread(inbox.forget, self.db, self.channel, key)

    async def retain(self, keys: Collection[str]) -> None:
        """Forget every key that is not among ``keys``."""
        kept = set(keys)
        self._waits = {key: wait for key, wait in self._waits.items() if key in kept}
        await asyncio.to_thread(inbox.retain, self.db, self.channel, keys)

    def held(self, key: str) -> bool:
        """Whether the file of that key lacks its end and still has time to get it."""
        wait = self._waits.get(key)
        return wait is not None and self.clock() < wait.until

    def wait(self, key: str, content: bytes, patience: timedelta) -> bool:
        """Whether an incomplete file has to wait; not when it has stood unchanged for as long as ``patience``.

        Its bytes are compared, too: some servers report no sizes and times that could change its key.
        """
        digest = hashlib.sha256(content).digest()
        before = self._waits.pop(key, None)
        if before is not None and before.digest == digest and self.clock() >= before.until:
            return False
        self._waits[key] = _Wait(self.clock() + patience.total_seconds(), digest)
        return True

    def release(self, key: str) -> None:
        """The file is complete by now."""
        self._waits.pop(key, None)


async def poll(db: Database, channel: Channel, memory: ChannelMemory) -> int:
    """One poll of a channel; returns how many documents are now committed that were not before.

    A file that lacks its end waits where it is: neither committed nor cleared, as its writer may not have finished.
    Raises TransientError when the source failed; what was committed until then stays.
    """
    stored = 0
    if not isinstance(channel.source, Source):
        return stored  # documents come to it by themselves
    if isinstance(channel.source, Asking):
        carrier, schedule = channel.partner.carrier, channel.source.schedule
        if memory.asked is None or memory.asked.schedule != schedule:
            memory.asked = TrackingChecks(db, channel.name, carrier, schedule, memory.stopping)
    async for arrivals in channel.source.poll(memory):
        finished = await asyncio.to_thread(_finished, channel, memory, arrivals)
        if finished:
            stored += await _commit(db, channel, finished)
            await _clear(channel, finished)
    return stored


def _finished(channel: Channel, memory: ChannelMemory, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those that are complete, or have been waited for long enough."""
    if not channel.patience:
        return list(arrivals)
    finished = []
    for arrival in arrivals:
        if not arrival.key:
            pass  # nothing is left where it is
        elif channel.is_complete(arrival.content):
            memory.release(arrival.key)
        elif memory.wait(arrival.key, arrival.content, channel.patience):
            log.warning(
                "document.incomplete",
                channel=channel.name,
                file=arrival.name,
                bytes=len(arrival.content),
                waits_seconds=channel.patience.total_seconds(),
            )
            continue
        finished.append(arrival)
    return finished


async def _commit(db: Database, channel: Channel, arrivals: Sequence[Arrival]) -> int:
    now = utc_now()
    documents = [RawDocument(channel.name, arrival.name, arrival.content, now, arrival.key) for arrival in arrivals]
    received = await asyncio.to_thread(inbox.receive, db, channel.partner.carrier, documents)
    for arrived, document in zip(documents, received, strict=True):
        say_received(arrived, document)
    return sum(document.duplicate_of is None for document in received)


def say_received(document: RawDocument, received: inbox.Received) -> None:
    """Log what has been committed."""
    log.info(
        "document.received",
        channel=document.channel,
        document=received.document_id,
        file=document.name,
        bytes=len(document.content),
        duplicate_of=received.duplicate_of,
    )


async def _clear(channel: Channel, arrivals: Sequence[Arrival]) -> None:
    """Let the source clear its copies. A failure costs nothing: the copy is known, and cleared at a later poll."""
    outcomes = await asyncio.gather(*(arrival.ack() for arrival in arrivals), return_exceptions=True)
    for arrival, outcome in zip(arrivals, outcomes, strict=True):
        if isinstance(outcome, GatewayError):
            log.warning("document.not_cleared", channel=channel.name, file=arrival.name, why=str(outcome))
        elif isinstance(outcome, BaseException):
            raise outcome
