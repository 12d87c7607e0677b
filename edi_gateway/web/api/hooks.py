"""``/v1/webhook-endpoints``: where a customer is notified, how that went, and sending it again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import SecretStr

from edi_gateway.config.endpoints import barred
from edi_gateway.errors import RefusedError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.trying import send_test
from edi_gateway.store import endpoints as health
from edi_gateway.store import hooks, tried
from edi_gateway.store.hooks import MOST, TooManyError
from edi_gateway.store.tables import DeliveryState, WebhookEndpoint
from edi_gateway.store.tried import Tried
from edi_gateway.transports.http.derived import derived_secret
from edi_gateway.web.api import cursors, hook_views
from edi_gateway.web.api.caller import Caller, Context, Gateway, Hooking
from edi_gateway.web.api.cursors import Cursor
from edi_gateway.web.api.hook_models import (
    Deliveries,
    Delivery,
    Endpoint,
    EndpointChange,
    EndpointId,
    Endpoints,
    EndpointWithSecret,
    MessageId,
    NewEndpoint,
    Replayed,
    ReplayRequest,
)
from edi_gateway.web.api.problems import ProblemError, problems
from edi_gateway.web.api.receivers import NO_ENDPOINT, destinations, endpoint
from edi_gateway.web.api.resending import resend, span_of

_NOT_YOURS: Final = "this endpoint was agreed with the operator, who alone can change it"
_NO_DELIVERY: Final = "there is no such delivery"
_BUSY: Final = "it is being sent right now, look again"
_NO_SECRETS: Final = (
    "endpoints cannot be made here yet: the operator has to set http: webhook_secrets in gateway.yaml first"
)
router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"])


@router.post("", status_code=201, responses=problems(409), summary="Make an endpoint")
async def create(asked: NewEndpoint, who: Hooking, gateway: Gateway, response: Response) -> EndpointWithSecret:
    """It is notified from now on, within seconds. Its secret is shown here and never again."""
    master = _master(who)
    values = _columns(asked.model_dump(exclude_none=True))
    if asked.vocabulary is None:
        values["vocabulary"] = "nine_status" if asked.layout == "tracker" else "canonical"
    _check(asked.url, who)
    try:
        row = await asyncio.to_thread(hooks.create, gateway.db, who.customer, values)
    except TooManyError:
        raise ProblemError(409, f"there are {MOST} endpoints already, delete one first") from None
    response.headers["Location"] = f"/v1/webhook-endpoints/{row.public_id}"
    return _with_secret(await _shown(gateway, row), row, master)


@router.get("", summary="List endpoints")
async def list_endpoints(who: Hooking, gateway: Gateway) -> Endpoints:
    """All of yours, those that were agreed with the operator first."""
    found = await destinations(gateway, who)
    agreed = [each for each in found.values() if each.notifying and not hook_views.is_own(each)]
    rows = await asyncio.to_thread(hooks.endpoints, gateway.db, who.customer)
    views = [hook_views.agreed(each, await _health(gateway, each.name)) for each in agreed]
    return Endpoints(endpoints=[*views, *[await _shown(gateway, row) for row in rows]])


@router.get("/{id}", responses=problems(404), summary="One endpoint")
async def one_endpoint(id: EndpointId, who: Hooking, gateway: Gateway) -> Endpoint:  # noqa: A002 -- as the path has it
    """How it is set up, and how it is doing."""
    row = await asyncio.to_thread(hooks.endpoint, gateway.db, who.customer, str(id))
    if row is not None:
        return await _shown(gateway, row)
    found = await endpoint(gateway, who, id)
    return hook_views.agreed(found, await _health(gateway, found.name))


@router.patch("/{id}", responses=problems(404, 409), summary="Change an endpoint")
async def change(id: EndpointId, asked: EndpointChange, who: Hooking, gateway: Gateway) -> Endpoint:  # noqa: A002
    """From the next notification on; what is sealed is sent as it is, to where the endpoint is then."""
    before = await _own(gateway, who, id)
    values = _columns(asked.model_dump(exclude_none=True))
    if not values:
        return await _shown(gateway, before)
    if asked.url is not None:
        _check(asked.url, who)
    row = await asyncio.to_thread(hooks.change, gateway.db, who.customer, str(id), values)
    if row is None:
        raise ProblemError(404, NO_ENDPOINT)
    return await _shown(gateway, row)


@router.delete("/{id}", status_code=204, responses=problems(404, 409), summary="Delete an endpoint")
async def delete(id: EndpointId, who: Hooking, gateway: Gateway) -> None:  # noqa: A002
    """Nothing more is sent there; what waits for it is dropped."""
    await _own(gateway, who, id)
    if not await asyncio.to_thread(hooks.remove, gateway.db, who.customer, str(id)):
        raise ProblemError(404, NO_ENDPOINT)


@router.post("/{id}/rotate", responses=problems(404, 409), summary="Get another secret")
async def rotate(id: EndpointId, who: Hooking, gateway: Gateway) -> EndpointWithSecret:  # noqa: A002
    """It signs from now on; for 24 h the one before signs as well, so that nothing is refused meanwhile."""
    master = _master(who)
    await _own(gateway, who, id)
    row = await asyncio.to_thread(hooks.rotate, gateway.db, who.customer, str(id))
    if row is None:
        raise ProblemError(404, NO_ENDPOINT)
    return _with_secret(await _shown(gateway, row), row, master)


@router.post("/{id}/enable", responses=problems(404), summary="Have a disabled endpoint served")
async def enable(id: EndpointId, who: Hooking, gateway: Gateway) -> Endpoint:  # noqa: A002
    """What waits is sent at once, in its order."""
    found = await endpoint(gateway, who, id)
    await asyncio.to_thread(health.enable, gateway.db, found.name, utc_now())
    return await one_endpoint(id, who, gateway)


@router.post("/{id}/test", status_code=202, responses=problems(404, 409), summary="Send a test")
async def test(id: EndpointId, who: Hooking, gateway: Gateway) -> Delivery:  # noqa: A002
    """A notification that is made up, sealed, signed and sent as any other. The answer is its delivery."""
    found = await endpoint(gateway, who, id)
    try:
        name = await asyncio.to_thread(send_test, gateway.db, found, utc_now())
    except RefusedError as error:
        raise ProblemError(409, str(error)) from error
    return hook_views.delivery(await _delivery(gateway, who, found.name, name))


@router.get("/{id}/deliveries", responses=problems(404), summary="List deliveries")
async def list_deliveries(
    id: EndpointId,  # noqa: A002
    who: Hooking,
    gateway: Gateway,
    state: Annotated[DeliveryState | None, Query(description="only in this state", examples=["dead"])] = None,
    after: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=200, description="entries of a page, at most", examples=[50])] = 50,
) -> Deliveries:
    """The newest first, each with its latest attempts."""
    found = await endpoint(gateway, who, id)
    [before] = cursors.read(after, 1)
    rows = await asyncio.to_thread(tried.page, gateway.db, who.customer, found.name, state, before, limit + 1)
    more = cursors.written(rows[limit - 1].delivery.id) if len(rows) > limit else None
    return Deliveries(deliveries=[hook_views.delivery(each) for each in rows[:limit]], next=more)


@router.get("/{id}/deliveries/{message_id}", responses=problems(404), summary="One delivery")
async def one_delivery(id: EndpointId, message_id: MessageId, who: Hooking, gateway: Gateway) -> Delivery:  # noqa: A002
    """With its latest attempts."""
    found = await endpoint(gateway, who, id)
    return hook_views.delivery(await _delivery(gateway, who, found.name, message_id))


@router.post(
    "/{id}/deliveries/{message_id}/redeliver",
    status_code=202,
    responses=problems(404, 409),
    summary="Send one again",
)
async def redeliver(id: EndpointId, message_id: MessageId, who: Hooking, gateway: Gateway) -> Delivery:  # noqa: A002
    """The same bytes under the same webhook-id, also where it arrived: who knows the id passes over it."""
    found = await endpoint(gateway, who, id)
    row = await _delivery(gateway, who, found.name, message_id)
    try:
        await asyncio.to_thread(tried.again, gateway.db, who.customer, row.delivery.id)
    except tried.BusyError:
        raise ProblemError(409, _BUSY, headers={"Retry-After": "1"}) from None
    except tried.SupersededError:
        raise ProblemError(409, "it was sent anew under another id, redeliver that one") from None
    return hook_views.delivery(await _delivery(gateway, who, found.name, message_id))


@router.post(
    "/{id}/replay",
    status_code=202,
    responses=problems(404, 409),
    summary="Send a range again",
)
async def replay(id: EndpointId, asked: ReplayRequest, who: Hooking, gateway: Gateway) -> Replayed:  # noqa: A002
    """What did not arrive in that time or since the last success, or all of it, under new ids, at ten a second.

    What is on its way or was sealed within ten minutes is left out, so that asking twice sends nothing twice.
    """
    found = await endpoint(gateway, who, id)
    span = await span_of(gateway, found, asked)
    return await resend(gateway, found, span, everything=asked.events == "all", dry_run=asked.dry_run)


async def _own(gateway: Context, who: Caller, endpoint_id: EndpointId) -> WebhookEndpoint:
    """An endpoint the customer made itself. Raises ProblemError."""
    row = await asyncio.to_thread(hooks.endpoint, gateway.db, who.customer, str(endpoint_id))
    if row is None:
        await endpoint(gateway, who, endpoint_id)
        raise ProblemError(409, _NOT_YOURS)
    return row


async def _delivery(gateway: Context, who: Caller, destination: str, name: str) -> Tried:
    found = await asyncio.to_thread(tried.one, gateway.db, who.customer, destination, name)
    if found is None:
        raise ProblemError(404, _NO_DELIVERY)
    return found


async def _health(gateway: Context, destination: str) -> Any:
    return await asyncio.to_thread(health.endpoint, gateway.db, destination)


async def _shown(gateway: Context, row: WebhookEndpoint) -> Endpoint:
    return hook_views.own(row, await _health(gateway, row.destination))


def _with_secret(view: Endpoint, row: WebhookEndpoint, master: SecretStr) -> EndpointWithSecret:
    secret = derived_secret(master, row.public_id, row.rotation)
    return EndpointWithSecret(**view.model_dump(), secret=secret.get_secret_value())


def _master(who: Caller) -> SecretStr:
    if who.feed.webhook_secrets is None:
        raise ProblemError(409, _NO_SECRETS)
    return who.feed.webhook_secrets


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """As the table has it."""
    columns = dict(values)
    if "events" in columns:
        columns["events"] = " ".join(dict.fromkeys(columns["events"]))
    if "order" in columns:
        columns["ordering"] = columns.pop("order")
    return columns


def _check(url: str, who: Caller) -> None:
    """Raises ProblemError where nothing may be sent to."""
    if why := barred(url, who.feed):
        raise ProblemError(409, "nothing is sent to this URL", [("body.url", why)])
