"""Who asks the customers' API: the key, what it may, and how often."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from edi_gateway.pipeline.partners import Audience, Feed
from edi_gateway.store import api_keys
from edi_gateway.store.api_keys import Key
from edi_gateway.store.engine import Database
from edi_gateway.web.api.problems import ProblemError

_NO_KEY: Final = "expected a key of this API that is valid, in the header Authorization: Bearer KEY"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="edi-gateway"'}
_MOST_KEYS: Final = 10_000  # whose tokens are counted at a time
_LONGEST: Final = 200  # characters; no key is longer


@dataclass(frozen=True, slots=True)
class Caller:
    """A customer, as one of its keys shows it: with a test key, as it is called in its test world."""

    customer: str
    test: bool
    scopes: frozenset[str]
    feed: Feed


@dataclass(slots=True)
class _Tokens:
    left: float
    at: float


class Door:
    """Lets callers in. ``find`` knows the customers that may use the API now."""

    def __init__(
        self, db: Database, find: Callable[[str], Feed | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._find = find
        self._clock = clock
        self._tokens: OrderedDict[int, _Tokens] = OrderedDict()

    async def let_in(self, told: str, response: Response, scope: str) -> Caller:
        """Whose key it is. Raises ProblemError: 401 when nobody's, 403 without the scope, 429 for too many requests."""
        key = await asyncio.to_thread(api_keys.find, self._db, told) if 0 < len(told) <= _LONGEST else None
        feed = self._find(key.customer) if key else None
        if key is None or feed is None:
            raise ProblemError(401, _NO_KEY, headers=_CHALLENGE)
        response.headers.update(self._take(key, feed))
        if scope not in key.scopes:
            raise ProblemError(403, f"this key may not do that, expected one with the scope {scope}")
        await asyncio.to_thread(api_keys.note_use, self._db, key)
        return Caller(key.whose, key.test, key.scopes, feed)

    def _take(self, key: Key, feed: Feed) -> dict[str, str]:
        """Take a token, and say in headers how many are left."""
        now = self._clock()
        tokens = self._tokens.setdefault(key.id, _Tokens(feed.burst, now))
        self._tokens.move_to_end(key.id)
        while len(self._tokens) > _MOST_KEYS:
            self._tokens.popitem(last=False)
        tokens.left = min(feed.burst, tokens.left + (now - tokens.at) * feed.per_second)
        tokens.at = now
        wait = 0 if tokens.left >= 1 else math.ceil((1 - tokens.left) / feed.per_second)
        tokens.left -= not wait
        said = {
            "RateLimit-Limit": str(feed.burst),
            "RateLimit-Remaining": str(int(tokens.left)),
            "RateLimit-Reset": str(math.ceil((feed.burst - tokens.left) / feed.per_second)),
        }
        if wait:
            raise ProblemError(429, "too many requests with this key", headers={**said, "Retry-After": str(wait)})
        return said


@dataclass(frozen=True, slots=True)
class Context:
    """What the routes work with: ``app.state.context``. ``carriers`` are those that are configured now."""

    db: Database
    door: Door
    carriers: Callable[[], Collection[str]]
    audience: Callable[[], Audience]
    wake: Callable[[str], None]  # has the documents of a channel processed
    playground: bool  # whether people may try things out at pages of ours


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


_BEARER: Final = HTTPBearer(auto_error=False, description="A key of this API, as edi-gateway keys create prints it")
_Told = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
Gateway = Annotated[Context, Depends(_context)]


async def _reader(gateway: Gateway, told: _Told, response: Response) -> Caller:
    return await gateway.door.let_in(told.credentials if told else "", response, "read")


async def _hooking(gateway: Gateway, told: _Told, response: Response) -> Caller:
    return await gateway.door.let_in(told.credentials if told else "", response, "webhooks")


Hooking = Annotated[Caller, Depends(_hooking)]
"""Who asks, with a key that may say where notifications go, and have them sent again."""
Reader = Annotated[Caller, Depends(_reader)]
"""Who asks, with a key that may read."""
