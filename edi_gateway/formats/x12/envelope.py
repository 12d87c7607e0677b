"""The bounds of one interchange within a document, and its service segments (ISA TA1 GS ST SE GE IEA)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from edi_gateway.formats.control import PADDING
from edi_gateway.formats.decoding import Decoding, settle
from edi_gateway.formats.syntax import CutSegment, Grammar, reading_of
from edi_gateway.formats.x12.header import Header
from edi_gateway.model import Finding

_TAGS: Final = {tag.encode(): tag for tag in ("ST", "SE", "GS", "GE", "TA1", "IEA", "ISA")}
_ORDER: Final = tuple(_TAGS.values())
_NUMBERS: Final = {tag: number for number, tag in enumerate(_ORDER)}
_PIECE: Final = 1 << 20  # bytes searched in one go
_ASSUMED: Final = "utf-8"  # X12 declares no character set


class Marks:
    """The service segments that were found, in nine bytes each, so that nobody has to look for them again."""

    __slots__ = ("_offsets", "_tags")

    def __init__(self) -> None:
        self._tags = bytearray()
        self._offsets = array("Q")

    def add(self, tag: str, offset: int) -> None:
        """Note the next one."""
        self._tags.append(_NUMBERS[tag])
        self._offsets.append(offset)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return zip(map(_ORDER.__getitem__, self._tags), self._offsets, strict=True)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where an interchange stands in a document, how to read it, and what is wrong with its envelope.

    ``body`` is the offset of ISA's terminator, ``end`` that of IEA (or where the envelope broke off), ``next`` where
    reading goes on. ``header`` is None when there is no readable ISA; then there is nothing to be read.
    """

    content: bytes
    grammar: Grammar
    codec: str  # "" unless configured
    start: int
    body: int
    end: int
    next: int
    header: Header | None = None
    findings: tuple[Finding, ...] = ()
    marks: Marks = field(default_factory=Marks)

    @property
    def control_ref(self) -> str:
        """Interchange control number (ISA13)."""
        return self.header.control_ref if self.header else ""

    @property
    def width(self) -> int:
        """Bytes of a terminator."""
        return len(self.grammar.delimiters.terminator)

    def search(self) -> Iterator[tuple[str, int]]:
        """Look for every service segment between ISA and ``end``: its tag and offset."""
        for start, end in self._pieces():
            for match in self.grammar.service.finditer(self.content, start, self.end):
                if match.start() >= end:
                    break
                yield _TAGS.get(match[1]) or match[1].translate(None, b"\r\n").decode("ascii"), match.start(1)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """The body in pieces that begin with a terminator: no search holds up other threads for long."""
        terminator, start = self.grammar.delimiters.terminator.encode("latin-1"), self.body
        while start < self.end:
            end = self.content.find(terminator, start + _PIECE, self.end)
            end = self.end if end < 0 else end
            yield start, end
            start = end

    def decoding(self, data: bytes) -> Decoding:
        """How ``data`` is to be read: as configured, else as UTF-8, else as Latin-1 with a remark."""
        return settle(data, self.codec or _ASSUMED, certain=bool(self.codec))

    def end_of(self, start: int) -> int:
        """Offset behind the segment that begins there and its terminator."""
        terminator = self.grammar.delimiters.terminator.encode("latin-1")
        found = self.content.find(terminator, start)
        return len(self.content) if found < 0 else found + len(terminator)

    def segment(self, tag: str, start: int) -> CutSegment:
        """The service segment at that offset; what lacks a terminator reaches to the end of what there is."""
        match = self.grammar.service_segment.match(self.content, start)
        data = self.content[start : match.end(1)] if match else self.content[start:].rstrip(PADDING)
        wrapped = b"\n" in data or b"\r" in data
        reading = reading_of(self.grammar, self.decoding(data).codec, wrapped=wrapped)
        return CutSegment(tag, 0, start, data.decode("latin-1"), reading)

    def terminated(self, segment: CutSegment) -> bool:
        """Whether a terminator follows; the last line of a document may go without one."""
        marks = self.grammar.delimiters
        return self.content.startswith(marks.terminator.encode("latin-1"), segment.end) or marks.by_line
