"""The bounds of one interchange within a document, and its service segments (ISO 9735: UNA UNB UNG UNH UNT UNE UNZ)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edi_gateway.formats.control import PADDING
from edi_gateway.formats.decoding import settle
from edi_gateway.formats.syntax import CutSegment, Grammar, Shape, reading_of, shape_of
from edi_gateway.model import Finding

_SERVICE_TAGS: Final = {letter.encode(): f"UN{letter}" for letter in "ABEGHTZ"}
_PIECE: Final = 1 << 20  # bytes searched in one go
_OVERLAP: Final = 1 << 16  # bytes beyond a piece in which a UNA that begins in it may find its UNB


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where an interchange stands in a document, how to read it, and what is wrong with its envelope.

    ``body`` is the offset of UNB's terminator, ``end`` that of UNZ (or where the envelope broke off), ``next`` where
    reading goes on. ``header`` is None when there is no readable UNB.
    """

    content: bytes
    tokens: bytes  # ``content``, or as long: with the two-byte runs of ISO 2022 blotted out
    grammar: Grammar
    codec: str
    certain: bool  # the codec was configured, not declared by the sender
    start: int
    body: int
    end: int
    next: int
    header: CutSegment | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def control_ref(self) -> str:
        """Interchange control reference 0020."""
        return self.header.get(5) if self.header else ""

    @property
    def declared(self) -> str:
        """What the document is said to be written in."""
        return self.codec if self.certain or not self.header else self.header.get(1)

    def service_segments(self) -> Iterator[tuple[str, int]]:
        """Tag and offset of every service segment between UNB and ``end``; UNA only where a UNB follows it."""
        tokens, release = self.tokens, self.grammar.delimiters.release.encode("latin-1")
        wraps = b"" if self.grammar.delimiters.by_line else b"\r\n"
        doubtful = frozenset(release + wraps) if release else frozenset()
        for start, end in self._pieces():
            for match in self.grammar.service.finditer(tokens, start, min(end + _OVERLAP, self.end)):
                terminator = match.start()
                if terminator >= end:
                    break
                if tokens[terminator - 1] in doubtful and _is_released(tokens, terminator, release, wraps):
                    continue
                yield _SERVICE_TAGS[match[match.lastindex or 0]], match.start(1)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """The body in pieces that begin with a terminator: no search holds up other threads for long."""
        terminator, start = self.grammar.delimiters.terminator.encode("latin-1"), self.body
        while start < self.end:
            end = self.tokens.find(terminator, start + _PIECE, self.end)
            end = self.end if end < 0 else end
            yield start, end
            start = end

    def segment(self, tag: str, start: int) -> CutSegment:
        """The service segment at that offset; what lacks a terminator reaches to the end of the document."""
        match = self.grammar.service_segment.match(self.tokens, start)
        data = self.content[start : match.end(1)] if match else self.content[start:].rstrip(PADDING)
        codec = settle(data, self.codec, certain=self.certain).codec
        wrapped = b"\n" in data or b"\r" in data
        return CutSegment(tag, 0, start, data.decode("latin-1"), reading_of(self.grammar, codec, wrapped=wrapped))

    def cut(self, data: bytes, start: int) -> Shape:
        """The segments of ``data``, which begins there; in a file cut short, the last may lack its terminator."""
        latin, ending = data.decode("latin-1"), self.grammar.delimiters.terminator
        if self.tokens is self.content:
            return shape_of(latin if latin.endswith(ending) else latin + ending, self.grammar)
        tokens = self.tokens[start : start + len(data)].decode("latin-1")
        shape = shape_of(tokens if tokens.endswith(ending) else tokens + ending, self.grammar)
        texts = [latin[at : at + len(text)] for at, text in zip(shape.starts, shape.texts, strict=False)]
        return Shape(texts, shape.tags, shape.starts, wrapped=shape.wrapped, odd=shape.odd)

    def terminated(self, segment: CutSegment) -> bool:
        """Whether a terminator follows; the last line of a document may go without one."""
        terminator = self.grammar.delimiters.terminator.encode("latin-1")
        return self.tokens.startswith(terminator, segment.end) or self.grammar.delimiters.by_line

    def wrapped(self, segment: CutSegment) -> bool:
        """Whether a line break stands inside the segment."""
        data = self.content[segment.start : segment.end]
        return not self.grammar.delimiters.by_line and (b"\n" in data or b"\r" in data)


def _is_released(tokens: bytes, at: int, release: bytes, wraps: bytes) -> bool:
    """Whether an odd run of release characters stands before ``at``, the line breaks of a hard wrap aside."""
    count, before = 0, at - 1
    while before >= 0:
        character = tokens[before : before + 1]
        if character == release:
            count += 1
        elif character not in wraps or not wraps:
            break
        before -= 1
    return count % 2 == 1
