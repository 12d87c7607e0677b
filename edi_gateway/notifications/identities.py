"""The ids customers see. None of them is a number of ours, and no two customers ever see the same one."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4, uuid5

_NAMESPACE: Final = UUID("6c0f5a3e-3d0b-5c51-9a86-0d4c1d2b7e10")
_TRACKER: Final = "gid://edi-gateway/Tracker/"


def message_id() -> str:
    """A new id of a notification (``webhook-id``)."""
    return f"msg_{uuid4().hex}"


def tracker_id(customer: str, carrier: str, tracking_number: str, epoch: int) -> str:
    """The global id of a shipment as one customer sees it; known before anything is known of the shipment."""
    return f"{_TRACKER}{_uuid('tracker', customer, carrier, tracking_number, str(epoch))}"


def event_id(customer: str, event: int) -> str:
    """The id of an event as one customer sees it; ``event`` is the number of its row."""
    return str(_uuid("event", customer, str(event)))


def _uuid(*parts: str) -> UUID:
    return uuid5(_NAMESPACE, "\x1f".join(parts))
