"""The loop's watch: a stall is told, and nothing else is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from edi_gateway.daemon.loop_watch import watch_loop


@pytest.fixture
async def watching() -> AsyncIterator[None]:
    watch = asyncio.create_task(watch_loop())
    await asyncio.sleep(0)
    yield
    watch.cancel()


@pytest.mark.usefixtures("watching")
async def test_whoever_holds_the_loop_up_is_told_with_the_time_it_took() -> None:
    """A tenth of a second without a turn of the loop is worth a line, with how long it was and how much was worked."""
    with capture_logs() as logged:
        time.sleep(0.15)  # noqa: ASYNC251  what must not happen
        await asyncio.sleep(0.05)
    stall, *_ = [record for record in logged if record["event"] == "loop.stalled"]
    assert stall["log_level"] == "warning"
    assert stall["milliseconds"] >= 150
    assert stall["cpu_milliseconds"] < 150


@pytest.mark.usefixtures("watching")
async def test_work_is_told_apart_from_waiting() -> None:
    """What the gateway itself worked while the loop stood still is on the line."""
    with capture_logs() as logged:
        begun = time.process_time()
        while time.process_time() < begun + 0.15:
            pass
        await asyncio.sleep(0.05)
    assert [record["cpu_milliseconds"] >= 150 for record in logged if record["event"] == "loop.stalled"][:1] == [True]
