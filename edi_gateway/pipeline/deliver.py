"""Sealed documents → their sink: every attempt is a claimed row, the retry schedule is data."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from edi_gateway.errors import (
    BusyError,
    GatewayError,
    GoneError,
    NotTriedError,
    RefusedError,
    StorageError,
    TransientError,
)
from edi_gateway.model import Exchange, OutboundDocument, Receipt, utc_now
from edi_gateway.pipeline.health import tell_health
from edi_gateway.pipeline.partners import Destination, Outlet
from edi_gateway.pipeline.seal import Refusals, is_due, seal_due
from edi_gateway.plugins import Supervised
from edi_gateway.store import claims, deliveries, endpoints, waiting
from edi_gateway.store.alarms import AlarmKind, clear_alarm, raise_alarm
from edi_gateway.store.claims import Claim
from edi_gateway.store.endpoints import Sign
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState, Outcome

log = structlog.get_logger()
_OWNER: Final = f"{socket.gethostname()}:{os.getpid()}"
_JITTER: Final = 0.2
_RENEWALS: Final = 4  # of a claim in the time of one lease
_SURELY: Final = 0.8  # of a lease, for as long nobody else has begun, whatever the clocks say
_LOOK_AGAIN: Final = 1.0  # seconds after which a run that waits for slow files looks for new ones
_IN_A_ROW: Final = 5  # failures after which it is the server, not the file, and the destination rests
_REST: Final = 1.0  # seconds; a dead server with a long queue must not keep the database busy


class _LetGoError(TransientError):
    """Nobody knows any more whether the claim is ours: no failure of the customer's server."""


def due(
    db: Database,
    destinations: Iterable[Destination],
    now: datetime,
    refusals: Refusals | None = None,
    outlets: Iterable[Outlet] = (),
) -> set[str]:
    """The names of those for which `deliver` has something to do. A few queries, however many there are."""
    refusals = refusals or Refusals()
    known = {destination.name: destination for destination in destinations}
    sending = known.keys() | {outlet.name for outlet in outlets}
    most = max((destination.batch.at_most for destination in known.values()), default=1)
    to_seal = waiting.to_seal(db, most)
    full = {name for name, owed in to_seal.items() if name in known and is_due(owed, known[name].batch, now)}
    full = {name for name in full if not refusals.rests(known[name], now)}
    to_send = waiting.to_send(db, now) & sending
    return full | (to_send - endpoints.closed(db, now) if to_send else to_send)


def tell_alarms(db: Database, destination: Destination | Outlet) -> None:
    """Let the alarms say what is true now of a destination, its dead letters, and what one of them holds back."""
    tell_health(db, destination.name, _supervision(destination))
    deliveries.tell_dead_letters(db, destination.name)
    dead = claims.blocking(db, destination.name) if destination.in_order else None
    if dead is None:
        clear_alarm(db, AlarmKind.ORDER_BLOCKED, destination.name)
        return
    text = (
        f"delivery {dead.delivery_id} ({dead.name}) is a dead letter and holds back the files behind it:"
        f" edi-gateway deliveries retry, reissue or skip {dead.delivery_id}"
    )
    raise_alarm(db, AlarmKind.ORDER_BLOCKED, destination.name, text)


async def deliver(
    db: Database,
    destination: Destination | Outlet,
    stopping: Callable[[], bool] = lambda: False,
    refusals: Refusals | None = None,
) -> int:
    """Seal and send until nothing is due at one destination or outlet; returns how many files were delivered.

    A file that hangs holds up only what has to come after it. ``stopping``: what is on its way is finished, nothing
    else is begun. Raises StorageError once what is on its way has ended.
    """
    run = _Run(db, destination, stopping, refusals or Refusals())
    with structlog.contextvars.bound_contextvars(destination=destination.name):
        try:
            await run.work()
        except asyncio.CancelledError:
            run.abandon()
            raise
        finally:
            await run.landed()
    return run.delivered


def _supervision(destination: Destination | Outlet) -> timedelta | None:
    """How long the destination may do nothing but fail; None: for ever."""
    return destination.sink.disabled_after if isinstance(destination.sink, Supervised) else None


