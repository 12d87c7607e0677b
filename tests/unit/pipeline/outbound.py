"""A customer's mailbox that does what a test wants, and events to send there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from edi_gateway.model import OutboundDocument, RawDocument, utc_now
from edi_gateway.pipeline.partners import Batch, Destination
from edi_gateway.pipeline.process import process_pending
from edi_gateway.plugins import Step
from edi_gateway.store import deliveries, inbox
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, DeliveryState, OutboxState
from edi_gateway.wiring import Wired
from tests import configured
from tests.unit.pipeline.iftsta import interchange, message, sts

Behaviour = Callable[[OutboundDocument], Awaitable[None]]


async def _take_it(_document: OutboundDocument) -> None:
    """Any file is welcome."""


class Mailbox:
    """A sink in memory; ``behave`` may wait or raise before a file is there."""

    def __init__(self, behave: Behaviour = _take_it) -> None:
        self.tried: list[str] = []
        self.arrived: list[str] = []  # in the order of arrival, every time
        self.abandoned: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.behave = behave

    async def send(self, document: OutboundDocument, *, again: bool) -> str:
        assert again in {True, False}
        self.tried.append(document.name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.behave(document)
        except asyncio.CancelledError:
            self.abandoned.append(document.name)
            raise
        finally:
            self.at_once -= 1
        self.arrived.append(document.name)
        return f"{len(document.content)} bytes"

    async def check(self) -> AsyncIterator[Step]:
        yield Step("write", True, "")

    async def close(self) -> None:
        pass


def wire_globex(folder: Path, **changes: Any) -> tuple[Wired, Destination, Mailbox]:
    """The usual partners; globex/edi makes a file of each event, and its sink is a mailbox."""
    mailbox = Mailbox()
    more: dict[str, Any] = {"batch": Batch(timedelta(), 1, 1_000_000), "sink": mailbox, "in_flight": 4} | changes
    wired = configured.wired(folder / "config")
    [globex] = [replace(each, **more) for each in wired.destinations if each.name == "globex/edi"]
    return wired, globex, mailbox


def owe(db: Database, wired: Wired, numbers: Sequence[str]) -> None:
    """A carrier reports one event of each of these parcels, of which globex is to hear."""
    told = message(*(sts(number, "21", 0) for number in numbers), bgm=f"23+{numbers[0]}+9")
    content = interchange(told, ref=numbers[0][:14])
    inbox.receive(db, "speedy", [RawDocument("speedy/files", numbers[0], content, utc_now())])
    process_pending(db, wired.channels, wired.destinations)


def parcels(count: int, prefix: str = "K") -> list[str]:
    """So many tracking numbers."""
    return [f"{prefix}{number}" for number in range(count)]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what others do."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 -- what is awaited happens in other threads, and in the database
            await asyncio.sleep(0.005)


_SECOND = """\
  plain:
    sink: {SINK, path: /plain}
    format: {type: edifact, recipient: "GLOBEX:14", syntax: "UNOA:3"}
    mapping: standard/tracking_events
    batch: {every: 0s, at_most: 2}
    file_name: "plain_{control:06}.edi"
"""


def wire_shared(folder: Path) -> Wired:
    """globex/edi and globex/plain share one sequence of control numbers; globex/plain cannot write an umlaut."""
    sink = configured.GLOBEX.partition("sink: {")[2].partition(", path")[0]
    shared = configured.GLOBEX.replace("at_most: 3", "at_most: 2") + _SECOND.replace("SINK", sink)
    return configured.wired(folder / "config", customers__globex=shared)


def owe_some_unwritable(db: Database, wired: Wired, count: int) -> None:
    """Report so many parcels, every fifth in a place that globex/plain cannot write."""
    told = [sts(f"K{n}", "21", 0, *(["LOC+14+:::MÜNCHEN"] if n % 5 == 0 else [])) for n in range(count)]
    inbox.receive(db, "speedy", [RawDocument("speedy/files", "a", interchange(message(*told)), utc_now())])
    process_pending(db, wired.channels, wired.destinations)


def sealed_numbers(db: Database) -> list[int]:
    """The control numbers of all deliveries of globex, each of them proved to be the one in the bytes."""
    numbers = []
    for delivery in deliveries.deliveries(db, limit=100_000):
        if delivery.customer == "globex":
            content = deliveries.document(db, delivery).content.decode("latin-1")
            assert content.rpartition("UNZ+")[2].split("+")[1] == f"{delivery.control_number}'"
            numbers.append(delivery.control_number)
    return sorted(numbers)


def told(db: Database) -> list[tuple[str, int]]:
    """(destination, event) as often as it lies in a delivery that stands."""
    row, delivery = METADATA.tables["outbox"], METADATA.tables["delivery"]
    lies = select(row.c.destination, row.c.event_id).join(delivery).where(row.c.state == OutboxState.SEALED)
    with db.read() as connection:
        rows = connection.execute(lies.where(delivery.c.state != DeliveryState.SUPERSEDED)).all()
    return sorted((row.destination, row.event_id) for row in rows)
