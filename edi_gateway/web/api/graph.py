"""``/graphql``: trackers by GraphQL, through the same door as everything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import strawberry
import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionContext, Info

from edi_gateway.store import tracks
from edi_gateway.store.engine import is_storable
from edi_gateway.web.api import cursors
from edi_gateway.web.api.caller import Anyone, Caller, Context, Gateway, demand
from edi_gateway.web.api.filters import wanted
from edi_gateway.web.api.graph_limits import DEFAULT_PAGE, LARGEST_PAGE, bound, read
from edi_gateway.web.api.graph_types import (
    CONFIG,
    PageInfo,
    Tracker,
    TrackerConnection,
    TrackerCreateInput,
    TrackerCreatePayload,
    TrackerEdge,
    TrackerUserError,
    TrackerUserErrorCode,
    tracker_id,
    tracker_of,
)
from edi_gateway.web.api.models import Item
from edi_gateway.web.api.refreshing import LONGEST
from edi_gateway.web.api.rehearsal import known_carriers
from edi_gateway.web.api.requesting import UnknownCarrierError, make_one, wished

log = structlog.get_logger()
_PAGE: Final = Path(__file__).with_name("playground.html")
_LARGEST: Final = 20_000  # characters of a query
_SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
router = APIRouter(tags=["graphql"])
page = APIRouter()


class GraphRequest(BaseModel):
    """A GraphQL request."""

    model_config = ConfigDict(
        extra="ignore",  # clients add extensions of their own
        frozen=True,
        json_schema_extra={"examples": [{"query": "{ trackers(first: 10) { nodes { id trackingCode status } } }"}]},
    )

    query: str = Field(max_length=_LARGEST, examples=["{ trackers(first: 10) { nodes { id trackingCode status } } }"])
    variables: dict[str, Any] | None = None
    operation_name: str | None = Field(None, alias="operationName")


class GraphAnswer(BaseModel):
    """A GraphQL answer: data, errors, or both."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and until when there may be waited."""

    who: Caller
    gateway: Context
    until: float


Asked = Info[Asking, None]


async def _tracker(info: Asked, id: strawberry.ID) -> Tracker | None:  # noqa: A002 -- as the schema has it
    asking, its = info.context, tracker_id(id)
    if its is None:
        return None
    found = await asyncio.to_thread(tracks.by_id, asking.gateway.db, asking.who.customer, its)
    return tracker_of(found) if found else None


async def _trackers(
    info: Asked,
    first: Annotated[int, strawberry.argument(description=f"At most {LARGEST_PAGE}.")] = DEFAULT_PAGE,
    after: Annotated[str | None, strawberry.argument(description="The endCursor of the page before.")] = None,
    carrier: str | None = None,
    tracking_code: str | None = None,
) -> TrackerConnection:
    if not 1 <= first <= LARGEST_PAGE:
        raise GraphQLError(f"first: found {first}, expected 1 to {LARGEST_PAGE}")
    asking = info.context
    [last] = _place(after)
    known = known_carriers(asking.who, asking.gateway.carriers())
    these = wanted(known, _storable(carrier), _storable(tracking_code))
    found = await asyncio.to_thread(tracks.listing, asking.gateway.db, asking.who.customer, these, last, first + 1)
    edges = [TrackerEdge(cursor=cursors.written(each.row_id), node=tracker_of(each)) for each in found[:first]]
    page = PageInfo(has_next_page=len(found) > first, end_cursor=edges[-1].cursor if edges else None)
    return TrackerConnection(edges=edges, page_info=page)