class _Run:
    """One run of one destination: what is on its way, and how it went so far."""

    def __init__(
        self, db: Database, destination: Destination | Outlet, stopping: Callable[[], bool], refusals: Refusals
    ) -> None:
        self.delivered = 0
        self._refusals = refusals
        self._db = db
        self._destination = destination
        self._stopping = stopping
        self._flying: set[asyncio.Task[None]] = set()
        self._failed_in_a_row = 0
        self._rests_until = 0.0

    async def work(self) -> None:
        """Until nothing is due or on its way, the server fails again and again, or somebody wants to stop."""
        while not self._stopping():
            sealed = await self._seal()
            await self._take_off()
            if self._flying:
                await asyncio.wait(self._flying, timeout=_LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
            elif self._resting() or not sealed:
                break
        await asyncio.to_thread(tell_alarms, self._db, self._destination)

    async def landed(self) -> None:
        """Wait for what is on its way."""
        while self._flying:
            await asyncio.wait(self._flying)

    def abandon(self) -> None:
        """Cut short what is on its way."""
        for task in self._flying:
            task.cancel()

    def _resting(self) -> bool:
        return asyncio.get_running_loop().time() < self._rests_until

    async def _seal(self) -> int:
        destination = self._destination
        if isinstance(destination, Outlet):
            return 0  # acknowledgements are sealed when their interchange is recorded
        limit = destination.in_flight
        return await asyncio.to_thread(seal_due, self._db, destination, utc_now(), limit, self._refusals)

    async def _take_off(self) -> None:
        while len(self._flying) < self._destination.in_flight and not (self._stopping() or self._resting()):
            claim = await _claim(self._db, self._destination)
            if claim is None:
                return
            task = asyncio.create_task(self._fly(claim))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)

    async def _fly(self, claim: Claim) -> None:
        with structlog.contextvars.bound_contextvars(delivery=claim.delivery_id):
            try:
                delivered = await _attempt(self._db, self._destination, claim)
            except asyncio.CancelledError:
                await _give_back(self._db, claim)
                raise
            except StorageError as error:
                # When the lease ends it is tried again; who asks for the next claim hears of it too.
                log.warning("delivery.not_recorded", file=claim.name, why=str(error))
                delivered = False
            except Exception:
                log.exception("delivery.not_recorded", file=claim.name)
                delivered = False
        if delivered and not self.delivered:  # an alarm that says otherwise must not stand until a long run ends
            await asyncio.to_thread(tell_health, self._db, self._destination.name, _supervision(self._destination))
        self.delivered += delivered
        self._failed_in_a_row = 0 if delivered else self._failed_in_a_row + 1
        if self._failed_in_a_row >= _IN_A_ROW:
            self._failed_in_a_row = 0
            self._rests_until = asyncio.get_running_loop().time() + _REST


async def _claim(db: Database, destination: Destination | Outlet) -> Claim | None:
    order = {"in_order": destination.in_order, "line_per_shipment": destination.line_per_shipment}
    asking = asyncio.ensure_future(
        asyncio.to_thread(claims.claim, db, destination.name, _OWNER, lease=claims.LEASE, **order)
    )
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        claim = await asking  # the thread goes on in any case, and what it claims must not be held by nobody
        if claim:
            await _give_back(db, claim)
        raise


async def _give_back(db: Database, claim: Claim) -> None:
    why = "abandoned while the gateway stopped; whether it arrived is not known"
    await asyncio.to_thread(claims.release, db, claim, why)
    log.warning("delivery.abandoned", file=claim.name, attempt=claim.number)


async def _attempt(db: Database, destination: Destination | Outlet, claim: Claim) -> bool:
    """Send once and write down how it ended; returns whether it arrived."""
    try:
        receipt = await _send(db, destination, claim)
    except RefusedError as error:
        await _failed(db, destination, claim, _Failure(Outcome.REFUSED, str(error)))
        return False
    except StorageError:
        raise  # says nothing about the customer's server
    except NotTriedError as error:
        await _put_off(db, claim, str(error), error.next_probe)
        return False
    except _LetGoError as error:
        await _put_off(db, claim, str(error), utc_now())
        return False
    except Exception as error:
        if not isinstance(error, GatewayError):
            log.exception("delivery.defect")
        await _failed(db, destination, claim, _failure(destination, claim, error))
        return False
    state = await _record_arrival(db, destination, claim, receipt)
    if state is None:
        log.warning("delivery.outlived", file=claim.name, receipt=receipt.verified, attempt=claim.number)
        return True
    log.info("delivery.delivered", file=claim.name, receipt=receipt.verified, attempt=claim.number)
    return True


@dataclass(frozen=True, slots=True)
class _Failure:
    """How an attempt failed, and what that means."""

    outcome: Outcome
    why: str
    again_at: datetime | None = None
    exchange: Exchange | None = None
    sign: Sign | None = None


