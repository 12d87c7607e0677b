"""Broken on purpose: a document is marked as processed, and its events are committed only then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from edi_gateway.history import DEFAULT_GAP
from edi_gateway.store import inbox
from edi_gateway.store.events import MessageReport, Recorded
from edi_gateway.store.tables import DocumentState
from tests.acceptance.mutants.parting import commit_here
from tests.acceptance.swapping import swap


def _make(record: Callable[..., Any]) -> Callable[..., Any]:
    def broken(
        connection: Connection,
        document_id: int,
        received_at: datetime,
        reports: Sequence[MessageReport],
        *,
        window: int = 1,
        gap: timedelta = DEFAULT_GAP,
        reprocess: bool = False,
    ) -> Recorded:
        inbox.settle(connection, document_id, DocumentState.PROCESSED, inbox.Counts())
        commit_here(connection)
        recorded: Recorded = record(
            connection, document_id, received_at, reports, window=window, gap=gap, reprocess=reprocess
        )
        return recorded

    return broken


def apply() -> None:
    """Put it in force in this process."""
    swap("edi_gateway.store.events:record", _make)
