"""What a person is told of a destination that fails: in time, and what to do about it."""

from __future__ import annotations

from datetime import timedelta

from edi_gateway.pipeline.views import utc
from edi_gateway.store import endpoints
from edi_gateway.store.alarms import AlarmKind, clear_alarm, raise_alarm
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Endpoint


def tell_health(db: Database, destination: str, disabled_after: timedelta | None) -> None:
    """Let the alarms say how a destination is doing now; None: it is never disabled by itself. Raises StorageError."""
    found = endpoints.endpoint(db, destination)
    if found is None:
        return  # there never was anything to say
    failing = found.failures >= endpoints.IN_A_ROW and found.disabled_at is None
    soon = failing and found.warned_at is not None
    _tell(db, AlarmKind.DISABLED, destination, _disabled(found) if found.disabled_at else "")
    _tell(db, AlarmKind.DISABLED_SOON, destination, _soon(found, disabled_after) if soon and disabled_after else "")
    _tell(db, AlarmKind.DESTINATION_FAILING, destination, _failing(found) if failing else "")


def _tell(db: Database, kind: AlarmKind, subject: str, text: str) -> None:
    if text:
        raise_alarm(db, kind, subject, text)
    else:
        clear_alarm(db, kind, subject)


def _failing(found: Endpoint) -> str:
    return (
        f"nothing has arrived since {utc(found.failing_since)}, {found.failures} attempts in a row failed, the latest:"
        f" {found.last_error}; ask the customer. What waits is sent by itself once one arrives; what became a dead"
        f" letter meanwhile goes out by edi-gateway deliveries retry --destination {found.destination}"
    )


def _soon(found: Endpoint, disabled_after: timedelta) -> str:
    since, warned = found.failing_since, found.warned_at
    when = max(since + disabled_after, warned + endpoints.WARNING) if since and warned else None
    return (
        f"nothing has arrived since {utc(since)}: if that goes on, nothing more is sent from {utc(when)} on, until"
        f" somebody says edi-gateway destinations enable {found.destination}; nothing is lost by that"
    )


def _disabled(found: Endpoint) -> str:
    return (
        f"disabled since {utc(found.disabled_at)}: {found.disabled_why}. What is owed is kept and waits: when the"
        f" customer can take it, edi-gateway destinations enable {found.destination}, and for dead letters"
        f" edi-gateway deliveries retry --destination {found.destination}"
    )
