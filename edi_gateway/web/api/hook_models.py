"""What the customers' API takes and gives of webhook endpoints and their deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
)

from edi_gateway.store.tables import DeliveryState, Outcome
from edi_gateway.web.api.models import Input

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9000, 1, 1, tzinfo=UTC)


def _storable(moment: datetime) -> datetime:
    """Beyond what calendars hold, nothing happens anyway."""
    if moment.year < _FIRST.year:
        return _FIRST
    return _LAST if moment.year >= _LAST.year else moment.astimezone(UTC)


def _text(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("found a number, expected a time such as 2026-11-20T00:00:00Z")  # noqa: TRY004 -- pydantic's
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_storable)]
Url = Annotated[str, StringConstraints(min_length=8, max_length=1000, pattern=r"^https?://[!-~]+$")]
Words = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Trigger(StrEnum):
    """What makes an event worth telling."""

    ALL = "all"
    STATUS = "status_changes"
    REASON = "reason_changes"
    ESTIMATE = "estimated_delivery_changes"


class EndpointState(StrEnum):
    """How an endpoint is doing."""

    ACTIVE = "active"
    FAILING = "failing"  # the latest attempts failed
    DISABLED = "disabled"  # nothing is sent until it is enabled; what is owed waits


EndpointId = Annotated[UUID, Path(description="the endpoint's id", examples=["6f1d0c1e-2f57-4c3a-8d38-0c5f0a3f6f2b"])]
MessageId = Annotated[
    str,
    Path(
        pattern=r"^msg_[0-9a-f]{32}$",
        description="the header webhook-id",
        examples=["msg_0d6f6a1e5d7b4f0a9f551f0a3f6f2b11"],
    ),
]
Layout = Literal["canonical", "tracker"]
Vocabulary = Literal["canonical", "nine_status"]
Order = Literal["any", "strict", "shipment"]
Triggers = Annotated[list[Trigger], Field(min_length=1, max_length=4)]
_URL = ["https://shop.customer.com/webhook/shipment"]


class NewEndpoint(Input):
    """Where to send, and what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"url": "https://shop.customer.com/webhook/shipment", "layout": "tracker", "order": "shipment"}
            ]
        }
    )
    url: Url = Field(description="without a path: /webhook/shipment; only HTTPS to public addresses", examples=_URL)
    layout: Layout = Field("canonical", description="what a notification looks like")
    vocabulary: Vocabulary | None = Field(
        None, description="what statuses are called; nine_status with the layout tracker, else canonical"
    )
    history: bool = Field(default=False, strict=True, description="true: each notification tells all of the shipment")
    events: Triggers = Field([Trigger.STATUS], description="which events are told", examples=[["status_changes"]])
    order: Order = Field(
        "any",
        description="shipment: a later event of a shipment waits for the earlier ones; strict: of all shipments",
    )
    description: Words = Field("", description="for yourself", examples=["the shop"])


class EndpointChange(Input):
    """What to change; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": ["all"], "history": True}]})
    url: Url | None = Field(None, description="where to send", examples=_URL)
    layout: Layout | None = Field(None, description="what a notification looks like")
    vocabulary: Vocabulary | None = Field(None, description="what statuses are called")
    history: StrictBool | None = Field(None, description="whether each notification tells all of the shipment")
    events: Triggers | None = Field(None, description="which events are told")
    order: Order | None = Field(None, description="what waits for what")
    description: Words | None = Field(None, description="for yourself")


class Endpoint(BaseModel):
    """A webhook endpoint."""

    id: str = Field(examples=["6f1d0c1e-2f57-4c3a-8d38-0c5f0a3f6f2b"])
    name: str = Field(description="as catch-up calls it: the id, or the name it was agreed under", examples=["live"])
    managed_by: Literal["api", "operator"] = Field(description="operator: as agreed, you cannot change it here")
    url: str = Field(examples=_URL)
    layout: Layout | None = Field(description="null: as agreed")
    vocabulary: Vocabulary | None = Field(description="null: as agreed")
    history: bool
    events: list[Trigger]
    order: Order
    description: str = Field(examples=["the shop"])
    state: EndpointState
    why: str = Field(description="what is wrong, if anything", examples=[""])
    failing_since: datetime | None
    created_at: datetime | None
    rotated_at: datetime | None = Field(description="when its secret changed; the one before signs for 24 h more")


class EndpointWithSecret(Endpoint):
    """An endpoint and its secret, which is not shown again."""

    secret: str = Field(
        description="verifies signatures (Standard Webhooks); keep it, it is not shown again",
        examples=["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
    )


class Endpoints(BaseModel):
    """All of them."""

    endpoints: list[Endpoint]


class Attempt(BaseModel):
    """One try to deliver."""

    number: int = Field(examples=[1])
    started_at: datetime
    outcome: Outcome = Field(description="started: it is under way, or nobody knows how it ended")
    status: int | None = Field(description="of HTTP; null: there was no answer", examples=[200])
    milliseconds: int | None = Field(description="until the status was there, or the attempt failed", examples=[84])
    answer: str = Field(description="how the answer begins", examples=["ok"])
    detail: str = Field(description="what was seen", examples=["HTTP 200 in 84 ms"])


class Delivery(BaseModel):
    """One notification, with its latest attempts in order."""

    id: str = Field(description="the header webhook-id", examples=["msg_0d6f6a1e5d7b4f0a9f551f0a3f6f2b11"])
    state: DeliveryState = Field(description="dead: given up after the last attempt; superseded: sent anew")
    test: bool = Field(description="a test notification")
    carrier: str | None = Field(examples=["velopost"])
    tracking_number: str | None = Field(examples=["VP300200101"])
    sequence: int | None = Field(description="counts the notifications of the shipment", examples=[1])
    size: int = Field(description="bytes of the body", examples=[1034])
    sealed_at: datetime
    delivered_at: datetime | None
    next_attempt_at: datetime | None
    attempt_count: int = Field(examples=[1])
    attempts: list[Attempt]


class Deliveries(BaseModel):
    """A page of deliveries, the newest first."""

    deliveries: list[Delivery]
    next: str | None = Field(description="the cursor of the next page, as ?after=", examples=["MTI"])


class ReplayRequest(Input):
    """What to send once more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": "2026-11-20T00:00:00Z", "dry_run": True}]})
    from_: Moment | None = Field(
        None,
        alias="from",
        description="what was owed from then on; left out: since the last success",
        examples=["2026-11-20T00:00:00Z"],
    )
    to: Moment | None = Field(None, description="until just before then; now when left out")
    events: Literal["missing", "all"] = Field(
        "missing", description="missing: what did not arrive and is not on its way; all: what arrived as well"
    )
    dry_run: bool = Field(default=False, strict=True, description="only say how many events that would be")


class Replayed(BaseModel):
    """What is on its way now."""

    dry_run: bool
    events: int = Field(description="sent, or with dry_run to be sent", examples=[3])
    documents: int = Field(description="notifications or files", examples=[3])
    refused: int = Field(description="events of which no document can be made; the operator knows", examples=[0])
    more: bool = Field(description="more is left: ask again", examples=[False])
