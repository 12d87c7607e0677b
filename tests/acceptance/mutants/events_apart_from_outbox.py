"""Broken on purpose: events are committed by themselves, and what customers are owed in another transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection

from edi_gateway.store.outbox import Owed
from tests.acceptance.mutants.parting import commit_here
from tests.acceptance.swapping import swap


def _make(owe: Callable[..., Any]) -> Callable[..., Any]:
    def broken(connection: Connection, rows: Iterable[Owed]) -> None:
        commit_here(connection)
        owe(connection, rows)

    return broken


def apply() -> None:
    """Put it in force in this process."""
    swap("edi_gateway.store.outbox:owe", _make)
