"""Committed documents → events, shipments, and what customers are owed; one transaction for truth and duty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field

import structlog
from sqlalchemy import Connection
from structlog.contextvars import bound_contextvars

from edi_gateway.errors import TransientError
from edi_gateway.model import Finding, Level, Position, Severity
from edi_gateway.pipeline.partners import Channel, Destination
from edi_gateway.pipeline.reading import Reading, defect, read
from edi_gateway.pipeline.routing import owed
from edi_gateway.store import events, findings, inbox, outbox, subscriptions
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Document, DocumentState

log = structlog.get_logger()
EVENTS_PER_TRANSACTION = 1_000


@dataclass(slots=True)
class _Batch:
    """What goes into one transaction: whole messages, until there are enough events."""

    reports: list[events.MessageReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    size: int = 0

    @property
    def quarantined(self) -> int:
        """How many of the findings set something aside."""
        return sum(finding.severity is Severity.QUARANTINE for finding in self.findings)

    def add(self, reading: Reading, carrier: str) -> None:
        self.findings += reading.findings
        self.size += len(reading.findings)
        said = reading.said
        if said is not None:
            self.size += len(said.events)
            self.reports.append(
                events.MessageReport(said.function, carrier, said.document_number, said.issued_at, said.events)
            )


def process(
    db: Database,
    document: Document,
    channel: Channel,
    destinations: Sequence[Destination],
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Read one document and record everything it says; safe to repeat after a crash at any point.

    Raises only what the database raises: what is wrong with the document is kept beside it as findings.
    """
    content = inbox.load(db, document.digest)
    readings = read(
        content, channel.format, channel.mapping, channel.partner, document.received_at, accept_test=channel.accept_test
    )
    # What a document said before is replaced by what it says now, and that needs all of it at once.
    reprocess = events.was_told(db, document.id)
    counts, quarantined = inbox.Counts(), 0
    batches = _batches(readings, channel.partner.carrier, whole=reprocess)
    for index, (batch, last) in enumerate(_with_last(batches)):
        if stopping():
            return  # what is committed is recognised when the document is read again
        with db.write() as connection:
            if index == 0:
                findings.resolve(connection, document.id)
            counts = _sum(counts, _record(connection, document, channel, destinations, batch, reprocess=reprocess))
            quarantined += batch.quarantined
            state = _state(counts, quarantined)
            if last:
                inbox.settle(connection, document.id, state, counts)
    say = log.info if state is DocumentState.PROCESSED else log.warning
    say("document.processed", state=state, quarantined=quarantined, **asdict(counts))


def _record(
    connection: Connection,
    document: Document,
    channel: Channel,
    destinations: Sequence[Destination],
    batch: _Batch,
    *,
    reprocess: bool,
) -> inbox.Counts:
    """Everything the batch says, and everything that is owed because of it, in the caller's transaction."""
    recorded = events.record(
        connection,
        document.id,
        document.received_at,
        batch.reports,
        window=channel.dedupe_window,
        gap=channel.epoch_gap,
        reprocess=reprocess,
    )
    numbers = {(change.event.carrier, change.event.tracking_number) for change in recorded.changes}
    subscribers = subscriptions.subscribers(connection, numbers)
    outbox.owe(connection, list(owed(destinations, recorded.changes, subscribers)))
    findings.save(connection, document.id, batch.findings)
    return inbox.Counts(
        messages=len(batch.reports),
        events_new=recorded.new,
        events_duplicate=recorded.duplicates,
        events_retracted=recorded.retracted,
        events_unmapped=sum(not event.mapped for report in batch.reports for event in report.events),
        findings=len(batch.findings),
    )


def _sum(one: inbox.Counts, other: inbox.Counts) -> inbox.Counts:
    return inbox.Counts(*(a + b for a, b in zip(astuple(one), astuple(other), strict=True)))


def _state(counts: inbox.Counts, quarantined: int) -> DocumentState:
    if not quarantined:
        return DocumentState.PROCESSED
    told = counts.events_new + counts.events_duplicate + counts.events_retracted
    return DocumentState.PARTLY_PROCESSED if told else DocumentState.QUARANTINED


def _batches(readings: Iterable[Reading], carrier: str, *, whole: bool) -> Iterator[_Batch]:
    batch = _Batch()
    for reading in readings:
        batch.add(reading, carrier)
        if batch.size >= EVENTS_PER_TRANSACTION and not whole:
            yield batch
            batch = _Batch()
    yield batch


def _with_last(batches: Iterator[_Batch]) -> Iterator[tuple[_Batch, bool]]:
    held = next(batches)
    for batch in batches:
        yield held, False
        held = batch
    yield held, True


def process_pending(
    db: Database,
    channels: Mapping[str, Channel],
    destinations: Sequence[Destination],
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Process every committed document that waits, oldest first, until told to stop; returns how many were done.

    A document whose channel is no longer configured waits for it to come back.
    """
    done = 0
    for document in inbox.to_process(db, list(channels)):
        if stopping():
            break
        with bound_contextvars(document=document.id, channel=document.channel, file=document.name):
            done += _try(db, document, channels[document.channel], destinations, stopping)
    return done


def _try(
    db: Database,
    document: Document,
    channel: Channel,
    destinations: Sequence[Destination],
    stopping: Callable[[], bool],
) -> bool:
    """Process a document; one that makes us fail must not keep those behind it waiting."""
    try:
        process(db, document, channel, destinations, stopping)
    except TransientError as error:
        log.warning("document.waits", why=str(error))
        return False
    except Exception as error:
        log.exception("document.defect")
        with db.write() as connection:
            findings.resolve(connection, document.id)
            findings.save(connection, document.id, [defect(error, Position(), Level.DOCUMENT)])
            inbox.settle(connection, document.id, DocumentState.QUARANTINED, inbox.Counts(findings=1))
    return True
