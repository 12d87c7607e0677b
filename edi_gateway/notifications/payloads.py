"""What customers are told of a shipment, as JSON objects. Pure: whoever asks brings everything along.

Nothing here names a document, a channel, a mapping or another customer; of what the carrier wrote, only code and text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from edi_gateway.model import Classifier, Direction, Status, TrackingEvent
from edi_gateway.notifications.identities import global_id
from edi_gateway.notifications.words import Said, Words

TOPIC: Final = "TRACKER_UPDATED"
Json = dict[str, Any]
_NOTHING: Final = Said("", "")


@dataclass(frozen=True, slots=True)
class Scan:
    """An event and its id towards customers."""

    id: str
    event: TrackingEvent


@dataclass(frozen=True, slots=True)
class Shipment:
    """Where a shipment stands, and the events that led there, as far as they are asked for."""

    id: str  # of the customer's tracker of it
    carrier: str
    tracking_number: str
    epoch: int
    status: Status
    reason: str
    direction: Direction
    status_at: datetime | None
    estimated_at: datetime | None
    milestones: Mapping[Status, tuple[datetime, datetime]]
    history: Sequence[Scan] = ()  # those that count, in the order they happened


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing that one customer is told."""

    id: str
    sequence: int  # of this shipment at this destination, from 1
    trigger: str
    created_at: datetime
    scan: Scan
    retracted: bool  # it was told before, and is void
    previous_status: Status | None
    status: Status | None  # of the shipment, just after
    shipment: Shipment


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Something that happened to a tracked shipment."""

    id: str
    message: str
    status: str
    scanned_at: datetime  # in the carrier's own offset


@dataclass(frozen=True, slots=True)
class Tracker:
    """A shipment as the tracker API has it."""

    id: str
    tracking_code: str
    status: str
    estimated_delivery_at: datetime | None
    delivered_at: datetime | None
    carrier: str
    checkpoints: Sequence[Checkpoint]


def canonical(told: Notification, words: Words, *, history: bool) -> Json:
    """The layout ``canonical``: the event, what it changed, and where the shipment stands now."""
    payload: Json = {
        "id": told.id,
        "topic": TOPIC,
        "trigger": told.trigger,
        "created_at": utc(told.created_at),
        "sequence": told.sequence,
        "event": event_view(told.scan, words) | {"retracted": told.retracted},
        "previous_status": _word(words, told.previous_status),
        "status": _word(words, told.status),
        "shipment": shipment_view(told.shipment, words),
    }
    if history:
        payload["history"] = history_view(told.shipment, words)
    return payload


def tracker_updated(told: Notification, words: Words) -> Json:
    """The layout ``tracker``: the topic, and the tracker as it stands now."""
    return {"topic": TOPIC, "data": tracker_view(tracker(told.shipment, words))}


def event_view(scan: Scan, words: Words) -> Json:
    """An event. Its time is in the offset the carrier meant."""
    event = scan.event
    said = words(event.status, event.reason, event.classifier) or _NOTHING
    return {
        "id": scan.id,
        "status": said.status or None,
        "reason": said.reason,
        "classifier": event.classifier.value,
        "direction": event.direction.value,
        "occurred_at": event.occurred_at.isoformat(),
        "date_only": event.date_only,
        "location": {
            "name": event.location.name,
            "unlocode": event.location.unlocode,
            "country": event.location.country,
        },
        "text": event.text,
        "raw_code": event.raw_code,
        "raw_reason": event.raw_reason,
        "piece": event.piece,
        "signatory": event.signatory,
        "references": {qualifier: list(values) for qualifier, values in event.references.items()},
    }


def shipment_view(shipment: Shipment, words: Words) -> Json:
    """A shipment and where it stands; of each status, when it was reached first and last."""
    said = words(shipment.status, shipment.reason, Classifier.ACT) or _NOTHING
    return {
        "id": shipment.id,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "epoch": shipment.epoch,
        "current": {
            "status": said.status or None,
            "reason": said.reason,
            "direction": shipment.direction.value,
            "status_at": utc(shipment.status_at),
        },
        "estimated_delivery_at": utc(shipment.estimated_at),
        "milestones": {
            status: {"first": utc(first), "last": utc(last)}
            for status, (first, last) in sorted(_milestones(shipment, words).items())
        },
    }


def history_view(shipment: Shipment, words: Words) -> list[Json]:
    """The events that count, in the order they happened; without those the customer has no word for."""
    return [
        event_view(scan, words)
        for scan in shipment.history
        if words(scan.event.status, scan.event.reason, scan.event.classifier)
    ]


def tracker(shipment: Shipment, words: Words) -> Tracker:
    """The tracker of a shipment; its checkpoints are what happened, not what is expected."""
    said = words(shipment.status, shipment.reason, Classifier.ACT) or _NOTHING
    delivered = shipment.milestones.get(Status.DELIVERED)
    return Tracker(
        id=global_id(shipment.id),
        tracking_code=shipment.tracking_number,
        status=said.status,
        estimated_delivery_at=shipment.estimated_at,
        delivered_at=delivered[0] if delivered and shipment.status is Status.DELIVERED else None,
        carrier=shipment.carrier,
        checkpoints=[
            Checkpoint(scan.id, message(scan.event), word.status, scan.event.occurred_at)
            for scan in shipment.history
            if scan.event.classifier is Classifier.ACT
            and (word := words(scan.event.status, scan.event.reason, scan.event.classifier))
        ],
    )


def tracker_view(tracked: Tracker) -> Json:
    """A tracker as a JSON object; instants in UTC, those of checkpoints in the carrier's own offset."""
    return {
        "id": tracked.id,
        "trackingCode": tracked.tracking_code,
        "status": tracked.status,
        "estimatedDeliveryAt": utc(tracked.estimated_delivery_at),
        "deliveredAt": utc(tracked.delivered_at),
        "carrier": tracked.carrier,
        "checkpoints": [
            {
                "id": each.id,
                "message": each.message,
                "status": each.status,
                "scannedAt": each.scanned_at.isoformat(),
            }
            for each in tracked.checkpoints
        ],
    }


def message(event: TrackingEvent) -> str:
    """An event in words: the carrier's text, else the reason or the status spelled out."""
    return event.text or (event.reason.partition(".")[2] or event.status).replace("_", " ").capitalize()


def utc(when: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z") if when else None


def _word(words: Words, status: Status | None) -> str | None:
    said = words(status, "", Classifier.ACT) if status else None
    return said.status if said else None


def _milestones(shipment: Shipment, words: Words) -> dict[str, tuple[datetime, datetime]]:
    """By the customer's words, of which one may stand for several statuses."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for status, (first, last) in shipment.milestones.items():
        word = _word(words, status)
        if word:
            before = found.get(word, (first, last))
            found[word] = (min(before[0], first), max(before[1], last))
    return found
