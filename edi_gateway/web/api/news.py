"""Customers that wait for the next event: one look for all of them, however many there are."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import structlog

from edi_gateway.errors import StorageError
from edi_gateway.store import feed
from edi_gateway.store.engine import Database
from edi_gateway.store.feed import Place

log = structlog.get_logger()
_LOOK: Final = 0.25  # seconds between two looks while somebody waits
_MOST: Final = 50  # requests of one customer that wait at a time
_MOST_OF_ALL: Final = 500


class News:
    """Who waits, and beyond which place of their feed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[asyncio.Future[Place | None], tuple[str, Place]] = {}
        self._each: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._over = False

    async def beyond(self, customer: str, place: Place, seconds: float) -> Place | None:
        """The end of the customer's feed as soon as it is beyond that place.

        None after so many seconds, and at once when too many wait already or the gateway stops.
        """
        if self._over or seconds <= 0 or self._each[customer] >= _MOST or len(self._waiting) >= _MOST_OF_ALL:
            return None
        told: asyncio.Future[Place | None] = asyncio.get_running_loop().create_future()
        self._waiting[told] = customer, place
        self._each[customer] += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                return await told
        except TimeoutError:
            return None
        finally:
            del self._waiting[told]
            self._each[customer] -= 1
            self._each += Counter()  # without those of whom nobody waits

    def stop(self) -> None:
        """Let nobody wait any longer."""
        self._over = True
        for told in self._waiting:
            if not told.done():
                told.set_result(None)

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(_LOOK)
            try:
                customers = {customer for customer, _ in self._waiting.values()}
                ends = await asyncio.to_thread(feed.ends, self._db, customers)
            except StorageError as error:
                log.warning("api.no_news", why=str(error))
                continue
            for told, (customer, place) in self._waiting.items():
                end = ends.get(customer, Place())
                if end > place and not told.done():
                    told.set_result(end)
