"""Webhook endpoints and deliveries as the API gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row

from edi_gateway.config.destinations import TRIGGERS
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import tables
from edi_gateway.store.endpoints import IN_A_ROW
from edi_gateway.store.hooking import made_by_api
from edi_gateway.store.tables import WebhookEndpoint
from edi_gateway.store.tried import Tried
from edi_gateway.transports.http.sink import WebhookSink
from edi_gateway.web.api.hook_models import Attempt, Delivery, Endpoint, EndpointState, Trigger
from edi_gateway.web.api.receivers import id_of, name_of
from edi_gateway.worlds import shown

_BARRED: Final = "nothing was sent"  # what the URL guard says; the addresses it names are nobody else's business
_NOT_PUBLIC: Final = "the URL does not lead to a public address: nothing was sent"


def is_own(destination: Destination) -> bool:
    """Whether its customer made it."""
    return bool(made_by_api(destination.name))


def own(row: WebhookEndpoint, health: tables.Endpoint | None) -> Endpoint:
    """An endpoint its customer made."""
    return Endpoint(
        id=row.public_id,
        name=row.public_id,
        managed_by="api",
        url=row.url,
        layout=row.layout,
        vocabulary=row.vocabulary,
        history=row.history,
        events=[Trigger(word) for word in row.events.split()],
        order=row.ordering,
        description=row.description,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        **_health(health),
    )


def agreed(destination: Destination, health: tables.Endpoint | None) -> Endpoint:
    """An endpoint of a customer's file; its secrets are told by nobody here."""
    how, sink = destination.notifying, destination.sink
    words = {meaning: word for word, meaning in TRIGGERS.items()}
    return Endpoint(
        id=id_of(destination),
        name=name_of(destination),
        managed_by="operator",
        url=sink.url if isinstance(sink, WebhookSink) else "",
        layout=how.layout if how else None,
        vocabulary=None,
        history=bool(how and how.history),
        events=sorted(Trigger(words[each]) for each in destination.events),
        order="strict" if destination.in_order else "shipment" if destination.line_per_shipment else "any",
        description="",
        created_at=None,
        rotated_at=sink.rotated_at if isinstance(sink, WebhookSink) else None,
        **_health(health),
    )


def delivery(found: Tried) -> Delivery:
    """A delivery with its attempts."""
    row = found.delivery
    tells = row.event_count > 0
    return Delivery(
        id=row.name,
        state=row.state,
        test=not tells,
        carrier=shown(row.carrier) if row.carrier else None,
        tracking_number=row.tracking_number,
        sequence=row.control_number if tells else None,
        size=row.size,
        sealed_at=row.sealed_at,
        delivered_at=row.delivered_at,
        next_attempt_at=row.next_attempt_at,
        attempt_count=row.attempts,
        attempts=[_attempt(each) for each in found.attempts],
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        number=row.number,
        started_at=row.started_at,
        outcome=row.outcome,
        status=row.status,
        milliseconds=row.milliseconds,
        answer=row.answer,
        detail=_told(row.detail),
    )


def _told(detail: str) -> str:
    return _NOT_PUBLIC if _BARRED in detail else detail


def _health(found: tables.Endpoint | None) -> Mapping[str, Any]:
    if found is not None and found.disabled_at is not None:
        return {"state": EndpointState.DISABLED, "why": _told(found.disabled_why), "failing_since": found.failing_since}
    if found is not None and found.failures >= IN_A_ROW:
        return {"state": EndpointState.FAILING, "why": _told(found.last_error), "failing_since": found.failing_since}
    return {"state": EndpointState.ACTIVE, "why": "", "failing_since": found.failing_since if found else None}
