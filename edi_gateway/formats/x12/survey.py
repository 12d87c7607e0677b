"""Finds the interchanges of a document and looks each envelope over before any message is handed out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from edi_gateway.formats.control import quoted
from edi_gateway.formats.syntax import Delimiters
from edi_gateway.formats.x12.envelope import Envelope
from edi_gateway.formats.x12.header import next_header, read_header
from edi_gateway.formats.x12.syntax import grammar_of
from edi_gateway.formats.x12.tally import References, Tally
from edi_gateway.model import Finding, Level, Position, Severity

_HEADLESS: Final = re.compile(rb"(?<![A-Za-z0-9])(?:GS|ST|TA1)(?=[^A-Za-z0-9\s])")
_OTHER: Final = re.compile(rb"(?:UNA.{6}[ \t\r\n]*+)?UNB(?=[^A-Za-z0-9\s])", re.DOTALL)


def begins_here(content: bytes, at: int) -> bool:
    """Whether an interchange begins at that offset, soundly or not."""
    return content.startswith(b"ISA", at)


def next_message(content: bytes, at: int, limit: int) -> int:
    """Offset of the next group or set at or after ``at``, or ``limit`` when there is none before it."""
    found = _HEADLESS.search(content, at, limit)
    return found.start() if found else limit


def headless(content: bytes, start: int) -> Envelope:
    """What is no X12 interchange: set aside up to the next one."""
    advice = "ask the sender for the file anew, with a sound interchange header"
    if _OTHER.match(content, start):
        advice = "this is EDIFACT: let it come by a channel of its own"
    return _outside(content, start, quoted(content, start), "ISA", "022", advice)


def _outside(content: bytes, start: int, found: str, expected: str, code: str, advice: str) -> Envelope:
    end = next_header(content, start + 1)
    at = Position(start=start, end=end)
    finding = Finding(Severity.QUARANTINE, Level.INTERCHANGE, at, found, expected, advice, code)
    return Envelope(content, grammar_of(Delimiters(release="")), "", start, end, end, end, findings=(finding,))


def read_envelope(content: bytes, start: int, *, codec: str, references: References, salvage: bool) -> Envelope:
    """Read the envelope that begins with ISA at ``start``.

    ``codec`` is how text is to be read ("" to find out); ``references`` says what a control number that differs comes
    to, ``salvage`` what becomes of an interchange without its end.
    """
    header = read_header(content, start)
    if header is None:
        advice = "ask the sender for the file anew"
        return _outside(content, start, quoted(content, start), "ISA with sixteen elements", "022", advice)
    if not _sound(header.delimiters):
        marks = header.delimiters
        found = f"{marks.element!r}, {marks.component!r} and {marks.terminator!r} as delimiters"
        return _outside(content, start, found, "three that differ and are no letters", "026", "ask for the file anew")
    # An interchange ends at the latest where the next one begins, whatever became of its own end.
    limit = next_header(content, header.end)
    envelope = Envelope(content, grammar_of(header.delimiters), codec, start, header.end, limit, limit, header)
    tally = Tally(envelope, header, references, salvage)
    tally.open()
    end, following = _walk(tally)
    return replace(envelope, end=end, next=following, findings=tuple(tally.findings))


def _sound(marks: Delimiters) -> bool:
    """Whether delimiters can be told apart from each other and from data."""
    used = [marks.element, marks.component, marks.terminator]
    return len(set(used)) == len(used) and not any(c.isascii() and (c.isalnum() or c == " ") for c in "".join(used))


def _walk(tally: Tally) -> tuple[int, int]:
    """Count every service segment; returns the offsets where the body ends and where reading goes on."""
    envelope, note = tally.envelope, tally.envelope.marks.add
    for tag, start in envelope.search():
        if tag == "IEA":
            trailer = envelope.segment(tag, start)
            tally.close(trailer)
            return start, min(trailer.end + envelope.width, len(envelope.content))
        if tag == "ISA":
            tally.truncated(start, tag)
            return start, start
        note(tag, start)
        if tag != "SE":
            tally.count(tag, start)
    limit = envelope.end
    tally.truncated(limit, "ISA" if limit < len(envelope.content) else "end of file")
    return limit, limit
