"""The daemon's reload, where two changes follow each other closely."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from edi_gateway.config.http import Http
from edi_gateway.daemon.service import Daemon, Loaded
from edi_gateway.pipeline.gate import Gate
from edi_gateway.store.engine import Database
from edi_gateway.web.listener import Place
from edi_gateway.wiring import Wired

NOTHING = Loaded(Wired({}, []), timedelta(seconds=5), Place(Http(), Path()))


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_what_changes_while_a_reload_is_under_way_comes_into_force_too(db: Database) -> None:
    """A second SIGHUP is not lost: what the first load has read may be what was there before."""
    loop, loads, twice = asyncio.get_running_loop(), list[int](), asyncio.Event()

    def load() -> Loaded:
        loads.append(len(loads))
        if len(loads) == 1:
            os.kill(os.getpid(), signal.SIGHUP)
            for _ in range(5):  # the loop hears of the signal meanwhile
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
        else:
            loop.call_soon_threadsafe(twice.set)
        return NOTHING

    before = signal.getsignal(signal.SIGHUP)
    running = asyncio.create_task(Daemon(db, Gate(db, None, 0), load).run(NOTHING))
    while signal.getsignal(signal.SIGHUP) is before:  # noqa: ASYNC110  it tells nobody
        await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.wait_for(twice.wait(), 20)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 20)
    assert len(loads) == 2
