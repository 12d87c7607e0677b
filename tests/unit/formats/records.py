"""Reads documents of rows and trees as the pipeline does, with a mapping written on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import Finding, Segment, Severity, TrackingEvent
from edi_gateway.pipeline.reading import read
from edi_gateway.plugins import Format

NOW = datetime(2038, 1, 1, tzinfo=UTC)
ROWS = """\
timezone: Europe/Berlin
format: {type: delimited, %s}
for_each: ROW
event:
  tracking_number: "@Parcel"
  code: "@Status"
  text: "@Text"
  occurred_at: {path: "@When", format: ["%%d.%%m.%%Y %%H:%%M", iso]}
codes:
  "10": {status: PICKED_UP}
  "90": {status: DELIVERED}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a document says."""

    events: list[TrackingEvent]
    findings: list[Finding]

    @property
    def numbers(self) -> list[str]:
        return [event.tracking_number for event in self.events]

    @property
    def aside(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity is Severity.QUARANTINE]

    @property
    def warned(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity is Severity.WARNING]


def said(folder: Path, mapping: str, content: bytes) -> Said:
    """What the content says by a mapping that names its format."""
    (folder / "speedy").mkdir(exist_ok=True)
    (folder / "speedy" / "rows.yaml").write_text(mapping, encoding="utf-8")
    library = Library([folder])
    return of(library, "speedy/rows", content)


def of(library: Library, name: str, content: bytes) -> Said:
    """What the content says by a mapping of the library."""
    readings = list(read(content, library.format(name), library.reader(name), Partner("speedy"), NOW))
    events = [event for reading in readings if reading.said for event in reading.said.events]
    return Said(events, [finding for reading in readings for finding in reading.findings])


def rows(syntax: Format, content: bytes) -> list[Segment]:
    """Every row of the document."""
    return [row for body in bodies(syntax, content) for row in body.below()]


def bodies(syntax: Format, content: bytes) -> Iterator[Segment]:
    """The body of every message that has one."""
    for interchange in syntax.decode(content):
        for message in interchange.messages:
            if message.body is not None:
                yield message.body
