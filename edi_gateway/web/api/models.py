"""What the customers' API takes and gives, version 1."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from edi_gateway.model import Classifier, Direction, Status, TimeBasis, TrackingState
from edi_gateway.store.tables import TrackerState
from edi_gateway.web.api.refreshing import Refresh

MOST_NUMBERS = 200
TrackingNumber = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
CarrierName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=r"^[A-Za-z0-9_-]*$")]
TrackerId = Annotated[
    UUID,
    Path(
        description="id of the shipment, and of your tracker of it", examples=["0d6f6a1e-5d7b-4f0a-9f55-1f0a3f6f2b11"]
    ),
]


class Input(BaseModel):
    """Base of what is taken: a stranger among the keys is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(BaseModel):
    """Where an event happened."""

    name: str = Field(examples=["Bern"])
    unlocode: str = Field(description="UN/LOCODE", examples=["CHBRN"])
    country: str = Field(description="ISO 3166-1 alpha-2", examples=["CH"])


class Code(BaseModel):
    """The carrier's own words."""

    code: str = Field(examples=["ABH"])
    list: str = Field(examples=[""])
    agency: str = Field(examples=[""])
    reason: str = Field(examples=[""])


class Event(BaseModel):
    """A tracking event."""

    id: str = Field(examples=["2f1c9a5de0b34c77a1d2e3f405162738"])
    status: Status
    reason: str = Field(examples=["attempt.not_home"])
    classifier: Classifier = Field(description="ACT: it happened; EST: it is expected; PLN: it was planned")
    direction: Direction
    occurred_at: datetime = Field(description="by the carrier's own clock", examples=["2026-03-17T17:40:02+01:00"])
    date_only: bool = Field(description="only the day of it is known")
    time_basis: TimeBasis = Field(description="where its time zone is known from")
    piece: str = Field(description="the piece of the shipment, if the carrier names one", examples=[""])
    text: str = Field(examples=["Abgeholt"])
    location: Place
    signatory: str = Field(examples=[""])
    references: dict[str, list[str]] = Field(examples=[{"CU": ["UMB-5511"]}])
    raw: Code


class Milestone(BaseModel):
    """When a status was reached first and last."""

    first: datetime
    last: datetime


class Shipment(BaseModel):
    """A shipment as its tracker shows it."""

    id: str = Field(examples=["0d6f6a1e-5d7b-4f0a-9f55-1f0a3f6f2b11"])
    carrier: str = Field(description="empty while nobody knows", examples=["velopost"])
    tracking_number: str = Field(examples=["VP300200101"])
    epoch: int = Field(description="counts shipments that bore the number; 0 before the first event", examples=[1])
    status: Status
    reason: str = Field(examples=[""])
    direction: Direction
    status_at: datetime | None
    estimated_delivery_at: datetime | None
    delivered_at: datetime | None
    state: TrackerState = Field(description="whether you hear of it")
    tracking_state: TrackingState = Field(description="how the gateway watches it")
    created_at: datetime
    milestones: dict[Status, Milestone]
    tracking_events: list[Event] = Field(description="in the order they happened")


class Item(Input):
    """What to look up."""

    tracking_number: TrackingNumber = Field(examples=["VP300200101"])
    carrier: CarrierName = Field("", description="left out: whoever carries it", examples=["velopost"])


class TrackRequest(Input):
    """Which shipments to look up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"tracking_number": "VP300200101"}]}]})

    items: list[Item] = Field(min_length=1, max_length=MOST_NUMBERS)
    subscribe: StrictBool = Field(
        default=False, description="track unknown numbers from now on; needs the scope trackers"
    )
    events: StrictBool = Field(default=True, description="false: without tracking_events")
    refresh: Literal["no", "wait"] = Field(
        "no",
        description="wait: carriers that can be asked are asked now, and the answer waits for them, up to 25 s",
        examples=["no"],
    )


class ItemProblem(BaseModel):
    """Why an item has no answer."""

    code: Literal["not_found", "unknown_carrier"]
    message: str


class Result(BaseModel):
    """The answer to one item, in the order they were asked."""

    tracking_number: str
    carrier: str
    shipment: Shipment | None = Field(description="the latest that bore the number")
    earlier: list[str] = Field(default_factory=list, description="ids of earlier shipments of the number")
    refresh: Refresh | None = Field(None, description="with refresh: wait, what came of asking the carrier")
    error: ItemProblem | None = None


class TrackAnswer(BaseModel):
    """One result for each item."""

    results: list[Result]


class Shipments(BaseModel):
    """A page of shipments."""

    shipments: list[Shipment]
    next: str | None = Field(description="the cursor of the next page, as ?after=", examples=["00000000000004b4"])


class FedEvent(BaseModel):
    """An entry of the feed."""

    action: Literal["report", "cancel"] = Field(description="cancel: the event is void")
    shipment: str = Field(description="the shipment's id")
    carrier: str
    tracking_number: str
    event: Event
    recorded_at: datetime


class Events(BaseModel):
    """A page of the feed."""

    events: list[FedEvent]
    next: str = Field(
        description="the cursor to ask with next, also when there was nothing",
        examples=["000000000000000000000000000004b4"],
    )
