"""Says when the event loop did not come round: whoever blocks it holds up every partner at once."""

from __future__ import annotations

import asyncio
import time
from typing import Final, NoReturn

import structlog

log = structlog.get_logger()
_BEAT: Final = 0.02  # seconds; a stall is told by so much longer than it was, at most
_LIMIT: Final = 0.1  # seconds between two turns of the loop that nobody has to hear of


async def watch_loop() -> NoReturn:
    """Log ``loop.stalled`` whenever the loop took longer than 100 ms to come round, until cancelled.

    ``cpu_milliseconds`` is what the process worked meanwhile: little of it says that the machine, not the gateway, was
    too slow (other processes, a virtual machine that was stopped), or that something waited for the disk in the loop.
    """
    turn, worked = time.monotonic(), time.process_time()
    while True:
        await asyncio.sleep(_BEAT)
        now, working = time.monotonic(), time.process_time()
        if now - turn > _LIMIT:
            log.warning(
                "loop.stalled",
                milliseconds=round((now - turn) * 1000),
                cpu_milliseconds=round((working - worked) * 1000),
            )
        turn, worked = now, working
