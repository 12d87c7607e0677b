"""Broken on purpose: what is sent is made anew for each attempt, with the time of day in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from edi_gateway.model import OutboundDocument
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Delivery
from tests.acceptance.swapping import swap


def _make(sealed: Callable[..., Any]) -> Callable[..., Any]:
    def broken(db: Database, delivery: Delivery) -> OutboundDocument:
        document: OutboundDocument = sealed(db, delivery)
        now = f"{datetime.now(UTC):+%S%f}"[:5].encode()  # four digits that change all the time, as a clock's do
        return replace(document, content=re.sub(rb"(?<=\+\d{6}):\d{4}(?=\+)", b":" + now[1:], document.content, count=1))

    return broken


def apply() -> None:
    """Put it in force in this process."""
    swap("edi_gateway.store.deliveries:document", _make)
