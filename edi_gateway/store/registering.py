"""The table of registrations: which channels carriers were told of by a call, and until when that holds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field

from edi_gateway.store.columns import Base


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
