"""The queue of a channel's tracking checks: numbers taken up, claimed, and planned anew as its schedule says."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from edi_gateway.store import checks, tracked
from edi_gateway.store.engine import Database
from edi_gateway.tracking.checks import Check, Ended
from edi_gateway.tracking.planning import Plan, Reply, Standing, plan, soonest
from edi_gateway.tracking.schedule import Schedule

log = structlog.get_logger()
_ENLIST: Final = 5.0  # seconds between two looks for numbers to take up
_OWNER: Final = f"{socket.gethostname()}:{os.getpid()}"


class TrackingChecks:
    """The checks of one channel; ``stopping`` says that nothing more may begin."""

    def __init__(
        self, db: Database, channel: str, carrier: str, schedule: Schedule, stopping: Callable[[], bool]
    ) -> None:
        self.schedule = schedule
        self._db = db
        self._channel = channel
        self._carrier = carrier
        self._stopping = stopping
        self._reached = tracked.Reached()
        self._enlisted = float("-inf")

    async def claim(self, most: int, lease: timedelta) -> Sequence[Check]:
        """The checks that have been due longest, or none."""
        if self._stopping():
            return ()
        if time.monotonic() - self._enlisted > _ENLIST:
            await self._enlist()
            self._enlisted = time.monotonic()
        return await asyncio.to_thread(checks.claim, self._db, self._channel, _OWNER, most, lease)

    async def finish(self, ended: Sequence[Ended]) -> None:
        """Write down how checks ended, and plan the next ones."""
        await asyncio.to_thread(checks.finish, self._db, self._carrier, ended, self._plan)

    async def release(self, given_back: Sequence[Check]) -> None:
        """Give checks back that were not made."""
        await asyncio.to_thread(checks.release, self._db, given_back)

    async def _enlist(self) -> None:
        """Take up the numbers that customers subscribed to at the carrier, and those heard of in other ways."""
        reached = partial(tracked.enlist, self._db, self._channel, self._carrier, self.schedule.silence, self._reached)
        new, self._reached = await asyncio.to_thread(reached)
        if new:
            log.info("tracking.taken_up", channel=self._channel, numbers=new)

    def _plan(self, standing: Standing, reply: Reply, now: datetime) -> tuple[Plan, timedelta]:
        # The pauses need not be unguessable, only different.
        return plan(self.schedule, standing, reply, now, random.random), soonest(self.schedule, standing, now)
