"""The books of one interchange: service segments are counted and compared, and what does not balance is noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from edi_gateway.formats.control import same_count, same_reference
from edi_gateway.formats.edifact.envelope import Envelope
from edi_gateway.formats.syntax import CutSegment
from edi_gateway.model import Finding, Level, Position, Severity

References = Literal["refuse", "warn"]


@dataclass(slots=True)
class Tally:
    """What was counted so far, and the findings (codes are those of data element 0085)."""

    envelope: Envelope
    header: CutSegment
    references: References
    salvage: bool = False  # whether messages that are whole are taken out of an interchange that was cut short
    findings: list[Finding] = field(default_factory=list)
    messages: int = 0  # outside groups
    groups: int = 0
    grouped: int = 0  # messages in the open group
    group: CutSegment | None = None

    def open(self, declared: str, fallback: str) -> None:
        """Look at UNB: its character set (``declared``: the codec, "" if unknown) and its date."""
        if not declared:
            found = ":".join(self.header.components(1))
            advice = f"read as {fallback}; set 'charset' for this partner if that is wrong"
            self._note(self.header, found, "a character set UNOA to UNOY", "2", advice=advice, element=1)
        day, time = self.header.get(4), self.header.get(4, 2)
        width = 8 if self.header.get(1, 2).startswith("4") else 6
        if prepared_at(self.header) is None:
            self._note(self.header, f"{day}:{time}", "a date and time of preparation that exist", "12", element=4)
        elif len(day.strip()) != width:
            expected = f"a date of {width} digits in this syntax version"
            self._note(self.header, f"{day}:{time}", expected, "12", element=4)

    def count(self, tag: str, start: int) -> None:
        """Take note of UNH, UNG or UNE."""
        if tag == "UNH" and self.group:
            self.grouped += 1
        elif tag == "UNH":
            self.messages += 1
        elif tag == "UNG":
            self._open_group(self.envelope.segment(tag, start))
        elif tag == "UNE":
            self._close_group(self.envelope.segment(tag, start))

    def _open_group(self, header: CutSegment) -> None:
        self._no_group_open(header)
        self.group, self.grouped = header, 0
        self.groups += 1

    def _no_group_open(self, at: CutSegment) -> None:
        if self.group:
            self._note(at, at.tag, f"UNE of group {self.group.get(5)}", "13", self._unless_salvaged)
            self.group = None

    def _close_group(self, trailer: CutSegment) -> None:
        if self.group is None:
            self._note(trailer, "UNE", "UNG before it", "13", Severity.QUARANTINE)
            return
        self._compare(trailer, self.group.get(5), self.grouped, "messages")
        if not self.grouped:
            self._note(self.group, "a group without a message", "at least one message", "32")
        self.group = None

    def close(self, trailer: CutSegment) -> None:
        """Take note of UNZ and compare everything that is left to compare."""
        self._no_group_open(trailer)
        counted = self.groups + self.messages
        self._compare(trailer, self.header.get(5), counted, "groups" if self.groups else "messages")
        if not counted:
            self._note(trailer, "an interchange without a message", "at least one message", "32")
        if self.groups and self.messages:
            found = f"{self.messages} messages beside {self.groups} groups"
            self._note(self.header, found, "either groups or bare messages", "30")
        if not self.envelope.terminated(trailer):
            self._note(trailer, "end of file", "a segment terminator after UNZ", "13")
        broken = next(filter(self.envelope.wrapped, (self.header, trailer)), None)
        if broken:
            self._note(broken, "a line break inside a segment", "line breaks only between segments", "21")

    def truncated(self, at: int, found: str) -> None:
        """There was no UNZ: something else stood at offset ``at``."""
        place = Position(interchange=self.header.get(5), tag="UNZ", start=at, end=at)
        if self.salvage:
            advice = "the file is cut short: the messages that are whole are taken (salvage)"
        else:
            advice = "the file is cut short: wait for the whole file, or ask the sender to send it again"
        self.findings.append(Finding(self._unless_salvaged, Level.INTERCHANGE, place, found, "UNZ", advice, "13"))

    @property
    def _unless_salvaged(self) -> Severity:
        return Severity.WARNING if self.salvage else Severity.QUARANTINE

    def _compare(self, trailer: CutSegment, reference: str, counted: int, what: str) -> None:
        if not same_reference(trailer.get(2), reference):
            severity = Severity.QUARANTINE if self.references == "refuse" else Severity.WARNING
            advice = "ask the sender to correct it, or set 'control_references: warn' for this partner"
            found, expected = trailer.get(2), f"reference {reference}"
            self._note(trailer, found, expected, "28", severity, advice=advice, element=2)
        if not same_count(trailer.get(1), counted):
            found = f"claims {trailer.get(1) or 'nothing'}, counted {counted}"
            self._note(trailer, found, f"the number of {what}", "29", element=1)

    def _note(
        self,
        at: CutSegment,
        found: str,
        expected: str,
        code: str,
        severity: Severity = Severity.WARNING,
        *,
        advice: str = "",
        element: int = 0,
    ) -> None:
        place = Position(self.header.get(5), tag=at.tag, element=element, start=at.start, end=at.end)
        self.findings.append(Finding(severity, Level.INTERCHANGE, place, found, expected, advice, code))


def prepared_at(header: CutSegment) -> datetime | None:
    """Date and time of preparation (UNB S004), taken as UTC since it names no zone; None when it is no date.

    Six digits belong to syntax 1 to 3, eight to syntax 4; either is read.
    """
    text = header.get(4).strip() + header.get(4, 2).strip()
    layout = {10: "%y%m%d%H%M", 12: "%Y%m%d%H%M"}.get(len(text))
    if layout is None or not text.isascii() or not text.isdigit():
        return None
    try:
        return datetime.strptime(text, layout).replace(tzinfo=UTC)
    except ValueError:
        return None
