"""Broken on purpose: the carrier's copy is cleared before its bytes are committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edi_gateway.pipeline import intake
from edi_gateway.pipeline.partners import Channel
from edi_gateway.plugins import Arrival
from edi_gateway.store.engine import Database
from tests.acceptance.swapping import swap


def _make(commit: Callable[..., Any]) -> Callable[..., Any]:
    async def broken(db: Database, channel: Channel, arrivals: Sequence[Arrival]) -> int:
        await intake._clear(channel, arrivals)
        stored: int = await commit(db, channel, arrivals)
        return stored

    return broken


def apply() -> None:
    """Put it in force in this process."""
    swap("edi_gateway.pipeline.intake:_commit", _make)
