"""A webhook endpoint that a customer made by the API → a destination like those of its file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, cast

import structlog
from pydantic import SecretStr, ValidationError

from edi_gateway.config.destinations import NOTIFICATION_RETRY, TRIGGERS
from edi_gateway.config.load import NOTIFICATIONS
from edi_gateway.notifications.identities import message_id
from edi_gateway.notifications.words import Words, canonical, nine_status
from edi_gateway.pipeline.partners import ControlNumbers, Destination, Feed, Notifying
from edi_gateway.store.tables import WebhookEndpoint
from edi_gateway.transports.http.derived import derived_secret
from edi_gateway.transports.http.sink import WebhookSink
from edi_gateway.transports.http_client.guard import Allowed, check_url

log = structlog.get_logger()
_WORDS: Final[dict[str, Words]] = {"canonical": canonical, "nine_status": nine_status}
_IN_FLIGHT: Final = 4


def wired_endpoints(rows: Iterable[WebhookEndpoint], feeds: Iterable[Feed]) -> list[Destination]:
    """The destinations of those whose customers may use the API; the same again are equal."""
    by_customer = {feed.customer: feed for feed in feeds}
    found = []
    for row in rows:
        feed = by_customer.get(row.customer)
        if feed is None or feed.webhook_secrets is None:
            continue
        try:
            found.append(wired_endpoint(row, feed, feed.webhook_secrets))
        except ValidationError as error:  # what its customer is allowed is less by now
            log.warning("endpoint.not_served", destination=row.destination, why=error.errors()[0]["msg"])
    return found


def wired_endpoint(row: WebhookEndpoint, feed: Feed, master: SecretStr) -> Destination:
    """One of them; raises ValidationError where the guard does not let its URL through."""
    layout = cast(Literal["canonical", "tracker"], row.layout)
    return Destination(
        name=row.destination,
        customer=row.customer,
        wants=feed.wants,
        events=frozenset(TRIGGERS[word] for word in row.events.split()),
        layout=None,
        encoder=None,
        sink=_sink(row, feed, master),
        batch=NOTIFICATIONS,
        file_name=_named,
        control_numbers=ControlNumbers(f"notifications of {row.destination}", 1, 1, roll_over=False),
        retry=NOTIFICATION_RETRY,
        in_order=row.ordering == "strict",
        in_flight=1 if row.ordering == "strict" else _IN_FLIGHT,
        notifying=Notifying(layout, _WORDS[row.vocabulary], row.history),
        line_per_shipment=row.ordering == "shipment",
    )


def barred(url: str, feed: Feed) -> str:
    """Why that customer's endpoints cannot be at that URL; "" when they can."""
    allowed = Allowed("private" in feed.allow, "http" in feed.allow, "example" in feed.allow)
    try:
        check_url(url, allowed)
    except ValueError as error:
        return str(error)
    return ""


def _sink(row: WebhookEndpoint, feed: Feed, master: SecretStr) -> WebhookSink:
    before = derived_secret(master, row.public_id, row.rotation - 1) if row.rotated_at else None
    return WebhookSink(
        allow=tuple(feed.allow),
        url=row.url,
        secret=derived_secret(master, row.public_id, row.rotation),
        previous_secret=before,
        rotated_at=row.rotated_at,
    )


def _named(_number: int, _now: datetime) -> str:
    return message_id()
