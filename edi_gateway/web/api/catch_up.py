"""``/v1/catch-up``: what a customer was owed and did not get, and sending that."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import catch_up as store
from edi_gateway.store.catch_up import Span, Standing
from edi_gateway.web.api import cursors, telling
from edi_gateway.web.api.caller import Gateway, Hooking, Reader
from edi_gateway.web.api.cursors import Cursor
from edi_gateway.web.api.hook_models import Moment, Replayed
from edi_gateway.web.api.models import Event, Input
from edi_gateway.web.api.problems import ProblemError, problems
from edi_gateway.web.api.receivers import destinations, name_of
from edi_gateway.web.api.resending import resend

_DAY: Final = ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")  # for examples
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
router = APIRouter(prefix="/v1/catch-up", tags=["webhooks"])


class Counts(BaseModel):
    """What a destination was owed in that time, and what became of it."""

    destination: str = Field(examples=["live"])
    kind: Literal["file", "webhooks"]
    owed: int = Field(description="events, or that they are void", examples=[12])
    delivered: int = Field(examples=[10])
    acknowledged: int = Field(description="of those that were delivered", examples=[0])
    rejected: int = Field(description="of those that were delivered: by your own acknowledgement", examples=[0])
    waiting: int = Field(description="on its way, or parked until the destination is served again", examples=[1])
    missing: int = Field(description="it does not come unless it is asked for", examples=[1])


class MissingEvent(BaseModel):
    """Something that was owed and did not arrive."""

    destination: str = Field(examples=["live"])
    action: Literal["report", "cancel"] = Field(description="cancel: that the event is void")
    why: Literal["refused", "dead", "skipped"] = Field(
        description="refused: it cannot be told; dead: no attempt arrived; skipped: the operator decided so"
    )
    owed_at: datetime
    carrier: str = Field(examples=["velopost"])
    tracking_number: str = Field(examples=["VP300200101"])
    event: Event


class Missed(BaseModel):
    """The counts, and a page of what is missing in the order it was owed."""

    destinations: list[Counts]
    missing: list[MissingEvent]
    next: str | None = Field(description="the cursor of the next page, as ?after=", examples=["MTI"])


class CatchUp(Input):
    """What to send."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": _DAY[0], "to": _DAY[1], "destination": "live"}]})
    from_: Moment = Field(alias="from", description="what was owed from then on", examples=[_DAY[0]])
    to: Moment = Field(description="until just before then", examples=[_DAY[1]])
    destination: Name = Field(description="its name, or the id of a webhook endpoint", examples=["live"])
    as_: Literal["file", "webhooks"] | None = Field(
        None, alias="as", description="file: all in one; webhooks: ten a second. It has to be what the destination gets"
    )
    events: Literal["missing", "all"] = Field("missing", description="all: what arrived as well")
    dry_run: bool = Field(default=True, strict=True, description="only say how many events that would be")


@router.get("", responses=problems(404), summary="What did we miss?")
async def missed(
    who: Reader,
    gateway: Gateway,
    from_: Annotated[Moment, Query(alias="from", description="what was owed from then on", examples=[_DAY[0]])],
    to: Annotated[Moment, Query(description="until just before then", examples=[_DAY[1]])],
    destination: Annotated[Name | None, Query(description="only of this one", examples=["live"])] = None,
    after: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=200, description="entries of a page, at most", examples=[50])] = 50,
) -> Missed:
    """Of each destination, what it was owed against what arrived; and the events that are missing."""
    theirs = await destinations(gateway, who)
    if destination is not None:
        theirs = {destination: _one(theirs, destination)}
    named, span = {each.name: each for each in theirs.values()}, Span(from_, to)
    [last] = cursors.read(after, 1)
    counts = await asyncio.to_thread(store.counts, gateway.db, who.customer, list(named), span)
    found = await asyncio.to_thread(store.missing, gateway.db, who.customer, list(named), span, last, limit + 1)
    return Missed(
        destinations=[_counts(named[name], counted) for name, counted in counts.items()],
        missing=_missing(found[:limit], named),
        next=cursors.written(found[limit - 1].outbox_id) if len(found) > limit else None,
    )


@router.post("", status_code=202, responses=problems(404, 409), summary="Send what is missing")
async def send(asked: CatchUp, who: Hooking, gateway: Gateway) -> Replayed:
    """Under new control numbers and ids; with dry_run, as it is when left out, nothing is sent.

    What is on its way, or with events: all was sealed within ten minutes, is left out, so that asking twice sends
    nothing twice.
    """
    found = _one(await destinations(gateway, who), asked.destination)
    if asked.as_ not in {None, _kind(found)}:
        told = [("body.as", f"{asked.destination} gets {_kind(found)}")]
        raise ProblemError(409, "this destination cannot get that", told)
    span = Span(asked.from_, asked.to)
    return await resend(gateway, found, span, everything=asked.events == "all", dry_run=asked.dry_run)


def _one(theirs: Mapping[str, Destination], name: str) -> Destination:
    if name not in theirs:
        raise ProblemError(404, "there is no such destination")
    return theirs[name]


def _kind(destination: Destination) -> Literal["file", "webhooks"]:
    return "webhooks" if destination.notifying else "file"


def _counts(destination: Destination, counted: Counter[Standing]) -> Counts:
    arrived = sum(counted[each] for each in (Standing.DELIVERED, Standing.ACKNOWLEDGED, Standing.REJECTED))
    return Counts(
        destination=name_of(destination),
        kind=_kind(destination),
        owed=counted.total(),
        delivered=arrived,
        acknowledged=counted[Standing.ACKNOWLEDGED],
        rejected=counted[Standing.REJECTED],
        waiting=counted[Standing.WAITING],
        missing=counted[Standing.MISSING],
    )


def _missing(found: Sequence[store.Missing], named: Mapping[str, Destination]) -> list[MissingEvent]:
    return [
        MissingEvent(
            destination=name_of(named[each.destination]),
            action=each.action.value,
            why=each.why,
            owed_at=each.owed_at,
            carrier=each.event.carrier,
            tracking_number=each.event.tracking_number,
            event=Event.model_validate(telling.event(each.key, each.event)),
        )
        for each in found
    ]
