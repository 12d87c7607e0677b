"""The nouns of the gateway: plain immutable data, no behaviour beyond what the data itself says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Final

from edi_gateway.frozen import maker, quick
from edi_gateway.segment import MOST_AROUND as MOST_AROUND  # noqa: PLC0414  every noun is to be had here
from edi_gateway.segment import Segment as Segment  # noqa: PLC0414


class Status(StrEnum):
    """Where a shipment stands, in the gateway's one vocabulary."""

    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    PICKED_UP = "PICKED_UP"
    IN_TRANSIT = "IN_TRANSIT"
    EXCEPTION = "EXCEPTION"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    ATTEMPT_FAILURE = "ATTEMPT_FAILURE"
    AVAILABLE_FOR_PICKUP = "AVAILABLE_FOR_PICKUP"
    RETURN_TO_SENDER = "RETURN_TO_SENDER"
    LOST = "LOST"
    DELIVERED = "DELIVERED"
    RETURNED = "RETURNED"
    CANCELLED = "CANCELLED"

    @property
    def rank(self) -> int:
        """Decides between events of the same instant: the higher rank stands."""
        return _RANK[self]

    @property
    def terminal(self) -> bool:
        """Left only by a correction, a retraction or a change of direction (LOST also by any later scan)."""
        return self.rank >= _RANK[Status.LOST]


