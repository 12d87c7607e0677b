"""Pending events → a sealed outbound document: control number, bytes and links committed together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from edi_gateway.errors import RefusedError, StorageError
from edi_gateway.mapping.render import Header, Layout
from edi_gateway.model import OutboundDocument, OutboundMessage
from edi_gateway.pipeline import notifying
from edi_gateway.pipeline.partners import Batch, Destination
from edi_gateway.store import deliveries, notices, outbox
from edi_gateway.store.alarms import AlarmKind, clear_alarm, raise_alarm
from edi_gateway.store.engine import Database, part
from edi_gateway.store.outbox import Due
from edi_gateway.store.sealed import Terms
from edi_gateway.store.tables import Action, DeliveryState
from edi_gateway.worlds import owner

log = structlog.get_logger()
_ALL = 1_000_000_000
_REST = timedelta(seconds=2)  # after the first refusal; twice as long after each further one
_LONGEST_REST = timedelta(minutes=1)
_FUNCTIONS = {Action.REPORT: "9", Action.CANCEL: "1"}  # BGM 1225


class _NothingToSealError(Exception):
    """What was due has been cancelled or taken by another node meanwhile."""


class Refusals:
    """Destinations no file could be made for: each rests for a growing while, or until it is configured anew."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Destination, timedelta, datetime]] = {}

    def rests(self, destination: Destination, now: datetime) -> bool:
        """Whether it is too early to try again."""
        refused, _, until = self._of.get(destination.name, (None, _REST, now))
        return refused is destination and until - _LONGEST_REST <= now < until  # a clock set back makes nobody wait

    def note(self, destination: Destination, now: datetime) -> None:
        """It was refused again."""
        refused, rest, _ = self._of.get(destination.name, (None, _REST, now))
        rest = min(rest * 2, _LONGEST_REST) if refused is destination else _REST
        self._of[destination.name] = destination, rest, now + rest

    def forget(self, destination: Destination) -> None:
        """A file could be made, or nothing was due."""
        self._of.pop(destination.name, None)


def seal_due(
    db: Database, destination: Destination, now: datetime, at_most: int = _ALL, refusals: Refusals | None = None
) -> int:
    """Seal as many files as are due at that destination, but not more than that; returns how many.

    Notifications are sealed by the batch, however many are asked for.

    Why none could be made is an alarm until one is; ``refusals`` remembers not to try that all the time.
    Raises StorageError when the database could not take it.
    """
    refusals = refusals or Refusals()
    if refusals.rests(destination, now):
        return 0
    sealed = 0
    try:
        while sealed < at_most and _is_due(db, destination, now):
            sealed += _seal_some(db, destination, now) if destination.notifying else _seal_one(db, destination, now)
    except _NothingToSealError:
        pass
    except StorageError:
        raise
    except Exception as error:
        why = str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
        refusals.note(destination, now)
        if raise_alarm(db, AlarmKind.SEALING_REFUSED, destination.name, why) and not isinstance(error, RefusedError):
            log.exception("destination.not_sealed", destination=destination.name)
        return sealed
    refusals.forget(destination)
    clear_alarm(db, AlarmKind.SEALING_REFUSED, destination.name)
    return sealed


def is_due(due: Due, batch: Batch, now: datetime) -> bool:
    """Whether what waits for a destination becomes a file now."""
    if due.oldest_created_at is None:
        return False
    return due.count >= batch.at_most or now - due.oldest_created_at >= batch.every


def reissue(
    db: Database, destination: Destination, delivery_id: int, now: datetime, *, although_delivered: bool = False
) -> int:
    """Seal the events of a delivery once more, under a new control number and name; returns the new delivery's id.

    A notification gets a new message id and keeps its number, which is that of its event among those of the shipment.
    The new one says what it replaces, and the old one is never sent again. What the customer was told otherwise in a
    later file is left out. Raises LookupError when the delivery cannot be replaced, RefusedError when no document can
    be made; then nothing has changed.
    """
    with db.write() as connection:
        old = deliveries.replaceable(connection, delivery_id, although_delivered=although_delivered)
        if old.destination != destination.name:
            raise LookupError(f"delivery {delivery_id} is of {old.destination}, not of {destination.name}")
        rows = outbox.sealed_events(connection, delivery_id)
        if not rows:
            raise LookupError(
                f"delivery {delivery_id}: all it says was told otherwise in later files, so nothing is left to say;"
                " skip it"
            )
        new_id = _reseal(connection, destination, old, rows, now)
        deliveries.settle(connection, delivery_id, DeliveryState.SUPERSEDED)
    deliveries.tell_dead_letters(db, destination.name)
    return new_id


