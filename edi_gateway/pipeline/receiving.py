"""Receivers → inbox: whoever brings a document is answered after its commit, and those who wait share one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from edi_gateway.errors import StorageError
from edi_gateway.model import RawDocument, utc_now
from edi_gateway.pipeline.gate import Gate
from edi_gateway.pipeline.intake import say_received
from edi_gateway.pipeline.partners import Channel
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database

log = structlog.get_logger()
_TOGETHER: Final = 200  # documents in one transaction, at most
_BYTES_TOGETHER: Final = 16_000_000  # and their size; one alone may be larger
_PATIENCE: Final = 10.0  # seconds, after which whoever waits for a commit is told to come again


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A document, and who wants to hear its id."""

    carrier: str
    document: RawDocument
    heard: asyncio.Future[int]


class Receiving:
    """Commits documents as they come: all that came during one transaction go into the next.

    ``wake`` is called with the name of each channel that got something. Not to be used from several event loops.
    """

    def __init__(self, db: Database, gate: Gate, wake: Callable[[str], None], *, patience: float = _PATIENCE) -> None:
        self._db = db
        self._gate = gate
        self._wake = wake
        self._patience = patience
        self._waiting: deque[_Waiting] = deque()
        self._committing: asyncio.Task[None] | None = None

    async def accept(self, channel: Channel, name: str, content: bytes) -> int:
        """Commit a document of that channel; returns its id once it is on the disk.

        Raises StorageError when intake is paused, or the database refuses or takes too long. In the last case it may
        be committed yet: who brings it again brings a copy, which is known as one.
        """
        if not self._gate.open:
            raise StorageError("intake is paused: nothing is taken until the database has room again")
        document = RawDocument(channel.name, name, content, utc_now(), "")
        one = _Waiting(channel.partner.carrier, document, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all(), name="commit requests")
        try:
            async with asyncio.timeout(self._patience):
                return await one.heard
        except TimeoutError:
            raise StorageError(f"database: not committed within {self._patience:.0f} seconds") from None

    async def _commit_all(self) -> None:
        while self._waiting:
            batch = self._next()
            try:
                await self._commit(batch)
            except StorageError as error:
                _tell(batch, error)
                await self._gate.close(error)
            except Exception as error:
                log.exception("receiving.defect")
                _tell(batch, error)

    def _next(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < _TOGETHER:
            size += len(self._waiting[0].document.content)
            if batch and size > _BYTES_TOGETHER:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Raises StorageError; all of it is kept, or nothing."""
        documents = [(one.carrier, one.document) for one in batch]
        received = await asyncio.to_thread(inbox.receive_mixed, self._db, documents)
        for one, document in zip(batch, received, strict=True):
            if not one.heard.done():
                one.heard.set_result(document.document_id)
            say_received(one.document, document)
        for channel in {one.document.channel for one in batch}:
            self._wake(channel)


def _tell(batch: Sequence[_Waiting], error: Exception) -> None:
    for one in batch:
        if not one.heard.done():
            one.heard.set_exception(error)
