"""Reads the transaction sets of one interchange, one at a time: each is checked and nested by its guide, or set aside.

Codes of findings: at ST and SE those of data element 718, at another segment of 720, at an element of 723.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from edi_gateway.formats.body import Body, BodySegment
from edi_gateway.formats.control import PADDING, quoted, same_count, same_reference
from edi_gateway.formats.guide import Guide, Walk, load_guide
from edi_gateway.formats.syntax import CutSegment, Reading, Shape, reading_of, shape_of
from edi_gateway.formats.x12.envelope import Envelope
from edi_gateway.formats.x12.pieces import Pieces
from edi_gateway.model import Finding, Level, Message, Position, Severity, make_message, make_position

ACKNOWLEDGEMENTS: Final = frozenset({"997", "999"})
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")
_BREAKS: Final = str.maketrans("", "", "\r\n")
_SHOWN: Final = 20


class MessageReader:
    """Hands out the sets of one envelope. Every ST becomes a message, sound or set aside; so does every TA1.

    ``wanted`` is the type of set to read; acknowledgements are read whatever it is.
    """

    def __init__(self, envelope: Envelope, wanted: str) -> None:
        marks = envelope.grammar.delimiters
        self.envelope = envelope
        self.wanted = wanted
        self.group_ref = ""
        self.version = ""
        self._guides = {kind: load_guide(kind) for kind in (*ACKNOWLEDGEMENTS, wanted)}
        self._pieces = Pieces(envelope)
        self._element = marks.element
        self._terminator = marks.terminator
        self._ascii = reading_of(envelope.grammar, "ascii", wrapped=marks.by_line)
        self._control_ref = envelope.control_ref
        self._outside = PADDING + marks.terminator.encode("latin-1")  # what may stand between two sets
        self._seen: set[str] = set()
        self._alike: tuple[str, str, Sequence[str]] | None = None  # type, version and tags of the last set that was
        self._walk: Walk | None = None  # nested like this

    def read(self) -> Iterator[Message]:
        """Walk from ISA to IEA once; nothing between the two is passed over in silence."""
        width = self.envelope.width
        opened, cursor = -1, self.envelope.body + width
        for tag, start in self._marks():
            if opened >= 0 and tag == "SE":
                message = self._message(opened, start)
                yield message
                opened, cursor = -1, message.position.end
                continue
            if tag == "SE":
                continue  # without an ST: reported with all that stands before the next mark
            if opened >= 0:
                yield self._unclosed(opened, start, tag)
                opened, cursor = -1, start
            if cursor < start:
                yield from self._stray(cursor, start)
            if tag == "ST":
                opened = start
            elif start < self.envelope.end:
                segment = self.envelope.segment(tag, start)
                cursor = segment.end + width
                if tag == "TA1":
                    yield self._acknowledgement(segment)
                self._group(segment)

    def _marks(self) -> Iterator[tuple[str, int]]:
        yield from self.envelope.marks
        yield "IEA", self.envelope.end

    def _group(self, segment: CutSegment) -> None:
        if segment.tag in {"GS", "GE"}:
            opens = segment.tag == "GS"
            self.group_ref = segment.get(6).strip() if opens else ""
            self.version = segment.get(8).strip() if opens else ""
            self._seen.clear()

    def _message(self, start: int, trailer: int) -> Message:
        """The set from ST at ``start`` to its SE at ``trailer``."""
        shape = self._pieces.take(start, trailer) if self.version else None
        if shape is not None:
            mark, texts = self._element, shape.texts
            kind, _, reference = texts[0][3:].partition(mark)
            guide = self._guides.get(kind)
            closes = f"SE{mark}{len(texts)}{mark}{reference}"
            if guide is not None and mark not in reference and texts[-1] == closes and reference not in self._seen:
                walk = self._nest(guide, shape.tags)
                if not walk.strangers:
                    self._seen.add(reference)
                    end = trailer + len(closes) + self.envelope.width
                    at = make_position(self._control_ref, reference, 1, "ST", start=start, end=end)
                    body = BodySegment(Body(self._pieces.start, shape, self._ascii, walk), 0)
                    return make_message(kind, self.version, reference, body, at, self.group_ref)
        data = self.envelope.content[start : self.envelope.end_of(trailer)]
        latin = data.decode("latin-1")
        terminated = latin if latin.endswith(self._terminator) else latin + self._terminator
        return self._looked_at(_Check(self.envelope, start, shape_of(terminated, self.envelope.grammar)), data, latin)

    def _nest(self, guide: Guide, tags: Sequence[str]) -> Walk:
        """How the set nests; most are like the one before."""
        alike = (guide.message, self.version, tags)
        if alike != self._alike:
            self._alike, self._walk = alike, guide.nest(tags[:-1], self.version)
        assert self._walk is not None
        return self._walk

    def _looked_at(self, check: _Check, data: bytes, latin: str) -> Message:
        """A set in which something is not as usual."""
        kind, reference, refined = check.header()
        version = self._version(refined)
        reading = check.reading(data)
        walk = check.all(latin, kind, self.wanted, version, repeated=reference in self._seen)
        self._seen.add(reference)
        body = None if walk is None else BodySegment(Body(check.start, check.shape, reading, walk), 0)
        at = Position(self._control_ref, reference, 1, "ST", start=check.start, end=check.start + len(data))
        return Message(kind, version, reference, body, at, self.group_ref, tuple(check.findings))

    def _version(self, refined: str) -> str:
        """GS08; ST03 where it says more, ISA12 where there is no group."""
        if refined and (not self.version or refined.startswith(self.version)):
            return refined
        declared = self.envelope.header.get(12) if self.envelope.header else ""
        return self.version or (f"{declared}0" if declared else "")

    def _unclosed(self, start: int, end: int, tag: str) -> Message:
        """A set that something else follows before its SE."""
        header = self.envelope.segment("ST", start)
        reference = header.get(2).strip()
        at = Position(self.envelope.control_ref, reference, tag="ST", start=start, end=end)
        found = tag if end < len(self.envelope.content) else "end of file"
        finding = Finding(
            Severity.QUARANTINE, Level.MESSAGE, at, found, "SE", "ask the sender to send this set again", "2"
        )
        self._seen.add(reference)
        version = self._version(header.get(3).strip())
        return Message(header.get(1).strip(), version, reference, None, at, self.group_ref, (finding,))

    def _stray(self, start: int, end: int) -> Iterator[Message]:
        """Segments that belong to no set: set aside, so that they are seen."""
        text = self.envelope.content[start:end].strip(self._outside)
        if not text:
            return
        begin = self.envelope.content.index(text[:1], start)
        at = Position(self.envelope.control_ref, start=begin, end=end)
        found, advice = quoted(text, 0), "what stands outside every transaction set is set aside"
        finding = Finding(Severity.QUARANTINE, Level.MESSAGE, at, found, "ST", advice, "2")
        yield Message("", "", "", None, at, self.group_ref, (finding,))

    def _acknowledgement(self, segment: CutSegment) -> Message:
        """A TA1, which is a message of one segment."""
        envelope = self.envelope
        latin = segment.text_as_cut
        shape = Shape([latin], ["TA1"], [0])
        reading = reading_of(envelope.grammar, "iso8859-1", wrapped="\n" in latin or "\r" in latin)
        at = Position(envelope.control_ref, "", 1, "TA1", start=segment.start, end=segment.end + envelope.width)
        version = envelope.header.get(12) if envelope.header else ""
        body = BodySegment(Body(segment.start, shape, reading, load_guide("997").nest(["TA1"], "")), 0)
        return Message("TA1", version, "", body, at)


@dataclass(slots=True)
class _Check:
    """The findings of one set, in the making."""

    envelope: Envelope
    start: int
    shape: Shape
    control_ref: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the set is put aside."""
        return any(finding.severity is Severity.QUARANTINE for finding in self.findings)

    def header(self) -> tuple[str, str, str]:
        """Type, control number and version (ST01 to ST03)."""
        kind, self.control_ref, refined, *_ = (*self._elements(0), "", "", "")
        return kind, self.control_ref, refined

    def all(self, latin: str, kind: str, wanted: str, version: str, *, repeated: bool) -> Walk | None:
        """Look at everything; returns how the set nests, None when it is put aside."""
        self.trailer()
        self.text(latin)
        walk = self.inside(kind, wanted, version)
        if repeated:
            expected = "a set control number that is new within its group"
            self.note(Severity.WARNING, self.at(1, element=2), self.control_ref, expected, code="7")
        return None if self.refused else walk

    def _elements(self, index: int) -> list[str]:
        """The elements of ST or SE, trimmed."""
        text = self.shape.texts[index].translate(_BREAKS)
        return [element.strip() for element in text.split(self.envelope.grammar.delimiters.element)[1:]]

    def reading(self, data: bytes) -> Reading:
        """How the text is to be read, with a remark when that is a guess."""
        terminator = self.envelope.grammar.delimiters.terminator.encode("latin-1")
        if not terminator.isascii():
            data = data.replace(terminator, b"~" * len(terminator))
        decoding = self.envelope.decoding(data)
        if decoding.remark:
            foreign = _NOT_ASCII.search(data)
            number = bisect_right(self.shape.starts, foreign.start() if foreign else 0, hi=len(self.shape.texts))
            advice = "set 'charset' for this partner if the text reads wrong"
            expected = "UTF-8 or a charset that is set"
            self.note(Severity.WARNING, self.at(number), decoding.remark, expected, advice, "6")
        wrapped = self.shape.wrapped or self.envelope.grammar.delimiters.by_line
        return reading_of(self.envelope.grammar, decoding.codec, wrapped=wrapped)

    def text(self, latin: str) -> None:
        """Lines broken inside segments, and references of which only the qualifier is there."""
        if self.shape.wrapped:
            advice = "the line breaks are deleted; ask the sender not to wrap lines"
            expected = "line breaks only between segments"
            self.note(Severity.WARNING, self.at(1), "line breaks inside segments", expected, advice, "5")
        mark = self.envelope.grammar.delimiters.element
        empty = f"L11{mark}{mark}"
        if empty not in latin:
            return
        for index, text in enumerate(self.shape.texts):
            if text.startswith(empty) and text[len(empty) :].strip(f"{mark} "):
                place = self.at(index + 1, element=1)
                self.note(Severity.WARNING, place, "", "a reference before its qualifier", code="2")

    def trailer(self) -> None:
        """SE against ST and against what was counted."""
        counted, reference = len(self.shape.tags), self.control_ref
        claimed, closes, *_ = (*self._elements(-1), "", "")
        if closes != reference and not same_reference(closes, reference):
            advice = "two sets may have run into one: ask the sender to send them again"
            place, expected = self.at(counted, element=2), f"control number {reference}"
            self.note(Severity.QUARANTINE, place, closes, expected, advice, "3")
        if claimed != str(counted) and not same_count(claimed, counted):
            found = f"claims {claimed or 'nothing'}, counted {counted}"
            self.note(Severity.WARNING, self.at(counted, element=1), found, "the number of segments", code="4")

    def inside(self, kind: str, wanted: str, version: str) -> Walk | None:
        """Type, tags and nesting, which is returned; one reason to set the set aside is enough."""
        if kind not in {wanted, *ACKNOWLEDGEMENTS}:
            advice = "this channel reads one type of set; let the others come by a channel of their own"
            self.note(Severity.QUARANTINE, self.at(1, element=1), kind, wanted, advice, "1")
            return None
        if self.shape.odd >= 0:
            self._odd_tag(self.shape.odd)
            return None
        tags = self.shape.tags[:-1]
        walk = load_guide(kind).nest(tags, version)
        for index, path in walk.strangers:
            expected = f"a segment that {kind} holds there"
            advice = "taken as it stands; see that the mapping reaches it"
            self.note(Severity.WARNING, self.at(index + 1), f"{tags[index]} below {path}", expected, advice, "2")
        return walk

    def _odd_tag(self, index: int) -> None:
        marks = self.envelope.grammar.delimiters
        text = self.shape.texts[index][:_SHOWN].partition(marks.element)[0]
        advice = "a terminator inside text cuts a segment in two: ask the sender for another terminator"
        expected = "a segment tag of two or three capital letters or digits"
        self.note(Severity.QUARANTINE, self.at(index + 1), repr(text), expected, advice, "1")

    def at(self, number: int, *, element: int = 0, component: int = 0) -> Position:
        """Position of segment ``number``."""
        start = self.start + self.shape.starts[number - 1]
        end = start + len(self.shape.texts[number - 1])
        tag, interchange = self.shape.tags[number - 1], self.envelope.control_ref
        return Position(interchange, self.control_ref, number, tag, element, component, start, end)

    def note(
        self, severity: Severity, at: Position, found: str, expected: str, advice: str = "", code: str = ""
    ) -> None:
        """Write a finding down."""
        self.findings.append(Finding(severity, Level.MESSAGE, at, found, expected, advice, code))
