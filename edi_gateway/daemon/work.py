"""What a daemon does again and again, one partner at a time, and what it means when it fails."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, NamedTuple

import structlog
from structlog.contextvars import bound_contextvars

from edi_gateway.errors import AttentionError, ConfigError, GatewayError, StorageError, TransientError
from edi_gateway.model import utc_now
from edi_gateway.pipeline import registering
from edi_gateway.pipeline.awaiting import tell_overdue
from edi_gateway.pipeline.deliver import deliver, due, tell_alarms
from edi_gateway.pipeline.gate import Gate
from edi_gateway.pipeline.intake import ChannelMemory, poll
from edi_gateway.pipeline.partners import Audience, Callback, Channel, Destination, Outlet
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.seal import Refusals
from edi_gateway.pipeline.views import stranded_line
from edi_gateway.store import hooks, inbox, registrations
from edi_gateway.store.alarms import AlarmKind, clear_alarm, clear_gone, raise_alarm
from edi_gateway.store.engine import Database
from edi_gateway.store.refused import Refused
from edi_gateway.store.refused import add as add_refused
from edi_gateway.store.tables import WebhookEndpoint
from edi_gateway.store.waiting import stranded
from edi_gateway.wiring import Wired

log = structlog.get_logger()
_ALARMING: Final = 3  # polls that fail in a row; one is an everyday matter
_RELOAD: Final = "reload"


class Made(NamedTuple):
    """The webhook endpoints that customers made, and what changes with each change of them."""

    state: tuple[int, int]
    rows: Sequence[WebhookEndpoint]


class Work:
    """Polling, processing and delivering for one partner each. Nothing here raises."""

    def __init__(self, db: Database, gate: Gate, stopping: Callable[[], bool]) -> None:
        self._db = db
        self._gate = gate
        self._stopping = stopping
        self._failures: dict[str, int] = defaultdict(int)
        self._refusals = Refusals()

    async def poll(self, channel: Channel, memory: ChannelMemory) -> None:
        """Look at a channel once."""
        with bound_contextvars(channel=channel.name):
            try:
                stored = await poll(self._db, channel, memory)
            except StorageError as error:
                await self._gate.close(error)
            except GatewayError as error:
                log.warning("channel.failed", why=str(error))
                await self._failed(channel.name, error)
            except Exception:
                log.exception("channel.defect")
            else:
                log.debug("channel.polled", stored=stored)
                self._failures[channel.name] = 0
                await self._tell(clear_alarm, AlarmKind.CHANNEL_FAILING, channel.name)

    async def let_in(self, channel: str, why_not: str) -> None:
        """A carrier gets in at that channel, or not, and why."""
        if why_not:
            await self._tell(raise_alarm, AlarmKind.CHANNEL_FAILING, channel, why_not)
        else:
            await self._tell(clear_alarm, AlarmKind.CHANNEL_FAILING, channel)

    async def count_refused(self, refused: Sequence[Refused]) -> bool:
        """Write down what was refused; False when the database takes nothing now."""
        try:
            await asyncio.to_thread(add_refused, self._db, refused)
        except StorageError as error:
            await self._gate.close(error)
            return False
        return True

    async def process(self, channel: Channel, audience: Audience) -> int:
        """Process what a channel brought; returns how many documents."""
        pending = partial(process_pending, self._db, {channel.name: channel}, audience, self._stopping)
        try:
            return await asyncio.to_thread(pending)
        except StorageError as error:
            await self._gate.close(error)
        except Exception:
            log.exception("processing.failed", channel=channel.name)
        return 0

    async def left_over(self) -> set[str]:
        """Channels with documents that wait to be processed."""
        try:
            return await asyncio.to_thread(inbox.channels_waiting, self._db)
        except StorageError as error:
            await self._gate.close(error)
            return set()

    async def begin(self, wired: Wired) -> None:
        """Say what stands since earlier: dead letters, and what waits for partners that are not there."""
        try:
            await asyncio.to_thread(self._say_what_stands, wired)
        except StorageError as error:
            await self._gate.close(error)

    async def due(self, destinations: Sequence[Destination], outlets: Sequence[Outlet]) -> set[str]:
        """Destinations and outlets with something to seal or to send."""
        try:
            return await asyncio.to_thread(due, self._db, destinations, utc_now(), self._refusals, outlets)
        except StorageError as error:
            await self._gate.close(error)
            return set()

    async def deliver(self, destination: Destination | Outlet, stopping: Callable[[], bool]) -> None:
        """Seal and send what is due at a destination."""
        try:
            await deliver(self._db, destination, stopping, self._refusals)
        except StorageError as error:
            await self._gate.close(error)
        except Exception:
            log.exception("destination.defect", destination=destination.name)

    async def endpoints(self, known: Made | None) -> Made | None:
        """The webhook endpoints that customers made; None while nothing is known, or nothing else than before."""
        try:
            return await asyncio.to_thread(self._made, known)
        except StorageError as error:
            await self._gate.close(error)
            return None

    def _made(self, known: Made | None) -> Made | None:
        state = hooks.state(self._db)  # first: what comes after it is looked for once more
        return None if known and known.state == state else Made(state, hooks.endpoints(self._db))

    async def sweep_endpoints(self) -> None:
        """Forget what was still owed to endpoints that were deleted."""
        try:
            await asyncio.to_thread(hooks.sweep, self._db)
        except StorageError as error:
            await self._gate.close(error)

    async def watch_acknowledgements(self, wired: Wired) -> None:
        """Let the alarms say which acknowledgements are missing, ours and theirs, and what was rejected."""
        try:
            await asyncio.to_thread(tell_overdue, self._db, wired.destinations, wired.outlets, utc_now())
        except StorageError as error:
            await self._gate.close(error)
        except Exception:
            log.exception("acknowledgements.not_watched")

    async def registrations_due(self, channels: Collection[str]) -> set[str]:
        """Those of these channels whose carriers have to be told again where to send."""
        try:
            return await asyncio.to_thread(registrations.due, self._db, channels) if channels else set()
        except StorageError as error:
            await self._gate.close(error)
            return set()

    async def renew(self, callback: Callback) -> None:
        """Renew a channel's registration; its failure is written down where it stands, and tried again."""
        try:
            await registering.call(self._db, callback, "renew", only_due=True)
        except StorageError as error:
            await self._gate.close(error)
        except TransientError:
            pass  # said already
        except Exception:
            log.exception("registration.defect", channel=callback.channel)

    async def reload_refused(self, error: ConfigError) -> None:
        """Somebody thinks that what they wrote is in force, and it is not."""
        await self._tell(raise_alarm, AlarmKind.CONFIGURATION, _RELOAD, str(error))

    async def reloaded(self) -> None:
        """What lies in the configuration folder is in force."""
        await self._tell(clear_alarm, AlarmKind.CONFIGURATION, _RELOAD)

    def _say_what_stands(self, wired: Wired) -> None:
        channels, receivers = wired.channels.keys(), {each.name for each in wired.receivers}
        clear_gone(self._db, channels, receivers)
        for found in stranded(self._db, channels, receivers):
            log.warning("partner.not_configured", why=stranded_line(found))
        for receiver in wired.receivers:
            tell_alarms(self._db, receiver)

    async def _failed(self, channel: str, error: GatewayError) -> None:
        self._failures[channel] += 1
        if isinstance(error, AttentionError) or self._failures[channel] >= _ALARMING:
            await self._tell(raise_alarm, AlarmKind.CHANNEL_FAILING, channel, str(error))

    async def _tell(self, say: Callable[..., bool], *about: str) -> None:
        try:
            await asyncio.to_thread(say, self._db, *about)
        except StorageError as error:
            await self._gate.close(error)
