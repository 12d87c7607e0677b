"""Writes reconciled events and shipments, one statement for each kind of row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, update

from edi_gateway.model import TrackingEvent
from edi_gateway.store.dossier import EVENT, PROVENANCE, SHIPMENT, Dossier, Entry, event_values, offset_of
from edi_gateway.store.engine import chunks, reserve_ids, storable
from edi_gateway.store.reconcile import Epoch, shipment_values
from edi_gateway.store.resolve import Report
from edi_gateway.store.tables import METADATA, TrackingState

OUTBOX: Final = METADATA.tables["outbox"]


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
        rows = [{"this": entry.id, "shipment_id": epoch.shipment.id} for epoch, entry in moved]
        connection.execute(update(EVENT).where(EVENT.c.id == bindparam("this")), rows)
        connection.execute(update(OUTBOX).where(OUTBOX.c.event_id == bindparam("this")), rows)
    for some in chunks(gone):
        connection.execute(delete(SHIPMENT).where(SHIPMENT.c.id.in_(some)))


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
    if new:
        connection.execute(insert(SHIPMENT), [_shipment_row(epoch) for epoch in new])


def _shipment_row(epoch: Epoch) -> dict[str, Any]:
    carrier, tracking_number = epoch.shipment.number
    named = {"id": epoch.shipment.id, "carrier": carrier, "tracking_number": tracking_number}
    return epoch.shipment.values | named | {"tracking_state": TrackingState.ACTIVE}


def _assign(epochs: Iterable[Epoch]) -> list[tuple[Epoch, Entry]]:
    """Point every event at its shipment; return stored ones that pointed at another."""
    moved = []
    for epoch in epochs:
        for entry in epoch.entries:
            if entry.id and entry.shipment is not epoch.shipment:
                moved.append((epoch, entry))
            entry.shipment = epoch.shipment
    return moved


def _write_events(connection: Connection, entries: Sequence[Entry]) -> None:
    changed = [
        _event_row(entry) | {"this": entry.id} for entry in entries if entry.stored and entry.says != entry.stored
    ]
    if changed:
        connection.execute(update(EVENT).where(EVENT.c.id == bindparam("this")), changed)
    new = [entry for entry in entries if not entry.id]
    for entry, key in zip(new, reserve_ids(connection, EVENT, len(new)), strict=True):
        entry.id = key
    if new:
        connection.execute(insert(EVENT), [_event_row(entry) | {"id": entry.id} for entry in new])


def _event_row(entry: Entry) -> dict[str, Any]:
    return event_values(entry.event) | {
        "fingerprint": entry.fingerprint,
        "retracted": entry.retracted,
        "received_at": entry.received_at,
        "shipment_id": entry.shipment.id if entry.shipment else None,
    }


def _write_provenance(connection: Connection, entries: Sequence[Entry], events: Mapping[Report, TrackingEvent]) -> None:
    """Store new reports with their events, and take along those whose event is another one now."""
    told = [(entry, report) for entry in entries for report in entry.reports]
    new = [_provenance_row(entry, report, events[report]) for entry, report in told if not report.id]
    moved = [
        {"this": report.id, "event_id": entry.id} for entry, report in told if report.id and report.event_id != entry.id
    ]
    if moved:
        connection.execute(update(PROVENANCE).where(PROVENANCE.c.id == bindparam("this")), moved)
    if new:
        connection.execute(insert(PROVENANCE), new)


def _provenance_row(entry: Entry, report: Report, event: TrackingEvent) -> dict[str, Any]:
    source = event.provenance
    return {
        "event_id": entry.id,
        "document_id": report.issue.document_id,
        "received_at": report.issue.received_at,
        "interchange": storable(source.interchange),
        "message": report.message,
        "document_number": report.document_number,
        "segment": report.segment,
        "start": report.start,
        "end": source.end,
        "mapping": source.mapping,
        "mapping_version": source.mapping_version,
        "rule": source.rule,
        "function": report.issue.function,
        "issued_at": report.issue.issued_at,
        "occurred_at": report.occurred_at,
        "utc_offset": offset_of(report.occurred_at),
        "date_only": report.date_only,
        "correction": report.correction,
    }
