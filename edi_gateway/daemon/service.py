"""``edi-gateway run``: the schedule, signals, reload and an orderly end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from edi_gateway.daemon.loop_watch import watch_loop
from edi_gateway.daemon.serving import Serving
from edi_gateway.daemon.systemd import notify, notify_reloading
from edi_gateway.daemon.turns import Turns
from edi_gateway.daemon.work import Made, Work
from edi_gateway.errors import ConfigError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.gate import Gate
from edi_gateway.pipeline.intake import ChannelMemory
from edi_gateway.pipeline.partners import Destination, Outlet
from edi_gateway.plugins import Receiver, Sink, Source
from edi_gateway.store.engine import Database
from edi_gateway.web.listener import Place
from edi_gateway.wiring import Wired, carry_over, with_endpoints

log = structlog.get_logger()
_TICK: Final = 1.0  # seconds between two looks for what is due at destinations
_LEFT_OVER: Final = 5.0  # seconds between two looks for documents a failure, or a person, left to be processed
_WATCH: Final = 30.0  # seconds between two looks for acknowledgements that are overdue
_REFUSED: Final = 5.0  # seconds between two times that refused requests are written down
_REGISTRATIONS: Final = 1.0  # seconds between two looks for registrations that have to be renewed
_THREADS: Final = 64
_ENDPOINTS: Final = 1.0  # seconds between two looks for webhook endpoints that customers made or changed
_UNWIND: Final = 2.0  # seconds for what is cut off to let go


@dataclass(frozen=True, slots=True)
class Loaded:
    """What configuration and mappings say, until the next reload."""

    wired: Wired
    stop_timeout: timedelta
    http: Place


class Daemon:
    """Polls channels, processes what came, delivers what is owed: every partner on its own.

    A piece of work takes its partner from what is loaded once, when it begins: it never sees half a reload.
    """

    def __init__(self, db: Database, gate: Gate, load: Callable[[], Loaded]) -> None:
        self._db = db
        self._gate = gate
        self._load = load
        self._wired = Wired({}, [])
        self._loaded: Loaded | None = None
        self._endpoints: Made | None = None  # until the database has said which there are
        self._stop_timeout = timedelta(0)
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._changed = False
        self._turns = Turns()
        self._memories: dict[str, ChannelMemory] = {}
        self._came: set[str] = set()  # channels whose documents nobody has looked for since
        self._work = Work(db, gate, self._stopping.is_set)
        self._serving = Serving(db, gate, self._turns, self._work, lambda: self._wired)
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    async def run(self, loaded: Loaded) -> bool:
        """Work until SIGTERM or SIGINT; returns whether what was in flight was finished within the stop time-out."""
        loop = asyncio.get_running_loop()
        # Threads mostly wait their turn at the database: there must be more of them than busy partners.
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="work"))
        loop.set_exception_handler(_unheard)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._told_to_reload)
        self._prepare(loaded)
        self._listen(loaded)
        await self._gate.look()
        watching = (asyncio.create_task(self._gate.watch()), asyncio.create_task(watch_loop()))
        self._endpoints = await self._work.endpoints(None)
        self._use(loaded)
        self._every(_TICK, "deliver", self._deliver_due)
        self._every(_LEFT_OVER, "process", self._process_left_over)
        self._every(_WATCH, "acknowledgements", self._watch_acknowledgements)
        self._every(_REFUSED, "refused requests", self._serving.write_down)
        self._every(_REGISTRATIONS, "registrations", self._renew_due)
        self._every(_ENDPOINTS, "endpoints", self._look_for_endpoints)
        self._every(_WATCH, "deleted endpoints", self._work.sweep_endpoints)
        self._scheduler.start()
        log.info("daemon.started", channels=len(loaded.wired.channels), destinations=len(loaded.wired.destinations))
        notify("READY=1")
        await self._stopping.wait()
        notify("STOPPING=1")
        for watch in watching:
            watch.cancel()
        return await self._stop()

    def _told_to_reload(self) -> None:
        self._changed = True
        self._turns.start("reload", self._reload)

    async def _reload(self) -> None:
        """Load until nobody has changed anything meanwhile."""
        while self._changed:
            self._changed = False
            await self._load_anew()

    async def _load_anew(self) -> None:
        """Load configuration and mappings anew: all of it, or nothing and say why."""
        notify_reloading()
        try:
            loaded = await asyncio.to_thread(self._load)
            await asyncio.to_thread(self._prepare, loaded)
            self._listen(loaded)
        except ConfigError as error:
            log.error("daemon.reload_refused", problems=list(error.problems))
            await self._work.reload_refused(error)
        except Exception:
            log.exception("daemon.reload_failed")
        else:
            self._use(loaded)
            log.info(
                "daemon.reloaded", channels=len(loaded.wired.channels), destinations=len(loaded.wired.destinations)
            )
            await self._work.reloaded()
        finally:
            notify("READY=1")

    def _listen(self, loaded: Loaded) -> None:
        """Raises ConfigError where something comes by HTTP and nobody can listen for it."""
        if loaded.wired.receives or loaded.wired.feeds:
            self._serving.listen(loaded.http, self._came_to)

    def _prepare(self, loaded: Loaded) -> None:
        if loaded.wired.feeds:
            self._serving.prepare(loaded.http, self._came_to, self._poll_now)

    def _came_to(self, name: str) -> None:
        self._came.add(name)
        self._begin(f"process {name}", partial(self._process, name))

    def _use(self, loaded: Loaded) -> None:
        """Work with this from now on. What has not changed keeps its connection and what it remembers."""
        self._loaded, self._stop_timeout = loaded, loaded.stop_timeout
        self._wire(loaded.wired)
        self._schedule_polls()
        self._turns.start("begin", partial(self._work.begin, self._wired))

    def _wire(self, configured: Wired) -> None:
        """Work with what is configured and with the endpoints that customers made."""
        made = self._endpoints.rows if self._endpoints else ()
        self._wired, left = carry_over(self._wired, with_endpoints(configured, made))
        for work, plugin in left:
            self._memories.pop(work, None)
            self._turns.start(f"close {id(plugin)}", partial(self._close, work, plugin))

    async def _look_for_endpoints(self) -> None:
        found = await self._work.endpoints(self._endpoints)
        if found is not None and self._loaded is not None:
            self._endpoints = found
            self._wire(self._loaded.wired)

    async def _close(self, work: str, plugin: Source | Receiver | Sink) -> None:
        """Give back what a source or sink holds, once nobody uses it any more."""
        await self._turns.after(work)
        try:
            await plugin.close()
        except Exception:
            log.exception("daemon.not_closed", work=work)

    def _schedule_polls(self) -> None:
        jobs = {job.id: job for job in self._scheduler.get_jobs() if job.id.startswith("poll ")}
        for name, channel in self._wired.channels.items():
            if isinstance(channel.source, Receiver):
                continue
            job = jobs.pop(f"poll {name}", None)
            if job is None:
                self._every(channel.every.total_seconds(), f"poll {name}", partial(self._poll_due, name))
            elif job.trigger.interval != channel.every:
                job.reschedule("interval", seconds=channel.every.total_seconds())
        for job in jobs.values():
            job.remove()

    def _every(self, seconds: float, name: str, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin at once and then again and again; a run that is late is not made up for, and none is left out."""
        self._scheduler.add_job(
            begin,
            "interval",
            seconds=seconds,
            next_run_time=datetime.now(UTC),
            id=name,
            coalesce=True,
            misfire_grace_time=None,
        )

    async def _poll_due(self, name: str) -> None:
        self._poll_now(name)

    def _poll_now(self, name: str) -> None:
        self._begin(f"poll {name}", partial(self._poll, name))

    async def _deliver_due(self) -> None:
        if not self._gate.open:
            return
        wired = self._wired
        receivers = {each.name: each for each in wired.receivers}
        for name in await self._work.due(wired.destinations, wired.outlets):
            self._begin(f"deliver {name}", partial(self._deliver, receivers[name]))

    async def _deliver(self, destination: Destination | Outlet) -> None:
        """Until nothing is due, or a reload has put another in its place."""

        def outdated() -> bool:
            return self._stopping.is_set() or destination not in self._wired.receivers

        await self._work.deliver(destination, outdated)

    async def _process_left_over(self) -> None:
        for name in await self._work.left_over():
            self._begin(f"process {name}", partial(self._process, name))

    async def _watch_acknowledgements(self) -> None:
        self._begin("acknowledgements", partial(self._work.watch_acknowledgements, self._wired))

    async def _renew_due(self) -> None:
        callbacks = {
            name: channel.callback
            for name, channel in self._wired.channels.items()
            if channel.callback and channel.callback.registration
        }
        for name in await self._work.registrations_due(callbacks.keys()):
            self._begin(f"register {name}", partial(self._work.renew, callbacks[name]))

    def _begin(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._gate.open and not self._stopping.is_set():
            self._turns.start(name, work)

    async def _poll(self, name: str) -> None:
        channel = self._wired.channels.get(name)
        if channel is None:
            return  # a reload has taken it away
        memory = self._memories.setdefault(f"poll {name}", ChannelMemory(self._db, name, stopping=self._held_back))
        await self._work.poll(channel, memory)
        self._came_to(name)

    def _held_back(self) -> bool:
        return self._stopping.is_set() or not self._gate.open

    async def _process(self, name: str) -> None:
        """Process a channel's documents until there are none; those a crash left behind are the first."""
        if self._endpoints is None:
            await self._look_for_endpoints()
        if self._endpoints is None:
            return  # nobody knows who has to hear of them
        done = 1
        while done or name in self._came:
            self._came.discard(name)
            channel = self._wired.channels.get(name)
            if channel is None or self._stopping.is_set() or not self._gate.open:
                return
            done = await self._work.process(channel, self._wired.audience)

    def _told_to_stop(self) -> None:
        if self._stopping.is_set():
            self._hurry.set()  # told twice: somebody does not want to wait
        self._stopping.set()

    async def _stop(self) -> bool:
        started = utc_now()
        self._serving.stop()
        running = self._turns.running
        log.info("daemon.stopping", in_flight=len(running))
        self._scheduler.pause()
        hurry = asyncio.create_task(self._hurry.wait())
        finishing = asyncio.ensure_future(asyncio.wait(running)) if running else hurry
        if running:
            timeout = self._stop_timeout.total_seconds()
            await asyncio.wait({finishing, hurry}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        late = {task for task in running if not task.done()}
        for task in late:
            task.cancel()
        self._scheduler.shutdown(wait=False)
        ending = (self._wired.close(), self._serving.write_down())
        await asyncio.wait({*late, *map(asyncio.ensure_future, ending)}, timeout=_UNWIND)
        seconds = round((utc_now() - started).total_seconds(), 2)
        log.info("daemon.stopped", abandoned=sorted(task.get_name() for task in late), seconds=seconds)
        return not late


def _unheard(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A failure that nobody waited for: one record of the log like any other, instead of a bare traceback."""
    log.error("daemon.unheard_failure", what=context.get("message"), exc_info=context.get("exception"))
