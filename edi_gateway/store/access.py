"""The tables behind the customers' API: who may ask, what of ours is theirs, and in which order they heard of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from edi_gateway.store.columns import BIG, Base, key, to, where, word

EXPECTED: Final = "shipment_id IS NULL"  # as the partial indexes say it, and queries that use them
SILENT: Final = "state = 'paused'"


class TrackerState(StrEnum):
    """Whether a customer hears of a shipment."""

    ACTIVE = "active"
    PAUSED = "paused"


class Origin(StrEnum):
    """Why a customer has a tracker."""

    RULE = "rule"  # a rule of the customer matched an event of the shipment, or it subscribed to the number
    REQUEST = "request"  # the customer asked for it by the API


class ApiKey(Base, table=True):
    """A customer's key to the API. What it says is not kept, only its SHA-256."""

    __tablename__ = "api_key"

    id: int = key()
    customer: str = Field(index=True)
    name: str
    handle: str = Field(max_length=16, unique=True)  # the part of the key that is shown
    digest: str = Field(max_length=64)
    test: bool
    scopes: str  # words parted by blanks
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None  # to the minute


class Tracker(Base, table=True):
    """A customer's view of a shipment. Without a shipment it waits for the first event of its number."""

    __table_args__ = (
        UniqueConstraint("customer", "shipment_id"),
        Index("ix_tracker_list", "customer", "id"),
        Index("ix_tracker_number", "customer", "tracking_number"),
        Index("ix_tracker_expected", "tracking_number", **where(EXPECTED)),
        Index("ix_tracker_silent", "shipment_id", **where(SILENT)),
    )

    id: int = key()
    public_id: str = Field(max_length=36, unique=True)
    customer: str
    carrier: str  # "": whoever carries it
    tracking_number: str
    shipment_id: int | None = Field(default=None, foreign_key="shipment.id", sa_type=BIG)
    origin: Origin = Field(sa_type=word(Origin, "origin"))
    state: TrackerState = Field(default=TrackerState.ACTIVE, sa_type=word(TrackerState, "state"))
    created_at: datetime
    deleted_at: datetime | None = None  # it is kept, paused, so that nobody makes another of the same shipment
    fed_after: int = Field(default=0, sa_type=BIG)  # entries of the feed up to this one were of one that is deleted


class FeedEntry(Base, table=True):
    """An event, or that it is void, as a customer may read it; ``tx`` and ``id`` are the order of the commits."""

    __tablename__ = "feed"
    __table_args__ = (Index("ix_feed_customer", "customer", "tx", "id"),)

    id: int = key()
    tx: int = Field(sa_type=BIG)  # PostgreSQL's number of the transaction; 0 on SQLite, where one writes after another
    customer: str
    event_id: int = to("event.id")
    shipment_id: int = to("shipment.id")
    action: str  # report or cancel
    created_at: datetime
