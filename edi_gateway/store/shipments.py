"""Reading what is known: a tracking number's history, codes no table knew, and how much of everything there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, select, text

from edi_gateway.model import Direction, MessageFunction, Provenance, Severity, Status, TrackingEvent
from edi_gateway.store.dossier import EVENT, PROVENANCE, SHIPMENT, event_of
from edi_gateway.store.engine import Database, chunks
from edi_gateway.store.tables import METADATA, FindingState, OutboxState, TrackingState
from edi_gateway.worlds import MARK

DOCUMENT: Final = METADATA.tables["document"]
FINDING: Final = METADATA.tables["finding"]
OUTBOX: Final = METADATA.tables["outbox"]
DELIVERY: Final = METADATA.tables["delivery"]
_CODE: Final = (EVENT.c.carrier, EVENT.c.code_list, EVENT.c.code_agency, EVENT.c.raw_code, EVENT.c.raw_reason)

_UNMAPPED: Final = text("NOT mapped AND NOT retracted")  # worded as the partial index is, so that SQLite uses it


@dataclass(frozen=True, slots=True)
class Source:
    """One report of an event: the document it came in and the place there."""

    document_id: int
    received_at: datetime
    function: MessageFunction
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event as stored, with everybody who reported it, first report first."""

    id: int
    event: TrackingEvent
    retracted: bool
    received_at: datetime
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class KnownShipment:
    """A shipment, where it stands, and its events in the order they happened."""

    id: int
    carrier: str
    tracking_number: str
    epoch: int
    status: Status
    reason: str
    direction: Direction
    status_at: datetime | None
    tracking_state: TrackingState
    milestones: Mapping[Status, tuple[datetime, datetime]]
    events: tuple[KnownEvent, ...]


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A code no table knew, with the latest report that bore it as an example."""

    carrier: str
    code_list: str
    code_agency: str
    raw_code: str
    raw_reason: str
    count: int
    first_seen: datetime
    last_seen: datetime
    document_id: int
    segment: int


@dataclass(frozen=True, slots=True)
class Overview:
    """How much there is of everything."""

    documents: Mapping[str, int]  # by state
    open_findings: int  # quarantined and not looked at
    shipments: int
    events: int
    unmapped_codes: int
    pending: Mapping[str, int]  # owed events by destination
    refused: Mapping[str, int]
    deliveries: Mapping[tuple[str, str], int]  # by destination and state


def history(db: Database, tracking_number: str, carrier: str | None = None) -> list[KnownShipment]:
    """Every shipment that bore the number, earliest epoch first within its carrier."""
    wanted = select(SHIPMENT).where(SHIPMENT.c.tracking_number == tracking_number)
    wanted = wanted if carrier is None else wanted.where(SHIPMENT.c.carrier == carrier)
    with db.read() as connection:
        shipments = connection.execute(wanted.order_by(SHIPMENT.c.carrier, SHIPMENT.c.epoch)).all()
        events = _events(connection, [row.id for row in shipments])
    return [_known_shipment(row, events[row.id]) for row in shipments]


def unmapped(db: Database) -> list[Unmapped]:
    """Codes no table knew, the most frequent first; each is a line missing in a mapping. Test data is left out."""
    groups = (
        select(
            *_CODE,
            func.count().label("seen"),
            func.min(EVENT.c.received_at).label("first_seen"),
            func.max(EVENT.c.received_at).label("last_seen"),
            func.max(EVENT.c.id).label("example"),
        )
        .where(_UNMAPPED, _of(EVENT.c.carrier, test=False))
        .group_by(*_CODE)
    )
    with db.read() as connection:
        rows = connection.execute(groups).all()
        examples: dict[int, tuple[int, int]] = {}
        for some in chunks(row.example for row in rows):
            told = select(PROVENANCE).where(PROVENANCE.c.event_id.in_(some)).order_by(PROVENANCE.c.id)
            examples.update((row.event_id, (row.document_id, row.segment)) for row in connection.execute(told))
    found = [_unmapped(row, *examples.get(row.example, (0, 0))) for row in rows]
    return sorted(found, key=lambda group: (-group.count, group.carrier, group.code_agency, group.raw_code))


def overview(db: Database, *, test: bool = False) -> Overview:
    """How much there is of everything, at one moment: of live data, or of test data."""
    with db.read() as connection:
        documents = _counted(connection, DOCUMENT.c.state, where=_of(DOCUMENT.c.carrier, test=test))
        owed = _counted(connection, OUTBOX.c.state, OUTBOX.c.destination, where=_of(OUTBOX.c.destination, test=test))
        sent = (DELIVERY.c.destination, DELIVERY.c.state)
        aside = (FINDING.c.state == FindingState.OPEN) & (FINDING.c.severity == Severity.QUARANTINE)
        of_document = FINDING.c.document_id.in_(select(DOCUMENT.c.id).where(_of(DOCUMENT.c.carrier, test=True)))
        return Overview(
            documents={state.value: count for (state,), count in documents},
            open_findings=_count(connection, FINDING, aside, of_document if test else ~of_document),
            shipments=_count(connection, SHIPMENT, _of(SHIPMENT.c.carrier, test=test)),
            events=_count(connection, EVENT, _of(EVENT.c.carrier, test=test)),
            unmapped_codes=_count(connection, EVENT, _UNMAPPED, _of(EVENT.c.carrier, test=test)),
            pending={at: count for (state, at), count in owed if state is OutboxState.PENDING},
            refused={at: count for (state, at), count in owed if state is OutboxState.REFUSED},
            deliveries={
                (at, state.value): count
                for (at, state), count in _counted(connection, *sent, where=_of(DELIVERY.c.destination, test=test))
            },
        )


def _of(name: ColumnElement[str], *, test: bool) -> ColumnElement[bool]:
    """Whether carriers or destinations of that name are of a test world, or of the live one."""
    return name.startswith(MARK) if test else ~name.startswith(MARK)


def _counted(
    connection: Connection, *columns: ColumnElement[Any], where: ColumnElement[bool]
) -> list[tuple[tuple[Any, ...], int]]:
    rows = connection.execute(select(*columns, func.count()).where(where).group_by(*columns).order_by(*columns))
    return [(tuple(row[:-1]), row[-1]) for row in rows]


def _count(connection: Connection, table: Any, *conditions: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())


def _events(connection: Connection, shipment_ids: list[int]) -> Mapping[int, list[KnownEvent]]:
    """Shipment → its events in the order they happened."""
    theirs = EVENT.c.shipment_id.in_(shipment_ids)
    sources: dict[int, list[Source]] = defaultdict(list)
    told = select(PROVENANCE).select_from(PROVENANCE.join(EVENT)).where(theirs).order_by(PROVENANCE.c.id)
    for row in connection.execute(told):
        sources[row.event_id].append(_source(row))
    events: dict[int, list[KnownEvent]] = defaultdict(list)
    for row in connection.execute(select(EVENT).where(theirs).order_by(EVENT.c.occurred_at, EVENT.c.id)):
        known = KnownEvent(row.id, event_of(row), row.retracted, row.received_at, tuple(sources[row.id]))
        events[row.shipment_id].append(known)
    return events


def _unmapped(row: Row[Any], document_id: int, segment: int) -> Unmapped:
    return Unmapped(
        carrier=row.carrier,
        code_list=row.code_list,
        code_agency=row.code_agency,
        raw_code=row.raw_code,
        raw_reason=row.raw_reason,
        count=row.seen,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        document_id=document_id,
        segment=segment,
    )


def _source(row: Row[Any]) -> Source:
    place = Provenance(
        interchange=row.interchange,
        message=row.message,
        document_number=row.document_number,
        segment=row.segment,
        start=row.start,
        end=row.end,
        mapping=row.mapping,
        mapping_version=row.mapping_version,
        rule=row.rule,
    )
    return Source(row.document_id, row.received_at, row.function, place)


def _known_shipment(row: Row[Any], events: list[KnownEvent]) -> KnownShipment:
    milestones = {
        Status(status): (datetime.fromisoformat(first), datetime.fromisoformat(last))
        for status, (first, last) in row.milestones.items()
    }
    return KnownShipment(
        id=row.id,
        carrier=row.carrier,
        tracking_number=row.tracking_number,
        epoch=row.epoch,
        status=row.status,
        reason=row.reason,
        direction=row.direction,
        status_at=row.status_at,
        tracking_state=row.tracking_state,
        milestones=milestones,
        events=tuple(events),
    )
