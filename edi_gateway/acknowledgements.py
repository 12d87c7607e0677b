"""Acknowledgements as data: what we have to say of an interchange that came, and what a partner says of one of ours.

Formats turn a `Receipt` into segments and segments into `Statement`s; nobody else needs to know how either is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from edi_gateway.model import Finding, Interchange, Message, Severity


class Kind(StrEnum):
    """The messages that acknowledge others. None of them is ever acknowledged itself."""

    CONTRL = "contrl"
    APERAK = "aperak"
    TA1 = "ta1"
    FUNCTIONAL = "997"
    IMPLEMENTATION = "999"


MESSAGE_TYPES: Final = frozenset(kind.value.upper() for kind in Kind)


class Verdict(StrEnum):
    """What somebody says of what he was sent."""

    RECEIVED = "received"  # it came; whether it can be used is said later
    ACCEPTED = "accepted"
    ACCEPTED_WITH_ERRORS = "accepted_with_errors"
    PARTLY_REJECTED = "partly_rejected"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """What we found in one message: its syntax as the format sees it, its sense as the mapping does."""

    message: Message  # without its body
    events: int
    syntax: Sequence[Finding] = ()
    sense: Sequence[Finding] = ()

    @property
    def refused(self) -> bool:
        """Whether its syntax made us set the whole message aside."""
        return any(finding.severity is Severity.QUARANTINE for finding in self.syntax)

    @property
    def remarks(self) -> list[Finding]:
        """What a report on syntax does not say: warnings, and what the mapping found."""
        return [*(one for one in self.syntax if one.severity is Severity.WARNING), *self.sense]


@dataclass(frozen=True, slots=True)
class Receipt:
    """An interchange that came, and everything that was found in it; ``repeated`` says its reference came before.

    ``messages`` are those there is something to say of, of ``count`` altogether.
    """

    interchange: Interchange  # its messages are used up
    messages: Sequence[ReceivedMessage] = field(default_factory=list)
    count: int = 0
    repeated: bool = False
    content: memoryview = field(default_factory=lambda: memoryview(b""))  # its bytes

    @property
    def answerable(self) -> bool:
        """Whether anything can be said at all: without reference and sender there is nobody to say it to."""
        interchange = self.interchange
        return bool(interchange.control_ref and interchange.sender.id and interchange.recipient.id)

    @property
    def refusal(self) -> Finding | None:
        """The finding that sets all of it aside."""
        findings = (one for one in self.interchange.findings if one.severity is Severity.QUARANTINE)
        return next(findings, None)

    @property
    def verdict(self) -> Verdict:
        """What its syntax comes to."""
        if self.repeated or self.refusal:
            return Verdict.REJECTED
        refused = sum(message.refused for message in self.messages)
        if refused:
            return Verdict.REJECTED if refused == self.count else Verdict.PARTLY_REJECTED
        noted = any(message.syntax for message in self.messages) or self.interchange.findings
        return Verdict.ACCEPTED_WITH_ERRORS if noted else Verdict.ACCEPTED

    @property
    def complaints(self) -> bool:
        """Whether anything at all was found, in syntax or sense."""
        return self.verdict is not Verdict.ACCEPTED or any(message.sense for message in self.messages)

    @property
    def requested(self) -> bool:
        """Whether the sender asked for an acknowledgement in the interchange itself."""
        return self.interchange.acknowledgement_request not in {"", "0"}


@dataclass(frozen=True, slots=True)
class Statement:
    """What a partner says of one of our interchanges, or of a part of it, and why. "" is what he did not say."""

    kind: Kind
    verdict: Verdict
    reference: str  # of the interchange (UCI 0020, TA101) or of the group (AK102); APERAK: of whatever it is about
    sender: str = ""  # who sent what this is about: we
    recipient: str = ""
    group: str = ""  # functional identifier of the group it is about (GS01)
    part: str = ""  # the message it is about, where it is about one alone
    reasons: Sequence[str] = ()
    test: bool = False  # it came in an interchange marked as a test

    @property
    def number(self) -> int | None:
        """The reference as a number, however many zeros stand before it; None when it is none."""
        text = self.reference.strip()
        return int(text) if text.isascii() and text.isdigit() else None

    def __str__(self) -> str:
        between = f" from {self.sender} to {self.recipient}" if self.sender or self.recipient else ""
        part = f", message {self.part}" if self.part else ""
        return f"{self.kind.upper()} about {self.reference or 'nothing'}{between}{part}: {self.verdict}"
