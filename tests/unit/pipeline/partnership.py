"""A carrier that is answered, and a customer that answers; both sides of it in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edi_gateway.model import OutboundDocument, RawDocument, utc_now
from edi_gateway.pipeline.process import process_pending
from edi_gateway.store import deliveries, findings, inbox
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Delivery, Document
from edi_gateway.wiring import Wired
from tests import configured

NOW: Final = datetime(2026, 10, 12, 12, tzinfo=UTC)
OUTLET: Final = "speedy/files/acknowledgements"
_SINK: Final = configured.GLOBEX.partition("sink: {")[2].partition(", path")[0]
_SOURCE: Final = f"source: {{{_SINK}, path: /acks, after: delete}}"


def carrier(send: str = "contrl", **options: str) -> str:
    """The carrier's file: what it sends is answered."""
    more = "".join(f", {key}: {value}" for key, value in options.items())
    return f"{configured.CARRIER}    acknowledge: {{send: {send}, sink: {{{_SINK}, path: /acks}}{more}}}\n"


def customer(expect: str = "contrl", within: str = "4h") -> str:
    """The customer's file: what it gets is to be acknowledged through a channel."""
    awaits = f"    acknowledgement: {{expect: {expect}, within: {within}}}\n"
    return f"{configured.GLOBEX}{awaits}channels:\n  acks:\n    {_SOURCE}\n    format: {{type: edifact}}\n"


def wired(folder: Path, send: str = "contrl", **options: str) -> Wired:
    """Both of them."""
    files = {"carriers__speedy": carrier(send, **options), "customers__globex": customer()}
    return configured.wired(folder / "config", **files)


def take(db: Database, wired: Wired, content: bytes, channel: str = "speedy/files", name: str = "a.edi") -> Document:
    """One file comes and is read."""
    raw = RawDocument(channel, name, content, utc_now())
    [received] = inbox.receive(db, channel.partition("/")[0], [raw])
    process_pending(db, wired.channels, wired.destinations)
    return inbox.document(db, received.document_id)


def sealed(db: Database, destination: str = OUTLET) -> list[tuple[Delivery, OutboundDocument]]:
    """The files for a destination or outlet, oldest first."""
    found = reversed(deliveries.deliveries(db, destination=destination, limit=100_000))
    return [(one, deliveries.document(db, one)) for one in found]


def said(document: OutboundDocument) -> list[str]:
    """The segments below the first message's header."""
    return document.content.decode("latin-1").partition("UNH+")[2].split("'")[1:-3]


def remarks(db: Database, document: Document) -> list[str]:
    """What was noticed in a document, with its severity."""
    return [f"{row.severity}: {row.found}" for row in findings.of_document(db, document.id)]
