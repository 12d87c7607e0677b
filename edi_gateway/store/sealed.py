"""A document becomes a delivery: number, name and bytes are fixed, and it is due at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert

from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.store import content
from edi_gateway.store.engine import reserve_ids, storable
from edi_gateway.store.tables import METADATA, DeliveryState

DELIVERY: Final = METADATA.tables["delivery"]


@dataclass(frozen=True, slots=True)
class Terms:
    """Between whom a document goes, from which sequence its number is, and what acknowledgement is awaited."""

    sequence: str = ""
    sender: str = ""  # identification without its qualifier; "" is not known
    recipient: str = ""
    expects: str = ""  # kind of acknowledgement; "" is none
    within: int = 0  # seconds after delivery
    acknowledges: str = ""  # what kind of acknowledgement it is itself; "" for events


def enter(
    connection: Connection,
    destination: str,
    customer: str,
    control_number: int,
    document: OutboundDocument,
    *,
    event_count: int = 0,
    replaces: int | None = None,
    terms: Terms = Terms(),
) -> int:
    """Fix a document, due at once; returns the delivery's id."""
    now = utc_now()
    digest = hashlib.sha256(document.content).hexdigest()
    content.store(connection, {digest: document.content})
    [delivery_id] = reserve_ids(connection, DELIVERY, 1)
    row = {
        "id": delivery_id,
        "destination": destination,
        "customer": customer,
        "control_number": control_number,
        "name": document.name,
        "digest": digest,
        "size": len(document.content),
        "event_count": event_count,
        "state": DeliveryState.SEALED,
        "attempts": 0,
        "failures": 0,
        "next_attempt_at": now,
        "claimed_by": "",
        "replaces": replaces,
        "sealed_at": now,
        "last_error": "",
        "sequence": terms.sequence,
        "sender": storable(terms.sender),
        "recipient": storable(terms.recipient),
        "expects": terms.expects,
        "acknowledge_within": terms.within,
        "acknowledges": terms.acknowledges,
    }
    connection.execute(insert(DELIVERY), row)
    return delivery_id
