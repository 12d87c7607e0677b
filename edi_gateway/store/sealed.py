"""A document becomes a delivery: number, name and bytes are fixed, and it is due at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Numbered:
    """A document with its number, and where it stands in line if it tells one event of one shipment."""

    number: int
    document: OutboundDocument
    event_count: int
    replaces: int | None = None
    shipment_id: int | None = None
    behind: bool = False  # another one of that shipment has to be settled first


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
    one = Numbered(control_number, document, event_count, replaces)
    [delivery_id] = enter_each(connection, destination, customer, [one], terms)
    return delivery_id


def enter_each(
    connection: Connection, destination: str, customer: str, documents: Sequence[Numbered], terms: Terms = Terms()
) -> Sequence[int]:
    """The same for several in few statements; returns their ids in that order."""
    if not documents:
        return []
    digests = [hashlib.sha256(one.document.content).hexdigest() for one in documents]
    content.store(connection, {digest: one.document.content for digest, one in zip(digests, documents, strict=True)})
    now, ids = utc_now(), reserve_ids(connection, DELIVERY, len(documents))
    rows = [
        {
            "id": delivery_id,
            "destination": destination,
            "customer": customer,
            "control_number": one.number,
            "name": one.document.name,
            "digest": digest,
            "size": len(one.document.content),
            "event_count": one.event_count,
            "state": DeliveryState.SEALED,
            "attempts": 0,
            "failures": 0,
            "next_attempt_at": None if one.behind else now,
            "claimed_by": "",
            "replaces": one.replaces,
            "shipment_id": one.shipment_id,
            "sealed_at": now,
            "last_error": "",
            "sequence": terms.sequence,
            "sender": storable(terms.sender),
            "recipient": storable(terms.recipient),
            "expects": terms.expects,
            "acknowledge_within": terms.within,
            "acknowledges": terms.acknowledges,
        }
        for delivery_id, digest, one in zip(ids, digests, documents, strict=True)
    ]
    connection.execute(insert(DELIVERY), rows)
    return ids
