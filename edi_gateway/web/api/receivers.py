"""A customer's destinations, as its requests name them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import ValidationError

from edi_gateway.config.endpoints import wired_endpoint
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import hooks
from edi_gateway.store.hooking import made_by_api
from edi_gateway.web.api.caller import Caller, Context
from edi_gateway.web.api.problems import ProblemError

NO_ENDPOINT: Final = "there is no such webhook endpoint"


def name_of(destination: Destination) -> str:
    """What its customer calls it."""
    return made_by_api(destination.name) or destination.name.partition("/")[2]


def id_of(destination: Destination) -> str:
    """The id of a webhook endpoint."""
    return made_by_api(destination.name) or str(uuid5(NAMESPACE_URL, f"edi-gateway:{destination.name}"))


async def destinations(gateway: Context, who: Caller) -> Mapping[str, Destination]:
    """Name → destination of that customer, those of its file first."""
    theirs = [each for each in gateway.audience() if isinstance(each, Destination) and each.customer == who.customer]
    found = {name_of(each): each for each in theirs if not made_by_api(each.name)}
    for row in await asyncio.to_thread(hooks.endpoints, gateway.db, who.customer):
        if who.feed.webhook_secrets is None:
            continue
        try:
            found[row.public_id] = wired_endpoint(row, who.feed, who.feed.webhook_secrets)
        except ValidationError:  # what the customer is allowed is less by now
            continue
    return found


async def endpoint(gateway: Context, who: Caller, endpoint_id: UUID) -> Destination:
    """The customer's webhook endpoint of that id, whoever made it. Raises ProblemError."""
    for each in (await destinations(gateway, who)).values():
        if each.notifying and id_of(each) == str(endpoint_id):
            return each
    raise ProblemError(404, NO_ENDPOINT)
