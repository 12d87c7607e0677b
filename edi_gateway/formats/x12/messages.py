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
from edi_gateway.formats.guide import Step, load_guide, strangers
from edi_gateway.formats.syntax import CutSegment, Shape, reading_of, shape_of
from edi_gateway.formats.x12.envelope import Envelope
from edi_gateway.model import Finding, Level, Message, Position, Severity

ACKNOWLEDGEMENTS: Final = frozenset({"997", "999"})
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")
_SHOWN: Final = 20


@dataclass(slots=True)
class MessageReader:
    """Hands out the sets of one envelope. Every ST becomes a message, sound or set aside; so does every TA1.

    ``wanted`` is the type of set to read; acknowledgements are read whatever it is.
    """

    envelope: Envelope
    wanted: str
    group_ref: str = ""
    version: str = ""
    _seen: set[str] = field(default_factory=set)

    def read(self) -> Iterator[Message]:
        """Walk from ISA to IEA once; nothing between the two is passed over in silence."""
        width = self.envelope.width
        opened, cursor = -1, self.envelope.body + width
        for tag, start in self._marks():
            if opened >= 0 and tag == "SE":
                trailer = self.envelope.segment(tag, start)
                yield self._message(opened, trailer)
                opened, cursor = -1, trailer.end + width
                continue
            if tag == "SE":
                continue  # without an ST: reported with all that stands before the next mark
            if opened >= 0:
                yield self._unclosed(opened, start, tag)
                opened, cursor = -1, start
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
        yield from self.envelope.service_segments()
        yield "IEA", self.envelope.end

    def _group(self, segment: CutSegment) -> None:
        if segment.tag in {"GS", "GE"}:
            opens = segment.tag == "GS"
            self.group_ref = segment.get(6).strip() if opens else ""
            self.version = segment.get(8).strip() if opens else ""
            self._seen.clear()

    def _message(self, start: int, trailer: CutSegment) -> Message:
        """The set from ST at ``start`` to its SE."""
        envelope, end = self.envelope, min(trailer.end + self.envelope.width, len(self.envelope.content))
        data = envelope.content[start:end]
        decoding = envelope.decoding(data)
        latin = data.decode("latin-1")
        shape = shape_of(latin, envelope.grammar)
        wrapped = shape.wrapped or envelope.grammar.delimiters.by_line
        reading = reading_of(envelope.grammar, decoding.codec, wrapped=wrapped)
        header = CutSegment("ST", 1, start, shape.texts[0], reading)
        version = self._version(header)
        check = _Check(envelope, header, header.get(2).strip(), shape)
        check.reading(decoding.remark, data)
        check.trailer(trailer)
        check.qualifiers(latin)
        steps = check.inside(self.wanted, version)
        self._repeated(check)
        return Message(
            type=header.get(1).strip(),
            version=version,
            control_ref=check.control_ref,
            body=None if check.refused else BodySegment(Body(start, shape, reading, steps), 0),
            position=Position(envelope.control_ref, check.control_ref, 1, "ST", start=start, end=end),
            group_ref=self.group_ref,
            findings=tuple(check.findings),
        )

    def _version(self, header: CutSegment) -> str:
        """GS08; ST03 where it says more, ISA12 where there is no group."""
        refined = header.get(3).strip()
        if refined and (not self.version or refined.startswith(self.version)):
            return refined
        declared = self.envelope.header.get(12) if self.envelope.header else ""
        return self.version or (f"{declared}0" if declared else "")

    def _repeated(self, check: _Check) -> None:
        reference = check.control_ref
        if reference in self._seen:
            expected = "a set control number that is new within its group"
            check.note(Severity.WARNING, check.at(1, element=2), reference, expected, code="7")
        self._seen.add(reference)

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
        version = self._version(header)
        return Message(header.get(1).strip(), version, reference, None, at, self.group_ref, (finding,))

    def _stray(self, start: int, end: int) -> Iterator[Message]:
        """Segments that belong to no set: set aside, so that they are seen."""
        text = self.envelope.content[start:end].strip(
            PADDING + self.envelope.grammar.delimiters.terminator.encode("latin-1")
        )
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
        shape = Shape([latin], [0], ["TA1"])
        reading = reading_of(envelope.grammar, "iso8859-1", wrapped="\n" in latin or "\r" in latin)
        at = Position(envelope.control_ref, "", 1, "TA1", start=segment.start, end=segment.end + envelope.width)
        version = envelope.header.get(12) if envelope.header else ""
        body = BodySegment(Body(segment.start, shape, reading, load_guide("997").walk(["TA1"], "")), 0)
        return Message("TA1", version, "", body, at)


