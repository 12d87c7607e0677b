"""What is noticed while a message is read, with its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from edi_gateway.errors import DocumentError
from edi_gateway.mapping.path import Path
from edi_gateway.model import Finding, Level, Message, Position, Segment, Severity

_OF_X12: Final = {"12": "7", "13": "1"}  # data element 723 for what 0085 says; its sets are called by numbers


@dataclass(slots=True)
class Notes:
    """The findings of one message, in the making."""

    message: Message
    findings: list[Finding] = field(default_factory=list)

    def at(self, segment: Segment, path: Path | None = None) -> Position:
        """A segment of the message, or the place in it that a path names."""
        element = path.element if path else 0
        return Position(
            self.message.position.interchange,
            self.message.control_ref,
            0 if segment.line else segment.number,
            segment.tag,
            element,
            path.component if path and element else 0,
            segment.start,
            segment.end,
            segment.line,
            path.name if path else "",
        )

    def at_end_of(self, path: Path, segment: Segment) -> Position:
        """The place a path leads to, or the same place in the segment it starts from."""
        return self.at(path.find(segment) or segment, path)

    def keep(self, finding: Finding) -> None:
        """Keep what set an event aside, in the codes of its syntax."""
        code = _OF_X12.get(finding.code, finding.code) if self.message.type.isdigit() else finding.code
        self.findings.append(replace(finding, code=code) if code != finding.code else finding)

    def warn(self, at: Position, found: str, expected: str, advice: str = "") -> None:
        """The event is taken, with a remark."""
        self.findings.append(Finding(Severity.WARNING, Level.EVENT, at, found, expected, advice))

    def set_aside(self, level: Level, at: Position, found: str, expected: str, advice: str) -> None:
        """A part is not taken."""
        self.findings.append(Finding(Severity.QUARANTINE, level, at, found, expected, advice))


def refused(at: Position, found: str, expected: str, advice: str = "", code: str = "") -> DocumentError:
    """The error that sets an event aside."""
    return DocumentError(Finding(Severity.QUARANTINE, Level.EVENT, at, found, expected, advice, code))
