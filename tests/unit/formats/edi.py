"""Small EDIFACT files for the tests, written by hand: what carriers send, well and badly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.formats.syntax import CutSegment
from edi_gateway.model import Finding, Interchange, Message, OutboundSegment, Segment, Severity

UNB = "UNB+UNOC:3+CARRIER:ZZZ:DEPOT+HUB:14+260102:0930+REF1++IFTSTA"
BODY = ("BGM+23+RPT7+9", "CNI+1+K77", "STS+1+21", "DTM+334:202601020815:203")


class Read(NamedTuple):
    """An interchange with its messages, read to the end."""

    interchange: Interchange
    messages: list[Message]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.interchange.findings if finding.severity is Severity.WARNING]

    @property
    def refusals(self) -> list[Finding]:
        return [finding for finding in self.interchange.findings if finding.severity is Severity.QUARANTINE]


def message(*body: str, ref: str = "M1", kind: str = "IFTSTA:D:96A:UN", count: int | None = None) -> list[str]:
    """The segments of a message; UNT claims ``count`` segments."""
    claimed = len(body) + 2 if count is None else count
    return [f"UNH+{ref}+{kind}", *body, f"UNT+{claimed}+{ref}"]


def interchange(*messages: list[str], header: str = UNB, trailer: str = "", una: str = "", after: str = "'") -> bytes:
    """One interchange in Latin-1, every segment followed by ``after``."""
    segments = [header, *(segment for each in messages for segment in each), trailer or f"UNZ+{len(messages)}+REF1"]
    return (una + "".join(segment + after for segment in segments)).encode("latin-1")


def sample(after: str = "'") -> bytes:
    """A sound interchange of one message."""
    return interchange(message(*BODY), after=after)


def read_all(content: bytes, reader: Edifact | None = None) -> list[Read]:
    """Everything a document holds."""
    return [Read(found, list(found.messages)) for found in (reader or Edifact()).decode(content)]


def read_one(content: bytes, reader: Edifact | None = None) -> Read:
    """The one interchange of a document."""
    (found,) = read_all(content, reader)
    return found


def the_message(content: bytes, reader: Edifact | None = None) -> Message:
    """The one message of a document."""
    (found,) = read_one(content, reader).messages
    return found


def body_of(found: Message) -> Segment:
    """The header segment of a message that was not set aside."""
    assert found.body is not None, found.findings
    return found.body


def flat(segment: Segment) -> Iterator[Segment]:
    """A segment and all below it, in the order of the file."""
    yield segment
    for child in segment.children:
        yield from flat(child)


def elements_of(segment: Segment) -> list[list[str]]:
    """All elements behind the tag."""
    assert isinstance(segment, CutSegment)
    return segment.elements


def outline(segment: Segment) -> str:
    """The nesting in one line: UNH(BGM CNI(STS))."""
    below = " ".join(outline(child) for child in segment.children)
    return f"{segment.tag}({below})" if below else segment.tag


def codes(findings: tuple[Finding, ...] | list[Finding]) -> list[tuple[str, str]]:
    """Severity and code of each finding."""
    return [(finding.severity.value, finding.code) for finding in findings]


def outbound(
    tag: str, elements: Iterable[str | Iterable[str]] = (), children: Iterable[OutboundSegment] = ()
) -> OutboundSegment:
    """A segment to write; an element given as a text has one component."""
    split = [[element] if isinstance(element, str) else list(element) for element in elements]
    return OutboundSegment(tag, split, list(children))
