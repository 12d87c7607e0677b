"""What of a list is wanted: the filters that lists of shipments and of trackers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query

from edi_gateway.model import Status, number_of
from edi_gateway.store.tables import TrackerState
from edi_gateway.store.tracks import Wanted
from edi_gateway.web.api.models import CarrierName, TrackingNumber


def only(what: str, example: str) -> Any:
    """A filter of a list."""
    return Query(description=f"only {what}", examples=[example])


OfCarrier = Annotated[CarrierName | None, only("of this carrier", "velopost")]
OfNumber = Annotated[TrackingNumber | None, only("of this number", "VP300200101")]
OfStatus = Annotated[Status | None, only("where this is the current status", "DELIVERED")]
OfState = Annotated[TrackerState | None, only("in this state", "active")]


def wanted(
    known: Mapping[str, str],
    carrier: str | None,
    number: str | None,
    status: Status | None = None,
    state: TrackerState | None = None,
) -> Wanted:
    """What these ask for; ``known`` as `rehearsal.known_carriers` has it."""
    return Wanted(known.get((carrier or "").lower(), carrier), number_of(number) if number else None, status, state)
