"""Acknowledgements that came: read into statements, and matched with what we delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from edi_gateway.acknowledgements import Statement
from edi_gateway.formats.edifact import aperak, contrl
from edi_gateway.formats.x12 import statements as x12
from edi_gateway.model import Finding, Interchange, Level, Message, Position, Segment, Severity
from edi_gateway.store import statements
from edi_gateway.store.tables import Document

_READERS: Final[Mapping[str, Callable[[Segment], Iterator[Statement]]]] = {
    "CONTRL": contrl.statements,
    "APERAK": aperak.statements,
    "997": x12.of_group,
    "999": x12.of_group,
    "TA1": x12.of_interchange,
}


@dataclass(frozen=True, slots=True)
class Said:
    """One statement, and where it stands."""

    statement: Statement
    at: Position


def read_statements(message: Message, interchange: Interchange) -> tuple[Sequence[Said], Sequence[Finding]]:
    """What an acknowledgement says, or the finding that sets it aside."""
    assert message.body is not None
    try:
        found = list(_READERS[message.type](message.body))
    except ValueError as error:
        expected = f"a {message.type} that says what it is about, and what becomes of it"
        advice = "ask the partner for a sound acknowledgement; what it is about still waits for one"
        return (), (Finding(Severity.QUARANTINE, Level.MESSAGE, message.position, str(error), expected, advice),)
    # Whoever sends an acknowledgement is the one who got what it is about.
    sender, recipient = interchange.recipient.id, interchange.sender.id
    return [
        Said(
            replace(one, sender=one.sender or sender, recipient=one.recipient or recipient, test=interchange.test),
            message.position,
        )
        for one in found
    ], ()


def acknowledges(message: Message) -> bool:
    """Whether the message is an acknowledgement."""
    return message.type in _READERS


def match(connection: Connection, document: Document, said: Sequence[Said]) -> list[Finding]:
    """Let statements count for the deliveries they are about; a finding for what is an orphan, or contradicts."""
    found = statements.enter(
        connection, document.id, document.received_at, document.carrier, [one.statement for one in said]
    )
    remarks = (_remark(one, match, document.carrier) for one, match in zip(said, found, strict=True))
    return [remark for remark in remarks if remark]


def _remark(said: Said, match: statements.Match, partner: str) -> Finding | None:
    what = str(said.statement)
    if match.delivery_id is None:
        return Finding(
            Severity.QUARANTINE,
            Level.MESSAGE,
            said.at,
            f"an orphan acknowledgement: {what}",
            f"an acknowledgement of something that was delivered to {partner}",
            "compare with edi-gateway ledger; if it is another partner's, it came by the wrong channel",
        )
    if match.before is None:
        return None
    return Finding(
        Severity.WARNING,
        Level.MESSAGE,
        said.at,
        f"{what}, after {match.before} for the same",
        "one verdict on each interchange",
        f"the latest counts; see edi-gateway deliveries show {match.delivery_id}",
    )
