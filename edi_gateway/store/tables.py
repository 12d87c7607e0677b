"""Every table of the gateway. Instants are stored in UTC (a naive one is refused), words as text with a CHECK."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from edi_gateway.model import Classifier, Direction, Level, MessageFunction, Severity, Status, TimeBasis
from edi_gateway.model import TrackingState as TrackingState  # noqa: PLC0414
from edi_gateway.store.access import ApiKey as ApiKey  # noqa: PLC0414  every table is to be had here
from edi_gateway.store.access import FeedEntry as FeedEntry  # noqa: PLC0414
from edi_gateway.store.access import Origin as Origin  # noqa: PLC0414
from edi_gateway.store.access import Tracker as Tracker  # noqa: PLC0414
from edi_gateway.store.access import TrackerState as TrackerState  # noqa: PLC0414
from edi_gateway.store.acknowledging import Answer as Answer  # noqa: PLC0414
from edi_gateway.store.acknowledging import StatementRow as StatementRow  # noqa: PLC0414
from edi_gateway.store.attempting import Attempt as Attempt  # noqa: PLC0414
from edi_gateway.store.attempting import Endpoint as Endpoint  # noqa: PLC0414
from edi_gateway.store.attempting import Outcome as Outcome  # noqa: PLC0414
from edi_gateway.store.columns import BIG, STRUCTURE, Base
from edi_gateway.store.columns import key as _key
from edi_gateway.store.columns import to as _to
from edi_gateway.store.columns import where as _where
from edi_gateway.store.columns import word as _word
from edi_gateway.store.hooking import WebhookEndpoint as WebhookEndpoint  # noqa: PLC0414
from edi_gateway.store.owing import PENDING as PENDING  # noqa: PLC0414
from edi_gateway.store.owing import Action as Action  # noqa: PLC0414
from edi_gateway.store.owing import ControlNumber as ControlNumber  # noqa: PLC0414
from edi_gateway.store.owing import Outbox as Outbox  # noqa: PLC0414
from edi_gateway.store.owing import OutboxState as OutboxState  # noqa: PLC0414
from edi_gateway.store.owing import Told as Told  # noqa: PLC0414
from edi_gateway.store.registering import RefusedRequests as RefusedRequests  # noqa: PLC0414
from edi_gateway.store.registering import RegistrationRow as RegistrationRow  # noqa: PLC0414
from edi_gateway.store.tracking import TrackingCheck as TrackingCheck  # noqa: PLC0414

METADATA: Final = Base.metadata
OPEN_DELIVERY: Final = "state IN ('sealed', 'retrying')"  # as the partial indexes say it, and queries that use them
UNSETTLED_OF_SHIPMENT: Final = "state IN ('sealed', 'retrying', 'dead') AND shipment_id IS NOT NULL"
AWAITED: Final = "state = 'delivered' AND acknowledge_by IS NOT NULL"


class DocumentState(StrEnum):
    """What became of a document."""

    RECEIVED = "received"
    PROCESSED = "processed"
    PARTLY_PROCESSED = "partly_processed"  # some of its messages are in quarantine
    QUARANTINED = "quarantined"  # nothing of it could be used
    IGNORED = "ignored"  # its bytes were received before, or it is none of ours


class InterchangeState(StrEnum):
    """What became of one interchange of a document; only what was accepted makes another one a repeat."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"  # accepted before with the same content: nothing of it was read
    FAILED = "failed"  # set aside as a whole, or nothing of it could be used


class FindingState(StrEnum):
    """Whether somebody still has to look."""

    OPEN = "open"
    IGNORED = "ignored"
    RESOLVED = "resolved"


class DeliveryState(StrEnum):
    """How far a sealed document came."""

    SEALED = "sealed"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"  # the customer says that he could not use it, or a part of it
    DEAD = "dead"
    SKIPPED = "skipped"  # a person decided that the customer does not get it
    SUPERSEDED = "superseded"  # its events went into another document, which replaces it


class Content(Base, table=True):
    """A piece of at most 1 MiB of some bytes, addressed by the SHA-256 of all of them."""

    digest: str = Field(primary_key=True, max_length=64)
    seq: int = Field(primary_key=True)
    chunk: bytes


