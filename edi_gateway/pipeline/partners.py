"""The wired trading partners: channels documents come from and destinations they go to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from importlib.metadata import version
from typing import Final, Literal, Protocol

from pydantic import SecretStr

from edi_gateway.acknowledgements import Kind, Receipt
from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.mapping.render import Layout
from edi_gateway.model import OutboundDocument, TrackingEvent
from edi_gateway.notifications.words import Words
from edi_gateway.plugins import Encoder, Format, Receiver, Sink, Source
from edi_gateway.transforms.opening import AS_IT_COMES, Opening, is_closed, is_whole
from edi_gateway.transforms.options import Encrypt
from edi_gateway.transforms.pgp import encrypt
from edi_gateway.transports.api_poll.registration import Registration
from edi_gateway.worlds import is_test, world_of

_VERSION: Final = version("edi-gateway")
ALL: Final = "all"  # instead of triggers: every event


class Trigger(StrEnum):
    """What of a shipment an event may change that a destination wants to hear of."""

    STATUS = "status_change"
    REASON = "reason_change"
    ESTIMATE = "estimated_delivery_change"


class AnswerWriter(Protocol):
    """Knows how acknowledgements are written in one syntax."""

    @property
    def every_message(self) -> bool:
        """Whether messages without any finding are spoken of, too."""

    def sequence(self, receipt: Receipt) -> str:
        """Whose control numbers an answer to this bears."""

    def acknowledges(self, content: memoryview) -> bool:
        """Whether these bytes of an interchange that cannot be read are acknowledgements themselves."""

    def speaks(self, kind: Kind, receipt: Receipt) -> bool:
        """Whether there is anything to say of this in that way."""

    def write(self, kind: Kind, receipt: Receipt, number: int, now: datetime) -> bytes:
        """The interchange with that acknowledgement; raises RefusedError for what the syntax cannot hold."""


@dataclass(frozen=True, slots=True)
class ControlNumbers:
    """The sequence of control numbers of one trading partner."""

    key: str
    start: int
    maximum: int
    roll_over: bool


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where the acknowledgements of one channel go. Each is a delivery like any other."""

    name: str  # carrier/channel/acknowledgements
    partner: str
    sink: Sink
    file_name: Callable[[int, datetime, Kind, str], str]  # control number, now, kind, who gets it
    numbers: ControlNumbers  # the bounds; the key is each partnership's own
    retry: Sequence[timedelta]
    within: timedelta  # an acknowledgement that takes longer is an alarm
    in_order: bool = False
    in_flight: int = 4
    line_per_shipment: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """What a carrier is told of what it sent through a channel, and when."""

    kinds: Sequence[Kind]
    when: Literal["always", "requested", "errors"]
    writer: AnswerWriter
    outlet: Outlet

    def due(self, kind: Kind, receipt: Receipt) -> bool:
        """Whether this receipt is answered in this way. APERAK speaks of problems only, unless it is all there is."""
        if self.when == "requested" and not receipt.requested:
            return False
        if not self.writer.speaks(kind, receipt):
            return False
        if self.when == "errors" and not receipt.complaints:
            return False
        if kind is Kind.APERAK and len(self.kinds) > 1:
            return receipt.complaints
        return True


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a carrier sends to a channel, and how it is told so."""

    channel: str
    url: str  # without what is secret in it
    token: SecretStr | None = field(default=None, repr=False)  # the rest of the URL
    secret: SecretStr | None = field(default=None, repr=False)
    registration: Registration | None = None

    @property
    def whole_url(self) -> str:
        """The URL as the carrier calls it."""
        return f"{self.url}/{self.token.get_secret_value()}" if self.token else self.url


@dataclass(frozen=True, slots=True)
class Channel:
    """How one carrier sends one kind of thing."""

    name: str  # carrier/channel
    partner: Partner
    source: Source | Receiver
    every: timedelta
    format: Format
    mapping: Mapping | None  # None: acknowledgements only
    accept_test: bool = False
    unique_references: bool = True  # an interchange's reference comes once; another content under it is set aside
    patience: timedelta = timedelta(minutes=10)  # how long a file without its end is left alone; 0: not at all
    dedupe_window: int = 1  # minutes
    epoch_gap: timedelta = timedelta(days=90)
    acknowledge: Acknowledge | None = None
    opening: Opening = AS_IT_COMES
    callback: Callback | None = None  # where its carrier is told to send

    def is_complete(self, content: bytes) -> bool:
        """Whether the bytes end as their packing does, or, where there is none, as the format says."""
        return is_whole(content, self.opening) if is_closed(content, self.opening) else self.format.is_complete(content)

    def of(self, carrier: str) -> Channel:
        """The channel as a document of that carrier comes by it: test documents of all carriers share one."""
        return replace(self, partner=replace(self.partner, carrier=carrier)) if is_test(carrier) else self

    def reading(self) -> str:
        """A digest of all that decides what its documents say; while it stays the same, so does what they say."""
        how = (
            self.partner,
            self.opening,
            self.format,
            self.mapping and self.mapping.version,
            self.accept_test,
            self.unique_references,
        )
        return sha256(repr((_VERSION, *how, self.dedupe_window, self.epoch_gap)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """When pending events become a file: the oldest has waited ``every``, or there are ``at_most`` of them."""

    every: timedelta
    at_most: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Feed:
    """A customer that may ask by the API for what is its own."""

    customer: str
    wants: Callable[[TrackingEvent], bool]  # whether a rule of the customer matches
    per_second: float  # requests of one key in the long run
    burst: int  # requests of one key that may come at once after a pause
    allow: Collection[str] = ()  # what the URL guard lets through for its own webhook endpoints
    webhook_secrets: SecretStr | None = field(default=None, repr=False)  # those of its endpoints come from this one

    @property
    def world(self) -> str:
        """Where it hears of events; see worlds."""
        return world_of(self.customer)


@dataclass(frozen=True, slots=True)
class Notifying:
    """How one event is told in a notification: in a layout of ours, or (``layout`` None) as the mapping lays it out."""

    layout: Literal["canonical", "tracker"] | None
    words: Words  # what the customer calls our statuses
    history: bool  # with all that is known of the shipment


@dataclass(frozen=True, slots=True)
class Destination:
    """Format, layout, sink and schedule of what one customer receives."""

    name: str  # customer/destination, for test data test:customer/destination
    customer: str  # its own name, for test data that of its test world
    wants: Callable[[TrackingEvent], bool]  # whether a rule of the customer matches
    events: Collection[str]  # triggers, or ALL
    layout: Layout | None  # None: a notification in a layout of ours
    encoder: Encoder | None
    sink: Sink
    batch: Batch
    file_name: Callable[[int, datetime], str]
    control_numbers: ControlNumbers
    retry: Sequence[timedelta]
    replace_unencodable: bool = False
    in_order: bool = False  # no file is sent while an earlier one is neither delivered nor given up
    in_flight: int = 1  # files on their way at the same time
    parties: tuple[str, str] = ("", "")  # identification of sender and recipient, as acknowledgements name them
    expects: Kind | None = None  # the acknowledgement that is awaited
    within: timedelta = timedelta(hours=4)  # after delivery; later is an alarm
    encrypt: Encrypt | None = None
    only: Callable[[TrackingEvent], bool] | None = None  # what of it this destination gets
    notifying: Notifying | None = None  # its sink is told event by event
    line_per_shipment: bool = False  # a later event of a shipment waits for the earlier ones

    @property
    def world(self) -> str:
        """Where it hears of events; see worlds."""
        return world_of(self.customer)

    def sealed(self, number: int, now: datetime, content: bytes) -> OutboundDocument:
        """The document as every attempt sends it; raises RefusedError when it cannot be encrypted."""
        sent = encrypt(content, self.encrypt) if self.encrypt else content
        return OutboundDocument(self.file_name(number, now), sent)


Audience = Sequence[Destination | Feed]
"""All who may hear of an event."""
