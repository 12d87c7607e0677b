"""Finds the interchanges of a document and looks each envelope over before any message is handed out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from edi_gateway.formats.control import quoted
from edi_gateway.formats.decoding import FALLBACK
from edi_gateway.formats.edifact.charsets import codec_of
from edi_gateway.formats.edifact.envelope import Envelope
from edi_gateway.formats.edifact.syntax import SERVICE_STRING_LENGTH, delimiters_of, grammar_of
from edi_gateway.formats.edifact.tally import References, Tally
from edi_gateway.formats.syntax import Delimiters
from edi_gateway.model import Finding, Level, Position, Severity

_HEADER: Final = re.compile(rb"[ \t\r\n]*+UNB(?=[^A-Za-z0-9\s])")
_START: Final = re.compile(rb"(?s)(?:UNA.{6}[ \t\r\n]*+)?UNB(?=[^A-Za-z0-9\s][A-Z]{4}[^A-Za-z0-9\s])")
_MESSAGE: Final = re.compile(rb"(?<![A-Za-z0-9])UN[GH](?=[^A-Za-z0-9\s])")
_OTHER: Final = re.compile(rb"ISA(?=[^A-Za-z0-9\s])")
_ADVICE: Final = "ask the sender for the file anew, with a sound interchange header"
_WINDOW: Final = 1 << 20  # bytes searched at once: no other thread can run meanwhile
_OVERLAP: Final = 4096  # bytes that the beginning of an interchange may reach into the next window


def begins_here(content: bytes, at: int) -> bool:
    """Whether an interchange begins at that offset, soundly or not."""
    return content.startswith(b"UNA", at) or _HEADER.match(content, at) is not None


def next_start(content: bytes, at: int) -> int:
    """Offset of the next interchange at or after ``at``; the end of the document when there is none."""
    for begin in range(at, len(content), _WINDOW):
        found = _START.search(content, begin, begin + _WINDOW + _OVERLAP)
        if found and found.start() < begin + _WINDOW:
            return found.start()
    return len(content)


def next_message(content: bytes, at: int, limit: int) -> int:
    """Offset of the next message or group header at or after ``at``, or ``limit`` when there is none before it."""
    found = _MESSAGE.search(content, at, limit)
    return found.start() if found else limit


def shown(content: bytes, at: int, end: int | None = None) -> str:
    """The first characters there, fit for a report: the tag of a message header, or else a quotation."""
    while content[at : at + 1].isspace():
        at += 1
    tag = _MESSAGE.match(content, at)
    return tag[0].decode() if tag else quoted(content, at, end)


def headless(content: bytes, start: int) -> Envelope:
    """Messages without an interchange header, or text that is none: set aside up to the next interchange."""
    end = next_start(content, start + 1)
    found, lacks_header = shown(content, start, end), _MESSAGE.match(content, start)
    expected, code = ("UNB", "13") if lacks_header else ("UNA or UNB", "33")
    advice = "this is X12: let it come by a channel of its own" if _OTHER.match(content, start) else _ADVICE
    return _outside(content, start, found=found, expected=expected, code=code, end=end, advice=advice)


def _outside(
    content: bytes, start: int, *, found: str, expected: str, code: str, end: int, advice: str = _ADVICE
) -> Envelope:
    at = Position(start=start, end=end)
    finding = Finding(Severity.QUARANTINE, Level.INTERCHANGE, at, found, expected, advice, code)
    grammar = grammar_of(Delimiters())
    return Envelope(content, content, grammar, FALLBACK, False, start, end, end, end, findings=(finding,))


def read_envelope(
    content: bytes,
    start: int,
    *,
    masked: bytes,
    codec: str = "",
    references: References = "refuse",
    salvage: bool = False,
) -> Envelope:
    """Read the envelope that begins with UNA or UNB at ``start``.

    ``masked`` is the content with its shifted runs blotted out (read instead where the codec is ISO 2022); ``codec``
    overrides what UNB declares; ``references`` says what a reference mismatch (0085 code 28) comes to, ``salvage``
    what becomes of an interchange without its end.
    """
    after = start + SERVICE_STRING_LENGTH if content.startswith(b"UNA", start) else start
    service_string = content[start:after]
    opening = _HEADER.match(content, after)
    if opening is None:
        end = next_start(content, start + 1)
        return _outside(content, start, found=shown(content, after), expected="UNB", code="13", end=end)
    delimiters = delimiters_of(service_string, "")
    if not delimiters.sound:
        expected = "UNA with service characters that differ and are no letters"
        end = next_start(content, opening.end())
        return _outside(content, start, found=repr(service_string), expected=expected, code="22", end=end)
    header = opening.end() - len("UNB")
    grammar = grammar_of(delimiters)
    if not grammar.service_segment.match(content, header):
        expected = f"{delimiters.terminator!r} at the end of UNB"
        return _outside(content, start, found="end of file", expected=expected, code="13", end=len(content))
    size = len(content)
    draft = Envelope(content, content, grammar, FALLBACK, bool(codec), start, header, size, size)
    return _survey(_settled(draft, service_string, masked, codec), codec, references, salvage=salvage)


def _settled(draft: Envelope, service_string: bytes, masked: bytes, codec: str) -> Envelope:
    """Syntax version and character set as UNB declares them; the offset ``body`` still is that of UNB."""
    header = draft.segment("UNB", draft.body)
    grammar = grammar_of(delimiters_of(service_string, header.get(1, 2)[:1]))
    codec = codec or codec_of(header.get(1), header.get(1, 4)) or FALLBACK
    tokens = masked if codec == "iso2022_jp" else draft.content
    settled = replace(draft, grammar=grammar, codec=codec, tokens=tokens)
    header = settled.segment("UNB", draft.body)
    return replace(settled, header=header, body=header.end)


def _survey(envelope: Envelope, codec: str, references: References, *, salvage: bool) -> Envelope:
    """Balance the books up to UNZ; where that is missing, up to the next interchange or the end."""
    header = envelope.header
    assert header is not None
    tally = Tally(envelope, header, references, salvage)
    tally.open(codec or codec_of(header.get(1), header.get(1, 4)), FALLBACK)
    end, following = _walk(tally)
    return replace(envelope, end=end, next=following, findings=tuple(tally.findings))


def _walk(tally: Tally) -> tuple[int, int]:
    """Count every service segment; returns the offsets where the body ends and where reading goes on."""
    envelope, size = tally.envelope, len(tally.envelope.content)
    for tag, start in envelope.service_segments():
        if tag == "UNZ":
            trailer = envelope.segment(tag, start)
            tally.close(trailer)
            return start, trailer.end + 1 if envelope.terminated(trailer) else size
        if tag in {"UNA", "UNB"}:
            tally.truncated(start, tag)
            return start, start
        tally.count(tag, start)
    tally.truncated(size, "end of file")
    return size, size
