"""The books of one interchange: groups and sets are counted and compared, and what does not balance is noted.

Codes of findings are those of what they are about: three digits are the notes of TA1 (I18), one digit at GS or GE is of
data element 716.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edi_gateway.formats.control import same_count, same_reference
from edi_gateway.formats.syntax import CutSegment
from edi_gateway.formats.x12.envelope import Envelope
from edi_gateway.formats.x12.header import Header
from edi_gateway.model import Finding, Level, Position, Severity

References = Literal["refuse", "warn"]


@dataclass(slots=True)
class Tally:
    """What was counted so far, and the findings."""

    envelope: Envelope
    header: Header
    references: References
    salvage: bool  # whether sets that are whole are taken out of an interchange that was cut short
    findings: list[Finding] = field(default_factory=list)
    groups: int = 0
    grouped: int = 0  # sets in the open group
    group: CutSegment | None = None
    bare: bool = False  # a set stands outside all groups
    _numbers: set[str] = field(default_factory=set)

    def open(self) -> None:
        """Look at ISA."""
        header, marks = self.header, self.header.delimiters
        if not header.fixed:
            advice = "read by its separators; ask the sender for elements of full width"
            self._at_header("an ISA of another width", "ISA of 106 bytes", "022", advice)
        if len(marks.terminator) > 1:
            advice = "the file was re-encoded on its way; ask for it as it was written"
            self._at_header(f"a terminator of {len(marks.terminator)} bytes", "one byte", "004", advice)
        if header.wrapped:
            self._at_header("a line break inside ISA", "line breaks only between segments", "022")
        if header.repeats and not marks.repetition:
            found, expected = header.get(11), f"a repetition separator in version {header.get(12)}"
            self._at_header(found, expected, "032", "elements are taken not to repeat", 11)
        if header.prepared_at is None:
            found = f"{header.get(9)} {header.get(10)}"
            self._at_header(found, "a date and time of preparation that exist", "014", element=9)
        if not header.get(13).isdigit():
            self._at_header(header.get(13), "an interchange control number of digits", "018", element=13)
        if header.get(15) not in {"P", "T", "I"}:
            self._at_header(header.get(15), "usage indicator P, T or I", "020", "taken for production", 15)

    def _at_header(self, found: str, expected: str, code: str, advice: str = "", element: int = 0) -> None:
        place = Position(
            self.header.control_ref, tag="ISA", element=element, start=self.header.start, end=self.header.end
        )
        self.findings.append(Finding(Severity.WARNING, Level.INTERCHANGE, place, found, expected, advice, code))

    def count(self, tag: str, start: int) -> None:
        """Take note of ST, GS or GE."""
        if tag == "ST":
            self.grouped += 1
            if self.group is None and not self.bare:
                self.bare = True
                self._note(self.envelope.segment(tag, start), "ST", "GS before it", "024")
        elif tag == "GS":
            self._open_group(self.envelope.segment(tag, start))
        elif tag == "GE":
            self._close_group(self.envelope.segment(tag, start))

    def _open_group(self, header: CutSegment) -> None:
        self._no_group_open(header)
        number = header.get(6).strip().lstrip("0")
        if number in self._numbers:
            self._note(
                header, header.get(6), "a group control number that is new within its interchange", "6", element=6
            )
        self._numbers.add(number)
        self.group, self.grouped = header, 0
        self.groups += 1

    def _no_group_open(self, at: CutSegment) -> None:
        if self.group:
            self._note(at, at.tag, f"GE of group {self.group.get(6)}", "3", self._unless_salvaged)
            self.group = None

    @property
    def _unless_salvaged(self) -> Severity:
        return Severity.WARNING if self.salvage else Severity.QUARANTINE

    def _close_group(self, trailer: CutSegment) -> None:
        if self.group is None:
            self._note(trailer, "GE", "GS before it", "3", Severity.QUARANTINE)
            return
        self._compare(trailer, self.group.get(6), self.grouped, "transaction sets", ("4", "5"))
        self.group, self.grouped = None, 0

    def close(self, trailer: CutSegment) -> None:
        """Take note of IEA and compare everything that is left to compare."""
        self._no_group_open(trailer)
        self._compare(trailer, self.header.control_ref, self.groups, "groups", ("001", "021"))
        if not self.envelope.terminated(trailer):
            self._note(trailer, "end of file", "a segment terminator after IEA", "023")

    def truncated(self, at: int, found: str) -> None:
        """There was no IEA: something else stood at offset ``at``."""
        place = Position(interchange=self.header.control_ref, start=at, end=at)
        if self.salvage:
            advice = "the file is cut short: the transaction sets that are whole are taken (salvage)"
        else:
            advice = "the file is cut short: wait for the whole file, or ask the sender to send it again"
        finding = Finding(self._unless_salvaged, Level.INTERCHANGE, place, found, "IEA", advice, "023")
        self.findings.append(finding)

    def _compare(self, trailer: CutSegment, reference: str, counted: int, what: str, codes: tuple[str, str]) -> None:
        if not same_reference(trailer.get(2), reference):
            severity = Severity.QUARANTINE if self.references == "refuse" else Severity.WARNING
            advice = "ask the sender to correct it, or set 'control_references: warn' for this partner"
            found, expected = trailer.get(2), f"control number {reference}"
            self._note(trailer, found, expected, codes[0], severity, advice=advice, element=2)
        if not same_count(trailer.get(1), counted):
            found = f"claims {trailer.get(1) or 'nothing'}, counted {counted}"
            self._note(trailer, found, f"the number of {what}", codes[1], element=1)

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
        place = Position(self.header.control_ref, tag=at.tag, element=element, start=at.start, end=at.end)
        self.findings.append(Finding(severity, Level.INTERCHANGE, place, found, expected, advice, code))
