"""Channels are registered at their carriers, and stay so: by a person once, from then on by the daemon."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from edi_gateway.errors import AttentionError, RefusedError, TransientError
from edi_gateway.model import utc_now
from edi_gateway.pipeline.partners import Callback
from edi_gateway.store import registrations
from edi_gateway.store.alarms import AlarmKind, clear_alarm, raise_alarm
from edi_gateway.store.engine import Database, storable
from edi_gateway.store.tables import RegistrationRow
from edi_gateway.tracking.planning import after_failure
from edi_gateway.transports.api_poll import calling
from edi_gateway.transports.api_poll.calling import SubscriptionGoneError, Told
from edi_gateway.transports.api_poll.registration import Registration, Step

log = structlog.get_logger()
_OWNER: Final = f"{socket.gethostname()}:{os.getpid()}"
_ALARMING: Final = 3  # failures in a row; one is an everyday matter
_SOON: Final = timedelta(days=1)  # before its end none is


async def call(db: Database, callback: Callback, step: Step, *, only_due: bool = False) -> bool:
    """Register, renew or remove; False when ``only_due`` and it is not, or somebody else is at it.

    Raises RefusedError for what makes no sense now, TransientError when the carrier does not do as it should.
    """
    held = await asyncio.to_thread(registrations.claim, db, callback.channel, _OWNER, only_due=only_due)
    if held is None and only_due:
        return False
    if held is None:
        raise RefusedError(f"{callback.channel}: somebody else calls the carrier just now; look again in a minute")
    try:
        _demand(held, step)
        values = await _called(callback, step, held)
    except TransientError as error:
        await asyncio.to_thread(_failed, db, held, error)
        raise
    except BaseException:  # told to stop, or nothing was called: whoever comes next may call at once
        await asyncio.shield(asyncio.to_thread(registrations.finish, db, held))
        raise
    await asyncio.to_thread(_succeeded, db, held, step, values)
    return True


def _demand(held: RegistrationRow, step: Step) -> None:
    registered = held.registered_at is not None
    if step == "register" and registered:
        raise RefusedError(f"{held.channel} is registered since {held.registered_at:%F %T} UTC: renew or remove it")
    if step != "register" and not registered:
        raise RefusedError(f"{held.channel} is not registered: edi-gateway callback {held.channel} register")


async def _called(callback: Callback, step: Step, held: RegistrationRow) -> dict[str, Any]:
    """Call, and return what is known then."""
    calls = callback.registration
    if calls is None:
        raise RefusedError(f"{callback.channel} has no registration in its carrier's file: hand the URL to the carrier")
    secrets = [secret.get_secret_value() for secret in (callback.secret, callback.token) if secret]
    values = {
        "callback_url": callback.whole_url,
        "secret": callback.secret.get_secret_value() if callback.secret else "",
        "subscription_id": held.subscription_id,
    }
    now = utc_now()
    try:
        told = await calling.call(calls, step, values, secrets, now)
    except SubscriptionGoneError as error:
        log.warning("registration.gone", channel=callback.channel, why=str(error))
        told = await calling.call(calls, "register", values, secrets, now)
    if step == "remove":
        return {"registered_at": None, "subscription_id": "", "expires_at": None, "due_at": None, "renewed_at": None}
    return {"url": callback.url, **_standing(calls, told, held, now)}


def _standing(calls: Registration, told: Told, held: RegistrationRow, now: datetime) -> dict[str, Any]:
    return {
        "subscription_id": storable(told.subscription_id) or held.subscription_id,
        "registered_at": held.registered_at or now,
        "renewed_at": now,
        "expires_at": told.expires_at,
        "due_at": calls.next_renewal(told.expires_at, now),
    }


def _succeeded(db: Database, held: RegistrationRow, step: Step, values: dict[str, Any]) -> None:
    registrations.finish(db, held, **values, failures=0, error="")
    clear_alarm(db, AlarmKind.REGISTRATION_FAILING, held.channel)
    log.info("registration.called", channel=held.channel, step=step, due=str(values["due_at"] or ""))


def _failed(db: Database, held: RegistrationRow, error: TransientError) -> None:
    """A renewal is tried again; whatever else was asked for, a person sees that it failed."""
    now, failures = utc_now(), held.failures + 1
    again = {"due_at": now + after_failure(failures)} if held.due_at else {}
    registrations.finish(db, held, failures=failures, error=storable(str(error)), **again)
    log.warning("registration.failed", channel=held.channel, failures=failures, why=str(error))
    soon = held.expires_at is not None and held.expires_at - now < _SOON
    if held.due_at and (failures >= _ALARMING or soon or isinstance(error, AttentionError)):
        ends = f" (it ends {held.expires_at:%F %T} UTC)" if held.expires_at else ""
        text = f"the carrier does not renew it{ends}: {error}; edi-gateway callback {held.channel} renew"
        raise_alarm(db, AlarmKind.REGISTRATION_FAILING, held.channel, text)
