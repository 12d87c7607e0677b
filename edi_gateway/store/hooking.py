"""The table of webhook endpoints that customers made themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlmodel import Field

from edi_gateway.store.columns import Base, key

_PREFIX: Final = "api:"  # no destination in a customer's file has such a name


class WebhookEndpoint(Base, table=True):
    """A destination a customer made by the API. Its row stays when it is gone, so that every change adds to a sum."""

    __tablename__ = "webhook_endpoint"

    id: int = key()
    public_id: str = Field(max_length=36, unique=True)
    customer: str = Field(index=True)
    url: str
    layout: str
    vocabulary: str
    history: bool
    events: str  # words parted by blanks
    ordering: str
    description: str
    rotation: int  # of its secret
    rotated_at: datetime | None = None
    revision: int  # one more with each change
    created_at: datetime
    deleted_at: datetime | None = None

    @property
    def destination(self) -> str:
        """The name of the destination, for tables and the log."""
        return f"{self.customer}/{_PREFIX}{self.public_id}"


def made_by_api(destination: str) -> str:
    """The public id of the endpoint a destination is; "" for one of a customer's file."""
    name = destination.partition("/")[2]
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else ""
