"""The EDIFACT encoder: messages to an interchange, in the character set and directory a customer asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from edi_gateway.formats.edifact.charsets import CODECS, encodable
from edi_gateway.formats.edifact.writer import (
    Envelope,
    OutgoingMessage,
    arrange,
    write_interchange,
)
from edi_gateway.formats.guide import load_guide
from edi_gateway.formats.nearest import nearest
from edi_gateway.formats.party import PartyText
from edi_gateway.model import OutboundMessage, OutboundSegment
from edi_gateway.plugins import Plugin

_LINE_BREAKS: Final = {"none": "", "lf": "\n", "crlf": "\r\n"}


def _syntax(text: str) -> str:
    identifier, _, version = text.partition(":")
    if identifier not in CODECS or version not in {"1", "2", "3", "4"}:
        known = ", ".join(name for name in CODECS if name.startswith("UNO"))
        raise ValueError(f"found {text!r}, expected an identifier and a version, such as UNOC:3; identifiers: {known}")
    return text


def _version(text: str) -> str:
    version, _, release = text.partition(":")
    if not version or not release:
        raise ValueError(f"found {text!r}, expected version and release of the directory, such as D:01B")
    return text


class EdifactOutput(Plugin):
    """Writes UN/EDIFACT interchanges (ISO 9735 syntax 1 to 4)."""

    message: Literal["IFTSTA"] = Field("IFTSTA", description="message type to write")
    version: Annotated[str, AfterValidator(_version)] = Field(
        "D:01B", description="version and release of the message's directory (UNH S009)"
    )
    association: str = Field("", max_length=6, description="association assigned code, such as EAN004 (UNH 0057)")
    syntax: Annotated[str, AfterValidator(_syntax)] = Field(
        "UNOC:3", description="syntax identifier and version (UNB S001)"
    )
    sender: PartyText = Field(description="who we are: ID, ID:QUALIFIER or ID:QUALIFIER:ROUTING (UNB S002)")
    recipient: PartyText = Field(description="who the customer is, in the same form (UNB S003)")
    application_reference: str = Field("", max_length=14, description="application reference (UNB 0026)")
    una: bool = Field(default=True, description="begin with the service string advice")
    line_breaks: Literal["none", "lf", "crlf"] = Field("none", description="what follows each segment terminator")
    test: bool = Field(default=False, description="mark interchanges as a test (UNB 0035)")
    request_contrl: bool = Field(default=False, strict=True, description="ask for an acknowledgement (UNB 0031)")

    @property
    def partnership(self) -> str:
        """Sender and recipient: within it, an interchange control reference is unique (ISO 9735, 0020)."""
        return f"EDIFACT {self.sender} {self.recipient}"

    @property
    def largest_control(self) -> int:
        """Fourteen digits (0020)."""
        return 10**14 - 1

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:
        """The interchange in bytes; raises RefusedError for what the character set or the directory cannot hold."""
        identifier, _, version = self.syntax.partition(":")
        envelope = Envelope(
            sender=self.sender,
            recipient=self.recipient,
            control_ref=control_ref,
            prepared_at=prepared_at,
            syntax=identifier,
            version=version,
            application_ref=self.application_reference,
            ack_request=self.request_contrl,
            test=self.test,
            line_breaks=_LINE_BREAKS[self.line_breaks],
            una=self.una,
        )
        guide = load_guide(self.message)
        return write_interchange(envelope, [arrange(self._outgoing(message), guide) for message in messages])

    def replace(self, text: str) -> str:
        """The text with what the character set cannot carry written by the nearest characters, at last a blank."""
        charset = self.syntax.partition(":")[0]
        return "".join(nearest(character, lambda some: encodable(some, charset) is None) for character in text)

    @property
    def _capitals_only(self) -> bool:
        return self.syntax.startswith("UNOA:")

    def _outgoing(self, message: OutboundMessage) -> OutgoingMessage:
        version, _, release = self.version.partition(":")
        return OutgoingMessage(
            ref=message.control_ref,
            segments=_capitals(message.body.children) if self._capitals_only else message.body.children,
            type=self.message,
            version=version,
            release=release,
            association=self.association,
        )


def _capitals(segments: Sequence[OutboundSegment]) -> list[OutboundSegment]:
    """Level A has no small letters: texts are written in capitals, as everybody does (ISO 9735, level A)."""
    return [
        OutboundSegment(
            segment.tag,
            [[text.upper() for text in components] for components in segment.elements],
            _capitals(segment.children),
        )
        for segment in segments
    ]
