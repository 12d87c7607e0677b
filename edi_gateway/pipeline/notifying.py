"""An owed event → the sealed bytes of one notification, in a layout of ours or the customer's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from edi_gateway.errors import RefusedError
from edi_gateway.mapping.render import Header
from edi_gateway.model import Classifier, OutboundDocument, OutboundMessage, Status, TrackingEvent
from edi_gateway.notifications import payloads
from edi_gateway.notifications.identities import message_id
from edi_gateway.notifications.payloads import Notification, Scan, Shipment
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import notices, outbox
from edi_gateway.store.engine import Database
from edi_gateway.store.notices import Notice
from edi_gateway.store.outbox import Pending
from edi_gateway.store.tables import Action
from edi_gateway.worlds import owner

log = structlog.get_logger()
_FUNCTIONS: Final = {False: "9", True: "1"}  # retracted → BGM 1225


def seal_some(db: Database, destination: Destination, now: datetime) -> int | None:
    """Seal a notification for each of the oldest owed events, or set aside what cannot be told.

    They are committed together, but not more than a batch holds; returns how many were sealed, or None when nothing
    was owed.
    """
    with db.write() as connection:
        # Before looking, so that numbers are in the order of events, and none is drawn twice.
        outbox.hold_sequence(connection, destination.control_numbers.key, 1)
        found = outbox.pending_events(connection, destination.name, destination.batch.at_most)
        rows = sorted(found, key=lambda row: row.outbox_id)
        if not rows:
            return None
        made, size = [], 0
        numbers = notices.counts(connection, destination.name, {row.shipment_id for row in rows})
        shipments = _shipments(connection, destination, rows)
        for row in rows:
            document = _told(
                connection, destination, row, shipments[row.shipment_id], numbers[row.shipment_id] + 1, now
            )
            if document is None:
                continue
            numbers[row.shipment_id] += 1
            made.append(Notice(row.outbox_id, row.shipment_id, numbers[row.shipment_id], document))
            size += len(document.content)
            if size >= destination.batch.max_bytes:
                break
        in_line = destination.line_per_shipment
        notices.seal_each(connection, destination.name, destination.customer, made, in_line=in_line)
    log.info("delivery.sealed", destination=destination.name, notifications=len(made), refused=len(rows) - len(made))
    return len(made)


def issue_anew(
    connection: Connection, destination: Destination, row: Pending, number: int, now: datetime
) -> OutboundDocument:
    """The notification of an event that lies in a delivery already; raises RefusedError."""
    [shipment] = _shipments(connection, destination, [row]).values()
    return document(destination, row, shipment, number, now)


def document(
    destination: Destination, row: Pending, shipment: Shipment, number: int, now: datetime
) -> OutboundDocument:
    """The notification of one owed event under its message id; raises RefusedError for what cannot be told."""
    told = Notification(
        id=message_id(),
        sequence=number,
        trigger=row.trigger or "event",
        created_at=now,
        scan=Scan(row.fingerprint, row.event),
        retracted=row.action is Action.CANCEL,
        previous_status=row.previous_status,
        status=row.new_status,
        shipment=shipment,
    )
    return OutboundDocument(told.id, body(destination, told))


def body(destination: Destination, told: Notification) -> bytes:
    """A notification as the destination wants it; raises RefusedError for what cannot be told."""
    how = destination.notifying
    assert how is not None
    if how.layout is None:
        return _own(destination, told)
    event = told.scan.event
    if not how.words(event.status, event.reason, event.classifier):
        what = f"{event.status}/{event.reason}" if event.reason else event.status
        raise RefusedError(f"the vocabulary has no word for {what}: add it, or keep it out by the customer's rules")
    if how.layout == "tracker":
        payload = payloads.tracker_updated(told, how.words)
    else:
        payload = payloads.canonical(told, how.words, history=how.history)
    if destination.world:
        payload = {"test": True} | payload
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _own(destination: Destination, told: Notification) -> bytes:
    """One document as the destination's mapping lays it out."""
    assert destination.layout is not None
    assert destination.encoder is not None
    event, shipment, number = told.scan.event, told.shipment, str(told.sequence)
    header = Header(
        control=number,
        message="1",
        document_number=told.id,
        function=_FUNCTIONS[told.retracted],
        carrier=event.carrier,
        customer=owner(destination.customer),
        created=told.created_at,
        tracking_number=event.tracking_number,
        change={
            "id": told.id,
            "sequence": number,
            "trigger": told.trigger,
            "previous_status": told.previous_status,
            "new_status": told.status,
            "shipment.status": shipment.status,
            "shipment.reason": shipment.reason,
            "shipment.direction": shipment.direction.value,
            "shipment.status_at": shipment.status_at,
            "shipment.estimated_delivery_at": shipment.estimated_at,
        },
    )
    clean = destination.encoder.replace if destination.replace_unencodable else str
    message = OutboundMessage("1", destination.layout.message(header, [event], clean))
    return destination.encoder.encode(number, told.created_at, [message])


def provable(destination: Destination, event: TrackingEvent, now: datetime) -> Iterable[bytes]:
    """A notification of that event for each status the customer has a word for; raises RefusedError."""
    how = destination.notifying
    assert how is not None
    for status in Status:
        if how.words(status, "", Classifier.ACT):
            said = replace(event, status=status)
            shipment = Shipment("", said.carrier, said.tracking_number, 1, status, "", said.direction, now, now, {})
            told = Notification("msg_", 1, "event", now, Scan("", said), False, status, status, shipment)
            yield body(destination, told)


def _told(
    connection: Connection, destination: Destination, row: Pending, shipment: Shipment, number: int, now: datetime
) -> OutboundDocument | None:
    """The notification, or None after setting the event aside with the reason why there can be none."""
    try:
        return document(destination, row, shipment, number, now)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it must not hold back the others
        why = str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
    outbox.refuse(connection, [row.outbox_id], why)
    log.error(
        "outbox.refused",
        destination=destination.name,
        tracking_number=row.event.tracking_number,
        status=row.event.status,
        why=why,
    )
    return None


def _shipments(connection: Connection, destination: Destination, rows: Sequence[Pending]) -> dict[int, Shipment]:
    """The shipments of these events, with their histories where the layout tells them."""
    how = destination.notifying
    whole = how is not None and (how.history or how.layout == "tracker")
    ids = {row.shipment_id for row in rows}
    trackers = notices.tracker_ids(connection, destination.customer, ids)
    events = notices.histories(connection, ids) if whole else {}
    return {
        row.shipment_id: Shipment(
            id=trackers[row.shipment_id],
            carrier=row.event.carrier,
            tracking_number=row.event.tracking_number,
            epoch=row.epoch,
            status=row.status,
            reason=row.reason,
            direction=row.direction,
            status_at=row.status_at,
            estimated_at=row.estimated_at,
            milestones={
                Status(status): (datetime.fromisoformat(first), datetime.fromisoformat(last))
                for status, (first, last) in row.milestones.items()
            },
            history=[Scan(*each) for each in events.get(row.shipment_id, ())],
        )
        for row in rows
    }
