"""Tables of sending: every attempt, and how the places they are made to are doing."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Text
from sqlmodel import Field

from edi_gateway.store.columns import BIG, Base, word


class Outcome(StrEnum):
    """How one attempt ended; STARTED means nobody knows."""

    STARTED = "started"
    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"


class Attempt(Base, table=True):
    """One try to deliver; written before the first byte leaves."""

    delivery_id: int = Field(primary_key=True, foreign_key="delivery.id", sa_type=BIG)
    number: int = Field(primary_key=True)
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome = Field(default=Outcome.STARTED, sa_type=word(Outcome, "outcome"))
    detail: str = ""
    status: int | None = None  # of HTTP
    milliseconds: int | None = None  # until its status was there, or the attempt failed
    answer: str = Field(default="", sa_type=Text)  # how it begins


class Endpoint(Base, table=True):
    """How a destination is doing that failed, was told to wait or was disabled; those without a row are well."""

    destination: str = Field(primary_key=True)
    failures: int = 0  # in a row
    failing_since: datetime | None = None  # the first of these
    last_error: str = Field(default="", sa_type=Text)
    paused_until: datetime | None = None  # its server asked to be left alone until then
    probe_at: datetime | None = None  # while it is only probed: no attempt before
    warned_at: datetime | None = None  # that it is going to be disabled
    disabled_at: datetime | None = None
    disabled_why: str = Field(default="", sa_type=Text)
