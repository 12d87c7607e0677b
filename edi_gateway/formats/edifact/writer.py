"""Writes an interchange: segments by pydifact's serializer, envelope, order and honest encoding by us."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pydifact.control.characters import Characters
from pydifact.segments import Segment as PlainSegment
from pydifact.serializer import Serializer

from edi_gateway.errors import RefusedError
from edi_gateway.formats.arranging import arranged, flat
from edi_gateway.formats.edifact.charsets import CODECS, encodable
from edi_gateway.formats.guide import Guide
from edi_gateway.model import OutboundSegment, Party

_TAG: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_BREAKS: Final = ("", "\n", "\r\n")


class UnencodableError(RefusedError):
    """A text holds a character that the interchange's character set cannot carry; nothing is replaced in silence."""

    def __init__(self, tag: str, element: int, character: str, charset: str) -> None:
        self.tag = tag
        self.element = element
        self.character = character
        self.charset = charset
        place = f"{tag}, element {element}" if element else tag
        super().__init__(
            f"{place}: found {character!r} (U+{ord(character):04X}), which {charset} cannot carry; "
            "send in UNOY (UTF-8) if the partner reads it, or map the text to characters he does"
        )


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message between UNH and UNT; ``segments`` as a tree or flat, in writing order."""

    ref: str
    segments: Sequence[OutboundSegment]
    type: str = "IFTSTA"
    version: str = "D"
    release: str = "96A"
    agency: str = "UN"
    association: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What UNA, UNB and UNZ say. ``line_breaks`` (nothing, LF or CR LF) follow every terminator."""

    sender: Party
    recipient: Party
    control_ref: str
    prepared_at: datetime
    syntax: str = "UNOC"
    version: str = "3"
    application_ref: str = ""
    test: bool = False
    ack_request: bool = False
    line_breaks: str = ""
    una: bool = True


class _FourthSyntax(Characters):
    """Service characters of syntax 4, where ``*`` separates repetitions and has to be released, too."""

    @property
    def escaped_syntax_dic(self) -> dict[str, str]:
        released: dict[str, str] = {**super().escaped_syntax_dic, "*": self.escape_character + "*"}
        return released


def write_interchange(envelope: Envelope, messages: Sequence[OutgoingMessage]) -> bytes:
    """Lay out one interchange: service segments counted, empty trailing elements cut, text released and encoded.

    Raises UnencodableError for a character the character set cannot carry, RefusedError for what has no place in
    EDIFACT (an unknown character set, a line break of another kind, an unsound tag).
    """
    if envelope.syntax not in CODECS:
        known = ", ".join(name for name in CODECS if name.startswith("UNO"))
        raise RefusedError(f"syntax: found {envelope.syntax!r}, expected one of {known}")
    if envelope.line_breaks not in _LINE_BREAKS:
        raise RefusedError(f"line_breaks: found {envelope.line_breaks!r}, expected '', '\\n' or '\\r\\n'")
    marks = _FourthSyntax.from_str("UNA:+.?*'") if envelope.version == "4" else Characters.from_str("UNA:+.? '")
    serializer = Serializer(marks)
    lines = [marks.service_string_advice.encode()] if envelope.una else []
    lines += [_encoded(segment, serializer, envelope.syntax) for segment in _interchange(envelope, messages)]
    line_break = envelope.line_breaks.encode()
    return b"".join(line + line_break for line in lines)


def arrange(message: OutgoingMessage, guide: Guide) -> OutgoingMessage:
    """The same tree with every level in the order its directory writes it; equal tags keep theirs.

    Raises RefusedError when the directory has no such segment at that place.
    """
    directory = f"{message.version}.{message.release}"
    return replace(message, segments=arranged(message.segments, guide, directory, guide.root))


def _interchange(envelope: Envelope, messages: Sequence[OutgoingMessage]) -> Iterator[OutboundSegment]:
    yield OutboundSegment("UNB", _header(envelope))
    for message in messages:
        body = list(flat(message.segments))
        kind = [message.type, message.version, message.release, message.agency, message.association]
        yield OutboundSegment("UNH", [[message.ref], kind])
        yield from body
        yield OutboundSegment("UNT", [[str(len(body) + 2)], [message.ref]])
    yield OutboundSegment("UNZ", [[str(len(messages))], [envelope.control_ref]])


def _header(envelope: Envelope) -> list[list[str]]:
    """Elements of UNB; the date has eight digits in syntax 4 and six before (ISO 9735, 0017)."""
    day = envelope.prepared_at.strftime("%Y%m%d" if envelope.version == "4" else "%y%m%d")
    return [
        [envelope.syntax, envelope.version],
        _party(envelope.sender),
        _party(envelope.recipient),
        [day, envelope.prepared_at.strftime("%H%M")],
        [envelope.control_ref],
        [],  # recipient's reference or password
        [envelope.application_ref],
        [],  # processing priority
        ["1" if envelope.ack_request else ""],
        [],  # agreement identifier
        ["1" if envelope.test else ""],
    ]


def _party(party: Party) -> list[str]:
    return [party.id, party.qualifier, party.routing]


def _encoded(segment: OutboundSegment, serializer: Serializer, charset: str) -> bytes:
    """One segment with its terminator, in bytes."""
    text = _serialized(segment, serializer)
    if encodable(text, charset) is not None:
        raise _unencodable(segment, charset)
    return text.encode(CODECS[charset])


def _serialized(segment: OutboundSegment, serializer: Serializer) -> str:
    if not _TAG.fullmatch(segment.tag):
        raise RefusedError(
            f"segment tag: found {segment.tag!r}, expected three capital letters or digits, a letter first"
        )
    elements = list(segment.elements)
    while elements and not any(elements[-1]):
        elements.pop()
    if not elements:
        return segment.tag + serializer.characters.segment_terminator
    return serializer.serialize([PlainSegment(segment.tag, *elements)], with_una_header=False)


def _unencodable(segment: OutboundSegment, charset: str) -> UnencodableError:
    """Name the first element that cannot be carried (0: the tag)."""
    places = [[segment.tag], *segment.elements]
    texts = ((number, text) for number, components in enumerate(places) for text in components)
    offending = ((number, encodable(text, charset)) for number, text in texts)
    number, character = next((number, character) for number, character in offending if character is not None)
    return UnencodableError(segment.tag, number, character, charset)
