"""Waiting for carriers ends: with their answers, or when the time is over."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from edi_gateway.model import RawDocument, TrackingState, utc_now
from edi_gateway.store import checks, inbox, tracked
from edi_gateway.store.engine import Database
from edi_gateway.tracking.checks import Ended
from edi_gateway.tracking.planning import Plan, Reply, Standing
from edi_gateway.web.api.refreshing import CarrierApis, Refresh, Refreshing

API, SPEEDY = "speedy/api", "speedy"
P1 = (SPEEDY, "P1")


def _later(_standing: Standing, _reply: Reply, now: datetime) -> tuple[Plan, timedelta]:
    return Plan(now + timedelta(hours=1), TrackingState.ACTIVE), timedelta(hours=1)


class Carrier:
    """A channel that is polled once: claims the check, keeps a document, ends the check."""

    def __init__(self, db: Database, reply: Reply | None = Reply.ANSWERED) -> None:
        self.db = db
        self.reply = reply
        self.read = 0
        self.apis = CarrierApis(lambda: {SPEEDY: [API]}, self._poll, self._read)

    def _poll(self, channel: str) -> None:
        for check in checks.claim(self.db, channel, "here", 10, timedelta(minutes=1)):
            inbox.receive(self.db, SPEEDY, [RawDocument(channel, "P1", b"said", utc_now())])
            checks.finish(self.db, SPEEDY, [Ended(check, self.reply)], _later)

    def _read(self, _channel: str) -> None:
        self.read += 1


async def test_the_wait_is_over_in_time(db: Database) -> None:
    """Nobody polls the carrier: after so many seconds the answer is that there was none."""
    tracked.track(db, API, SPEEDY, ["P1"])
    nobody = CarrierApis(lambda: {SPEEDY: [API]}, lambda _: None, lambda _: None)
    begun = time.monotonic()
    assert {P1: Refresh.UNANSWERED} == await Refreshing(db, nobody).now("hooli", {P1}, 0.6)
    assert 0.5 < time.monotonic() - begun < 5


async def test_what_was_brought_must_be_read(db: Database) -> None:
    """The check has ended, its document lies there: whoever waits has it read, and is not answered before."""
    tracked.track(db, API, SPEEDY, ["P1"])
    carrier = Carrier(db)
    assert {P1: Refresh.UNANSWERED} == await Refreshing(db, carrier.apis).now("hooli", {P1}, 1)
    assert carrier.read > 0


async def test_a_check_without_an_answer_ends_the_wait(db: Database) -> None:
    """What failed is not waited for."""
    tracked.track(db, API, SPEEDY, ["P1"])
    begun = time.monotonic()
    assert {P1: Refresh.UNANSWERED} == await Refreshing(db, Carrier(db, None).apis).now("hooli", {P1}, 20)
    assert time.monotonic() - begun < 10


async def test_what_a_person_has_stopped_is_not_asked_for(db: Database) -> None:
    """Neither now nor by a customer that wants it tracked again; nor is a number nobody tracks."""
    tracked.track(db, API, SPEEDY, ["P1"])
    tracked.untrack(db, API, SPEEDY, ["P1"])
    refreshing = Refreshing(db, Carrier(db).apis)
    await refreshing.revive({P1})
    said = await refreshing.now("hooli", {P1, (SPEEDY, "P2"), ("slow", "P1")}, 5)
    assert {P1: Refresh.NOT_ASKED, (SPEEDY, "P2"): Refresh.NOT_ASKED, ("slow", "P1"): Refresh.NOT_ASKED} == said