class Document(Base, table=True):
    """One file as it arrived, and what became of it."""

    __table_args__ = (
        Index("ix_document_carrier", "carrier", "digest"),
        Index("ix_document_state", "state", "id"),
        Index("ix_document_channel", "channel", "received_at"),
        Index("ix_document_waiting", "channel", "id", **_where("state = 'received'")),
    )

    id: int = _key()
    channel: str
    carrier: str
    name: str
    digest: str = Field(max_length=64)
    size: int = Field(sa_type=BIG)
    received_at: datetime
    state: DocumentState = Field(default=DocumentState.RECEIVED, sa_type=_word(DocumentState, "state"))
    duplicate_of: int | None = Field(default=None, foreign_key="document.id", sa_type=BIG)
    processed_at: datetime | None = None
    messages: int = 0
    events_new: int = 0
    events_duplicate: int = 0
    events_retracted: int = 0
    events_unmapped: int = 0
    findings: int = 0
    error: str = ""
    reading: str = ""  # how it was read, while that is not at its end


class SourceKey(Base, table=True):
    """This copy's bytes are committed: the source need not fetch it again."""

    __tablename__ = "source_key"

    channel: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    document_id: int = _to("document.id")


class Interchange(Base, table=True):
    """One envelope of a document: who sent it to whom under which control reference, and what became of it."""

    __table_args__ = (Index("ix_interchange_reference", "carrier", "control_key", "sender", "recipient", "digest"),)

    document_id: int = Field(primary_key=True, foreign_key="document.id", sa_type=BIG)
    number: int = Field(primary_key=True)  # within the document, from 1
    channel: str
    carrier: str
    sender: str  # ID:QUALIFIER
    recipient: str
    test: bool
    control_ref: str  # as written
    control_key: str  # without the leading zeros of a number
    prepared_at: datetime | None = None
    received_at: datetime
    digest: str = Field(max_length=64)  # of its own bytes, from UNA or UNB to UNZ
    state: InterchangeState = Field(sa_type=_word(InterchangeState, "state"))
    repeats: int | None = Field(default=None, foreign_key="document.id", sa_type=BIG)  # whose reference came again


class Replay(Base, table=True):
    """A document that ``replay`` was asked to read again and has not read yet."""

    document_id: int = Field(primary_key=True, foreign_key="document.id", sa_type=BIG)
    asked_at: datetime


class FindingRow(Base, table=True):
    """Something a reader noticed in a document, with its place and what to do about it."""

    __tablename__ = "finding"
    __table_args__ = (Index("ix_finding_open", "id", **_where("state = 'open'")),)

    id: int = _key()
    document_id: int = _to("document.id", index=True)
    severity: Severity = Field(sa_type=_word(Severity, "severity"))
    level: Level = Field(sa_type=_word(Level, "level"))
    state: FindingState = Field(default=FindingState.OPEN, sa_type=_word(FindingState, "state"))
    interchange: str = ""
    message: str = ""
    segment: int = 0
    tag: str = ""
    element: int = 0
    component: int = 0
    start: int = Field(default=0, sa_type=BIG)
    end: int = Field(default=0, sa_type=BIG)
    line: int = 0
    name: str = ""
    found: str = Field(default="", sa_type=Text)
    expected: str = Field(default="", sa_type=Text)
    advice: str = Field(default="", sa_type=Text)
    code: str = ""
    created_at: datetime


class Shipment(Base, table=True):
    """(carrier, tracking number, epoch) and the state its events add up to."""

    __table_args__ = (UniqueConstraint("carrier", "tracking_number", "epoch"),)

    id: int = _key()
    carrier: str
    tracking_number: str
    epoch: int
    status: Status = Field(default=Status.UNKNOWN, sa_type=_word(Status, "status"))
    reason: str = ""
    direction: Direction = Field(default=Direction.FORWARD, sa_type=_word(Direction, "direction"))
    status_at: datetime | None = None
    fingerprint: str = ""  # of the event that decided
    first_event_at: datetime | None = None  # of what happened and stands
    last_event_at: datetime | None = None
    earliest_at: datetime | None = None  # of all its events, whatever they count for
    latest_at: datetime | None = None  # no report of it that is stored can speak of a later instant
    milestones: dict[str, list[str]] = Field(default_factory=dict, sa_type=STRUCTURE)  # status → first, last
    estimated_at: datetime | None = None  # when its delivery is expected, as was stated last
    estimate_stated_at: datetime | None = None
    tracking_state: TrackingState = Field(default=TrackingState.ACTIVE, sa_type=_word(TrackingState, "tracking_state"))


