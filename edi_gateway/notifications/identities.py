"""The ids of what customers are told."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

_TRACKER: Final = "gid://edi-gateway/Tracker/"


def message_id() -> str:
    """A new id of a notification (``webhook-id``)."""
    return f"msg_{uuid4().hex}"


def global_id(tracker: str) -> str:
    """The global id of a tracker, of its public id."""
    return f"{_TRACKER}{tracker}"
