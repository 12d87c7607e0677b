"""Shipments and events as `models` describes them, straight to JSON: an answer holds thousands of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from pydantic_core import to_json

from edi_gateway.model import TrackingEvent
from edi_gateway.store.feed import Fed
from edi_gateway.store.tracks import Track

Said = dict[str, Any]


def answer(said: Mapping[str, Any]) -> Response:
    """The response that says so."""
    return Response(to_json(said), media_type="application/json")


def shipment(track: Track, *, events: bool = True) -> Said:
    """A `Shipment`."""
    return {
        "id": track.id,
        "carrier": track.carrier,
        "tracking_number": track.tracking_number,
        "epoch": track.epoch,
        "status": track.status,
        "reason": track.reason,
        "direction": track.direction,
        "status_at": _instant(track.status_at),
        "estimated_delivery_at": _instant(track.estimated_delivery_at),
        "delivered_at": _instant(track.delivered_at),
        "state": track.state,
        "tracking_state": track.tracking_state,
        "created_at": _instant(track.created_at),
        "milestones": {
            status: {"first": _written(first), "last": _written(last)}
            for status, (first, last) in track.milestones.items()
        },
        "tracking_events": [event(scan.key, scan.event) for scan in track.scans] if events else [],
    }


def event(key: str, told: TrackingEvent) -> Said:
    """An `Event`; its key names it."""
    place = told.location
    return {
        "id": key,
        "status": told.status._value_,
        "reason": told.reason,
        "classifier": told.classifier._value_,
        "direction": told.direction._value_,
        "occurred_at": _written(told.occurred_at),
        "date_only": told.date_only,
        "time_basis": told.time_basis._value_,
        "piece": told.piece,
        "text": told.text,
        "location": {"name": place.name, "unlocode": place.unlocode, "country": place.country},
        "signatory": told.signatory,
        "references": told.references,
        "raw": {
            "code": told.raw_code,
            "list": told.code_list,
            "agency": told.code_agency,
            "reason": told.raw_reason,
        },
    }


def fed(entry: Fed) -> Said:
    """A `FedEvent`."""
    return {
        "action": entry.action.value,
        "shipment": entry.tracker_id,
        "carrier": entry.event.carrier,
        "tracking_number": entry.event.tracking_number,
        "event": event(entry.key, entry.event),
        "recorded_at": _instant(entry.created_at),
    }


def _instant(moment: datetime | None) -> str | None:
    return _written(moment.astimezone(UTC)) if moment else None


def _written(moment: datetime) -> str:
    """As pydantic writes it, in its own offset."""
    said = moment.isoformat()
    return f"{said[:-6]}Z" if said.endswith("+00:00") else said
