"""``edi-gateway run``: polls channels, processes what came, delivers what is owed, and stops cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from edi_gateway.errors import GatewayError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.deliver import deliver
from edi_gateway.pipeline.intake import ChannelMemory, poll
from edi_gateway.pipeline.partners import Channel, Destination
from edi_gateway.pipeline.process import process_pending
from edi_gateway.store.engine import Database
from edi_gateway.wiring import Wired

log = structlog.get_logger()
_TICK = timedelta(seconds=1)  # how often a destination is asked whether something is due
_THREADS = 64
_PROCESS_AGAIN = 5.0  # seconds until documents left behind by a failing database are tried again


class Daemon:
    """One process: a scheduled job per channel and per destination, and one loop that processes documents."""

    def __init__(self, db: Database, wired: Wired, stop_timeout: timedelta) -> None:
        self._db = db
        self._wired = wired
        self._stop_timeout = stop_timeout
        self._stopping = asyncio.Event()
        self._arrived = asyncio.Event()
        self._busy: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; what is in flight is finished within the stop time-out."""
        loop = asyncio.get_running_loop()
        # Threads mostly wait their turn at the database: there must be more of them than busy partners.
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="work"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, log.warning, "daemon.hangup_ignored")  # a terminal that closes
        self._schedule()
        processing = asyncio.create_task(self._process())
        log.info("daemon.started", channels=len(self._wired.channels), destinations=len(self._wired.destinations))
        notify("READY=1")
        await self._stopping.wait()
        notify("STOPPING=1")
        await self._stop(processing)

    def _schedule(self) -> None:
        for channel in self._wired.channels.values():
            memory = ChannelMemory(self._db, channel.name)
            self._every(channel.every, f"poll {channel.name}", partial(self._poll, channel, memory))
        for destination in self._wired.destinations:
            self._every(_TICK, f"deliver {destination.name}", partial(self._deliver, destination))
        self._scheduler.start()

    def _every(self, interval: timedelta, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._scheduler.add_job(
            self._tracked,
            "interval",
            args=(work,),
            seconds=interval.total_seconds(),
            next_run_time=datetime.now(self._scheduler.timezone),
            name=name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )

    async def _tracked(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a job as a task of our own, so that stopping waits for it."""
        if self._stopping.is_set():
            return
        task = asyncio.ensure_future(work())
        self._busy.add(task)
        try:
            await asyncio.shield(task)
        finally:
            self._busy.discard(task)

    async def _poll(self, channel: Channel, memory: ChannelMemory) -> None:
        with structlog.contextvars.bound_contextvars(channel=channel.name):
            try:
                stored = await poll(self._db, channel, memory)
            except GatewayError as error:
                log.warning("channel.failed", why=str(error))
            except Exception:
                log.exception("channel.defect")
            else:
                log.debug("channel.polled", stored=stored)
            self._arrived.set()

    async def _deliver(self, destination: Destination) -> None:
        try:
            await deliver(self._db, destination)
        except Exception:
            log.exception("destination.defect", destination=destination.name)

    async def _process(self) -> None:
        """Process documents as they arrive; those a crash left behind are the first."""
        while not self._stopping.is_set():
            self._arrived.clear()
            try:
                done = await asyncio.to_thread(
                    process_pending, self._db, self._wired.channels, self._wired.destinations, self._stopping.is_set
                )
            except Exception:
                log.exception("processing.failed")
                done = 0
            if not done:
                await self._wait_for_documents()

    async def _wait_for_documents(self) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        arrived = asyncio.ensure_future(self._arrived.wait())
        await asyncio.wait((stopping, arrived), timeout=_PROCESS_AGAIN, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        arrived.cancel()

    async def _stop(self, processing: asyncio.Task[None]) -> None:
        started = utc_now()
        log.info("daemon.stopping", in_flight=len(self._busy))
        self._scheduler.pause()
        _, late = await asyncio.wait({processing, *self._busy}, timeout=self._stop_timeout.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._scheduler.shutdown(wait=False)
        await self._wired.close()
        log.info("daemon.stopped", abandoned=len(late), seconds=round((utc_now() - started).total_seconds(), 2))


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing happens where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.connect("\0" + address[1:] if address.startswith("@") else address)
        link.send(state.encode())
