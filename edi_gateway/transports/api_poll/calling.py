"""A registration's calls, made: what the carrier answers, and what that means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from edi_gateway.errors import RefusedError, TransientError
from edi_gateway.transports.api_poll.client import Client, Limits
from edi_gateway.transports.api_poll.exchange import Answer, UnansweredError
from edi_gateway.transports.api_poll.judging import failure, parsed, searched
from edi_gateway.transports.api_poll.registration import Call, Registration, Step

_LIMITS: Final = Limits(timedelta(seconds=10), timedelta(seconds=30), timedelta(seconds=60), 1_000_000, 1)
_GONE: Final = (404, 410)
_MILLISECONDS: Final = 100_000_000_000  # a time in seconds is smaller than this until the year 5138


class SubscriptionGoneError(TransientError):
    """The carrier does not know the subscription (any more)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the carrier says of the subscription, as far as it says anything."""

    subscription_id: str = ""
    expires_at: datetime | None = None


async def call(
    registration: Registration, step: Step, values: Mapping[str, str], hidden: Sequence[str], now: datetime
) -> Told:
    """Make the call. ``hidden`` is what no error may show, although the carrier repeats it.

    Raises SubscriptionGoneError where there is none to renew, UnansweredError, AttentionError, and RefusedError for a
    step without a call.
    """
    made = registration.step(step)
    if made is None:
        raise RefusedError("no call removes it: see remove below registration, or ask the carrier")
    client = Client(registration.auth, _LIMITS, registration.ca)
    try:
        answer = await client.ask(made.filled(values))
    finally:
        await client.close()
    if answer.good:
        return told(made, answer, now)
    if answer.status in _GONE and step == "remove":
        return Told()
    if answer.status in _GONE and step == "renew" and registration.renew:
        raise SubscriptionGoneError(f"the carrier answers {answer.status}: it does not know the subscription")
    raise failure(_covered(answer, hidden))


def told(call: Call, answer: Answer, now: datetime) -> Told:
    """What the answer says. Raises UnansweredError when it lacks what is looked for."""
    document = parsed(answer)
    named = "" if call.subscription_id is None else searched(call.subscription_id, document)
    if call.subscription_id is not None and (not isinstance(named, str | int) or named in {"", True, False}):
        raise UnansweredError(
            f"the carrier answers {answer.status}, but nothing is at subscription_id ({call.subscription_id}): the"
            " subscription may be there and nobody knows its name; mend the expression, ask the carrier"
        )
    ends = None
    if call.expires_at:
        ends = _instant(searched(call.expires_at, document))
    elif call.expires_in:
        ends = _later(now, searched(call.expires_in, document))
    if (call.expires_at or call.expires_in) and ends is None:
        raise UnansweredError(
            f"the carrier answers {answer.status}, but no time is at {call.expires_at or call.expires_in}: mend"
            " expires_at or expires_in"
        )
    return Told(str(named), ends)


def _instant(found: Any) -> datetime | None:
    if isinstance(found, bool):
        return None
    try:
        if isinstance(found, int | float) or (isinstance(found, str) and found.isdecimal()):
            seconds = float(found)
            return datetime.fromtimestamp(seconds / 1000 if seconds >= _MILLISECONDS else seconds, UTC)
        moment = datetime.fromisoformat(str(found))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _later(now: datetime, found: Any) -> datetime | None:
    try:
        return None if found is None or isinstance(found, bool) else now + timedelta(seconds=float(found))
    except (ValueError, OverflowError, TypeError):
        return None


def _covered(answer: Answer, hidden: Sequence[str]) -> Answer:
    """The answer without what is secret, in any way it may have been written."""
    content = answer.content
    for secret in filter(None, hidden):
        for written in {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)}:
            content = content.replace(written.encode(), b"***")
    return replace(answer, content=content)
