"""Acknowledgements that are missing: partners' of what we delivered, and ours of what came. Each is an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from edi_gateway.pipeline.partners import Destination, Outlet
from edi_gateway.pipeline.views import utc
from edi_gateway.store import answers, statements
from edi_gateway.store.alarms import AlarmKind, clear_alarm, raise_alarm
from edi_gateway.store.engine import Database


def tell_overdue(db: Database, destinations: Sequence[Destination], outlets: Sequence[Outlet], now: datetime) -> None:
    """Let the alarms say what is true now. Cheap when nothing is amiss. Raises StorageError."""
    names = [destination.name for destination in destinations]
    overdue, rejected = statements.overdue(db, names, now), statements.rejected(db, names)
    for name in names:
        _tell(db, AlarmKind.OVERDUE, name, _overdue(name, overdue[name]) if name in overdue else "")
        _tell(db, AlarmKind.REJECTED, name, _rejected(name, *rejected[name]) if name in rejected else "")
    missing = answers.unanswered(db, {each.name: now - each.within for each in outlets})
    for name, found in missing.items():
        _tell(db, AlarmKind.UNANSWERED, name, _unanswered(name, found))


def _tell(db: Database, kind: AlarmKind, subject: str, text: str) -> None:
    if text:
        raise_alarm(db, kind, subject, text)
    else:
        clear_alarm(db, kind, subject)


def _overdue(name: str, found: statements.Overdue) -> str:
    return (
        f"{found.count} files lack their acknowledgement, the oldest is delivery {found.delivery_id} ({found.name}),"
        f" awaited until {utc(found.since)}: see edi-gateway ledger {name.partition('/')[0]} and ask the partner"
    )


def _rejected(name: str, count: int, latest: int, file: str) -> str:
    return (
        f"{count} files were rejected, the latest is delivery {latest} ({file}): edi-gateway deliveries show {latest}"
        f" says why, then reissue or skip; all: edi-gateway deliveries list --state rejected --destination {name}"
    )


def _unanswered(name: str, found: answers.Unanswered) -> str:
    late = f"{found.late} acknowledgements are not delivered in time" if found.late else ""
    refused = f"{found.refused} acknowledgements could not be written: {found.error}" if found.refused else ""
    said = "; ".join(part for part in (late, refused) if part)
    return f"{said}; see edi-gateway deliveries list --destination {name}" if said else ""
