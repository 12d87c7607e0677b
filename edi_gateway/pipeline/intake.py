"""Sources → inbox: bytes are committed before anybody reads them, and the source's copy is cleared only then."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import structlog

from edi_gateway.errors import GatewayError
from edi_gateway.model import RawDocument, utc_now
from edi_gateway.pipeline.partners import Channel
from edi_gateway.plugins import Arrival
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database

log = structlog.get_logger()


@dataclass(slots=True)
class ChannelMemory:
    """What one channel's source remembers: looks in this process, committed copies in the database."""

    db: Database
    channel: str
    looks: dict[str, str] = field(default_factory=dict)

    async def known(self, keys: Collection[str]) -> set[str]:
        """Those of ``keys`` whose bytes are committed already."""
        return await asyncio.to_thread(inbox.known, self.db, self.channel, keys)

    async def forget(self, key: str) -> None:
        """A copy has been cleared: another one may come with the same key."""
        await asyncio.to_thread(inbox.forget, self.db, self.channel, key)

    async def retain(self, keys: Collection[str]) -> None:
        """Forget every committed key that is not among ``keys``."""
        await asyncio.to_thread(inbox.retain, self.db, self.channel, keys)


async def poll(db: Database, channel: Channel, memory: ChannelMemory) -> int:
    """One poll of a channel; returns how many documents are now committed that were not before.

    Raises TransientError when the source failed; what was committed until then stays.
    """
    stored = 0
    async for arrivals in channel.source.poll(memory):
        stored += await _commit(db, channel, arrivals)
        await _clear(channel, arrivals)
    return stored


async def _commit(db: Database, channel: Channel, arrivals: Sequence[Arrival]) -> int:
    now = utc_now()
    documents = [RawDocument(channel.name, arrival.name, arrival.content, now, arrival.key) for arrival in arrivals]
    received = await asyncio.to_thread(inbox.receive, db, channel.partner.carrier, documents)
    for arrival, document in zip(arrivals, received, strict=True):
        log.info(
            "document.received",
            channel=channel.name,
            document=document.document_id,
            file=arrival.name,
            bytes=len(arrival.content),
            duplicate_of=document.duplicate_of,
        )
    return sum(document.duplicate_of is None for document in received)


async def _clear(channel: Channel, arrivals: Sequence[Arrival]) -> None:
    """Let the source clear its copies. A failure costs nothing: the copy is known, and cleared at a later poll."""
    outcomes = await asyncio.gather(*(arrival.ack() for arrival in arrivals), return_exceptions=True)
    for arrival, outcome in zip(arrivals, outcomes, strict=True):
        if isinstance(outcome, GatewayError):
            log.warning("document.not_cleared", channel=channel.name, file=arrival.name, why=str(outcome))
        elif isinstance(outcome, BaseException):
            raise outcome