def _failure(destination: Destination | Outlet, claim: Claim, error: Exception) -> _Failure:
    """It is tried again by its schedule, but no sooner than the other side wants to be asked."""
    why, again_at = str(error), next_attempt(destination.retry, claim.failures + 1)
    if not isinstance(error, TransientError):
        return _Failure(Outcome.FAILED, why, again_at)
    busy_until = error.until if isinstance(error, BusyError) else None
    if again_at and busy_until:
        again_at = max(again_at, busy_until)
    if isinstance(error, GoneError):
        again_at = again_at or utc_now()  # what waits for a person's decision is not given up meanwhile
    sign, patience = None, _supervision(destination)
    if patience is not None:
        sign = Sign(destination.name, patience, why or "failed", busy_until, gone=isinstance(error, GoneError))
    return _Failure(Outcome.FAILED, why, again_at, error.exchange, sign)


async def _record_arrival(
    db: Database, destination: Destination | Outlet, claim: Claim, receipt: Receipt
) -> DeliveryState | None:
    """Write down that it arrived, however long the database refuses: forgotten, it would be sent twice."""
    refused, patience = False, _supervision(destination)
    sign = Sign(destination.name, patience) if patience is not None else None
    while True:
        try:
            return await asyncio.to_thread(
                claims.finish_attempt,
                db,
                claim,
                Outcome.DELIVERED,
                receipt.verified,
                exchange=receipt.exchange,
                sign=sign,
            )
        except StorageError as error:
            if not refused:
                log.warning("delivery.not_recorded", file=claim.name, receipt=receipt.verified, why=str(error))
            refused = True
            await asyncio.sleep(_REST)


async def _put_off(db: Database, claim: Claim, why: str, until: datetime) -> None:
    """No failure of the customer's server: the file is tried again after a while and keeps its schedule."""
    again_at = max(until, utc_now() + timedelta(seconds=_REST))
    state = await asyncio.to_thread(claims.finish_attempt, db, claim, Outcome.FAILED, why, again_at, tried=False)
    if state is None:
        log.warning("delivery.outlived", file=claim.name, why=why, attempt=claim.number)
    else:
        log.info("delivery.put_off", file=claim.name, why=why, next_attempt_at=again_at.isoformat())


async def _send(db: Database, destination: Destination | Outlet, claim: Claim) -> Receipt:
    """Send as long as the claim is ours; returns what was verified."""
    document = await asyncio.to_thread(_bytes, db, claim)
    keeping = asyncio.create_task(_keep(db, claim))
    sending = asyncio.create_task(destination.sink.send(document, again=claim.again))
    try:
        await asyncio.wait({sending, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            receipt = sending.result()
            return receipt if isinstance(receipt, Receipt) else Receipt(receipt)
        raise _LetGoError("given up while sending: its claim ran out, so that another node may be sending it")
    finally:
        for task in (sending, keeping):
            task.cancel()
        await asyncio.gather(sending, keeping, return_exceptions=True)


def _bytes(db: Database, claim: Claim) -> OutboundDocument:
    try:
        return deliveries.document(db, claim)
    except LookupError as error:
        raise RefusedError(
            f"its bytes are not in the database any more ({error}): make the file again with edi-gateway deliveries"
            f" reissue {claim.delivery_id}, or restore a back-up of the database and retry"
        ) from error


async def _keep(db: Database, claim: Claim) -> None:
    """Renew the claim; return when it is lost, or when nobody knows because the database does not answer."""
    lease = claims.LEASE.total_seconds()
    loop = asyncio.get_running_loop()
    ours_until = loop.time() + lease * _SURELY
    while True:
        try:
            async with asyncio.timeout_at(ours_until):
                await asyncio.sleep(lease / _RENEWALS)
                asked = loop.time()
                if not await asyncio.to_thread(claims.renew, db, claim, claims.LEASE):
                    return
        except TimeoutError:
            return
        except StorageError:
            continue
        ours_until = asked + lease * _SURELY


async def _failed(db: Database, destination: Destination | Outlet, claim: Claim, failure: _Failure) -> None:
    why, again_at = failure.why, failure.again_at
    ended = (db, claim, failure.outcome, why, again_at)
    state = await asyncio.to_thread(claims.finish_attempt, *ended, exchange=failure.exchange, sign=failure.sign)
    if state is None:
        log.warning("delivery.outlived", file=claim.name, why=why, attempt=claim.number)
    elif state is DeliveryState.DEAD:
        log.error("delivery.dead", file=claim.name, why=why, attempt=claim.number)
        await asyncio.to_thread(tell_alarms, db, destination)
    else:
        when = again_at and again_at.isoformat()
        log.warning("delivery.retrying", file=claim.name, why=why, attempt=claim.number, next_attempt_at=when)


def next_attempt(schedule: Sequence[timedelta], failures: int) -> datetime | None:
    """When to try again after that many failures, ±20 %, or None when the schedule is used up."""
    if failures > len(schedule):
        return None
    return utc_now() + schedule[failures - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