_RANK: Final[Mapping[Status, int]] = {
    Status.UNKNOWN: 0,
    Status.PENDING: 10,
    Status.PICKED_UP: 20,
    Status.IN_TRANSIT: 30,
    Status.EXCEPTION: 35,
    Status.OUT_FOR_DELIVERY: 40,
    Status.ATTEMPT_FAILURE: 42,
    Status.AVAILABLE_FOR_PICKUP: 45,
    Status.RETURN_TO_SENDER: 60,
    Status.LOST: 88,
    Status.DELIVERED: 90,
    Status.RETURNED: 92,
    Status.CANCELLED: 95,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DIGEST: Final = blake2b(digest_size=12)  # of nothing yet: a copy costs less than another


class Classifier(StrEnum):
    """Whether something happened, is expected, or was planned. Only ACT moves a status."""

    ACT = "ACT"
    EST = "EST"
    PLN = "PLN"


class Direction(StrEnum):
    """Which way the goods travel."""

    FORWARD = "forward"
    RETURN = "return"


class TimeBasis(StrEnum):
    """What an event's instant rests on: where the reader found the time zone."""

    OFFSET = "offset"  # the carrier wrote a zone or offset
    LOCATION = "location"  # the zone of the event's place
    PARTNER = "partner"  # the trading partner's default zone
    ASSUMED = "assumed"  # nothing said: taken as UTC


class TrackingState(StrEnum):
    """How the gateway watches a shipment; says nothing about where the goods are."""

    ACTIVE = "active"
    QUIET = "quiet"  # nothing changes, so the carrier is asked as seldom as its schedule knows
    PAUSED = "paused"  # a person stopped it
    EXPIRED = "expired"  # its schedule gave it up
    CLOSED = "closed"  # it arrived, and its last checks are made


class MessageFunction(StrEnum):
    """What a message does to what was said before (EDIFACT BGM 1225)."""

    ORIGINAL = "original"
    CANCELLATION = "cancellation"
    REPLACEMENT = "replacement"


class Level(StrEnum):
    """How much of a document a finding concerns, from all of it to one event."""

    DOCUMENT = "document"
    INTERCHANGE = "interchange"
    MESSAGE = "message"
    EVENT = "event"


class Severity(StrEnum):
    """What becomes of the part concerned: taken with a remark, or set aside."""

    WARNING = "warning"
    QUARANTINE = "quarantine"


@quick
@dataclass(frozen=True, slots=True)
class Position:
    """A place in a document. ``start``/``end`` are byte offsets; counts begin at 1; 0 or "" is 'not known'.

    What is written in lines has ``line`` instead of a segment; ``name`` is that of a column, or an expression.
    """

    interchange: str = ""  # control reference
    message: str = ""  # message reference
    segment: int = 0  # within its message; the header (UNH) is 1
    tag: str = ""
    element: int = 0
    component: int = 0
    start: int = 0
    end: int = 0
    line: int = 0
    name: str = ""

    def __str__(self) -> str:
        parts = [f"interchange {self.interchange}" if self.interchange else ""]
        parts.append(f"message {self.message}" if self.message and not self.line else "")
        counted = f"line {self.line}" if self.line else f"segment {self.segment}" if self.segment else ""
        parts += [f"{counted} {self.tag}".strip(), self.name]
        parts.append(f"element {self.element}" if self.element else "")
        parts.append(f"component {self.component}" if self.component else "")
        said = ", ".join(part for part in parts if part)
        return said or f"byte {self.start}"


@quick
@dataclass(frozen=True, slots=True)
class Finding:
    """Something a reader noticed: what stood there, what belongs there, and what to do about it."""

    severity: Severity
    level: Level
    at: Position
    found: str
    expected: str
    advice: str = ""
    code: str = ""  # EDIFACT 0085 where one fits

    def __str__(self) -> str:
        said = f"{self.at}: found {self.found or 'nothing'}, expected {self.expected}"
        return f"{said}; {self.advice}" if self.advice else said


@dataclass(frozen=True, slots=True)
class Party:
    """Who an interchange is from or for (S002/S003, ISA05-08)."""

    id: str
    qualifier: str = ""
    routing: str = ""

    def __str__(self) -> str:
        return f"{self.id}:{self.qualifier}" if self.qualifier else self.id


@quick
@dataclass(frozen=True, slots=True)
class Message:
    """One message (transaction set). ``body`` is the header segment with everything nested below it."""

    type: str  # IFTSTA
    version: str  # D:96A:UN:EAN004
    control_ref: str
    body: Segment | None  # None when a finding sets the whole message aside
    position: Position
    group_ref: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Interchange:
    """One envelope. ``messages`` is read once and lazily, so that memory stays flat.

    A QUARANTINE finding among ``findings`` means the envelope is broken: nothing of it may be processed.
    """

    sender: Party
    recipient: Party
    control_ref: str
    messages: Iterator[Message]
    position: Position
    findings: tuple[Finding, ...] = ()
    test: bool = False
    prepared_at: datetime | None = None
    acknowledgement_request: str = ""  # UNB 0031, ISA14; "" or 0: none


@quick
@dataclass(frozen=True, slots=True)
class Location:
    """Where something happened, as far as the carrier said."""

    name: str = ""
    unlocode: str = ""
    country: str = ""  # ISO 3166-1 alpha-2

    def __bool__(self) -> bool:
        return bool(self.name or self.unlocode or self.country)


@quick
@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an event was read, to the byte, and by which rule of which mapping."""

    interchange: str = ""
    message: str = ""
    document_number: str = ""  # the carrier's own number of the report (BGM 1004)
    segment: int = 0
    start: int = 0
    end: int = 0
    mapping: str = ""
    mapping_version: str = ""
    rule: str = ""  # file:line of the code table entry that decided


@quick
@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One thing a carrier said about one shipment, in the gateway's vocabulary."""

    carrier: str
    tracking_number: str
    status: Status
    occurred_at: datetime  # aware, in the offset the carrier meant
    reason: str = ""  # namespaced second level: attempt.not_home
    mapped: bool = True  # False: no code table knew raw_code; status is UNKNOWN and moves nothing
    classifier: Classifier = Classifier.ACT
    direction: Direction = Direction.FORWARD
    correction: bool = False  # may leave a terminal status
    piece: str = ""
    raw_code: str = ""
    code_list: str = ""
    code_agency: str = ""
    raw_reason: str = ""
    text: str = ""
    date_only: bool = False  # the carrier named a day, no time; occurred_at is that day's noon
    time_basis: TimeBasis = TimeBasis.ASSUMED
    location: Location = Location()
    account: str = ""
    signatory: str = ""
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # qualifier → values
    provenance: Provenance = Provenance()

    @property
    def fact(self) -> str:
        """What is said of which goods, without the time: equal for the same fact told in other words."""
        what = self.status + "/" + self.reason if self.mapped else f"raw {self.code_agency} {self.raw_code}"
        said = (self.carrier, self.tracking_number, self.piece, what, self.classifier, self.direction)
        return "|".join(said)  # formatting the words of an enumeration takes three times as long

    def fingerprint(self, window: int = 1) -> str:
        """Key that is equal for the same fact at the same time; ``window`` is its width in minutes.

        Begins with the hour as eight hex digits, so that a unique index grows at its end. A date-only
        report is keyed by its day.
        """
        at = self.occurred_at
        if self.date_only:
            hour, when = _day(at)
        else:
            # Two readings of a wall time that comes twice are equal, though they are an hour apart.
            hour, when = _minute.__wrapped__(at, window) if at.fold else _minute(at, window)
        digest = _DIGEST.copy()
        digest.update(f"{self.fact}|{when}".encode())
        return hour + digest.hexdigest()


@lru_cache(maxsize=8192)  # scans are reported in the order of their time: many share a minute with their neighbours
def _minute(at: datetime, window: int) -> tuple[str, str]:
    """The hour as a fingerprint begins, and the minute as it takes it in."""
    since = at - _EPOCH
    minute = (since.days * 1440 + since.seconds // 60) // window * window
    return f"{minute // 60:08x}", str(minute)


def _day(at: datetime) -> tuple[str, str]:
    """The same for a whole day."""
    day = at.date()
    return f"{(day.toordinal() - _EPOCH_DAY) * 24 + 12:08x}", day.isoformat()


make_event: Final = maker(TrackingEvent)
make_message: Final = maker(Message)
make_position: Final = maker(Position)
make_provenance: Final = maker(Provenance)


@dataclass(frozen=True, slots=True)
class RawDocument:
    """Bytes as they came, once."""

    channel: str
    name: str
    content: bytes
    received_at: datetime
    key: str = ""  # how the source tells this copy from others (path, size, time)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class OutboundDocument:
    """Sealed bytes under their final name: what every attempt sends."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """How a server answered an attempt to deliver, as far as it did."""

    milliseconds: int  # until its status was there, or the attempt failed
    status: int | None = None  # of HTTP
    answer: str = ""  # how it begins


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a delivery: what was verified."""

    verified: str
    exchange: Exchange | None = None


@dataclass(slots=True)
class OutboundSegment:
    """A segment to be written, with the segments its group holds. ``elements[0]`` holds the components of element 1."""

    tag: str
    elements: list[list[str]] = field(default_factory=list)
    children: list[OutboundSegment] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # elements that have names instead of numbers

    def put(self, element: int, component: int, value: str) -> None:
        """Write a text at a place, counted from 1."""
        while len(self.elements) < element:
            self.elements.append([])
        composite = self.elements[element - 1]
        while len(composite) < component:
            composite.append("")
        composite[component - 1] = value


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message to be written: its reference and everything below its header segment."""

    control_ref: str
    body: OutboundSegment


def number_of(text: str) -> str:
    """A tracking number as it is kept and compared: without blanks and in capitals."""
    return "".join(text.split()).upper()


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