async def _tracker_create(info: Asked, input: TrackerCreateInput) -> TrackerCreatePayload:  # noqa: A002
    asking = info.context
    if not (input.tracking_code or "").strip():
        return _refused(TrackerUserErrorCode.BLANK, "a tracking code is needed", "trackingCode")
    try:
        item = Item(tracking_number=input.tracking_code or "", carrier=(input.carrier or "").strip())
        wish = wished(item, known_carriers(asking.who, asking.gateway.carriers()))
    except ValidationError as error:
        said = error.errors()[0]
        field = "trackingCode" if said["loc"][0] == "tracking_number" else "carrier"
        return _refused(TrackerUserErrorCode.INVALID, said["msg"], field)
    except UnknownCarrierError as error:
        return _refused(TrackerUserErrorCode.UNKNOWN_CARRIER, str(error), "carrier")
    wait = max(asking.until - time.monotonic(), 0) if input.is_async is False else None
    track, _ = await make_one(asking.gateway, asking.who, wish, wait)
    if track is None:
        return _refused(TrackerUserErrorCode.INVALID, "the tracker was deleted meanwhile", "trackingCode")
    return TrackerCreatePayload(tracker=tracker_of(track), tracker_user_errors=[])


@strawberry.type
class Query:
    """What can be looked up."""

    tracker: Tracker | None = strawberry.field(resolver=_tracker, description="A tracker of yours by its id.")
    trackers: TrackerConnection = strawberry.field(
        resolver=_trackers, description="Your trackers, in the order in which they were made."
    )


@strawberry.type
class Mutation:
    """What can be changed."""

    tracker_create: TrackerCreatePayload = strawberry.mutation(
        resolver=_tracker_create, description="Track a number; the same again gives the same tracker."
    )


class _Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Errors are written down where they are answered."""


SCHEMA: Final = _Schema(Query, Mutation, config=CONFIG)


@router.post(
    "/graphql",
    response_model_exclude_unset=True,
    summary="Trackers by GraphQL",
)
async def graphql(asked: GraphRequest, request: Request, who: Anyone, gateway: Gateway) -> GraphAnswer:
    """One request at a time, bounded in depth, aliases and cost. The schema tells itself by introspection."""
    try:
        document = read(asked.query)
        bound(document, asked.variables or {})
    except GraphQLError as error:
        return GraphAnswer(errors=[error.formatted])
    demand(who.scopes, "trackers" if _changes(document, asked.operation_name) else "read")
    asking = Asking(who, gateway, time.monotonic() + LONGEST)
    try:
        result = await SCHEMA.execute(
            asked.query, variable_values=asked.variables, context_value=asking, operation_name=asked.operation_name
        )
    except CannotGetOperationTypeError:
        return GraphAnswer(errors=[GraphQLError("operationName: there is no such operation").formatted])
    errors = [_told(error, request.state.request_id) for error in result.errors or ()]
    if result.data is None and errors:
        return GraphAnswer(errors=errors)
    return GraphAnswer(data=result.data, errors=errors) if errors else GraphAnswer(data=result.data)


@page.get("/graphql", include_in_schema=False)
async def playground() -> Response:
    """A page to try requests out, where that is switched on."""
    return HTMLResponse(await asyncio.to_thread(_PAGE.read_text, "utf-8"), headers=_SAFE)


def _changes(document: DocumentNode, name: str | None) -> bool:
    """Whether the request may change something: so may each of its operations unless one is named."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    return any(
        each.operation is not OperationType.QUERY
        for each in operations
        if name is None or (each.name and each.name.value == name)
    )


def _told(error: GraphQLError, request_id: str) -> Mapping[str, Any]:
    """An error as customers may see it: theirs as it is, ours without what it says."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return error.formatted
    log.error("graphql.failed", request=request_id, path=error.path, exc_info=cause)
    hidden = GraphQLError("the gateway cannot answer that now, try again", error.nodes, path=error.path)
    return {**hidden.formatted, "extensions": {"request_id": request_id}}


def _place(after: str | None) -> Any:
    if not cursors.is_one(after or ""):
        raise GraphQLError("after: not a cursor of this list")
    return cursors.read(after or "", 1)


def _storable(told: str | None) -> str | None:
    return told if told is None or is_storable(told) else ""


def _refused(code: TrackerUserErrorCode, message: str, field: str) -> TrackerCreatePayload:
    return TrackerCreatePayload(
        tracker=None, tracker_user_errors=[TrackerUserError(code=code, message=message, field=field)]
    )
