"""The table of tracking checks: which numbers a polled carrier is asked for, and when next."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from edi_gateway.model import TrackingState
from edi_gateway.store.columns import Base, key, where, word
from edi_gateway.tracking.planning import Reply

OPEN_CHECK: Final = "due_at IS NOT NULL"  # as the partial index says it, and queries that use it


class TrackingCheck(Base, table=True):
    """One number a channel asks its carrier for. Without ``due_at`` it is not asked for any more."""

    __tablename__ = "tracking_check"
    __table_args__ = (
        UniqueConstraint("channel", "tracking_number"),
        Index("ix_tracking_check_due", "channel", "due_at", "id", **where(OPEN_CHECK)),
        Index("ix_tracking_check_tracking_number", "tracking_number"),
    )

    id: int = key()
    channel: str
    carrier: str
    tracking_number: str
    epoch: int = 0  # of the shipment that was last seen under the number; 0: none so far
    state: TrackingState = Field(default=TrackingState.ACTIVE, sa_type=word(TrackingState, "state"))
    due_at: datetime | None = None
    claimed_by: str = ""
    claimed_until: datetime | None = None  # until then nobody else may ask
    checks: int = 0  # the number of the latest
    failures: int = 0  # in a row that had no answer
    quiet: int = 0  # in a row that brought no news
    unknown: int = 0  # in a row whose number the carrier did not know
    tail: int | None = None  # since the shipment arrived
    soonest: int = 0  # seconds after which it is checked again on news
    started_at: datetime  # when tracking began, or was taken up again
    changed_at: datetime  # of the last news, whoever brought it
    checked_at: datetime | None = None  # when the last check began
    reply: Reply | None = Field(default=None, sa_type=word(Reply, "reply"))
    error: str = Field(default="", sa_type=Text)  # why the last check had no answer
    digest: str = ""  # of the last answer
    etag: str = ""
    modified: str = ""  # the answer's Last-Modified
