"""Broken on purpose: what is sent is made anew for each attempt, and the books are made to agree."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import update

from edi_gateway.model import OutboundDocument
from edi_gateway.store import content
from edi_gateway.store.claims import Claim
from edi_gateway.store.deliveries import DELIVERY
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Delivery
from tests.acceptance.swapping import swap

_TIME_OF_DAY: Final = re.compile(rb"(?<=[+]\d{6}:)\d{4}(?=[+])")  # in UNB


def _make(sealed: Callable[..., Any]) -> Callable[..., Any]:
    def broken(db: Database, delivery: Delivery | Claim) -> OutboundDocument:
        document: OutboundDocument = sealed(db, delivery)
        now = f"{datetime.now(UTC):%S%f}"[:4].encode()
        anew = _TIME_OF_DAY.sub(now, document.content, count=1)
        digest = hashlib.sha256(anew).hexdigest()
        delivery_id = delivery.delivery_id if isinstance(delivery, Claim) else delivery.id
        with db.write() as connection:
            content.store(connection, {digest: anew})
            connection.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(digest=digest))
        return replace(document, content=anew)

    return broken


def apply() -> None:
    """Put it in force in this process."""
    swap("edi_gateway.store.deliveries:document", _make)
