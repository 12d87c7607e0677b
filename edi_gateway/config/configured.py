"""Channels and destinations as configured: every plugin built, every mapping still a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from edi_gateway.acknowledgements import Kind
from edi_gateway.model import TrackingEvent
from edi_gateway.pipeline import partners
from edi_gateway.plugins import Encoder, Format, Receiver, Sink, Source
from edi_gateway.transforms.opening import AS_IT_COMES, Opening
from edi_gateway.transforms.options import Encrypt
from edi_gateway.transports.api_poll.registration import Registration


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as configured; ``asked_at`` is ``file:line: `` of its mapping, for errors the mapping has."""

    name: str  # carrier/channel
    carrier: str
    timezone: str  # "" when the carrier's file names none
    dedupe_window: int  # minutes
    source: Source | Receiver
    format: Format
    mapping: str  # "": acknowledgements only
    every: timedelta
    accept_test: bool
    unique_references: bool
    patience: timedelta
    asked_at: str
    acknowledge: partners.Acknowledge | None = None
    opening: Opening = AS_IT_COMES
    opened_at: str = ""  # the same of its keys
    registration: Registration | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """How single events are told; ``asked_at`` is ``file:line: `` of the vocabulary."""

    layout: Literal["canonical", "tracker"] | None  # None: by the mapping
    vocabulary: str  # canonical, nine_status, or a mapping whose statuses are the customer's words
    history: bool
    asked_at: str


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination as configured; ``asked_at`` is ``file:line: `` of its mapping, for errors the mapping has."""

    name: str  # customer/destination
    customer: str
    wants: Callable[[TrackingEvent], bool]  # whether a rule of the customer fits
    sink: Sink
    encoder: Encoder | None  # None: in a layout of ours
    mapping: str
    file_name: Callable[[int, datetime], str]  # control number, now → name
    events: frozenset[str]  # triggers, or ALL
    batch: partners.Batch
    control_numbers: partners.ControlNumbers
    retry: tuple[timedelta, ...]
    replace_unencodable: bool
    in_order: bool
    in_flight: int
    asked_at: str
    counted_at: str  # the same of its control numbers
    awaited_at: str  # and of what it awaits
    expects: Kind | None
    within: timedelta
    encrypt: Encrypt | None = None
    encrypted_at: str = ""  # and of its keys
    only: Callable[[TrackingEvent], bool] | None = None
    told: Told | None = None  # it is told event by event
    line_per_shipment: bool = False
