"""The wired trading partners: channels documents come from and destinations they go to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from typing import Final, Literal

from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.mapping.render import Layout
from edi_gateway.model import OutboundDocument, TrackingEvent
from edi_gateway.plugins import Encoder, Format, Sink, Source
from edi_gateway.transforms.opening import AS_IT_COMES, Opening, is_closed, is_whole
from edi_gateway.transforms.options import Encrypt
from edi_gateway.transforms.pgp import encrypt

_VERSION: Final = version("edi-gateway")


@dataclass(frozen=True, slots=True)
class Channel:
    """How one carrier sends one kind of thing."""

    name: str  # carrier/channel
    partner: Partner
    source: Source
    every: timedelta
    format: Format
    mapping: Mapping
    accept_test: bool = False
    unique_references: bool = True  # an interchange's reference comes once; another content under it is set aside
    patience: timedelta = timedelta(minutes=10)  # how long a file without its end is left alone; 0: not at all
    dedupe_window: int = 1  # minutes
    epoch_gap: timedelta = timedelta(days=90)
    opening: Opening = AS_IT_COMES

    def is_complete(self, content: bytes) -> bool:
        """Whether the bytes end as their packing does, or, where there is none, as the format says."""
        return is_whole(content, self.opening) if is_closed(content, self.opening) else self.format.is_complete(content)

    def reading(self) -> str:
        """A digest of all that decides what its documents say; while it stays the same, so does what they say."""
        how = (self.partner, self.opening, self.format, self.mapping.version, self.accept_test, self.unique_references)
        return sha256(repr((_VERSION, *how, self.dedupe_window, self.epoch_gap)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """When pending events become a file: the oldest has waited ``every``, or there are ``at_most`` of them."""

    every: timedelta
    at_most: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class ControlNumbers:
    """The sequence of control numbers of one trading partner."""

    key: str
    start: int
    maximum: int
    roll_over: bool


@dataclass(frozen=True, slots=True)
class Destination:
    """Format, layout, sink and schedule of what one customer receives."""

    name: str  # customer/destination
    customer: str
    wants: Callable[[TrackingEvent], bool]  # whether a rule of the customer matches
    events: Literal["all", "status_changes"]
    layout: Layout
    encoder: Encoder
    sink: Sink
    batch: Batch
    file_name: Callable[[int, datetime], str]
    control_numbers: ControlNumbers
    retry: Sequence[timedelta]
    replace_unencodable: bool = False
    in_order: bool = False  # no file is sent while an earlier one is neither delivered nor given up
    in_flight: int = 1  # files on their way at the same time
    encrypt: Encrypt | None = None

    def sealed(self, number: int, now: datetime, content: bytes) -> OutboundDocument:
        """The document as every attempt sends it; raises RefusedError when it cannot be encrypted."""
        sent = encrypt(content, self.encrypt) if self.encrypt else content
        return OutboundDocument(self.file_name(number, now), sent)
