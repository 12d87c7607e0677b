"""Shipments by the million, written by the database itself straight into the tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from edi_gateway.store.engine import Database

CUSTOMER: Final = "globex"
_CARRIER: Final = "kurier"
_BEGUN: Final = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
_HISTORY: Final = (
    ("PENDING", "ACT", "Order information received"),
    ("DELIVERED", "EST", "Delivery expected"),
    ("PICKED_UP", "ACT", "Picked up"),
    *(("IN_TRANSIT", "ACT", text) for text in ("Departed", "Arrived at hub", "Sorted", "Arrived at depot")),
    ("OUT_FOR_DELIVERY", "ACT", "In delivery"),
    ("ATTEMPT_FAILURE", "ACT", "Nobody at home"),
    ("DELIVERED", "ACT", "Delivered to the recipient"),
)
EVENTS: Final = len(_HISTORY)
_DOCUMENT: Final = """
INSERT INTO document (id, channel, carrier, name, digest, size, received_at, state, messages, events_new,
  events_duplicate, events_retracted, events_unmapped, findings, error, reading)
VALUES (1, 'kurier/files', 'kurier', 'bulk', 'none', 0, '{begun}', 'processed', 0, 0, 0, 0, 0, 0, '', '')
"""
_NUMBERS: Final = (
    "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count}) INSERT INTO "
)
_SHIPMENTS: Final = """
shipment (id, carrier, tracking_number, epoch, status, reason, direction, status_at, fingerprint, first_event_at,
  last_event_at, earliest_at, latest_at, milestones, tracking_state)
SELECT n, 'kurier', 'KU' || (100000000 + n), 1, 'DELIVERED', '', 'forward', {last}, '', {first}, {last}, {first},
  {last}, {milestones}, 'active' FROM number
"""
_TRACKERS: Final = """
tracker (id, public_id, customer, carrier, tracking_number, shipment_id, origin, state, created_at)
SELECT n, '00000000-0000-4000-8000-' || (100000000000 + n), 'globex', 'kurier', 'KU' || (100000000 + n), n, 'rule',
  'active', {first} FROM number
"""
_EVENTS: Final = """
event (id, shipment_id, fingerprint, carrier, tracking_number, piece, status, reason, mapped, classifier, direction,
  correction, raw_code, code_list, code_agency, raw_reason, text, occurred_at, utc_offset, date_only, time_basis,
  location_name, unlocode, country, account, signatory, "references", retracted, received_at)
SELECT {base} + n, n, '{hour:08x}000000' || (100000000000000000 + {base} + n), 'kurier', 'KU' || (100000000 + n), '',
  '{status}', '', TRUE, '{classifier}', 'forward', FALSE, '{step}', '', '', '', '{text}', {at}, 60, FALSE, 'offset',
  'Hamburg', 'DEHAM', 'DE', '4711', '', {references}, FALSE, {at} FROM number
"""
_PROVENANCE: Final = """
provenance (id, event_id, document_id, received_at, interchange, message, document_number, segment, start, "end",
  mapping, mapping_version, rule, function, issued_at, occurred_at, utc_offset, date_only, correction)
SELECT {base} + n, {base} + n, 1, {at}, '1', 'M' || n, '', 5, 100, 200, 'kurier/iftsta', 'a1b2c3d4',
  'codes.yaml:12', 'original', {at}, {at}, 60, FALSE, FALSE FROM number
"""


def number_of(shipment: int) -> str:
    """The tracking number of that one; they count from 1."""
    return f"KU{100_000_000 + shipment}"


def store(db: Database, count: int) -> None:
    """Store that many shipments of ten events, all of them the customer's.

    A shipment's events lie far apart, as they do where all shipments of a day are scanned before any is scanned
    again. Raises StorageError as the database does.
    """
    with db.write() as connection:
        indexes = _without_indexes(connection)
        connection.exec_driver_sql(_DOCUMENT.format(begun=_BEGUN.isoformat(" ")))
        words = _words(connection, count)
        for table in (_SHIPMENTS, _TRACKERS):
            connection.exec_driver_sql((_NUMBERS + table).format(**words))
        for step, (status, classifier, text) in enumerate(_HISTORY):
            told = {"base": step * count, "step": step, "status": status, "classifier": classifier, "text": text}
            at = _instant(connection, _BEGUN + step * timedelta(hours=5))
            hour = int((_BEGUN + step * timedelta(hours=5)).timestamp()) // 3600
            for table in (_EVENTS, _PROVENANCE):
                connection.exec_driver_sql((_NUMBERS + table).format(**words, **told, at=at, hour=hour))
        for index in indexes:
            connection.exec_driver_sql(index)
    with db.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def _words(connection: Connection, count: int) -> Mapping[str, object]:
    first, last = _BEGUN, _BEGUN + (EVENTS - 1) * timedelta(hours=5)
    times = f'["{first.isoformat()}", "{last.isoformat()}"]'
    reached = ", ".join(f'"{status}": {times}' for status in dict.fromkeys(status for status, _, _ in _HISTORY))
    return {
        "count": count,
        "first": _instant(connection, first),
        "last": _instant(connection, last),
        "milestones": _structure(connection, f"{{{reached}}}"),
        "references": _structure(connection, '{"CU": ["ORDER-1"]}'),
    }


def _instant(connection: Connection, moment: datetime) -> str:
    """Within the hour, each shipment has a minute and a second of its own."""
    own = f"'{moment:%Y-%m-%d %H}:' || (10 + n - n / 50 * 50) || ':' || (10 + n / 50 - n / 2500 * 50)"
    if connection.dialect.name == "postgresql":
        return f"CAST({own} || '+00' AS timestamptz)"
    return f"{own} || '.000000'"


def _structure(connection: Connection, said: str) -> str:
    return f"CAST('{said}' AS jsonb)" if connection.dialect.name == "postgresql" else f"'{said}'"


def _without_indexes(connection: Connection) -> list[str]:
    """Drop the indexes of the large tables; returns how to make them again, which is faster than to let them grow."""
    theirs = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('event', 'provenance')"
        if connection.dialect.name == "postgresql"
        else "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('event', 'provenance')"
    )
    found = [(name, made) for name, made in connection.exec_driver_sql(theirs).all() if made]
    ours = [(name, made) for name, made in found if name.startswith("ix_")]
    for name, _ in ours:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    return [made for _, made in ours]
