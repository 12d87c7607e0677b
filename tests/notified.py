"""A customer who is told event by event, for tests that need no server: a sink registered as a stranger's would be."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.pipeline.partners import Destination
from edi_gateway.pipeline.routing import owed
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.plugins import Plugin, Step
from edi_gateway.store import claims, deliveries, events, outbox, subscriptions
from edi_gateway.store.engine import Database
from edi_gateway.store.reports import MessageReport
from edi_gateway.store.tables import Outcome
from edi_gateway.wiring import Wired
from tests import configured
from tests.unit.store.building import START, new_document

LIVE = "hooli/live"
HOOLI = """\
customer: hooli
receives: [{carrier: speedy}]
destinations:
  live:
    sink: {type: hook}
"""
_ENTRY_POINTS = """
[edi_gateway.sinks]
hook = tests.notified:Hook
"""


class Hook(Plugin):
    """Takes one event at a time."""

    one_by_one: ClassVar[bool] = True

    async def send(self, document: OutboundDocument, *, again: bool) -> str:
        raise AssertionError(f"{document.name} is not sent in these tests ({again})")

    async def check(self) -> AsyncIterator[Step]:
        yield Step("connect", True, "")

    async def close(self) -> None:
        pass


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink ``hook`` is installed."""
    metadata = tmp_path / "hooks" / "hooks-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hooks\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    monkeypatch.setattr(sys, "path", [str(metadata.parent), *sys.path])


def wire_hooli(folder: Path, *more: str, **files: str) -> Wired:
    """The usual partners, and hooli/live with more lines of its own."""
    lines = "".join(f"    {line}\n" for line in more)
    return configured.wired(folder / "config", customers__hooli=HOOLI + lines, **files)


def sealed(db: Database, destination: str = LIVE) -> list[dict[str, Any]]:
    """The bodies of all notifications, in the order they were sealed."""
    rows = sorted(deliveries.deliveries(db, destination=destination, limit=100_000), key=lambda row: row.id)
    return [json.loads(deliveries.document(db, row).content) for row in rows]


def told(db: Database, destination: str = LIVE) -> list[tuple[str, str, str, str]]:
    """Of each: trigger, status of the event, status before and after."""
    return [
        (each["trigger"], each["event"]["status"], each["previous_status"], each["status"])
        for each in sealed(db, destination)
    ]


def deliver_next(db: Database, outcome: Outcome = Outcome.DELIVERED, **how: Any) -> str | None:
    """Attempt what is due next; its name, or None when nothing is."""
    claim = claims.claim(db, LIVE, "here", line_per_shipment=True)
    if claim is None:
        return None
    claims.finish_attempt(db, claim, outcome, "as told", **how)
    return claim.name


def hear(db: Database, wired: Wired, *reports: MessageReport, received_at: datetime = START) -> None:
    """A document with these messages comes, and whoever is owed something because of it is owed it."""
    document_id = new_document(db)
    with db.write() as connection:
        recorded = events.record(connection, document_id, received_at, reports)
        numbers = {(change.event.carrier, change.event.tracking_number) for change in recorded.changes}
        subscribers = subscriptions.subscribers(connection, numbers)
        outbox.owe(connection, list(owed(wired.destinations, recorded.changes, subscribers)))


def seal_all(db: Database, wired: Wired, name: str = LIVE) -> int:
    """Seal whatever is owed there; returns how much that was."""
    return seal_due(db, destination(wired, name), utc_now())


def destination(wired: Wired, name: str = LIVE) -> Destination:
    (found,) = (each for each in wired.destinations if each.name == name)
    return found