def _reseal(
    connection: Connection, destination: Destination, old: Row[Any], rows: Sequence[outbox.Pending], now: datetime
) -> int:
    if destination.notifying:
        [row] = rows
        document = notifying.issue_anew(connection, destination, row, old.control_number, now)
        return notices.reseal(connection, old, row.outbox_id, document)
    number = draw(connection, destination)
    document = destination.sealed(number, now, render(destination, rows, number, now))
    return outbox.reseal(connection, old, number, document, rows, terms_of(destination))


def _seal_some(db: Database, destination: Destination, now: datetime) -> int:
    sealed = notifying.seal_some(db, destination, now)
    if sealed is None:
        raise _NothingToSealError
    return sealed


def _is_due(db: Database, destination: Destination, now: datetime) -> bool:
    return is_due(outbox.due(db, destination.name, destination.batch.at_most), destination.batch, now)


def terms_of(destination: Destination) -> Terms:
    """Between whom its files go, and what is awaited of them."""
    within = int(destination.within.total_seconds()) if destination.expects else 0
    return Terms(destination.control_numbers.key, *destination.parties, destination.expects or "", within)


def draw(connection: Connection, destination: Destination) -> int:
    """The next control number of its files; raises UsedUpError."""
    sequence = destination.control_numbers
    return outbox.next_control_number(
        connection, sequence.key, sequence.start, sequence.maximum, roll_over=sequence.roll_over
    )


def _seal_one(db: Database, destination: Destination, now: datetime) -> bool:
    """Seal one file, or set aside what cannot be written; either way fewer events are pending afterwards.

    Raises RefusedError when no control number is left, _NothingToSealError when somebody was quicker.
    """
    with db.write() as connection:
        # Before looking, so that among several nodes the order of numbers is the order of events.
        outbox.hold_sequence(connection, destination.control_numbers.key, destination.control_numbers.start)
        rows: Sequence[outbox.Pending] = outbox.pending_events(connection, destination.name, destination.batch.at_most)
        if not rows:
            raise _NothingToSealError
        try:
            with part(connection):
                number, document, rows = _fit(connection, destination, rows, now)
                sealed = [row.outbox_id for row in rows]
                terms = terms_of(destination)
                outbox.seal(connection, destination.name, destination.customer, number, document, sealed, terms)
        except (outbox.UsedUpError, StorageError):
            raise
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
    number = draw(connection, destination)
    content = render(destination, rows, number, now)
    while len(content) > destination.batch.max_bytes and len(rows) > 1:
        rows = rows[: max(1, len(rows) * destination.batch.max_bytes // len(content) - 1)]
        content = render(destination, rows, number, now)
    return number, destination.sealed(number, now, content), rows


def render(destination: Destination, rows: Sequence[outbox.Pending], number: int, now: datetime) -> bytes:
    """The interchange for these events: one message per carrier and function; raises RefusedError."""
    assert destination.encoder is not None  # only notifications do without
    assert destination.layout is not None
    clean = destination.encoder.replace if destination.replace_unencodable else str
    messages = list(_messages(owner(destination.customer), destination.layout, clean, rows, number, now))
    return destination.encoder.encode(str(number), now, messages)


def _messages(
    customer: str,
    layout: Layout,
    clean: Callable[[str], str],
    rows: Sequence[outbox.Pending],
    number: int,
    now: datetime,
) -> Iterator[OutboundMessage]:
    # A cancellation goes first: what follows may report the same fact anew.
    split = _shipment_of if layout.per_shipment else _message_of
    ordered = sorted(rows, key=split)
    for index, ((action, carrier, tracking_number), group) in enumerate(groupby(ordered, split), 1):
        header = Header(
            control=str(number),
            message=str(index),
            document_number=f"{number}-{index}",
            function=_FUNCTIONS[action],
            carrier=carrier,
            customer=customer,
            created=now,
            tracking_number=tracking_number,
        )
        body = layout.message(header, (row.event for row in group), clean)
        yield OutboundMessage(str(index), body)


def _message_of(row: outbox.Pending) -> tuple[Action, str, str]:
    return row.action, row.event.carrier, ""


def _shipment_of(row: outbox.Pending) -> tuple[Action, str, str]:
    return row.action, row.event.carrier, row.event.tracking_number


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
