"""Pending events → a sealed outbound document: control number, bytes and links committed together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

import structlog
from sqlalchemy import Connection

from edi_gateway.errors import RefusedError
from edi_gateway.mapping.render import Header
from edi_gateway.model import OutboundDocument, OutboundMessage
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import outbox
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Action

log = structlog.get_logger()
_FUNCTIONS = {Action.REPORT: "9", Action.CANCEL: "1"}  # BGM 1225


class _NothingToSealError(Exception):
    """What was due has been cancelled or taken by another node meanwhile."""


def seal_due(db: Database, destination: Destination, now: datetime) -> int:
    """Seal as many files as are due at that destination; returns how many."""
    sealed = 0
    while _is_due(db, destination, now):
        try:
            sealed += _seal_one(db, destination, now)
        except _NothingToSealError:
            break
        except RefusedError as error:
            log.error("destination.not_sealed", destination=destination.name, why=str(error))
            break
    return sealed


def _is_due(db: Database, destination: Destination, now: datetime) -> bool:
    due = outbox.due(db, destination.name)
    if due.count == 0 or due.oldest_created_at is None:
        return False
    return due.count >= destination.batch.at_most or now - due.oldest_created_at >= destination.batch.every


def _seal_one(db: Database, destination: Destination, now: datetime) -> bool:
    """Seal one file, or set aside what cannot be written; either way fewer events are pending afterwards.

    Raises RefusedError when no control number is left, _NothingToSealError when somebody was quicker.
    """
    with db.write() as connection:
        rows: Sequence[outbox.Pending] = outbox.pending_events(connection, destination.name, destination.batch.at_most)
        if not rows:
            raise _NothingToSealError
        try:
            with connection.begin_nested():
                number, document, rows = _fit(connection, destination, rows, now)
                sealed = [row.outbox_id for row in rows]
                outbox.seal(connection, destination.name, destination.customer, number, document, sealed)
        except Exception:
            if not _refuse_unwritable(connection, destination, rows, now):
                raise  # it is not for the sake of any one event
            return False
    log.info("delivery.sealed", destination=destination.name, file=document.name, events=len(rows), control=number)
    return True


def _fit(
    connection: Connection, destination: Destination, rows: Sequence[outbox.Pending], now: datetime
) -> tuple[int, OutboundDocument, Sequence[outbox.Pending]]:
    """The document of as many of the rows as the byte limit allows, at least one."""
    sequence = destination.control_numbers
    number = outbox.next_control_number(
        connection, sequence.key, sequence.start, sequence.maximum, roll_over=sequence.roll_over
    )
    content = render(destination, rows, number, now)
    while len(content) > destination.batch.max_bytes and len(rows) > 1:
        rows = rows[: max(1, len(rows) * destination.batch.max_bytes // len(content) - 1)]
        content = render(destination, rows, number, now)
    return number, OutboundDocument(destination.file_name(number, now), content), rows


def render(destination: Destination, rows: Sequence[outbox.Pending], number: int, now: datetime) -> bytes:
    """The interchange for these events: one message per carrier and function; raises RefusedError."""
    messages = list(_messages(destination, rows, number, now))
    return destination.encoder.encode(str(number), now, messages)


def _messages(
    destination: Destination, rows: Sequence[outbox.Pending], number: int, now: datetime
) -> Iterator[OutboundMessage]:
    clean = destination.encoder.replace if destination.replace_unencodable else str
    # A cancellation goes first: what follows may report the same fact anew.
    ordered = sorted(rows, key=_message_of)
    for index, ((action, carrier), group) in enumerate(groupby(ordered, _message_of), 1):
        header = Header(
            control=str(number),
            message=str(index),
            document_number=f"{number}-{index}",
            function=_FUNCTIONS[action],
            carrier=carrier,
            customer=destination.customer,
            created=now,
        )
        body = destination.layout.message(header, (row.event for row in group), clean)
        yield OutboundMessage(str(index), body)


def _message_of(row: outbox.Pending) -> tuple[Action, str]:
    return row.action, row.event.carrier


def _refuse_unwritable(
    connection: Connection, destination: Destination, rows: Sequence[outbox.Pending], now: datetime
) -> int:
    """Set aside, each with its reason, the events that cannot be written, so that the others can; returns how many."""
    refused = 0
    for row in rows:
        try:
            render(destination, [row], 0, now)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not hold back the others
            why = str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
            outbox.refuse(connection, [row.outbox_id], why)
            refused += 1
            log.error(
                "outbox.refused",
                destination=destination.name,
                tracking_number=row.event.tracking_number,
                status=row.event.status,
                why=why,
            )
    return refused
