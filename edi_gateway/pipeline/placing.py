"""Places within a piece of a document → places in the whole of it."""

from __future__ import annotations

from dataclasses import replace

from edi_gateway.mapping.harmonize import Harmonized
from edi_gateway.model import Finding, Interchange, Message, Position, TrackingEvent
from edi_gateway.transforms.pieces import short


def finding_in(finding: Finding, start: int, name: str) -> Finding:
    """A finding of the piece that begins at ``start`` and that a zip calls ``name``."""
    said = f"{short(name)}: {finding.at.name}" if name and finding.at.name else finding.at.name or short(name)
    return replace(finding, at=replace(_moved(finding.at, start), name=said))


def interchange_in(interchange: Interchange, start: int) -> Interchange:
    """An interchange of the piece that begins at ``start``."""
    return replace(interchange, position=_moved(interchange.position, start))


def message_in(message: Message, start: int) -> Message:
    """A message of the piece that begins at ``start``."""
    return replace(message, position=_moved(message.position, start))


def said_in(said: Harmonized, start: int) -> Harmonized:
    """What a message of the piece that begins at ``start`` says."""
    return replace(said, events=[_event_in(event, start) for event in said.events]) if start else said


def _event_in(event: TrackingEvent, start: int) -> TrackingEvent:
    read = event.provenance
    return replace(event, provenance=replace(read, start=read.start + start, end=read.end + start))


def _moved(at: Position, start: int) -> Position:
    return replace(at, start=at.start + start, end=at.end + start)
