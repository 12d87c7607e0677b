"""Sending what a destination was owed once more, for requests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from edi_gateway.errors import RefusedError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.catching_up import MOST, Wish, send, would_send
from edi_gateway.pipeline.partners import Destination
from edi_gateway.store import catch_up
from edi_gateway.store.catch_up import Span
from edi_gateway.web.api.caller import Context
from edi_gateway.web.api.hook_models import Replayed, ReplayRequest
from edi_gateway.web.api.problems import ProblemError

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def span_of(gateway: Context, destination: Destination, asked: ReplayRequest) -> Span:
    """Which time is meant."""
    start = asked.from_
    if start is None:
        start = await asyncio.to_thread(catch_up.last_success, gateway.db, destination.name) or _BEGINNING
    return Span(start, asked.to or utc_now())


async def resend(
    gateway: Context, destination: Destination, span: Span, *, everything: bool, dry_run: bool
) -> Replayed:
    """Send it, or say how much that would be. Raises ProblemError."""
    wish, now = Wish(span, everything), utc_now()
    if dry_run:
        count = await asyncio.to_thread(would_send, gateway.db, destination, wish, now)
        events = min(count, MOST)
        documents = events if destination.notifying else min(events, 1)
        return Replayed(dry_run=True, events=events, documents=documents, refused=0, more=count > MOST)
    try:
        sent = await asyncio.to_thread(send, gateway.db, destination, wish, now)
    except RefusedError as error:
        raise ProblemError(409, f"no file can be made now: {error}") from error
    return Replayed(dry_run=False, events=sent.events, documents=sent.documents, refused=sent.refused, more=sent.more)
