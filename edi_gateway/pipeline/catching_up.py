"""What a destination missed is sent once more: as one file, or as notifications with a pause between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Connection

from edi_gateway.errors import RefusedError
from edi_gateway.pipeline import notifying
from edi_gateway.pipeline.partners import Destination
from edi_gateway.pipeline.seal import draw, render, terms_of
from edi_gateway.store import catch_up, deliveries, notices, outbox
from edi_gateway.store.catch_up import Picked, Span
from edi_gateway.store.engine import Database
from edi_gateway.store.notices import Notice
from edi_gateway.store.sealed import Numbered, enter, enter_each
from edi_gateway.store.tables import DeliveryState

log = structlog.get_logger()
MOST: Final = 5_000  # events in one go
_AT_ONCE: Final = 100  # notifications in one transaction
_PAUSE: Final = timedelta(milliseconds=100)  # between two notifications
JUST_NOW: Final = timedelta(minutes=10)  # what was told since is not told again, however often somebody asks


class Wish(NamedTuple):
    """What to send: what is missing of what was owed in that time, or ``everything``, whatever became of it."""

    span: Span
    everything: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """What is on its way now."""

    events: int
    documents: int
    refused: int  # events of which no document can be made
    more: bool  # than go at once is left


def would_send(db: Database, destination: Destination, wish: Wish, now: datetime) -> int:
    """How many events `send` would send, if it did not stop after so many."""
    with db.read() as connection:
        return catch_up.count(connection, destination.customer, destination.name, wish.span, _before(wish, now))


def send(db: Database, destination: Destination, wish: Wish, now: datetime) -> Sent:
    """Seal it, under new numbers and names. What is on its way, or was told just now, is left out.

    Raises UsedUpError when no control number is left, StorageError; then nothing of the last document has changed.
    """
    sent = _notify(db, destination, wish, now) if destination.notifying else _send_file(db, destination, wish, now)
    deliveries.tell_dead_letters(db, destination.name)
    log.info("catch_up.sealed", destination=destination.name, events=sent.events, documents=sent.documents)
    return sent


def _before(wish: Wish, now: datetime) -> datetime | None:
    return now - JUST_NOW if wish.everything else None


def _send_file(db: Database, destination: Destination, wish: Wish, now: datetime) -> Sent:
    sequence, before = destination.control_numbers, _before(wish, now)
    with db.write() as connection:
        outbox.hold_sequence(connection, sequence.key, sequence.start)
        found = catch_up.pick(connection, destination.customer, destination.name, wish.span, before, limit=MOST + 1)
        picked = catch_up.whole(connection, found[:MOST])
        writable = _writable(connection, destination, picked, now)
        if writable:
            rows = [each.pending for each in writable]
            number = draw(connection, destination)
            document = destination.sealed(number, now, render(destination, rows, number, now))
            delivery_id = enter(
                connection,
                destination.name,
                destination.customer,
                number,
                document,
                event_count=len(rows),
                terms=terms_of(destination),
            )
            catch_up.move(connection, [each.pending.outbox_id for each in writable if each.moves], delivery_id)
            catch_up.copy(connection, [each.pending.outbox_id for each in writable if not each.moves], delivery_id)
        _supersede(connection, picked)
    return Sent(len(writable), bool(writable), len(picked) - len(writable), len(found) > MOST)


def _writable(
    connection: Connection, destination: Destination, picked: Sequence[Picked], now: datetime
) -> Sequence[Picked]:
    """Those of which a document can be made now; what cannot be told is set aside with the reason."""
    if not picked:
        return picked
    try:
        render(destination, [each.pending for each in picked], 0, now)
    except Exception:  # noqa: BLE001 -- whatever it is, it must not hold back the others
        return [each for each in picked if _can_be_written(connection, destination, each, now)]
    return picked


def _can_be_written(connection: Connection, destination: Destination, one: Picked, now: datetime) -> bool:
    try:
        render(destination, [one.pending], 0, now)
    except Exception as error:  # noqa: BLE001
        _set_aside(connection, destination, one, error)
        return False
    return True


def _notify(db: Database, destination: Destination, wish: Wish, now: datetime) -> Sent:
    events, refused, after, moment, more = 0, 0, 0, now, False
    while True:
        with db.write() as connection:
            outbox.hold_sequence(connection, destination.control_numbers.key, 1)
            picked = catch_up.pick(
                connection,
                destination.customer,
                destination.name,
                wish.span,
                _before(wish, now),
                after=after,
                limit=_AT_ONCE,
            )
            more = bool(picked) and events + refused >= MOST
            if not picked or more:
                break
            picked.sort(key=lambda each: each.pending.outbox_id)
            told = _notify_some(connection, destination, picked, moment, now)
        after, moment = picked[-1].pending.outbox_id, moment + told * _PAUSE
        events, refused = events + told, refused + len(picked) - told
    return Sent(events, events, refused, more)


def _notify_some(
    connection: Connection, destination: Destination, picked: Sequence[Picked], moment: datetime, now: datetime
) -> int:
    """Seal a notification for each, due one after the other from that moment on; returns how many could be."""
    shipments = {each.pending.shipment_id for each in picked if each.delivery is None}
    numbers = notices.counts(connection, destination.name, shipments)
    first, again = list[Notice](), list[tuple[Picked, Numbered]]()
    for each in picked:
        row, old = each.pending, each.delivery
        number = old.control_number if old else numbers[row.shipment_id] + 1
        try:
            document = notifying.issue_anew(connection, destination, row, number, now)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not hold back the others
            _set_aside(connection, destination, each, error)
            continue
        if old is None:
            numbers[row.shipment_id] = number
            first.append(Notice(row.outbox_id, row.shipment_id, number, document))
        else:
            replaces = old.id if each.moves else None
            again.append((each, Numbered(number, document, 1, replaces, old.shipment_id)))
    in_line = destination.line_per_shipment
    notices.seal_each(connection, destination.name, destination.customer, first, in_line=in_line)
    ids = enter_each(connection, destination.name, destination.customer, [one for _, one in again])
    for (each, _), delivery_id in zip(again, ids, strict=True):
        (catch_up.move if each.moves else catch_up.copy)(connection, [each.pending.outbox_id], delivery_id)
    catch_up.space_out(connection, [(key, moment + index * _PAUSE) for index, key in enumerate(ids)])
    _supersede(connection, picked)
    return len(first) + len(again)


def _set_aside(connection: Connection, destination: Destination, one: Picked, error: Exception) -> None:
    why = str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
    log.error("outbox.refused", destination=destination.name, status=one.pending.event.status, why=why)
    if one.moves:
        catch_up.refuse(connection, one.pending.outbox_id, why)


def _supersede(connection: Connection, picked: Sequence[Picked]) -> None:
    """Nothing is left of what did not arrive: nobody may have it tried again."""
    for delivery_id in {each.delivery.id for each in picked if each.lost and each.delivery is not None}:
        deliveries.settle(connection, delivery_id, DeliveryState.SUPERSEDED)
