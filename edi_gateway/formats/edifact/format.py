"""The EDIFACT format: bytes to interchanges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field, field_validator

from edi_gateway.errors import DocumentError
from edi_gateway.formats.control import refusal, skip_padding
from edi_gateway.formats.edifact.charsets import codec_named, mask_shifted
from edi_gateway.formats.edifact.completeness import is_complete
from edi_gateway.formats.edifact.envelope import Envelope
from edi_gateway.formats.edifact.messages import ACKNOWLEDGEMENTS, MessageReader
from edi_gateway.formats.edifact.survey import begins_here, headless, next_message, next_start, read_envelope, shown
from edi_gateway.formats.edifact.tally import prepared_at
from edi_gateway.formats.guide import guide_names, load_guide
from edi_gateway.formats.party import Parties, stranger
from edi_gateway.formats.strictness import Strict, empty_file, refused, strict_message
from edi_gateway.formats.syntax import CutSegment
from edi_gateway.model import Finding, Interchange, Level, Message, Party, Position, Severity
from edi_gateway.plugins import Plugin

_BANNER: Final = 1024  # how far into a document the first interchange may begin
_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff", b"U\x00N\x00", b"\x00U\x00N")


class Edifact(Plugin):
    """Reads UN/EDIFACT (ISO 9735 syntax 1 to 4)."""

    message: str = Field("IFTSTA", description="message type to read; messages of other types are set aside")
    charset: str = Field("", description="character set to use instead of UNB's: UNOA to UNOY or a Python codec")
    control_references: Literal["refuse", "warn"] = Field(
        "refuse", description="what becomes of an interchange whose UNZ (or UNE) names another reference than its UNB"
    )
    accept: Literal["message", "interchange"] = Field(
        "message", description="'interchange': one message set aside sets its whole interchange aside"
    )
    salvage: bool = Field(
        default=False, strict=True, description="take the whole messages of an interchange that was cut short"
    )
    senders: Parties = Field(
        (), description="ID or ID:QUALIFIER of who may send here, one or a list; interchanges of others are set aside"
    )
    recipients: Parties = Field(
        (), description="in the same form, who interchanges may be for; those for others are set aside"
    )
    strict: Strict = False

    @field_validator("message")
    @classmethod
    def _has_guide(cls, value: str) -> str:
        known = [name for name in guide_names("UNH") if name not in ACKNOWLEDGEMENTS]
        if value not in known:
            raise ValueError(f"there is no guide for {value!r}; there are: {', '.join(known)}")
        return value

    @field_validator("charset")
    @classmethod
    def _is_charset(cls, value: str) -> str:
        try:
            return value and codec_named(value)
        except LookupError:
            raise ValueError(f"{value!r} is neither a syntax identifier (UNOA to UNOY) nor a Python codec") from None

    def is_complete(self, content: bytes) -> bool:
        """Whether the last segment is the UNZ that closes the last interchange."""
        return is_complete(content)

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """Read the interchanges in order, each envelope before its messages.

        Raises DocumentError when the document is empty (a remark, unless strict) or nothing in it looks like EDIFACT.
        """
        at, masked = skip_padding(content, 0), mask_shifted(content)
        if at == len(content):
            raise empty_file(content, "an interchange", strict=self.strict)
        banner = _banner(content, at)
        if banner:
            at = banner.at.end
        yield from self._read_from(content, masked, at, banner)

    def _read_from(self, content: bytes, masked: bytes, at: int, banner: Finding | None) -> Iterator[Interchange]:
        while at < len(content):
            if begins_here(content, at):
                envelope = read_envelope(
                    content,
                    at,
                    masked=masked,
                    codec=self.charset,
                    references=self.control_references,
                    salvage=self.salvage,
                )
            else:
                envelope = headless(content, at)
            yield self._interchange(envelope, banner)
            at, banner = skip_padding(content, envelope.next), None

    def _interchange(self, envelope: Envelope, banner: Finding | None) -> Interchange:
        header, sender, recipient = envelope.header, _party(envelope.header, 2), _party(envelope.header, 3)
        findings = [banner] if banner else []
        if header:
            findings += stranger(sender, self.senders, _place(header, 2), "23")
            findings += stranger(recipient, self.recipients, _place(header, 3), "7")
        findings += envelope.findings
        if self.strict:
            findings = [*map(refused, findings)]
        broken = any(finding.severity is Severity.QUARANTINE for finding in findings)
        if self.accept == "interchange" and not broken:
            reasons = refusal(self._messages(envelope))
            findings += reasons
            broken = bool(reasons)
        return Interchange(
            sender=sender,
            recipient=recipient,
            control_ref=envelope.control_ref,
            messages=iter(()) if broken else self._messages(envelope),
            position=Position(interchange=envelope.control_ref, start=envelope.start, end=envelope.next),
            findings=tuple(findings),
            test=header is not None and header.get(11).strip() not in {"", "0"},
            prepared_at=prepared_at(header) if header else None,
            acknowledgement_request=header.get(9).strip() if header else "",
        )

    def _messages(self, envelope: Envelope) -> Iterator[Message]:
        messages = MessageReader(envelope, load_guide(self.message)).read()
        return map(strict_message, messages) if self.strict else messages


def _party(header: CutSegment | None, element: int) -> Party:
    return Party(*(header.get(element, component) for component in (1, 2, 3))) if header else Party("")


def _place(header: CutSegment, element: int) -> Position:
    return Position(header.get(5), tag="UNB", element=element, start=header.start, end=header.end)


def _banner(content: bytes, at: int) -> Finding | None:
    """A remark on text before the first interchange; its position ends where the interchange begins.

    Raises DocumentError when no interchange or message begins near the top.
    """
    if begins_here(content, at):
        return None
    limit = at + _BANNER
    begin = min(next_start(content, at), next_message(content, at, limit))
    if begin == at:
        return None
    if begin >= min(limit, len(content)):
        raise _unreadable(shown(content, at), at, "UNA or UNB", _advice(content))
    place = Position(start=at, end=begin)
    found, advice = shown(content, at, begin), "what stands before the interchange is passed over"
    return Finding(Severity.WARNING, Level.INTERCHANGE, place, found, "UNA or UNB", advice)


def _advice(content: bytes) -> str:
    if content.startswith(_WIDE_BOMS):
        return "this looks like UTF-16: ask the sender for one byte a character, or UTF-8"
    if content.lstrip().startswith(b"ISA"):
        return "this looks like X12: use that format for this channel"
    return "this is no EDIFACT file: look at what the channel collects"


def _unreadable(found: str, at: int, expected: str, advice: str = "") -> DocumentError:
    place = Position(start=at, end=at)
    return DocumentError(Finding(Severity.QUARANTINE, Level.DOCUMENT, place, found, expected, advice))
