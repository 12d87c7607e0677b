"""``/v1/trackers``: what a customer wants to hear of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from edi_gateway.store import trackers as stored
from edi_gateway.store import tracks
from edi_gateway.store.tables import TrackerState
from edi_gateway.web.api import cursors, uploads
from edi_gateway.web.api.caller import Caller, Context, Gateway, Tracking
from edi_gateway.web.api.cursors import Cursor, Limit
from edi_gateway.web.api.filters import OfCarrier, OfNumber, OfState, OfStatus, wanted
from edi_gateway.web.api.models import Item, TrackerId
from edi_gateway.web.api.problems import ProblemError, problems
from edi_gateway.web.api.refreshing import LONGEST
from edi_gateway.web.api.rehearsal import known_carriers
from edi_gateway.web.api.requesting import UnknownCarrierError, make, make_one, wished
from edi_gateway.web.api.tracker_models import (
    MOST_TRACKERS,
    LineProblem,
    MadeTracker,
    MadeTrackers,
    NewTracker,
    NewTrackers,
    Tracker,
    Trackers,
    counted,
    tracker_model,
)
from edi_gateway.web.api.uploads import InvalidLineError

_NONE: Final = "there is no such tracker"
_EXAMPLE: Final = "tracking_number,carrier\nVP300200101,velopost\n"
_TABLE: Final = {"type": "string", "pattern": "^tracking_number(,[A-Za-z0-9 _-]*)*(\n|$)"}
_CSV: Final = {"schema": _TABLE, "example": _EXAMPLE}
_FORM: Final = {
    "schema": {
        "type": "object",
        "properties": {"file": _TABLE | {"contentMediaType": "text/csv"}},
        "required": ["file"],
    },
    "example": {"file": _EXAMPLE},
}
_FILE: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"text/csv": _CSV, "multipart/form-data": _FORM}}
}
router = APIRouter(prefix="/v1/trackers", tags=["trackers"])


@router.post(
    "",
    status_code=201,
    responses=problems(404) | {200: {"model": Tracker, "description": "There was one already"}},
    summary="Track a number",
)
async def create(asked: NewTracker, who: Tracking, gateway: Gateway, response: Response) -> Tracker:
    """You hear of it from now on, on every way you hear of anything. The same again gives the same tracker (200)."""
    try:
        wish = wished(asked, known_carriers(who, gateway.carriers()))
    except UnknownCarrierError as error:
        raise ProblemError(404, str(error), [("body.carrier", "unknown")]) from None
    track, new = await make_one(gateway, who, wish, None if asked.is_async else LONGEST)
    if track is None:
        raise ProblemError(404, _NONE)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/trackers/{track.id}"
    return tracker_model(track)


@router.post("/batch", summary="Track up to 1,000 numbers")
async def create_batch(asked: NewTrackers, who: Tracking, gateway: Gateway) -> MadeTrackers:
    """Each item has its own result. Nothing is waited for."""
    return await _make(gateway, who, enumerate(asked.trackers, start=1))


@router.post(
    "/upload",
    responses=problems(415),
    summary="Track the numbers of a CSV file",
    openapi_extra=_FILE,
)
async def upload(request: Request, who: Tracking, gateway: Gateway) -> MadeTrackers:
    """The first line names the columns: tracking_number, and carrier if known. Each line has its own result."""
    content = uploads.file_of(await request.body(), request.headers.get("content-type", ""))
    return await _make(gateway, who, uploads.items(content))


@router.get("", summary="List trackers")
async def list_trackers(
    who: Tracking,
    gateway: Gateway,
    carrier: OfCarrier = None,
    tracking_number: OfNumber = None,
    status: OfStatus = None,
    state: OfState = None,
    after: Cursor = "",
    limit: Limit = 50,
) -> Trackers:
    """Your trackers, in the order in which they were made."""
    [last] = cursors.read(after, 1)
    these = wanted(known_carriers(who, gateway.carriers()), carrier, tracking_number, status, state)
    found = await asyncio.to_thread(tracks.listing, gateway.db, who.customer, these, last, limit + 1)
    more = cursors.written(found[limit - 1].row_id) if len(found) > limit else None
    return Trackers(trackers=[tracker_model(each) for each in found[:limit]], next=more)


@router.get("/{id:uuid}", responses=problems(404), summary="One tracker")
async def one_tracker(id: TrackerId, who: Tracking, gateway: Gateway) -> Tracker:  # noqa: A002 -- as the path has it
    """Where its shipment stands; with all its events it is at /v1/shipments/{id}."""
    return await _tracker(gateway, who, id)


@router.post("/{id:uuid}/pause", responses=problems(404), summary="Hear nothing for a while")
async def pause(id: TrackerId, who: Tracking, gateway: Gateway) -> Tracker:  # noqa: A002
    """What happens meanwhile is told nowhere, also not later; /v1/shipments/{id} shows it."""
    return await _let(gateway, who, id, TrackerState.PAUSED)


@router.post("/{id:uuid}/resume", responses=problems(404), summary="Hear of it again")
async def resume(id: TrackerId, who: Tracking, gateway: Gateway) -> Tracker:  # noqa: A002
    """From now on."""
    return await _let(gateway, who, id, TrackerState.ACTIVE)


@router.post("/{id:uuid}/reactivate", responses=problems(404), summary="Have the carrier asked again")
async def reactivate(id: TrackerId, who: Tracking, gateway: Gateway) -> Tracker:  # noqa: A002
    """Resumes it, and has its carrier asked again where that had ended (tracking_state expired or closed)."""
    tracker = await _let(gateway, who, id, TrackerState.ACTIVE)
    if not who.test:
        await gateway.refreshing.revive({(tracker.carrier, tracker.tracking_number)})
    return await _tracker(gateway, who, id)


@router.delete("/{id:uuid}", status_code=204, responses=problems(404), summary="Track no longer")
async def delete(id: TrackerId, who: Tracking, gateway: Gateway) -> None:  # noqa: A002
    """It is gone with its events, and nothing more is told of this shipment, whatever was agreed."""
    if not await asyncio.to_thread(stored.remove, gateway.db, who.customer, str(id), gateway.carriers()):
        raise ProblemError(404, _NONE)


async def _make(gateway: Context, who: Caller, lines: Iterable[tuple[int, Item | InvalidLineError]]) -> MadeTrackers:
    """A tracker for each line that can have one, a thousand at a time."""
    known, rest, results = known_carriers(who, gateway.carriers()), iter(lines), list[MadeTracker]()
    while some := list(islice(rest, MOST_TRACKERS)):
        results += await _some(gateway, who, some, known)
    return counted(results)


async def _some(
    gateway: Context, who: Caller, lines: Sequence[tuple[int, Item | InvalidLineError]], known: Any
) -> list[MadeTracker]:
    results, good = [], []
    for line, item in lines:
        if isinstance(item, InvalidLineError):
            said = LineProblem(code="invalid", message=str(item))
            results.append(MadeTracker(line=line, tracking_number=item.number, carrier=item.carrier, error=said))
            continue
        result = MadeTracker(line=line, tracking_number=item.tracking_number, carrier=item.carrier)
        results.append(result)
        try:
            good.append((result, wished(item, known)))
        except UnknownCarrierError as error:
            result.error = LineProblem(code="unknown_carrier", message=str(error))
    made = await make(gateway, who, [wish for _, wish in good]) if good else []
    for (result, _), each in zip(good, made, strict=True):
        result.id, result.created = each.id, each.new
    return results


async def _tracker(gateway: Context, who: Caller, tracker_id: UUID) -> Tracker:
    found = await asyncio.to_thread(tracks.by_id, gateway.db, who.customer, str(tracker_id))
    if found is None:
        raise ProblemError(404, _NONE)
    return tracker_model(found)


async def _let(gateway: Context, who: Caller, tracker_id: UUID, state: TrackerState) -> Tracker:
    if not await asyncio.to_thread(stored.let, gateway.db, who.customer, str(tracker_id), state):
        raise ProblemError(404, _NONE)
    return await _tracker(gateway, who, tracker_id)
