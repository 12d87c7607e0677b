"""Broken on purpose: a control number is drawn in a transaction of its own, before the document that bears it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from tests.acceptance.mutants.parting import commit_here
from tests.acceptance.swapping import swap


def _make(draw: Callable[..., Any]) -> Callable[..., Any]:
    def broken(connection: Connection, key: str, start: int, maximum: int, *, roll_over: bool) -> int:
        number: int = draw(connection, key, start, maximum, roll_over=roll_over)
        commit_here(connection)
        return number

    return broken


def apply() -> None:
    """Put it in force in this process."""
    swap("edi_gateway.store.outbox:next_control_number", _make)
