"""All that is stored about one tracking number of one carrier: its events, their reports, its shipments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, exists, func, select

from edi_gateway.history import Estimate, HistoryEvent, is_estimate
from edi_gateway.model import Location, MessageFunction, Status, TrackingEvent
from edi_gateway.store.engine import chunks
from edi_gateway.store.resolve import Issue, Report
from edi_gateway.store.rows import offset_of
from edi_gateway.store.tables import METADATA
from edi_gateway.worlds import is_test, shown

EVENT: Final = METADATA.tables["event"]
PROVENANCE: Final = METADATA.tables["provenance"]
SHIPMENT: Final = METADATA.tables["shipment"]
AMENDMENT: Final = METADATA.tables["amendment"]

Number = tuple[str, str]  # carrier, tracking number
_AS_IS: Final = (
    "carrier", "tracking_number", "piece", "status", "reason", "mapped", "classifier", "direction", "correction",
    "raw_code", "code_list", "code_agency", "raw_reason", "text", "date_only", "time_basis", "account", "signatory",
)  # fmt: skip
# fmt: off
_DECIDES: Final[tuple[Any, ...]] = (
    EVENT.c.id, EVENT.c.shipment_id, EVENT.c.fingerprint, EVENT.c.carrier, EVENT.c.tracking_number, EVENT.c.piece,
    EVENT.c.status, EVENT.c.reason, EVENT.c.mapped, EVENT.c.classifier, EVENT.c.direction, EVENT.c.correction,
    EVENT.c.raw_code, EVENT.c.code_agency, EVENT.c.occurred_at, EVENT.c.date_only, EVENT.c.retracted,
    EVENT.c.received_at,
)
_TOLD: Final[tuple[Any, ...]] = (
    PROVENANCE.c.id, PROVENANCE.c.event_id, PROVENANCE.c.document_id, PROVENANCE.c.received_at, PROVENANCE.c.message,
    PROVENANCE.c.document_number, PROVENANCE.c.segment, PROVENANCE.c.start, PROVENANCE.c.function,
    PROVENANCE.c.issued_at, PROVENANCE.c.occurred_at, PROVENANCE.c.utc_offset, PROVENANCE.c.date_only,
    PROVENANCE.c.correction,
)
# fmt: on
_REPORTED: Final = (~EVENT.c.retracted | exists().where(PROVENANCE.c.event_id == EVENT.c.id)).label("reported")


class Stand(NamedTuple):
    """Where a shipment stood before anything of this was told."""

    status: Status = Status.UNKNOWN
    reason: str = ""
    estimated_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Shipment:
    """A shipment's row. ``values`` is what is stored of its state, empty while it is new."""

    number: Number
    id: int = 0
    epoch: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    stood: Stand = Stand()  # noqa: RUF009 -- it is frozen


@dataclass(slots=True, eq=False)
class Entry:
    """An event's row, stored or about to be."""

    event: TrackingEvent
    fingerprint: str
    received_at: datetime
    id: int = 0
    shipment: Shipment | None = None
    retracted: bool = False
    stood: bool = False  # it counted before
    reported: bool = True  # some document still tells of it
    reports: Sequence[Report] = ()
    stored: tuple[object, ...] = ()  # what its row says
    stated_at: datetime | None = None  # of an estimate, when it was stated last

    @property
    def says(self) -> tuple[object, ...]:
        """Equal to ``stored`` when the row need not be written."""
        return self.event, self.fingerprint, self.retracted

    @property
    def estimate(self) -> Estimate | None:
        """When it says the delivery is expected, taken as not retracted."""
        return Estimate(self.stated_at, self.event.occurred_at) if self.stated_at else None

    @property
    def history(self) -> HistoryEvent:
        """What of it decides where the shipment stands, taken as not retracted."""
        event = self.event
        return HistoryEvent(
            fingerprint=self.fingerprint,
            status=event.status,
            occurred_at=event.occurred_at,
            reason=event.reason,
            classifier=event.classifier,
            direction=event.direction,
            correction=event.correction,
            mapped=event.mapped,
            date_only=event.date_only,
        )


@dataclass(slots=True)
class Dossier:
    """One tracking number's shipments and events.

    ``entries`` and ``reports`` are those of the facts in question. Of all other events, ``settled``, only what
    decides the state of a shipment is loaded.
    """

    number: Number
    shipments: dict[int, Shipment] = field(default_factory=dict)
    settled: list[Entry] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be looked up: tracking numbers, and the facts that reports which come or go may change."""

    numbers: set[Number] = field(default_factory=set)
    facts: set[str] = field(default_factory=set)
    events: set[int] = field(default_factory=set)  # their facts are in question, too


def load(connection: Connection, question: Question, window: int) -> dict[Number, Dossier]:
    """The dossiers of these numbers, empty ones for those never heard of. ``window`` as in `fingerprint`."""
    dossiers = {number: Dossier(number) for number in sorted(question.numbers)}
    entries: list[Entry] = []
    for theirs in _by_number(question.numbers):
        for row in connection.execute(select(SHIPMENT).where(theirs)).all():
            number = (row.carrier, row.tracking_number)
            stood = Stand(row.status, row.reason, row.estimated_at)
            dossiers[number].shipments[row.id] = Shipment(number, row.id, row.epoch, row._asdict(), stood)
        known: Sequence[Any] = connection.execute(select(*_DECIDES, _REPORTED).join(SHIPMENT).where(theirs)).all()
        entries += [_entry(row, dossiers[row.carrier, row.tracking_number]) for row in known]
    _state(connection, {entry.id: entry for entry in entries if is_estimate(entry.event)})
    facts = question.facts | {entry.event.fact for entry in entries if entry.id in question.events}
    asked = {}
    for entry in entries:
        dossier = dossiers[entry.event.carrier, entry.event.tracking_number]
        if entry.event.fact in facts:
            asked[entry.id] = dossier.entries[entry.id] = entry
        else:
            dossier.settled.append(entry)
    for some in chunks(asked):
        for row in connection.execute(select(EVENT).where(EVENT.c.id.in_(some))).all():
            asked[row.id].event = event_of(row)
            asked[row.id].stored = asked[row.id].says
        for row in connection.execute(select(*_TOLD).where(PROVENANCE.c.event_id.in_(some))).all():
            event = asked[row.event_id].event
            dossiers[event.carrier, event.tracking_number].reports.append(_report(row, asked[row.event_id], window))
    return dossiers


def amendments(connection: Connection, dossiers: Collection[Dossier]) -> Mapping[str, Mapping[str, Sequence[Issue]]]:
    """Carrier → document number → what cancels or replaces it, for every number the dossiers' reports bear."""
    found: dict[str, dict[str, list[Issue]]] = defaultdict(lambda: defaultdict(list))
    borne = {report.document_number for dossier in dossiers for report in dossier.reports} - {""}
    for some in chunks(borne):
        for row in connection.execute(select(AMENDMENT).where(AMENDMENT.c.document_number.in_(some))):
            issue = Issue(row.function, row.issued_at, row.received_at, row.document_id)
            found[row.carrier][row.document_number].append(issue)
    return found


