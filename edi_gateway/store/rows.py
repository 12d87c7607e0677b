"""Rows of events, their provenance and shipments, as `bulk` takes them: one place says which column holds what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from json.encoder import encode_basestring_ascii as _quoted
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection

from edi_gateway.model import Provenance, TrackingEvent
from edi_gateway.store.bulk import Row, insert_rows, update_rows
from edi_gateway.store.tables import TrackingState

_WORDS: Final = (
    *("carrier", "tracking_number", "piece", "reason", "raw_code", "code_list", "code_agency", "raw_reason"),
    *("text", "account", "signatory", "location_name", "unlocode", "country"),
    *("status", "classifier", "direction", "time_basis", "mapped", "correction", "date_only"),
)
_PLACE: Final = ("interchange", "message", "segment", "start", "end", "mapping", "mapping_version", "rule")
_EVENT: Final = (
    *_WORDS, "references", "occurred_at", "utc_offset", "id", "fingerprint", "shipment_id", "retracted", "received_at",
)  # fmt: skip
_PROVENANCE: Final = (
    *_PLACE, "event_id", "occurred_at", "utc_offset", "date_only", "correction",
    "document_id", "received_at", "function", "issued_at", "document_number",
)  # fmt: skip
# What of a shipment its events decide, its epoch apart.
STATE: Final = (
    "status", "reason", "direction", "status_at", "fingerprint", "first_event_at", "last_event_at", "milestones",
    "estimated_at", "estimate_stated_at", "earliest_at", "latest_at",
)  # fmt: skip
_ACTIVE: Final = TrackingState.ACTIVE.value
_SHIPMENT: Final = ("id", *STATE, "epoch", "carrier", "tracking_number", "tracking_state")

# Of a provenance: the columns it fills, interchange and message first.
place_of: Final[Callable[[Provenance], tuple[Any, ...]]] = attrgetter(*_PLACE)
OF_CARRIER: Final = slice(14)  # of an event's words, those the carrier wrote
OF_MESSAGE: Final = slice(2)  # of a place, the same


def words_of(event: TrackingEvent) -> tuple[Any, ...]:
    """The columns an event fills with its own words, carrier and tracking number first.

    Words as plain text and flags as numbers: the driver looks long at anything else.
    """
    place = event.location
    return (
        event.carrier,
        event.tracking_number,
        event.piece,
        event.reason,
        event.raw_code,
        event.code_list,
        event.code_agency,
        event.raw_reason,
        event.text,
        event.account,
        event.signatory,
        place.name,
        place.unlocode,
        place.country,
        event.status._value_,
        event.classifier._value_,
        event.direction._value_,
        event.time_basis._value_,
        +event.mapped,
        +event.correction,
        +event.date_only,
    )


def event_row(
    words: tuple[Any, ...],
    references: str,
    occurred_at: str,
    utc_offset: int,
    key: int,
    fingerprint: str,
    shipment_id: int,
    retracted: int,
    received_at: str,
) -> Row:
    """An event's row. Instants are as `instants` writes them, the offset is in minutes."""
    told = (references, occurred_at, utc_offset, key, fingerprint, shipment_id, retracted, received_at)
    return words + told


def provenance_row(
    place: tuple[Any, ...],
    event_id: int,
    occurred_at: str,
    utc_offset: int,
    date_only: int,
    correction: int,
    message: tuple[int, str, str, str | None, str],
) -> Row:
    """The row of one report of an event; of its message the document, when it was received, its function, when it was
    issued, and its number.
    """
    return place + (event_id, occurred_at, utc_offset, date_only, correction) + message  # noqa: RUF005  # half the time


def insert_events(connection: Connection, values: Sequence[str | int | None]) -> None:
    """Store what `event_row` made, one after the other."""
    insert_rows(connection, "event", _EVENT, values)


def insert_provenance(connection: Connection, values: Sequence[str | int | None]) -> None:
    """Store what `provenance_row` made, one after the other."""
    insert_rows(connection, "provenance", _PROVENANCE, values)


def insert_shipments(connection: Connection, rows: Sequence[Row]) -> None:
    """Store shipments nobody heard of before: id, the columns of ``STATE``, epoch, carrier, tracking number."""
    insert_rows(connection, "shipment", _SHIPMENT, [value for row in rows for value in (*row, _ACTIVE)])


def update_shipments(connection: Connection, rows: Sequence[Row]) -> None:
    """Store how known shipments stand now: id and the columns of ``STATE``."""
    update_rows(connection, "shipment", ("id", *STATE), rows)


def structure(words: Mapping[str, Sequence[str]]) -> str:
    """Lists of words under their names, in JSON, as `json.dumps` writes them."""
    if not words:
        return "{}"
    lists = [
        f"{_quoted(name)}: [{_quoted(those[0]) if len(those) == 1 else ', '.join(map(_quoted, those))}]"
        for name, those in words.items()
    ]
    return f"{{{', '.join(lists)}}}"


def offset_of(moment: datetime) -> int:
    """Minutes the moment's own clock is ahead of UTC."""
    return minutes(moment.utcoffset() or timedelta())


def minutes(ahead: timedelta) -> int:
    """Whole minutes."""
    return ahead.days * 1440 + ahead.seconds // 60
