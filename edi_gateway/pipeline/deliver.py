"""Sealed documents → their sink: every attempt is a row, the retry schedule is data."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from edi_gateway.errors import GatewayError, RefusedError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.partners import Destination
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.store import deliveries
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import Delivery, Outcome

log = structlog.get_logger()
_JITTER = 0.2


async def deliver(db: Database, destination: Destination) -> int:
    """Seal what is due and send what waits at one destination; returns how many files were delivered."""
    try:
        await asyncio.to_thread(seal_due, db, destination, utc_now())
    except Exception:
        # What is sealed already is still sent.
        log.exception("destination.not_sealed", destination=destination.name)
    delivered = 0
    for delivery in await asyncio.to_thread(deliveries.due_deliveries, db, destination.name, utc_now()):
        with structlog.contextvars.bound_contextvars(delivery=delivery.id, destination=destination.name):
            delivered += await _attempt(db, destination, delivery)
    return delivered


async def _attempt(db: Database, destination: Destination, delivery: Delivery) -> bool:
    """One attempt: its row is committed before the first byte leaves, its outcome after the last."""
    document = await asyncio.to_thread(deliveries.document, db, delivery)
    attempt = await asyncio.to_thread(deliveries.start_attempt, db, delivery.id)
    try:
        receipt = await destination.sink.send(document, again=attempt.again)
    except RefusedError as error:
        await _failed(db, delivery, attempt.number, Outcome.REFUSED, str(error), None)
        return False
    except Exception as error:
        if not isinstance(error, GatewayError):
            log.exception("delivery.defect")
        again_at = next_attempt(destination.retry, attempt.number)
        await _failed(db, delivery, attempt.number, Outcome.FAILED, str(error), again_at)
        return False
    await asyncio.to_thread(deliveries.finish_attempt, db, delivery.id, attempt.number, Outcome.DELIVERED, receipt)
    log.info("delivery.delivered", file=delivery.name, receipt=receipt, attempt=attempt.number)
    return True


async def _failed(
    db: Database, delivery: Delivery, number: int, outcome: Outcome, why: str, again_at: datetime | None
) -> None:
    await asyncio.to_thread(deliveries.finish_attempt, db, delivery.id, number, outcome, why, again_at)
    event = "delivery.dead" if again_at is None else "delivery.retrying"
    say = log.error if again_at is None else log.warning
    say(event, file=delivery.name, attempt=number, why=why, next_attempt_at=again_at and again_at.isoformat())


def next_attempt(schedule: Sequence[timedelta], attempts: int) -> datetime | None:
    """When to try again after that many attempts, ±20 %, or None when the schedule is used up."""
    if attempts > len(schedule):
        return None
    return utc_now() + schedule[attempts - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
