"""Reads the messages of one interchange, one at a time: each is checked and nested by its guide, or set aside."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from edi_gateway.formats.body import Body, BodySegment
from edi_gateway.formats.control import PADDING, same_count, same_reference
from edi_gateway.formats.decoding import settle
from edi_gateway.formats.edifact.capacity import TORN, excesses
from edi_gateway.formats.edifact.envelope import Envelope
from edi_gateway.formats.guide import Guide, Walk, load_guide
from edi_gateway.formats.syntax import CutSegment, Reading, Shape, reading_of
from edi_gateway.model import Finding, Level, Message, Position, Severity

_NOT_ASCII: Final = re.compile(rb"[\x80-\xff\x1b]")
_SHOWN: Final = 20
ACKNOWLEDGEMENTS: Final = frozenset({"CONTRL", "APERAK"})


@dataclass(slots=True)
class MessageReader:
    """Hands out the messages of one envelope. Every UNH becomes a message, sound or set aside."""

    envelope: Envelope
    guide: Guide
    _seen: set[str] = field(default_factory=set)

    def read(self) -> Iterator[Message]:
        """Walk from UNB to UNZ once; nothing between the two is passed over in silence."""
        group_ref, opened, cursor = "", -1, self.envelope.body + 1
        for tag, start in self._marks():
            if opened >= 0 and tag == "UNT":
                trailer = self.envelope.segment(tag, start)
                yield self._message(opened, trailer, group_ref)
                opened, cursor = -1, trailer.end + 1
                continue
            if tag == "UNT":
                continue  # without a UNH: reported with all that stands before the next mark
            if opened >= 0:
                yield self._unclosed(opened, start, tag, group_ref)
                opened, cursor = -1, start
            yield from self._stray(cursor, start, group_ref)
            if tag == "UNH":
                opened = start
            else:
                segment = self.envelope.segment(tag, start)
                group_ref, cursor = segment.get(5) if tag == "UNG" else "", segment.end + 1

    def _marks(self) -> Iterator[tuple[str, int]]:
        yield from self.envelope.service_segments()
        yield "UNZ", self.envelope.end

    def _message(self, start: int, trailer: CutSegment, group_ref: str) -> Message:
        """The message from UNH at ``start`` to its UNT."""
        envelope, end = self.envelope, trailer.end + 1
        data = envelope.content[start:end]
        decoding = settle(data, envelope.codec, certain=envelope.certain)
        shape = envelope.cut(data, start)
        wrapped = shape.wrapped or envelope.grammar.delimiters.by_line
        reading = reading_of(envelope.grammar, decoding.codec, wrapped=wrapped)
        header = CutSegment("UNH", 1, start, shape.texts[0], reading)
        check = _Check(envelope, header, header.get(1), shape)
        check.reading(decoding.remark, data)
        check.trailer(trailer)
        acknowledges = header.get(2) in ACKNOWLEDGEMENTS  # they come beside whatever a channel is there for
        walk = check.inside(load_guide(header.get(2)) if acknowledges else self.guide)
        if walk is not None and not acknowledges:
            check.elements(reading)
        self._repeated(check)
        return Message(
            type=header.get(2),
            version=":".join(header.components(2)[1:]).rstrip(":"),
            control_ref=check.control_ref,
            body=None if walk is None or check.refused else BodySegment(Body(start, shape, reading, walk), 0),
            position=Position(envelope.control_ref, check.control_ref, 1, "UNH", start=start, end=end),
            group_ref=group_ref,
            findings=tuple(check.findings),
        )

    def _repeated(self, check: _Check) -> None:
        reference = check.control_ref
        if reference in self._seen:
            expected = "a message reference that is new within its interchange"
            check.note(Severity.WARNING, check.at(1, element=1), reference, expected, code="26")
        self._seen.add(reference)

    def _unclosed(self, start: int, end: int, tag: str, group_ref: str) -> Message:
        """A message that something else follows before its UNT."""
        header = self.envelope.segment("UNH", start)
        at = Position(self.envelope.control_ref, header.get(1), tag="UNT", start=start, end=end)
        advice = "ask the sender to send this message again; an unwanted release before a terminator hides a UNT, too"
        finding = Finding(Severity.QUARANTINE, Level.MESSAGE, at, tag, "UNT", advice, "13")
        version = ":".join(header.components(2)[1:]).rstrip(":")
        self._seen.add(header.get(1))
        return Message(header.get(2), version, header.get(1), None, at, group_ref, (finding,))

    def _stray(self, start: int, end: int, group_ref: str) -> Iterator[Message]:
        """Segments that belong to no message: set aside, so that they are seen."""
        text = self.envelope.content[start:end].strip(PADDING)
        if not text:
            return
        begin = self.envelope.content.index(text[:1], start)
        at = Position(self.envelope.control_ref, start=begin, end=end)
        found, advice = repr(text[:_SHOWN].decode("latin-1")), "what stands outside every message is set aside"
        finding = Finding(Severity.QUARANTINE, Level.MESSAGE, at, found, "UNH", advice, "33")
        yield Message("", "", "", None, at, group_ref, (finding,))


@dataclass(slots=True)
class _Check:
    """The findings of one message, in the making."""

    envelope: Envelope
    header: CutSegment
    control_ref: str
    shape: Shape
    findings: list[Finding] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether the message is set aside."""
        return any(finding.severity is Severity.QUARANTINE for finding in self.findings)

    def reading(self, remark: str, data: bytes) -> None:
        """How the text was decoded and whether lines were broken inside it."""
        if remark:
            foreign = _NOT_ASCII.search(data)
            offset = foreign.start() if foreign else 0
            number = bisect_right(self.shape.starts, offset, hi=len(self.shape.texts))
            declared = f"{self.envelope.declared}, as declared"
            advice = "declared charset does not match; set 'charset' for this partner if the text reads wrong"
            self.note(Severity.WARNING, self.at(number), remark, declared, advice, "21")
        if self.shape.wrapped:
            advice = "the line breaks are deleted; ask the sender not to wrap lines"
            expected = "line breaks only between segments"
            self.note(Severity.WARNING, self.at(1), "line breaks inside segments", expected, advice, "21")

    def trailer(self, trailer: CutSegment) -> None:
        """UNT against UNH and against what was counted."""
        counted, reference = len(self.shape.tags), self.control_ref
        if not same_reference(trailer.get(2), reference):
            advice = "two messages may have run into one: ask the sender to send them again"
            place, expected = self.at(counted, element=2), f"reference {reference}"
            self.note(Severity.QUARANTINE, place, trailer.get(2), expected, advice, "28")
        if not same_count(trailer.get(1), counted):
            found = f"claims {trailer.get(1) or 'nothing'}, counted {counted}"
            self.note(Severity.WARNING, self.at(counted, element=1), found, "the number of segments", code="29")

    def inside(self, guide: Guide) -> Walk | None:
        """Type, tags and nesting, which is returned; one reason to set the message aside is enough."""
        message_type, wanted = self.header.get(2), guide.message
        walk = None
        if message_type != wanted:
            place = self.at(1, element=2, component=1)
            advice = "this channel reads one type of message; let the others come by a channel of their own"
            self.note(Severity.QUARANTINE, place, message_type, wanted, advice, "14")
        elif self.shape.odd >= 0:
            self._odd_tag(self.shape.odd)
        elif not self.refused:
            tags, directory = self.shape.tags[:-1], f"{self.header.get(2, 2)}.{self.header.get(2, 3)}"  # D.96A
            walk = guide.nest(tags, directory)
            for index, path in walk.strangers:
                found = f"{self.shape.tags[index]} below {path}"
                expected = f"a segment that {wanted} holds there"
                advice = "taken as it stands; see that the mapping reaches it"
                self.note(Severity.WARNING, self.at(index + 1), found, expected, advice, "15")
        return walk

    def elements(self, reading: Reading) -> None:
        """Segments with more elements than they have: text with a separator, most likely, that was not released."""
        marks = self.envelope.grammar.delimiters
        for excess in excesses(self.shape, reading):
            tag = self.shape.tags[excess.at]
            severity = Severity.QUARANTINE if tag in TORN else Severity.WARNING
            advice = f"an unescaped {marks.element} in text is suspected, which cuts {excess.before!r} short"
            advice += f": ask the sender to write {marks.release}{marks.element}" if marks.release else ""
            place, expected = self.at(excess.at + 1, element=excess.element), f"{tag} to end before it"
            self.note(severity, place, repr(excess.text), expected, advice, "16")

    def _odd_tag(self, index: int) -> None:
        marks = self.envelope.grammar.delimiters
        text = self.shape.texts[index][:_SHOWN]
        for separator in (marks.element, marks.component):
            text = text.partition(separator)[0]
        released = f"{marks.release}{marks.terminator}"
        advice = f"a terminator inside text must be released ({released})" if marks.release else ""
        expected = "a segment tag of three capital letters or digits"
        self.note(Severity.QUARANTINE, self.at(index + 1), repr(text), expected, advice, "12")

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
