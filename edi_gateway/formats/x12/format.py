"""The X12 format: bytes to interchanges."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field, field_validator

from edi_gateway.errors import DocumentError
from edi_gateway.formats.control import quoted, refusal, skip_padding
from edi_gateway.formats.guide import guide_names
from edi_gateway.formats.party import Parties, stranger
from edi_gateway.formats.strictness import Strict, empty_file, refused, strict_message
from edi_gateway.formats.x12.completeness import is_complete
from edi_gateway.formats.x12.envelope import Envelope
from edi_gateway.formats.x12.header import Header, next_header
from edi_gateway.formats.x12.messages import ACKNOWLEDGEMENTS, MessageReader
from edi_gateway.formats.x12.survey import begins_here, headless, next_message, read_envelope
from edi_gateway.model import Finding, Interchange, Level, Message, Party, Position, Severity
from edi_gateway.plugins import Plugin

_BANNER: Final = 1024  # how far into a document the first interchange may begin


class X12(Plugin):
    """Reads ANSI X12 (versions 003 to 008)."""

    message: str = Field("214", description="transaction set to read; sets of other types are put aside")
    charset: str = Field("", description="a Python codec to read text with; left out: UTF-8, else ISO 8859-1")
    control_references: Literal["refuse", "warn"] = Field(
        "refuse", description="what becomes of an interchange whose IEA (or GE) names another number than its ISA (GS)"
    )
    accept: Literal["message", "interchange"] = Field(
        "message", description="'interchange': one set put aside sets its whole interchange aside"
    )
    salvage: bool = Field(
        default=False, strict=True, description="take the whole sets of an interchange that was cut short"
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
        known = [name for name in guide_names("ST") if name not in ACKNOWLEDGEMENTS]
        if value not in known:
            raise ValueError(f"there is no guide for {value!r}; there are: {', '.join(known)}")
        return value

    @field_validator("charset")
    @classmethod
    def _is_charset(cls, value: str) -> str:
        try:
            return value and codecs.lookup(value).name
        except LookupError:
            raise ValueError(f"{value!r} is no Python codec, expected one such as cp1252") from None

    def is_complete(self, content: bytes) -> bool:
        """Whether the last segment is the IEA that closes the last interchange."""
        return is_complete(content)

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """Read the interchanges in order, each envelope before its messages.

        Raises DocumentError when the document is empty (a remark, unless strict) or nothing in it looks like X12.
        """
        at = skip_padding(content, 0)
        if at == len(content):
            raise empty_file(content, "an interchange", strict=self.strict)
        banner = _banner(content, at)
        if banner:
            at = banner.at.end
        yield from self._read_from(content, at, banner)

    def _read_from(self, content: bytes, at: int, banner: Finding | None) -> Iterator[Interchange]:
        while at < len(content):
            if begins_here(content, at):
                envelope = read_envelope(
                    content, at, codec=self.charset, references=self.control_references, salvage=self.salvage
                )
            else:
                envelope = headless(content, at)
            yield self._interchange(envelope, banner)
            at, banner = skip_padding(content, envelope.next), None

    def _interchange(self, envelope: Envelope, banner: Finding | None) -> Interchange:
        header, findings = envelope.header, [banner] if banner else []
        if header:
            findings += stranger(header.sender, self.senders, _place(header, 6), "006")
            findings += stranger(header.recipient, self.recipients, _place(header, 8), "009")
        findings += envelope.findings
        if self.strict:
            findings = [*map(refused, findings)]
        broken = header is None or any(finding.severity is Severity.QUARANTINE for finding in findings)
        if self.accept == "interchange" and not broken:
            reasons = refusal(self._messages(envelope))
            findings += reasons
            broken = bool(reasons)
        return Interchange(
            sender=header.sender if header else Party(""),
            recipient=header.recipient if header else Party(""),
            control_ref=envelope.control_ref,
            messages=iter(()) if broken else self._messages(envelope),
            position=Position(interchange=envelope.control_ref, start=envelope.start, end=envelope.next),
            findings=tuple(findings),
            test=header is not None and header.get(15) == "T",
            prepared_at=header.prepared_at if header else None,
            acknowledgement_request=header.get(14) if header else "",
        )

    def _messages(self, envelope: Envelope) -> Iterator[Message]:
        messages = MessageReader(envelope, self.message).read()
        return map(strict_message, messages) if self.strict else messages


def _place(header: Header, element: int) -> Position:
    return Position(header.control_ref, tag="ISA", element=element, start=header.start, end=header.end)


def _banner(content: bytes, at: int) -> Finding | None:
    """A remark on text before the first interchange; its position ends where the interchange begins.

    Raises DocumentError when no interchange or group begins near the top.
    """
    if begins_here(content, at):
        return None
    limit = min(at + _BANNER, len(content))
    begin = min(next_header(content, at, limit), next_message(content, at, limit))
    if begin == at:
        return None
    if begin >= limit:
        advice = "this is no X12 file: look at what the channel collects"
        if content.startswith((b"UNA", b"UNB"), at):
            advice = "this looks like EDIFACT: use that format for this channel"
        raise _unreadable(quoted(content, at), at, "ISA", advice)
    place = Position(start=at, end=begin)
    found, advice = quoted(content, at, begin), "what stands before the interchange is passed over"
    return Finding(Severity.WARNING, Level.INTERCHANGE, place, found, "ISA", advice)


def _unreadable(found: str, at: int, expected: str, advice: str = "") -> DocumentError:
    place = Position(start=at, end=at)
    return DocumentError(Finding(Severity.QUARANTINE, Level.DOCUMENT, place, found, expected, advice, "022"))
