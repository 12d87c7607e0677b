"""What the routes of trackers take and give, version 1."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from edi_gateway.model import Status, TrackingState
from edi_gateway.store.tables import Origin, TrackerState
from edi_gateway.store.tracks import Track
from edi_gateway.web.api.models import Item

MOST_TRACKERS = 1_000


class NewTracker(Item):
    """A number to track."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        json_schema_extra={"examples": [{"tracking_number": "VP300200101"}]},
    )

    is_async: StrictBool = Field(
        default=True,
        alias="async",
        description="true: answered at once, the first update follows; false: the carrier is waited for, up to 25 s",
    )


class NewTrackers(BaseModel):
    """Numbers to track."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"trackers": [{"tracking_number": "VP300200101"}]}]},
    )

    trackers: list[Item] = Field(min_length=1, max_length=MOST_TRACKERS)


class Tracker(BaseModel):
    """What you hear of a shipment, and where it stands; its events are at /v1/shipments/{id}."""

    id: str = Field(examples=["0d6f6a1e-5d7b-4f0a-9f55-1f0a3f6f2b11"])
    carrier: str = Field(description="empty while nobody knows", examples=["velopost"])
    tracking_number: str = Field(examples=["VP300200101"])
    epoch: int = Field(description="counts shipments that bore the number; 0 before the first event", examples=[1])
    status: Status
    reason: str = Field(examples=[""])
    status_at: datetime | None
    estimated_delivery_at: datetime | None
    delivered_at: datetime | None
    state: TrackerState = Field(description="whether you hear of it")
    tracking_state: TrackingState = Field(description="how the gateway watches it")
    origin: Origin = Field(description="request: you asked for it; rule: it was agreed that you hear of such shipments")
    created_at: datetime


class Trackers(BaseModel):
    """A page of trackers."""

    trackers: list[Tracker]
    next: str | None = Field(description="the cursor of the next page, as ?after=", examples=["MTI"])


class LineProblem(BaseModel):
    """Why a line led to no tracker."""

    code: Literal["invalid", "unknown_carrier"]
    message: str


class MadeTracker(BaseModel):
    """What became of one item, or of one line of a file."""

    line: int = Field(description="of the file, or the item's place in the list, from 1")
    tracking_number: str
    carrier: str
    id: str | None = None
    created: bool = Field(default=False, description="false: there was one already, or there is an error")
    error: LineProblem | None = None


class MadeTrackers(BaseModel):
    """One result for each item, in their order, and how many of each kind there are."""

    created: int
    existing: int
    failed: int
    results: list[MadeTracker]


def tracker_model(track: Track) -> Tracker:
    """A tracker as the API gives it."""
    return Tracker(
        id=track.id,
        carrier=track.carrier,
        tracking_number=track.tracking_number,
        epoch=track.epoch,
        status=track.status,
        reason=track.reason,
        status_at=track.status_at,
        estimated_delivery_at=track.estimated_delivery_at,
        delivered_at=track.delivered_at,
        state=track.state,
        tracking_state=track.tracking_state,
        origin=track.origin,
        created_at=track.created_at,
    )


def counted(results: list[MadeTracker]) -> MadeTrackers:
    """The results with their sums."""
    failed = sum(each.error is not None for each in results)
    created = sum(each.created for each in results)
    return MadeTrackers(created=created, existing=len(results) - created - failed, failed=failed, results=results)
