"""All that is stored about one tracking number of one carrier: its events, their reports, its shipments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from edi_gateway.history import HistoryEvent
from edi_gateway.model import Location, TrackingEvent
from edi_gateway.store.engine import chunks
from edi_gateway.store.resolve import Issue, Report
from edi_gateway.store.tables import METADATA

EVENT: Final = METADATA.tables["event"]
PROVENANCE: Final = METADATA.tables["provenance"]
SHIPMENT: Final = METADATA.tables["shipment"]
AMENDMENT: Final = METADATA.tables["amendment"]

Number = tuple[str, str]  # carrier, tracking number
_AS_IS: Final = (
    "carrier", "tracking_number", "piece", "status", "reason", "mapped", "classifier", "direction", "correction",
    "raw_code", "code_list", "code_agency", "raw_reason", "text", "date_only", "time_basis", "account", "signatory",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Shipment:
    """A shipment's row. ``values`` is what is stored of its state, empty while it is new."""

    number: Number
    id: int = 0
    epoch: int = 0
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Entry:
    """An event's row, stored or about to be. ``stood`` says whether it counted before; ``stored`` what its row says."""

    event: TrackingEvent
    fingerprint: str
    received_at: datetime
    id: int = 0
    shipment: Shipment | None = None
    retracted: bool = False
    stood: bool = False
    reports: Sequence[Report] = ()
    stored: tuple[object, ...] = ()

    @property
    def says(self) -> tuple[object, ...]:
        """Equal to ``stored`` when the row need not be written."""
        return self.event, self.fingerprint, self.retracted, self.shipment

    @property
    def history(self) -> HistoryEvent:
        """What of it decides where the shipment stands, taken as not retracted."""
        event = self.event
        return HistoryEvent(
            self.fingerprint, event.status, event.occurred_at, event.reason, event.classifier, event.direction,
            event.correction, event.mapped, False, event.date_only,
        )  # fmt: skip


@dataclass(slots=True)
class Dossier:
    """One tracking number's events, reports and shipments."""

    number: Number
    shipments: dict[int, Shipment] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)


def load(connection: Connection, numbers: Collection[Number], window: int) -> dict[Number, Dossier]:
    """The dossiers of these numbers, empty ones for those never heard of. ``window`` as in `fingerprint`."""
    dossiers = {number: Dossier(number) for number in numbers}
    for theirs in _by_number(numbers):
        for row in connection.execute(select(SHIPMENT).where(theirs)):
            number = (row.carrier, row.tracking_number)
            dossiers[number].shipments[row.id] = Shipment(number, row.id, row.epoch, row._asdict())
        for row in connection.execute(select(EVENT).join(SHIPMENT).where(theirs)):
            dossier = dossiers[row.carrier, row.tracking_number]
            dossier.entries[row.id] = _entry(row, dossier.shipments[row.shipment_id])
        told = select(PROVENANCE, SHIPMENT.c.carrier, SHIPMENT.c.tracking_number)
        for row in connection.execute(told.select_from(PROVENANCE.join(EVENT).join(SHIPMENT)).where(theirs)):
            dossier = dossiers[row.carrier, row.tracking_number]
            dossier.reports.append(_report(row, dossier.entries[row.event_id], window))
    return dossiers


def amendments(
    connection: Connection, dossiers: Collection[Dossier]
) -> Mapping[str, Mapping[str, Sequence[Issue]]]:
    """Carrier → document number → what cancels or replaces it, for every number the dossiers' reports bear."""
    found: dict[str, dict[str, list[Issue]]] = defaultdict(lambda: defaultdict(list))
    borne = {report.document_number for dossier in dossiers for report in dossier.reports} - {""}
    for some in chunks(borne):
        for row in connection.execute(select(AMENDMENT).where(AMENDMENT.c.document_number.in_(some))):
            issue = Issue(row.function, row.issued_at, row.received_at, row.document_id)
            found[row.carrier][row.document_number].append(issue)
    return found


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


def offset_of(moment: datetime) -> int:
    """Minutes the moment's own clock is ahead of UTC."""
    return int((moment.utcoffset() or timedelta()).total_seconds()) // 60


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


def _entry(row: Row[Any], shipment: Shipment) -> Entry:
    entry = Entry(
        event=event_of(row),
        fingerprint=row.fingerprint,
        received_at=row.received_at,
        id=row.id,
        shipment=shipment,
        retracted=row.retracted,
        stood=not row.retracted,
    )
    entry.stored = entry.says
    return entry


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
