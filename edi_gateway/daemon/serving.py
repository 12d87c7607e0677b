"""HTTP as a part of the daemon: it begins with the first channel that documents come to, or customer that asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from edi_gateway.daemon.turns import Turns
from edi_gateway.daemon.work import Work
from edi_gateway.pipeline.gate import Gate
from edi_gateway.pipeline.partners import Channel, Feed
from edi_gateway.pipeline.receiving import Receiving
from edi_gateway.plugins import Asking
from edi_gateway.store.engine import Database
from edi_gateway.web.app import Application, Front
from edi_gateway.web.inbound import Inbound
from edi_gateway.web.listener import Listener, Place
from edi_gateway.web.refusals import Refusals
from edi_gateway.wiring import Wired
from edi_gateway.worlds import is_test

log = structlog.get_logger()
_TURN: Final = "http"


class Serving:
    """The server and what stands behind it; ``wired`` is who is configured now."""

    def __init__(self, db: Database, gate: Gate, turns: Turns, work: Work, wired: Callable[[], Wired]) -> None:
        self._db = db
        self._gate = gate
        self._turns = turns
        self._work = work
        self._wired = wired
        self._stop_waiting: Callable[[], None] = lambda: None
        self._api: Application | None = None
        self._front: Front | None = None
        self._listener: Listener | None = None
        self._place: Place | None = None
        self._refusals: Refusals | None = None
        self._why_not: dict[str, str] = {}

    def prepare(self, place: Place, wake: Callable[[str], None], poll: Callable[[str], None]) -> None:
        """Make the customers' API, unless there is one; that takes a moment, so call it where nobody waits.

        ``wake`` is called with each channel that got something, after the commit, ``poll`` with one to be asked now.
        """
        if self._api is not None:
            return
        # Imported by who offers it alone: it takes as long as all the rest of the gateway.
        from edi_gateway.web.api.app import make_api, stop_waiting  # noqa: PLC0415
        from edi_gateway.web.api.refreshing import CarrierApis  # noqa: PLC0415

        apis, playground = CarrierApis(self._asked, poll, wake), place.options.playground
        api = make_api(
            self._db, self._feed, self._carriers, lambda: self._wired().audience, apis, playground=playground
        )
        self._api, self._stop_waiting = api, partial(stop_waiting, api)

    def listen(self, place: Place, wake: Callable[[str], None]) -> None:
        """Listen there, unless that is done already; raises ConfigError where it cannot be. ``wake`` as above."""
        if self._front is not None:
            self._front.api = self._api
        if self._listener is not None:
            if place != self._place:
                log.warning("daemon.restart_needed", changed="http")
            self._listener.renew()
            return
        receiving = Receiving(self._db, self._gate, wake)
        self._refusals = Refusals(self._let_in)
        inbound = Inbound(self._channel, receiving, self._refusals, place.options)
        self._front = Front(inbound)
        self._front.api = self._api
        self._listener, self._place = Listener(self._front, place), place
        self._turns.start(_TURN, self._listener.serve)
        log.info("http.listening", address=self._listener.address)

    def stop(self) -> None:
        """Take no more requests, and end with the last one that is under way."""
        self._stop_waiting()
        if self._listener:
            self._listener.stop()

    def _channel(self, name: str) -> Channel | None:
        return self._wired().channels.get(name)

    def _feed(self, customer: str) -> Feed | None:
        return next((feed for feed in self._wired().feeds if feed.customer == customer), None)

    def _carriers(self) -> dict[str, timedelta]:
        """Carrier → the longest silence after which a channel of it takes a number for another shipment's."""
        gaps: dict[str, timedelta] = {}
        for channel in self._wired().channels.values():
            carrier = channel.partner.carrier
            if channel.mapping and not is_test(carrier):
                gaps[carrier] = max(gaps.get(carrier, channel.epoch_gap), channel.epoch_gap)
        return gaps

    def _asked(self) -> dict[str, list[str]]:
        asked: dict[str, list[str]] = {}
        for name, channel in self._wired().channels.items():
            if isinstance(channel.source, Asking):
                asked.setdefault(channel.partner.carrier, []).append(name)
        return asked

    async def write_down(self) -> None:
        """Let everybody see how many requests were refused."""
        refused = self._refusals.untold() if self._refusals else []
        if self._refusals and refused and not await self._work.count_refused(refused):
            self._refusals.give_back(refused)

    def _let_in(self, channel: str, why_not: str) -> None:
        self._why_not[channel] = why_not
        self._turns.start(f"let in {channel}", partial(self._tell, channel))

    async def _tell(self, channel: str) -> None:
        """Until the last word is said: another may come while one is written down."""
        said = None
        while said != self._why_not[channel]:
            said = self._why_not[channel]
            await self._work.let_in(channel, said)