def full(connection: Connection, event_ids: Collection[int]) -> dict[int, TrackingEvent]:
    """Events with all that is stored of them, for those of which only what decides was loaded."""
    found: dict[int, TrackingEvent] = {}
    for some in chunks(event_ids):
        for row in connection.execute(select(EVENT).where(EVENT.c.id.in_(some))).all():
            found[row.id] = event_of(row)
    return found


def _state(connection: Connection, estimates: Mapping[int, Entry]) -> None:
    """Look up when estimates were stated last."""
    last = func.max(
        func.coalesce(PROVENANCE.c.issued_at, PROVENANCE.c.received_at), type_=PROVENANCE.c.received_at.type
    )
    told = select(PROVENANCE.c.event_id, last).where(PROVENANCE.c.function != MessageFunction.CANCELLATION)
    for some in chunks(estimates):
        these = told.where(PROVENANCE.c.event_id.in_(some)).group_by(PROVENANCE.c.event_id)
        for event_id, stated_at in connection.execute(these).all():
            estimates[event_id].stated_at = stated_at


def event_values(event: TrackingEvent) -> dict[str, Any]:
    """The columns an event's own words fill."""
    return {name: getattr(event, name) for name in _AS_IS} | {
        "occurred_at": event.occurred_at,
        "utc_offset": offset_of(event.occurred_at),
        "location_name": event.location.name,
        "unlocode": event.location.unlocode,
        "country": event.location.country,
        "references": {qualifier: list(values) for qualifier, values in event.references.items()},
    }


def event_of(row: Row[Any]) -> TrackingEvent:
    """The event a row of the event table tells, in the carrier's own offset, without a provenance."""
    return TrackingEvent(
        **{name: getattr(row, name) for name in _AS_IS},
        occurred_at=row.occurred_at.astimezone(_zone(row.utc_offset)),
        location=Location(row.location_name, row.unlocode, row.country),
        references={qualifier: tuple(values) for qualifier, values in row.references.items()},
    )


def shown_event(row: Row[Any]) -> TrackingEvent:
    """The same as customers see it: one of a test world bears its carrier's plain name."""
    event = event_of(row)
    return replace(event, carrier=shown(event.carrier)) if is_test(event.carrier) else event


@lru_cache(maxsize=256)
def _zone(minutes: int) -> tzinfo:
    return timezone(timedelta(minutes=minutes))


def _by_number(numbers: Collection[Number]) -> Iterator[Any]:
    of_carrier: dict[str, list[str]] = defaultdict(list)
    for carrier, tracking_number in numbers:
        of_carrier[carrier].append(tracking_number)
    for carrier, tracking_numbers in of_carrier.items():
        for some in chunks(tracking_numbers):
            yield (SHIPMENT.c.carrier == carrier) & SHIPMENT.c.tracking_number.in_(some)


def _entry(row: Row[Any], dossier: Dossier) -> Entry:
    return Entry(
        event=TrackingEvent(
            carrier=row.carrier,
            tracking_number=row.tracking_number,
            status=row.status,
            occurred_at=row.occurred_at,
            reason=row.reason,
            mapped=row.mapped,
            classifier=row.classifier,
            direction=row.direction,
            correction=row.correction,
            piece=row.piece,
            raw_code=row.raw_code,
            code_agency=row.code_agency,
            date_only=row.date_only,
        ),
        fingerprint=row.fingerprint,
        received_at=row.received_at,
        id=row.id,
        shipment=dossier.shipments[row.shipment_id],
        retracted=row.retracted,
        stood=not row.retracted,
        reported=bool(row.reported),
    )


def _report(row: Row[Any], entry: Entry, window: int) -> Report:
    occurred_at = row.occurred_at.astimezone(_zone(row.utc_offset))
    fingerprint = entry.fingerprint
    if row.date_only:  # it may have joined a timed event
        fingerprint = replace(entry.event, occurred_at=occurred_at, date_only=True).fingerprint(window)
    return Report(
        fingerprint=fingerprint,
        fact=entry.event.fact,
        occurred_at=occurred_at,
        date_only=row.date_only,
        correction=row.correction,
        issue=Issue(row.function, row.issued_at, row.received_at, row.document_id),
        document_number=row.document_number,
        message=row.message,
        segment=row.segment,
        start=row.start,
        id=row.id,
        event_id=entry.id,
    )
