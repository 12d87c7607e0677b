"""The tables of what is sent to us: which channels carriers were told of by a call, and which requests were refused."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Text
from sqlmodel import Field

from edi_gateway.store.columns import BIG, Base


class RegistrationRow(Base, table=True):
    """What a carrier was told of a channel. Without ``registered_at`` it sends nothing there, as far as we know."""

    __tablename__ = "registration"

    channel: str = Field(primary_key=True)
    url: str = ""  # where the carrier sends, without what is secret in it
    subscription_id: str = ""  # as the carrier calls it
    registered_at: datetime | None = None
    renewed_at: datetime | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None  # when it is renewed
    calls: int = 0  # the number of the latest
    failures: int = 0  # in a row
    error: str = Field(default="", sa_type=Text)  # why the latest call failed
    claimed_by: str = ""
    claimed_until: datetime | None = None  # until then nobody else may call


class RefusedRequests(Base, table=True):
    """How many requests to a channel were refused with one status on one day (UTC); "" is a channel there is not."""

    __tablename__ = "refused_requests"

    channel: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    status: int = Field(primary_key=True)
    count: int = Field(sa_type=BIG)
    last_at: datetime
    why: str = Field(sa_type=Text)  # of the last one
