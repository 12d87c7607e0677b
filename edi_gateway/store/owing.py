"""The tables of what is owed, and of the numbers it gets when it is sealed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Index
from sqlmodel import Field

from edi_gateway.errors import RefusedError
from edi_gateway.model import Status
from edi_gateway.store.columns import BIG, Base
from edi_gateway.store.columns import key as _key
from edi_gateway.store.columns import to as _to
from edi_gateway.store.columns import where as _where
from edi_gateway.store.columns import word as _word

PENDING: Final = "state = 'pending'"  # as the partial indexes say it, and queries that use them


class UsedUpError(RefusedError):
    """No control number is left, whatever the document says."""


class Action(StrEnum):
    """What a customer is owed about an event: to hear of it, or to hear that it is void."""

    REPORT = "report"
    CANCEL = "cancel"


class OutboxState(StrEnum):
    """Whether an owed event lies in a sealed document yet."""

    PENDING = "pending"
    SEALED = "sealed"
    REFUSED = "refused"  # no document could be made of it


class Outbox(Base, table=True):
    """What a destination is owed about one event."""

    __table_args__ = (
        Index("uq_outbox_pending", "destination", "event_id", "action", unique=True, **_where(PENDING)),
        Index("ix_outbox_waiting", "destination", "id", **_where(PENDING)),
        Index("ix_outbox_event_id", "event_id", "destination"),
        Index("ix_outbox_owed", "destination", "created_at"),
    )

    id: int = _key()
    destination: str
    customer: str
    event_id: int = _to("event.id")
    shipment_id: int = _to("shipment.id", index=True)
    action: Action = Field(sa_type=_word(Action, "action"))
    created_at: datetime
    state: OutboxState = Field(default=OutboxState.PENDING, sa_type=_word(OutboxState, "state"))
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id", sa_type=BIG, index=True)
    error: str = ""
    trigger: str = ""  # what of the shipment the event changed, as a notification says it
    previous_status: Status | None = Field(default=None, sa_type=_word(Status, "previous_status"))  # just before it
    new_status: Status | None = Field(default=None, sa_type=_word(Status, "new_status"))  # just after it


class ControlNumber(Base, table=True):
    """The next number of one gap-free sequence."""

    __tablename__ = "control_number"

    key: str = Field(primary_key=True)
    next_value: int = Field(sa_type=BIG)


class Told(Base, table=True):
    """How many notifications of a shipment were sealed for a destination."""

    destination: str = Field(primary_key=True)
    shipment_id: int = Field(primary_key=True, sa_type=BIG)
    count: int
