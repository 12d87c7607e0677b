"""A test notification: made up, but sealed, signed and sent as any other."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from edi_gateway.model import Classifier, Location, OutboundDocument, Status, TrackingEvent
from edi_gateway.notifications.identities import message_id
from edi_gateway.notifications.payloads import Notification, Scan, Shipment
from edi_gateway.pipeline import notifying
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store.engine import Database
from edi_gateway.store.sealed import enter

TRIGGER: Final = "test"
_NUMBER: Final = "TEST0000000001"
_CARRIER: Final = "test"
_TRACKER: Final = "00000000-0000-4000-8000-000000000000"  # nobody's
_EVENT: Final = "0" * 32


def send_test(db: Database, destination: Destination, now: datetime) -> str:
    """Seal one for that destination, due at once; returns its message id. Raises RefusedError when none can be made."""
    how = destination.notifying
    assert how is not None
    status = next(each for each in (Status.IN_TRANSIT, *Status) if how.words(each, "", Classifier.ACT))
    event = TrackingEvent(_CARRIER, _NUMBER, status, now.replace(microsecond=0), text="A test", location=Location())
    scan = Scan(_EVENT, event)
    shipment = Shipment(
        _TRACKER, _CARRIER, _NUMBER, 1, status, "", event.direction, now, None, {status: (now, now)}, [scan]
    )
    told = Notification(message_id(), 1, TRIGGER, now, scan, False, None, status, shipment)
    document = OutboundDocument(told.id, _marked(notifying.body(destination, told), own=how.layout is None))
    with db.write() as connection:
        enter(connection, destination.name, destination.customer, 0, document)
    return told.id


def _marked(content: bytes, *, own: bool) -> bytes:
    """The same with ``test`` in it; a layout of the customer's own stays what it is."""
    if own:
        return content
    return json.dumps(json.loads(content) | {"test": True}, ensure_ascii=False, separators=(",", ":")).encode()
