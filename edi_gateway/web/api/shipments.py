"""``/v1/track``, ``/v1/shipments``, ``/v1/events``: what a customer may know, read."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from edi_gateway.model import Status, number_of
from edi_gateway.store import feed, tracks
from edi_gateway.store.asking import Number
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import TrackerState
from edi_gateway.store.tracks import Track, Wanted
from edi_gateway.web.api import cursors
from edi_gateway.web.api.caller import Caller, Context, Gateway, Reader
from edi_gateway.web.api.models import (
    CarrierName,
    Events,
    FedEvent,
    Item,
    ItemProblem,
    Result,
    Shipment,
    Shipments,
    TrackAnswer,
    TrackingNumber,
    TrackRequest,
    event_of,
    shipment_model,
)
from edi_gateway.web.api.problems import ProblemError, problems
from edi_gateway.web.api.refreshing import Refresh
from edi_gateway.web.api.requesting import UnknownCarrierError, by_name, make, wished

_LOOK: Final = 0.25  # seconds between two looks of one who waits
_LONGEST_WAIT: Final = 30
_PAGE: Final = 200
Cursor = Annotated[str, Query(max_length=100, description="next of the page before")]
Limit = Annotated[int, Query(ge=1, le=_PAGE, description="entries of a page, at most")]


router = APIRouter(prefix="/v1", tags=["shipments"])


@router.post("/track", responses=problems(400, 401, 403, 422, 429), summary="Look up to 200 numbers up")
async def track(asked: TrackRequest, who: Reader, gateway: Gateway) -> TrackAnswer:
    """Each item is answered on its own: with the latest shipment of its number, or with why there is none.

    With refresh: wait, each says as well what came of asking its carrier; what is known is told in any case.
    """
    if asked.subscribe and "trackers" not in who.scopes:
        raise ProblemError(403, "this key may not subscribe, expected one with the scope trackers")
    if asked.subscribe:
        await _subscribe(gateway, who, asked)
    came = await _refreshed(gateway, who, asked) if asked.refresh == "wait" else {}
    return await asyncio.to_thread(_answer, gateway.db, who.customer, asked, by_name(gateway.carriers()), came)


@router.get("/shipments", responses=problems(400, 401, 403, 422, 429), summary="List shipments")
async def list_shipments(
    who: Reader,
    gateway: Gateway,
    carrier: Annotated[CarrierName | None, Query(description="only of this carrier")] = None,
    tracking_number: Annotated[TrackingNumber | None, Query(description="only of this number")] = None,
    status: Annotated[Status | None, Query(description="only where this is the current status")] = None,
    state: Annotated[TrackerState | None, Query(description="only in this state")] = None,
    after: Cursor = "",
    limit: Limit = 50,
) -> Shipments:
    """The shipments that are yours, in the order in which they became known."""
    [last] = cursors.read(after, 1)
    number = number_of(tracking_number) if tracking_number else None
    wanted = Wanted(by_name(gateway.carriers()).get((carrier or "").lower(), carrier), number, status, state)
    found = await asyncio.to_thread(tracks.listing, gateway.db, who.customer, wanted, last, limit + 1)
    more = cursors.written(found[limit - 1].row_id) if len(found) > limit else None
    return Shipments(shipments=[shipment_model(each) for each in found[:limit]], next=more)


@router.get(
    "/shipments/{id}",
    responses=problems(400, 401, 403, 404, 422, 429) | {304: {"description": "as you know it (If-None-Match)"}},
    summary="One shipment",
    response_model=Shipment,
)
async def one_shipment(
    id: UUID,  # noqa: A002 -- as the path has it
    request: Request,
    response: Response,
    who: Reader,
    gateway: Gateway,
) -> Response | Shipment:
    """The whole shipment with its history."""
    found = await asyncio.to_thread(tracks.by_id, gateway.db, who.customer, str(id))
    if found is None:
        raise ProblemError(404, "there is no such shipment")
    said = shipment_model(found)
    tag = f'"{hashlib.sha256(said.model_dump_json().encode()).hexdigest()[:32]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return said


@router.get("/events", responses=problems(400, 401, 403, 422, 429), summary="The feed of events")
async def events(
    who: Reader,
    gateway: Gateway,
    after: Cursor = "",
    limit: Limit = 100,
    wait: Annotated[int, Query(ge=0, le=_LONGEST_WAIT, description="seconds to wait while there is nothing")] = 0,
) -> Events:
    """Every event once, in an order that never changes: ask again with next, and nothing is missed."""
    place = feed.Place(*cursors.read(after, 2))
    until = time.monotonic() + wait
    while not (found := await asyncio.to_thread(feed.page, gateway.db, who.customer, place, limit)):
        if time.monotonic() + _LOOK > until:
            break
        await asyncio.sleep(_LOOK)
    end = found[-1].place if found else place
    return Events(events=[_fed(each) for each in found], next=cursors.written(*end))


def _fed(entry: feed.Fed) -> FedEvent:
    return FedEvent(
        action=entry.action.value,
        shipment=entry.tracker_id,
        carrier=entry.event.carrier,
        tracking_number=entry.event.tracking_number,
        event=event_of(entry.key, entry.event),
        recorded_at=entry.created_at,
    )


async def _subscribe(gateway: Context, who: Caller, asked: TrackRequest) -> None:
    """Track the numbers of which nothing is known."""
    known = by_name(gateway.carriers())
    found = await asyncio.to_thread(tracks.by_numbers, gateway.db, who.customer, _numbers(asked))
    wishes = []
    for item in asked.items:
        with suppress(UnknownCarrierError):
            wish = wished(item, known)
            if not _fitting(found.get(wish.tracking_number, ()), wish.carrier):
                wishes.append(wish)
    if wishes:
        await make(gateway, who, wishes)


async def _refreshed(gateway: Context, who: Caller, asked: TrackRequest) -> Mapping[Number, Refresh]:
    """Have the carriers of these shipments asked, and wait for them."""
    found = await asyncio.to_thread(tracks.by_numbers, gateway.db, who.customer, _numbers(asked))
    known = by_name(gateway.carriers())
    numbers = set()
    for item in asked.items:
        number = number_of(item.tracking_number)
        for track in _fitting(found.get(number, ()), known.get(item.carrier.lower(), item.carrier))[:1]:
            numbers.add((track.carrier, number))
    return await gateway.refreshing.now(who.customer, numbers)


def _numbers(asked: TrackRequest) -> set[str]:
    return {number_of(item.tracking_number) for item in asked.items}


def _fitting(found: Sequence[Track], carrier: str) -> list[Track]:
    return [track for track in found if not carrier or track.carrier in {carrier, ""}]


def _answer(
    db: Database, customer: str, asked: TrackRequest, known: Mapping[str, str], came: Mapping[Number, Refresh]
) -> TrackAnswer:
    found = tracks.by_numbers(db, customer, _numbers(asked))
    results = []
    for item in asked.items:
        result = _result(item, found.get(number_of(item.tracking_number), ()), known, events=asked.events)
        if asked.refresh == "wait":
            number = result.carrier, number_of(item.tracking_number)
            result = result.model_copy(update={"refresh": came.get(number, Refresh.NOT_ASKED)})
        results.append(result)
    return TrackAnswer(results=results)


def _result(item: Item, found: Sequence[Track], known: Mapping[str, str], *, events: bool) -> Result:
    carrier = known.get(item.carrier.lower(), item.carrier)
    fitting = _fitting(found, carrier)
    if fitting:
        latest, *earlier = fitting
        return Result(
            tracking_number=item.tracking_number,
            carrier=latest.carrier,
            shipment=shipment_model(latest, events=events),
            earlier=[track.id for track in earlier],
        )
    if carrier and item.carrier.lower() not in known:
        problem = ItemProblem(code="unknown_carrier", message=f"there is no carrier {item.carrier}")
    else:
        problem = ItemProblem(code="not_found", message="nothing is known of this number yet")
    return Result(tracking_number=item.tracking_number, carrier=carrier, shipment=None, error=problem)
