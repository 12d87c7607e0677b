"""Notifications for a customer's webhook: sealed ones, the destination they go to, and a clock that obeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.pipeline import deliver as sending
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import claims, endpoints, sealed
from edi_gateway.store.engine import Database
from edi_gateway.transports.http import sink
from edi_gateway.transports.http.sink import WebhookSink
from edi_gateway.transports.http_client import pausing
from tests.unit.pipeline.outbound import wire_globex

LIVE: Final = "globex/edi"
SECRET: Final = "a secret that is nobody else's"
SCHEDULE: Final = [
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
]  # fmt: skip


def destination(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Destination:
    """A customer's webhook on this machine."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    options = {"url": url, "secret": "${env:WEBHOOK_SECRET}", "allow": ["http", "private"], "timeout": "2s"}
    options |= changes.pop("options", {})
    return wire_globex(folder, sink=WebhookSink(**options), retry=SCHEDULE, **changes)[1]


def seal(db: Database, count: int, first: int = 1) -> list[str]:
    """So many notifications, sealed and due; their ids in order."""
    names = [f"msg_{uuid4().hex}" for _ in range(count)]
    with db.write() as connection:
        for number, name in enumerate(names, first):
            document = OutboundDocument(name, b'{"topic": "TRACKER_UPDATED", "sequence": %d}' % number)
            sealed.enter(connection, LIVE, "globex", number, document, event_count=1)
    return names


class Clock:
    """What time it is, for all that sends."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **time: float) -> None:
        """So much later."""
        self.now += timedelta(**time)

    def obeyed(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """From now on."""
        modules: Sequence[Any] = (claims, sending, sealed, sink, pausing)
        for module in modules:
            monkeypatch.setattr(module, "utc_now", self)
        ours: Callable[..., datetime] = lambda *_: self.now  # noqa: E731
        monkeypatch.setattr(claims, "clock", ours)
        return self

    def until_open(self, db: Database) -> None:
        """To when something may be sent again."""
        found = endpoints.endpoint(db, LIVE)
        for until in (found.paused_until, found.probe_at) if found else ():
            self.now = max(self.now, until or self.now)
