"""Bytes → what each message says: decode and harmonize joined, touching nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

import structlog

from edi_gateway.errors import DocumentError
from edi_gateway.frozen import maker, quick
from edi_gateway.mapping.harmonize import Harmonized, Mapping, Partner
from edi_gateway.model import Finding, Interchange, Level, Message, Position, Severity
from edi_gateway.pipeline.matching import Said, acknowledges, read_statements
from edi_gateway.pipeline.placing import finding_in, interchange_in, message_in, said_in
from edi_gateway.plugins import Format
from edi_gateway.transforms.opening import AS_IT_COMES, Opening, pieces

log = structlog.get_logger()
TEST_REFUSED: Final = "25"  # EDIFACT 0085


@quick
@dataclass(frozen=True, slots=True)
class Reading:
    """One step through a document: an interchange that begins, a message's say, or findings."""

    findings: tuple[Finding, ...] = ()
    said: Harmonized | None = None
    opens: Interchange | None = None  # with the findings of its envelope; what follows is its own
    of: Message | None = None
    states: Sequence[Said] = ()  # what an acknowledgement says of our deliveries
    digest: str = ""  # SHA-256 of the interchange that opens
    apart: bool = False  # of no interchange, although others may have been read before

    @property
    def broken(self) -> bool:
        """Whether a finding sets aside what it is about."""
        return any(finding.severity is Severity.QUARANTINE for finding in self.findings)


_reading: Final = maker(Reading)


def read(
    content: bytes,
    syntax: Format,
    mapping: Mapping | None,
    partner: Partner,
    now: datetime,
    *,
    accept_test: bool = True,
    opening: Opening = AS_IT_COMES,
) -> Iterator[Reading]:
    """Read a document message by message; whatever is wrong with it comes out as a finding, never as an error.

    Without a mapping only acknowledgements are read. What is packed is unpacked first, and offsets count in the
    unpacked bytes: of several files in one, as if they stood one behind the other.
    """
    start = 0
    try:
        for piece in pieces(content, opening):
            if isinstance(piece, Finding):
                yield Reading((piece,), apart=True)
                continue
            for reading in _read_piece(piece.content, syntax, mapping, partner, now, accept_test=accept_test):
                yield _placed(reading, start, piece.name) if piece.name or start else reading
            start += len(piece.content)
    except Exception as error:
        log.exception("document.unreadable")
        yield Reading((defect(error, Position(), Level.DOCUMENT),))


def _read_piece(
    content: bytes, syntax: Format, mapping: Mapping | None, partner: Partner, now: datetime, *, accept_test: bool
) -> Iterator[Reading]:
    apart = True
    try:
        for interchange in syntax.decode(content):
            apart = False
            for reading in _read_interchange(interchange, mapping, partner, now, accept_test=accept_test):
                yield replace(reading, digest=_digest(content, interchange)) if reading.opens else reading
    except DocumentError as error:
        yield Reading((error.finding,), apart=apart)
    except Exception as error:
        # A defect of ours must not stop the daemon, nor lose the document: it waits in quarantine for a better version.
        log.exception("document.unreadable")
        yield Reading((defect(error, Position(), Level.DOCUMENT),), apart=apart)


def _digest(content: bytes, interchange: Interchange) -> str:
    return sha256(memoryview(content)[interchange.position.start : interchange.position.end]).hexdigest()


def _placed(reading: Reading, start: int, name: str) -> Reading:
    """A reading of a piece, with places as they are in all of the document."""
    return replace(
        reading,
        findings=tuple(finding_in(finding, start, name) for finding in reading.findings),
        opens=reading.opens and interchange_in(reading.opens, start),
        said=reading.said and said_in(reading.said, start),
        of=reading.of and message_in(reading.of, start),
    )


def _read_interchange(
    interchange: Interchange, mapping: Mapping | None, partner: Partner, now: datetime, *, accept_test: bool
) -> Iterator[Reading]:
    if interchange.test and not accept_test:
        yield Reading((*interchange.findings, _test_interchange(interchange)), opens=interchange)
        return
    yield Reading(interchange.findings, opens=interchange)
    for message in interchange.messages:
        yield _read_message(message, interchange, mapping, partner, now)


def _read_message(
    message: Message, interchange: Interchange, mapping: Mapping | None, partner: Partner, now: datetime
) -> Reading:
    if message.body is None:
        return Reading(message.findings, of=message)
    try:
        if acknowledges(message):
            states, amiss = read_statements(message, interchange)
            return Reading((*message.findings, *amiss), of=message, states=states)
        if mapping is None:
            return Reading((*message.findings, _no_acknowledgement(message)), of=message)
        said = mapping.harmonize(message, partner, now)
    except Exception as error:
        log.exception("message.unreadable", message=message.control_ref)
        return Reading((*message.findings, defect(error, message.position, Level.MESSAGE)), of=message)
    return _reading((*message.findings, *said.findings), said, of=message)


def _no_acknowledgement(message: Message) -> Finding:
    return Finding(
        Severity.QUARANTINE,
        Level.MESSAGE,
        message.position,
        f"a message of type {message.type or 'unknown'}",
        "an acknowledgement",
        "a customer's channel brings acknowledgements only; reports come by a carrier's channel",
    )


def _test_interchange(interchange: Interchange) -> Finding:
    return Finding(
        Severity.QUARANTINE,
        Level.INTERCHANGE,
        interchange.position,
        "the test indicator (UNB 0035, ISA15)",
        "a production interchange",
        "set accept_test: true on the channel if it is for test data, then retry",
        TEST_REFUSED,
    )


def defect(error: Exception, at: Position, level: Level) -> Finding:
    """What is kept of something that made us fail: it waits in quarantine for a better version."""
    return Finding(
        Severity.QUARANTINE,
        level,
        at,
        f"something that made the gateway fail ({type(error).__name__}: {error})",
        "a document the gateway can read",
        "this is a defect of the gateway: report it with the document, and retry after an upgrade",
    )
