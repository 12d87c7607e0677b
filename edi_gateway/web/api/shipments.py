"""``/v1/track``, ``/v1/shipments``, ``/v1/events``: what a customer may know, read."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response

from edi_gateway.model import number_of
from edi_gateway.store import feed, tracks
from edi_gateway.store.asking import Number
from edi_gateway.store.engine import Database
from edi_gateway.store.tracks import Track, Wanted
from edi_gateway.web.api import cursors, telling
from edi_gateway.web.api.caller import Caller, Context, Gateway, Reader
from edi_gateway.web.api.cursors import Cursor, FeedCursor, Limit
from edi_gateway.web.api.filters import OfCarrier, OfNumber, OfState, OfStatus, wanted
from edi_gateway.web.api.models import (
    Events,
    Item,
    Shipment,
    Shipments,
    TrackAnswer,
    TrackerId,
    TrackRequest,
)
from edi_gateway.web.api.problems import ProblemError, problems
from edi_gateway.web.api.refreshing import Refresh
from edi_gateway.web.api.rehearsal import known_carriers, rehearse
from edi_gateway.web.api.requesting import UnknownCarrierError, make, wished
from edi_gateway.web.api.telling import Said
from edi_gateway.worlds import shown

_LONGEST_WAIT: Final = 30
_TAGS: Final = re.compile(r'(?:W/)?("[^"]*")')


router = APIRouter(prefix="/v1", tags=["shipments"])


@router.post("/track", summary="Look up to 200 numbers up", response_model=TrackAnswer)
async def track(asked: TrackRequest, who: Reader, gateway: Gateway) -> Response:
    """Each item is answered on its own: with the latest shipment of its number, or with why there is none.

    With refresh: wait, each says as well what came of asking its carrier; what is known is told in any case.
    """
    if asked.subscribe and "trackers" not in who.scopes:
        raise ProblemError(403, "this key may not subscribe, expected one with the scope trackers")
    await rehearse(who, gateway, ((item.carrier, item.tracking_number) for item in asked.items), anew=False)
    if asked.subscribe:
        await _subscribe(gateway, who, asked)
    came = await _refreshed(gateway, who, asked) if asked.refresh == "wait" else {}
    known = known_carriers(who, gateway.carriers())
    return await asyncio.to_thread(_answer, gateway.db, who.customer, asked, known, came)


@router.get("/shipments", summary="List shipments", response_model=Shipments)
async def list_shipments(
    who: Reader,
    gateway: Gateway,
    carrier: OfCarrier = None,
    tracking_number: OfNumber = None,
    status: OfStatus = None,
    state: OfState = None,
    after: Cursor = "",
    limit: Limit = 50,
) -> Response:
    """The shipments that are yours, in the order in which they became known."""
    [last] = cursors.read(after, 1)
    these = wanted(known_carriers(who, gateway.carriers()), carrier, tracking_number, status, state)
    return await asyncio.to_thread(_page, gateway.db, who.customer, these, last, limit)


@router.get(
    "/shipments/{id}",
    responses=problems(404) | {304: {"description": "as you know it (If-None-Match)"}},
    summary="One shipment",
    response_model=Shipment,
)
async def one_shipment(
    id: TrackerId,  # noqa: A002 -- as the path has it
    who: Reader,
    gateway: Gateway,
    if_none_match: Annotated[str, Header(description="the ETag that you know", examples=['"4c2e"'])] = "",
) -> Response:
    """The whole shipment with its history."""
    response = await asyncio.to_thread(_whole, gateway.db, who.customer, str(id))
    if response is None:
        raise ProblemError(404, "there is no such shipment")
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    known = tag in _TAGS.findall(if_none_match) or if_none_match.strip() == "*"
    answer = Response(status_code=304) if known else response
    answer.headers.update({"ETag": tag, "Cache-Control": "private, no-cache"})
    return answer


@router.get("/events", summary="The feed of events", response_model=Events)
async def events(
    who: Reader,
    gateway: Gateway,
    after: FeedCursor = "",
    limit: Limit = 100,
    wait: Annotated[
        int, Query(ge=0, le=_LONGEST_WAIT, description="seconds to wait while there is nothing", examples=[0])
    ] = 0,
) -> Response:
    """Every event once, in an order that never changes: ask again with next, and nothing is missed."""
    place = seen = feed.Place(*cursors.read(after, 2))
    until = time.monotonic() + wait
    while not (found := await asyncio.to_thread(feed.page, gateway.db, who.customer, place, limit)):
        beyond = await gateway.news.beyond(who.customer, seen, until - time.monotonic())
        if beyond is None:
            break
        seen = beyond  # where there is nothing for the customer after all, it waits for what comes then
    end = found[-1].place if found else place
    return telling.answer({"events": [telling.fed(each) for each in found], "next": cursors.written(*end)})


def _whole(db: Database, customer: str, tracker_id: str) -> Response | None:
    found = tracks.by_id(db, customer, tracker_id)
    return telling.answer(telling.shipment(found)) if found else None


def _page(db: Database, customer: str, wanted: Wanted, last: int, limit: int) -> Response:
    found = tracks.listing(db, customer, wanted, last, limit + 1)
    more = cursors.written(found[limit - 1].row_id) if len(found) > limit else None
    return telling.answer({"shipments": [telling.shipment(each) for each in found[:limit]], "next": more})


async def _subscribe(gateway: Context, who: Caller, asked: TrackRequest) -> None:
    """Track the numbers of which nothing is known."""
    known = known_carriers(who, gateway.carriers())
    found = await asyncio.to_thread(tracks.by_numbers, gateway.db, who.customer, _numbers(asked))
    wishes = []
    for item in asked.items:
        with suppress(UnknownCarrierError):
            wish = wished(item, known)
            if not _fitting(found.get(wish.tracking_number, ()), shown(wish.carrier)):
                wishes.append(wish)
    if wishes:
        await make(gateway, who, wishes)


async def _refreshed(gateway: Context, who: Caller, asked: TrackRequest) -> Mapping[Number, Refresh]:
    """Have the carriers of these shipments asked, and wait for them; nobody asks for test data."""
    if who.test:
        return {}
    found = await asyncio.to_thread(tracks.by_numbers, gateway.db, who.customer, _numbers(asked))
    known = known_carriers(who, gateway.carriers())
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
) -> Response:
    found = tracks.by_numbers(db, customer, _numbers(asked))
    results = []
    for item in asked.items:
        result = _result(item, found.get(number_of(item.tracking_number), ()), known, events=asked.events)
        if asked.refresh == "wait":
            number = result["carrier"], number_of(item.tracking_number)
            result["refresh"] = came.get(number, Refresh.NOT_ASKED)
        results.append(result)
    return telling.answer({"results": results})


def _result(item: Item, found: Sequence[Track], known: Mapping[str, str], *, events: bool) -> Said:
    carrier = shown(known.get(item.carrier.lower(), item.carrier))
    said: Said = {
        "tracking_number": item.tracking_number,
        "carrier": carrier,
        "shipment": None,
        "earlier": [],
        "error": None,
        "refresh": None,
    }
    fitting = _fitting(found, carrier)
    if fitting:
        latest, *earlier = fitting
        shipment = telling.shipment(latest, events=events)
        return said | {"carrier": latest.carrier, "shipment": shipment, "earlier": [track.id for track in earlier]}
    if carrier and item.carrier.lower() not in known:
        return said | {"error": {"code": "unknown_carrier", "message": f"there is no carrier {item.carrier}"}}
    return said | {"error": {"code": "not_found", "message": "nothing is known of this number yet"}}
