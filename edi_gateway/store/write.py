"""Writes reconciled events and shipments, one statement for each kind of row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import Connection, bindparam, delete, update

from edi_gateway.model import TrackingEvent
from edi_gateway.store import heirs, line, rows
from edi_gateway.store.bulk import Row, instants
from edi_gateway.store.dossier import EVENT, PROVENANCE, SHIPMENT, Dossier, Entry, event_values
from edi_gateway.store.engine import chunks, reserve_ids
from edi_gateway.store.reconcile import Epoch, shipment_values
from edi_gateway.store.resolve import Report
from edi_gateway.store.rows import offset_of
from edi_gateway.store.tables import METADATA

OUTBOX: Final = METADATA.tables["outbox"]
TOLD: Final = METADATA.tables["told"]


def write(
    connection: Connection,
    dossiers: Iterable[Dossier],
    epochs: Sequence[Epoch],
    events: Mapping[Report, TrackingEvent],
) -> None:
    """Store the epochs in place of what the dossiers hold; ``events`` are the reports not stored yet.

    Shipments first, because events point at them; rows that change before rows that come. Gives new rows their ids.
    """
    kept = {epoch.shipment.id for epoch in epochs}
    gone = [shipment for dossier in dossiers for shipment in dossier.shipments if shipment not in kept]
    renumbered = [epoch.shipment.id for epoch in epochs if epoch.shipment.epoch not in (0, epoch.number)]
    for some in chunks([*gone, *renumbered]):  # out of each other's way: the number is part of a unique key
        connection.execute(update(SHIPMENT).where(SHIPMENT.c.id.in_(some)).values(epoch=-SHIPMENT.c.epoch))
    _write_shipments(connection, epochs)
    moved = _assign(epochs)
    entries = [entry for epoch in epochs for entry in epoch.entries]
    _write_events(connection, entries)
    _write_provenance(connection, entries, events)
    if moved:
        theirs = [{"this": entry.id, "shipment_id": epoch.shipment.id} for epoch, entry, _ in moved]
        connection.execute(update(EVENT).where(EVENT.c.id == bindparam("this")), theirs)
        connection.execute(update(OUTBOX).where(OUTBOX.c.event_id == bindparam("this")), theirs)
        now = {entry.id: epoch.shipment.id for epoch, entry, _ in moved}
        heirs.follow(connection, now, {was: epoch.shipment.id for epoch, _, was in moved if was in gone})
    for some in chunks(gone):
        connection.execute(delete(TOLD).where(TOLD.c.shipment_id.in_(some)))
        connection.execute(delete(SHIPMENT).where(SHIPMENT.c.id.in_(some)))
    line.leave(connection, gone)


def _write_shipments(connection: Connection, epochs: Sequence[Epoch]) -> None:
    new = [epoch for epoch in epochs if not epoch.shipment.id]
    changed = []
    for epoch in epochs:
        values = shipment_values(epoch)
        stored = epoch.shipment.values
        if stored and any(stored[name] != value for name, value in values.items()):
            changed.append(values | {"this": epoch.shipment.id})
        epoch.shipment.values = values
    if changed:
        connection.execute(update(SHIPMENT).where(SHIPMENT.c.id == bindparam("this")), changed)
    for epoch, key in zip(new, reserve_ids(connection, SHIPMENT, len(new)), strict=True):
        epoch.shipment.id = key
    rows.insert_shipments(connection, [_shipment_row(epoch, instants(connection)) for epoch in new])


def _shipment_row(epoch: Epoch, instant: Callable[[datetime], str]) -> Row:
    state = (epoch.shipment.values[name] for name in rows.STATE)
    return epoch.shipment.id, *(_plain(value, instant) for value in state), epoch.number, *epoch.shipment.number


def _plain(value: object, instant: Callable[[datetime], str]) -> str | None:
    """A column's value as it stands in a row."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return instant(value)
    return rows.structure(value) if isinstance(value, dict) else cast("str | None", value)


def _assign(epochs: Iterable[Epoch]) -> list[tuple[Epoch, Entry, int]]:
    """Point every event at its shipment; return stored ones that pointed at another, and at which."""
    moved = []
    for epoch in epochs:
        for entry in epoch.entries:
            if entry.id and entry.shipment is not epoch.shipment:
                moved.append((epoch, entry, entry.shipment.id if entry.shipment else 0))
            entry.shipment = epoch.shipment
    return moved


def _write_events(connection: Connection, entries: Sequence[Entry]) -> None:
    changed = [_changed_row(entry) for entry in entries if entry.stored and entry.says != entry.stored]
    if changed:
        connection.execute(update(EVENT).where(EVENT.c.id == bindparam("this")), changed)
    new = [entry for entry in entries if not entry.id]
    for entry, key in zip(new, reserve_ids(connection, EVENT, len(new)), strict=True):
        entry.id = key
    instant = instants(connection)
    values: list[str | int | None] = []
    for entry in new:
        values += rows.event_row(
            rows.words_of(entry.event),
            rows.structure(entry.event.references),
            instant(entry.event.occurred_at),
            offset_of(entry.event.occurred_at),
            entry.id,
            entry.fingerprint,
            entry.shipment.id if entry.shipment else 0,
            entry.retracted.real,
            instant(entry.received_at),
        )
    rows.insert_events(connection, values)


def _changed_row(entry: Entry) -> dict[str, Any]:
    return event_values(entry.event) | {
        "this": entry.id,
        "fingerprint": entry.fingerprint,
        "retracted": entry.retracted,
        "received_at": entry.received_at,
        "shipment_id": entry.shipment.id if entry.shipment else None,
    }


def _write_provenance(connection: Connection, entries: Sequence[Entry], events: Mapping[Report, TrackingEvent]) -> None:
    """Store new reports with their events, and take along those whose event is another one now."""
    told = [(entry, report) for entry in entries for report in entry.reports]
    instant = instants(connection)
    new: list[str | int | None] = []
    for entry, report in told:
        if not report.id:
            new += _provenance_row(entry, report, events[report], instant)
    moved = [
        {"this": report.id, "event_id": entry.id} for entry, report in told if report.id and report.event_id != entry.id
    ]
    if moved:
        connection.execute(update(PROVENANCE).where(PROVENANCE.c.id == bindparam("this")), moved)
    rows.insert_provenance(connection, new)


def _provenance_row(entry: Entry, report: Report, event: TrackingEvent, instant: Callable[[datetime], str]) -> Row:
    issue = report.issue
    issued_at = instant(issue.issued_at) if issue.issued_at else None
    return rows.provenance_row(
        rows.place_of(event.provenance),
        entry.id,
        instant(report.occurred_at),
        offset_of(report.occurred_at),
        report.date_only.real,
        report.correction.real,
        (issue.document_id, instant(issue.received_at), issue.function.value, issued_at, report.document_number),
    )
