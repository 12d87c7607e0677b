"""The events of shipments as customers read them: thousands in one answer, so they are read by columns."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Integer, Select, String, select, type_coerce

from edi_gateway.model import Classifier, Direction, Location, Status, TimeBasis, TrackingEvent
from edi_gateway.store.bulk import among, listed, stored_text
from edi_gateway.store.dossier import EVENT
from edi_gateway.worlds import shown

# In this order; what the driver gives is taken as it is, without SQLAlchemy's own reading of each value.
_TEXTS: Final = (
    "fingerprint", "carrier", "tracking_number", "piece", "status", "reason", "classifier", "direction", "raw_code",
    "code_list", "code_agency", "raw_reason", "text", "time_basis", "location_name", "unlocode", "country", "account",
    "signatory",
)  # fmt: skip
_FLAGS: Final = ("mapped", "correction", "date_only")
_STATUS: Final = {each.value: each for each in Status}
_CLASSIFIER: Final = {each.value: each for each in Classifier}
_DIRECTION: Final = {each.value: each for each in Direction}
_BASIS: Final = {each.value: each for each in TimeBasis}


class Scan(NamedTuple):
    """An event of a shipment as it stands, without its provenance. ``key`` names it towards customers."""

    key: str
    event: TrackingEvent


def scans(connection: Connection, shipment_ids: Sequence[int]) -> Mapping[int, Sequence[Scan]]:
    """Shipment → its events that stand, in the order they happened."""
    found: dict[int, list[Scan]] = defaultdict(list)
    rows = connection.execute(_query(connection.dialect.name), {"ids": listed(connection, shipment_ids)})
    for row in rows.all():
        found[row[0]].append(_scan(*row[1:]))
    return found


@lru_cache
def _query(dialect: str) -> Select[Any]:
    told = (type_coerce(EVENT.c[name], String).label(f"its_{name}") for name in _TEXTS)
    flags = (type_coerce(EVENT.c[name], Integer).label(f"its_{name}") for name in _FLAGS)
    at = type_coerce(EVENT.c.occurred_at, String).label("at")
    references = stored_text(dialect, EVENT.c.references).label("named")
    return (
        select(EVENT.c.shipment_id, *told, *flags, at, EVENT.c.utc_offset, references)
        .where(among(dialect, EVENT.c.shipment_id, "ids"), ~EVENT.c.retracted)
        .order_by(EVENT.c.occurred_at, EVENT.c.id)
    )


def _scan(  # the columns of a row
    key: str,
    carrier: str,
    tracking_number: str,
    piece: str,
    status: str,
    reason: str,
    classifier: str,
    direction: str,
    raw_code: str,
    code_list: str,
    code_agency: str,
    raw_reason: str,
    text: str,
    time_basis: str,
    location_name: str,
    unlocode: str,
    country: str,
    account: str,
    signatory: str,
    mapped: int,
    correction: int,
    date_only: int,
    at: str | datetime,
    utc_offset: int,
    references: str,
) -> Scan:
    event = TrackingEvent(
        carrier=shown(carrier),
        tracking_number=tracking_number,
        status=_STATUS[status],
        occurred_at=_instant(at).astimezone(_zone(utc_offset)),
        reason=reason,
        mapped=bool(mapped),
        classifier=_CLASSIFIER[classifier],
        direction=_DIRECTION[direction],
        correction=bool(correction),
        piece=piece,
        raw_code=raw_code,
        code_list=code_list,
        code_agency=code_agency,
        raw_reason=raw_reason,
        text=text,
        date_only=bool(date_only),
        time_basis=_BASIS[time_basis],
        location=_location(location_name, unlocode, country),
        account=account,
        signatory=signatory,
        references=_words(references) if references != "{}" else {},
    )
    return Scan(key, event)


def _instant(at: str | datetime) -> datetime:
    """SQLite keeps instants in UTC as text."""
    return at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC)


@lru_cache(maxsize=256)
def _zone(minutes: int) -> tzinfo:
    return timezone(timedelta(minutes=minutes))


@lru_cache(maxsize=4096)
def _location(name: str, unlocode: str, country: str) -> Location:
    return Location(name, unlocode, country)


def _words(references: str) -> Mapping[str, tuple[str, ...]]:
    return {qualifier: tuple(values) for qualifier, values in json.loads(references).items()}