class Event(Base, table=True):
    """One fact about one shipment, however often it was reported. Retracted ones are kept and count for nothing."""

    __table_args__ = (Index("ix_event_unmapped", "carrier", "raw_code", **_where("NOT mapped")),)

    id: int = _key()
    shipment_id: int = _to("shipment.id", index=True)
    fingerprint: str = Field(max_length=32, unique=True)
    carrier: str
    tracking_number: str
    piece: str = ""
    status: Status = Field(sa_type=_word(Status, "status"))
    reason: str = ""
    mapped: bool = True
    classifier: Classifier = Field(sa_type=_word(Classifier, "classifier"))
    direction: Direction = Field(sa_type=_word(Direction, "direction"))
    correction: bool = False
    raw_code: str = ""
    code_list: str = ""
    code_agency: str = ""
    raw_reason: str = ""
    text: str = Field(default="", sa_type=Text)
    occurred_at: datetime
    utc_offset: int = 0  # minutes: the carrier's own clock
    date_only: bool = False
    time_basis: TimeBasis = Field(sa_type=_word(TimeBasis, "time_basis"))
    location_name: str = ""
    unlocode: str = ""
    country: str = ""
    account: str = ""
    signatory: str = ""
    references: dict[str, list[str]] = Field(default_factory=dict, sa_type=STRUCTURE)
    retracted: bool = False
    received_at: datetime


class ProvenanceRow(Base, table=True):
    """Where and when an event was told once: its provenance, and what of the telling decides what stands."""

    __tablename__ = "provenance"
    __table_args__ = (Index("ix_provenance_document_number", "document_number", **_where("document_number <> ''")),)

    id: int = _key()
    event_id: int = _to("event.id", index=True)
    document_id: int = _to("document.id", index=True)
    received_at: datetime
    interchange: str = ""
    message: str = ""
    document_number: str = ""
    segment: int = 0
    start: int = Field(default=0, sa_type=BIG)
    end: int = Field(default=0, sa_type=BIG)
    mapping: str = ""
    mapping_version: str = ""
    rule: str = ""
    function: MessageFunction = Field(sa_type=_word(MessageFunction, "function"))
    issued_at: datetime | None = None
    occurred_at: datetime
    utc_offset: int = 0
    date_only: bool = False
    correction: bool = False


class Amendment(Base, table=True):
    """A message that cancels or replaces all that a carrier's report of this number said before."""

    __table_args__ = (Index("ix_amendment_document_number", "document_number", "carrier"),)

    id: int = _key()
    carrier: str
    document_number: str
    function: MessageFunction = Field(sa_type=_word(MessageFunction, "function"))
    issued_at: datetime | None = None
    document_id: int = _to("document.id", index=True)
    received_at: datetime


class Subscription(Base, table=True):
    """A customer wants to hear of one tracking number; carrier "" means whoever carries it."""

    __table_args__ = (UniqueConstraint("tracking_number", "customer", "carrier"),)

    id: int = _key()
    customer: str
    carrier: str = ""
    tracking_number: str
    created_at: datetime


class Delivery(Base, table=True):
    """One sealed outbound document: number, name and bytes never change again."""

    __table_args__ = (
        Index("ix_delivery_due", "destination", "next_attempt_at", "id", **_where(OPEN_DELIVERY)),
        Index("ix_delivery_state", "destination", "state", "id"),
        Index("ix_delivery_replaces", "replaces", **_where("replaces IS NOT NULL")),
        Index("ix_delivery_reference", "customer", "control_number"),
        Index("ix_delivery_name", "name", "destination"),
        Index("ix_delivery_acknowledge_by", "acknowledge_by", **_where(AWAITED)),
        Index("ix_delivery_line", "shipment_id", "destination", "control_number", **_where(UNSETTLED_OF_SHIPMENT)),
    )

    id: int = _key()
    destination: str
    customer: str
    control_number: int = Field(sa_type=BIG)
    name: str
    digest: str = Field(max_length=64)
    size: int = Field(sa_type=BIG)
    event_count: int
    state: DeliveryState = Field(default=DeliveryState.SEALED, sa_type=_word(DeliveryState, "state"))
    attempts: int = 0
    failures: int = 0  # since it was sealed, or a person last had it tried again
    next_attempt_at: datetime | None = None
    claimed_by: str = ""  # who makes the current attempt
    claimed_until: datetime | None = None  # until then nobody else may
    replaces: int | None = Field(default=None, foreign_key="delivery.id", sa_type=BIG)
    shipment_id: int | None = Field(default=None, sa_type=BIG)  # of the one event it tells; its number counts for it
    sealed_at: datetime
    delivered_at: datetime | None = None
    last_error: str = ""
    sequence: str = ""  # of its control number
    sender: str = ""  # identification alone, as acknowledgements name it
    recipient: str = ""
    acknowledges: str = ""  # the kind of acknowledgement it is itself
    expects: str = ""  # the kind of acknowledgement that is awaited
    acknowledge_within: int = 0  # seconds after delivery
    acknowledge_by: datetime | None = None
    acknowledged_at: datetime | None = None


class Alarm(Base, table=True):
    """Something a person has to look at; the row goes when its cause has gone."""

    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)  # a channel, a destination, or "" for the whole gateway
    text: str = Field(sa_type=Text)
    raised_at: datetime
