"""Acknowledgements in EDIFACT: a receipt in, the bytes of an interchange with CONTRL or APERAK out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edi_gateway.acknowledgements import Kind, Receipt
from edi_gateway.formats.edifact import aperak, contrl
from edi_gateway.formats.edifact.charsets import encodable
from edi_gateway.formats.edifact.messages import ACKNOWLEDGEMENTS
from edi_gateway.formats.edifact.writer import Envelope, OutgoingMessage, write_interchange
from edi_gateway.model import OutboundSegment, Party

LAYOUTS: Final = ("D:3", "2:2", "4:1")  # of CONTRL: syntax 3, its forerunner, syntax 4
_FIRST_MESSAGE: Final = re.compile(rb"UNH([^A-Za-z0-9\s])[^']{1,35}?\1([A-Z]{6})[^A-Z0-9]")
_REACH: Final = 2_000  # bytes in which the first message of an interchange begins
_CHARSETS: Final = ("UNOC", "UNOY")


@dataclass(frozen=True, slots=True)
class EdifactAnswers:
    """Writes the acknowledgements of EDIFACT interchanges."""

    layout: str = "D:3"
    association: str = ""
    line_breaks: str = ""
    every_message: bool = False  # whether messages without any finding are spoken of

    @staticmethod
    def sequence(receipt: Receipt) -> str:
        """Whose control numbers are used: those of everything we send from this party to that one."""
        return f"EDIFACT {receipt.interchange.recipient} {receipt.interchange.sender}"

    @staticmethod
    def acknowledges(content: memoryview) -> bool:
        """Whether these bytes of an interchange, broken as it may be, hold acknowledgements themselves."""
        found = _FIRST_MESSAGE.search(content[:_REACH])
        return bool(found and found[2].decode() in ACKNOWLEDGEMENTS)

    @staticmethod
    def speaks(kind: Kind, receipt: Receipt) -> bool:
        """Whether there is anything to say in that way. APERAK says nothing of what was not read."""
        return kind is Kind.CONTRL or not (receipt.repeated or receipt.refusal)

    def write(self, kind: Kind, receipt: Receipt, number: int, now: datetime) -> bytes:
        """The interchange with that acknowledgement; raises RefusedError for what EDIFACT cannot hold."""
        if kind is Kind.APERAK:
            bodies = aperak.bodies(receipt, str(number), now)
            messages = [
                OutgoingMessage(str(index), body, "APERAK", "D", "96A", association=self.association)
                for index, body in enumerate(bodies, 1)
            ]
        else:
            version, _, release = self.layout.partition(":")
            body = contrl.report(receipt)
            messages = [OutgoingMessage("1", body, "CONTRL", version, release, association=self.association)]
        return write_interchange(self._envelope(receipt, number, now, messages), messages)

    def _envelope(self, receipt: Receipt, number: int, now: datetime, messages: Sequence[OutgoingMessage]) -> Envelope:
        subject = receipt.interchange
        texts = (text for message in messages for text in _texts(message.segments))
        said = "".join(texts) + _all(subject.sender) + _all(subject.recipient)
        fits = (charset for charset in _CHARSETS if encodable(said, charset) is None)
        return Envelope(
            sender=subject.recipient,
            recipient=subject.sender,
            control_ref=str(number),
            prepared_at=now,
            syntax=next(fits, _CHARSETS[0]),
            version="4" if self.layout == "4:1" else "3",
            test=subject.test,
            line_breaks=self.line_breaks,
        )


def _all(party: Party) -> str:
    return party.id + party.qualifier + party.routing


def _texts(segments: Sequence[OutboundSegment]) -> list[str]:
    return [
        text
        for segment in segments
        for text in [*(text for element in segment.elements for text in element), *_texts(segment.children)]
    ]
