"""Committed documents → events, shipments, and what customers are owed; one transaction for truth and duty."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import asdict

import structlog
from sqlalchemy import Connection
from structlog.contextvars import bound_contextvars

from edi_gateway.errors import StorageError
from edi_gateway.model import Level, Position
from edi_gateway.pipeline.answering import Answering
from edi_gateway.pipeline.behind import Behind, Transaction
from edi_gateway.pipeline.partners import Audience, Channel
from edi_gateway.pipeline.reading import Reading, defect, read
from edi_gateway.pipeline.recording import Outcome, Recorder, batches
from edi_gateway.store import events, findings, inbox, interchanges
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Document, DocumentState, InterchangeState
from edi_gateway.transforms.opening import is_closed, opened

log = structlog.get_logger()
EVENTS_PER_TRANSACTION = 1_000


class _StoppedError(Exception):
    """The process is to end; what is committed is recognised when the document is read again."""


def process(
    db: Database,
    document: Document,
    channel: Channel,
    audience: Audience,
    stopping: Callable[[], bool] = lambda: False,
    begin: Transaction | None = None,
    settling: Callable[[Connection], None] = lambda _: None,
    stale: Container[int] = (),
    *,
    answer: bool = False,
) -> Outcome | None:
    """Read one document and record everything it says; safe to repeat after a crash at any point.

    Returns None when it was stopped before the end. ``begin`` opens a transaction, by default one of its own;
    ``settling`` is called in the last one. ``stale`` documents are read anew after this one. ``answer``: the sender
    hears what became of it, as its channel says; not if he heard that before.
    Raises only what the database raises: what is wrong with the document is kept beside it as findings.
    """
    channel, content = channel.of(document.carrier), inbox.load(db, document.digest)
    told = events.was_told(db, document.id)
    unentered = told and not interchanges.any_entered(db, document.id)
    # What a document said before is replaced by what it says now, and that needs all of it at once. One whose first
    # reading broke off is read on in the same way: it says the same again, which is recognised piece by piece.
    reading = channel.reading()
    broken_off = document.processed_at is None and document.reading == reading
    whole = told and not broken_off
    readings = read(
        content,
        channel.format,
        channel.mapping,
        channel.partner,
        document.received_at,
        accept_test=channel.accept_test,
        opening=channel.opening,
    )
    answering = None
    if answer and channel.acknowledge:
        plain = opened(content, channel.opening) if is_closed(content, channel.opening) else content
        answering = Answering(document, plain, channel.acknowledge)
    recorder = Recorder(document, channel, audience, whole, told, unentered, stale, answering)
    most = None if whole else EVENTS_PER_TRANSACTION
    pieces = batches(
        _until(readings, stopping), channel.partner.carrier, most, channel.dedupe_window, answered=answering is not None
    )
    outcome, noted = None, broken_off
    try:
        with Behind(begin or db.write) as behind:
            for batch, last in pieces:
                with behind.transaction(wait=last) as connection:
                    recorder.record(connection, batch)
                    if last:
                        outcome = recorder.settle(connection)
                        settling(connection)
                    elif not noted:
                        inbox.note_reading(connection, document.id, reading)
                        noted = True
    except _StoppedError:
        return None
    return outcome


def _until(readings: Iterable[Reading], stopping: Callable[[], bool]) -> Iterator[Reading]:
    for reading in readings:
        if stopping():
            raise _StoppedError
        yield reading


def process_pending(
    db: Database,
    channels: Mapping[str, Channel],
    audience: Audience,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Process every committed document that waits, oldest first, until told to stop; returns how many were done.

    A document whose channel is no longer configured waits for it to come back. May run once per channel at a time.
    Raises StorageError when the database takes nothing; the document then is as it was.
    """
    done = 0
    for document in inbox.to_process(db, list(channels)):
        if stopping():
            break
        with bound_contextvars(document=document.id, channel=document.channel, file=document.name):
            done += _try(db, document, channels[document.channel], audience, stopping)
    return done


def _try(
    db: Database,
    document: Document,
    channel: Channel,
    audience: Audience,
    stopping: Callable[[], bool],
) -> bool:
    """Process a document; one that makes us fail must not keep those behind it waiting."""
    try:
        outcome = process(db, document, channel, audience, stopping, answer=True)
    except StorageError as error:
        log.warning("document.waits", why=str(error))
        raise  # the next one would fare no better
    except Exception as error:
        log.exception("document.defect")
        with db.write() as connection:
            set_aside(connection, document, error)
        return True
    if outcome is not None:
        say(outcome)
    return outcome is not None


def set_aside(connection: Connection, document: Document, error: Exception) -> None:
    """Put a document in quarantine that made us fail."""
    known = findings.earlier(connection, document.id)
    findings.save(connection, document.id, [defect(error, Position(), Level.DOCUMENT)], known)
    findings.resolve(connection, known)
    interchanges.fail(connection, document.id)
    inbox.settle(connection, document.id, DocumentState.QUARANTINED, inbox.Counts(findings=1))


def say(outcome: Outcome) -> None:
    """Log what became of a document."""
    counted = {f"interchanges_{state}": outcome.interchanges.get(state, 0) for state in InterchangeState}
    level = log.info if outcome.state in {DocumentState.PROCESSED, DocumentState.IGNORED} else log.warning
    level(
        "document.processed", state=outcome.state, quarantined=outcome.quarantined, **asdict(outcome.counts), **counted
    )