@dataclass(slots=True)
class _Check:
    """The findings of one set, in the making."""

    envelope: Envelope
    header: CutSegment
    control_ref: str
    shape: Shape
    findings: list[Finding] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the set is put aside."""
        return any(finding.severity is Severity.QUARANTINE for finding in self.findings)

    def reading(self, remark: str, data: bytes) -> None:
        """How the text was decoded and whether lines were broken inside it."""
        if remark:
            foreign = _NOT_ASCII.search(data)
            number = bisect_right(self.shape.starts, foreign.start() if foreign else 0, hi=len(self.shape.texts))
            advice = "set 'charset' for this partner if the text reads wrong"
            self.note(Severity.WARNING, self.at(number), remark, "UTF-8 or a charset that is set", advice, "6")
        if self.shape.wrapped:
            advice = "the line breaks are deleted; ask the sender not to wrap lines"
            expected = "line breaks only between segments"
            self.note(Severity.WARNING, self.at(1), "line breaks inside segments", expected, advice, "5")

    def trailer(self, trailer: CutSegment) -> None:
        """SE against ST and against what was counted."""
        counted, reference = len(self.shape.tags), self.control_ref
        if not same_reference(trailer.get(2), reference):
            advice = "two sets may have run into one: ask the sender to send them again"
            place, expected = self.at(counted, element=2), f"control number {reference}"
            self.note(Severity.QUARANTINE, place, trailer.get(2), expected, advice, "3")
        if not same_count(trailer.get(1), counted):
            found = f"claims {trailer.get(1) or 'nothing'}, counted {counted}"
            self.note(Severity.WARNING, self.at(counted, element=1), found, "the number of segments", code="4")

    def qualifiers(self, latin: str) -> None:
        """References of which only the qualifier is there."""
        mark = self.envelope.grammar.delimiters.element
        empty = f"L11{mark}{mark}"
        if empty not in latin:
            return
        for index, text in enumerate(self.shape.texts):
            if text.startswith(empty) and text[len(empty) :].strip(f"{mark} "):
                self.note(
                    Severity.WARNING, self.at(index + 1, element=1), "", "a reference before its qualifier", code="2"
                )

    def inside(self, wanted: str, version: str) -> Sequence[Step]:
        """Type, tags and nesting, which is returned; one reason to set the set aside is enough."""
        kind = self.header.get(1).strip()
        if kind != wanted and kind not in ACKNOWLEDGEMENTS:
            advice = "this channel reads one type of set; let the others come by a channel of their own"
            self.note(Severity.QUARANTINE, self.at(1, element=1), kind, wanted, advice, "1")
        elif self.shape.odd >= 0:
            self._odd_tag(self.shape.odd)
        elif not self.refused:
            return self._nesting(kind, version)
        return ()

    def _nesting(self, kind: str, version: str) -> Sequence[Step]:
        tags = self.shape.tags[:-1]
        steps = load_guide(kind).walk(tags, version)
        for index, path in strangers(tags, steps):
            expected = f"a segment that {kind} holds there"
            advice = "taken as it stands; see that the mapping reaches it"
            self.note(Severity.WARNING, self.at(index + 1), f"{tags[index]} below {path}", expected, advice, "2")
        return steps

    def _odd_tag(self, index: int) -> None:
        marks = self.envelope.grammar.delimiters
        text = self.shape.texts[index][:_SHOWN].partition(marks.element)[0]
        advice = "a terminator inside text cuts a segment in two: ask the sender for another terminator"
        expected = "a segment tag of two or three capital letters or digits"
        self.note(Severity.QUARANTINE, self.at(index + 1), repr(text), expected, advice, "1")

    def at(self, number: int, *, element: int = 0, component: int = 0) -> Position:
        """Position of segment ``number``."""
        start = self.header.start + self.shape.starts[number - 1]
        end = start + len(self.shape.texts[number - 1])
        tag, interchange = self.shape.tags[number - 1], self.envelope.control_ref
        return Position(interchange, self.control_ref, number, tag, element, component, start, end)

    def note(
        self, severity: Severity, at: Position, found: str, expected: str, advice: str = "", code: str = ""
    ) -> None:
        """Write a finding down."""
        self.findings.append(Finding(severity, Level.MESSAGE, at, found, expected, advice, code))
