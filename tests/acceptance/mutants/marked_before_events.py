"""Broken on purpose: a document is marked as processed, and its events are committed only then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from edi_gateway.store import inbox
from edi_gateway.store.tables import DocumentState
from tests.acceptance.mutants.parting import commit_here
from tests.acceptance.swapping import swap


def _make(record: Callable[..., Any]) -> Callable[..., Any]:
    def broken(connection: Connection, document_id: int, *rest: Any, **named: Any) -> Any:
        inbox.settle(connection, document_id, DocumentState.PROCESSED, inbox.Counts())
        commit_here(connection)
        return record(connection, document_id, *rest, **named)

    return broken


def apply() -> None:
    """Put it in force in this process."""
    swap("edi_gateway.store.events:record", _make)
