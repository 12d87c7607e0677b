"""Who asks the customers' API: the key, what it may, and how often."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from edi_gateway.errors import StorageError
from edi_gateway.pipeline.partners import Audience, Feed
from edi_gateway.restraint import Bucket
from edi_gateway.store import api_keys
from edi_gateway.store.api_keys import Key
from edi_gateway.store.engine import Database
from edi_gateway.store.trackers import Gaps
from edi_gateway.web.api.news import News
from edi_gateway.web.api.problems import ProblemError
from edi_gateway.web.api.refreshing import Refreshing

_NO_KEY: Final = "expected a key of this API that is valid, in the header Authorization: Bearer KEY"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="edi-gateway"'}
_MOST_KEYS: Final = 10_000  # whose tokens are counted at a time
_LONGEST: Final = 200  # characters; no key is longer
_USED: Final = 60.0  # seconds between two notes that a key is used


@dataclass(frozen=True, slots=True)
class Caller:
    """A customer, as one of its keys shows it: with a test key, as it is called in its test world."""

    customer: str
    test: bool
    scopes: frozenset[str]
    feed: Feed


class Door:
    """Lets callers in. ``find`` knows the customers that may use the API now."""

    def __init__(
        self, db: Database, find: Callable[[str], Feed | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._find = find
        self._clock = clock
        self._buckets: OrderedDict[tuple[int, float, int], Bucket] = OrderedDict()
        self._used: OrderedDict[int, float] = OrderedDict()
        self._remembering: set[asyncio.Task[None]] = set()

    async def let_in(self, request: Request, told: str, scope: str) -> Caller:
        """Whose key it is. Raises ProblemError: 401 when nobody's, 403 without the scope, 429 for too many requests.

        The scope "" is every key's.
        """
        key = await asyncio.to_thread(api_keys.find, self._db, told) if 0 < len(told) <= _LONGEST else None
        feed = self._find(key.customer) if key else None
        if key is None or feed is None:
            raise ProblemError(401, _NO_KEY, headers=_CHALLENGE)
        request.state.caller = {"customer": key.customer, "key": key.handle}
        self._take(key, feed, request.state.headers)
        if scope:
            demand(key.scopes, scope)
        self._note_use(key)
        return Caller(key.whose, key.test, key.scopes, feed)

    def _note_use(self, key: Key) -> None:
        """To the minute, beside the request: it does not wait for those who write, nor fail with them."""
        now = self._clock()
        if now - self._used.get(key.id, -_USED) < _USED:
            return
        self._used[key.id] = now
        self._used.move_to_end(key.id)
        while len(self._used) > _MOST_KEYS:
            self._used.popitem(last=False)
        task = asyncio.create_task(self._remember(key))
        self._remembering.add(task)
        task.add_done_callback(self._remembering.discard)

    async def _remember(self, key: Key) -> None:
        with suppress(StorageError):  # the next minute's request tells it
            await asyncio.to_thread(api_keys.note_use, self._db, key)

    def _take(self, key: Key, feed: Feed, headers: dict[str, str]) -> None:
        """Take a token, and say in the answer's headers how many are left."""
        name = key.id, feed.per_second, feed.burst  # a reload may have changed them
        bucket = self._buckets.setdefault(name, Bucket(feed.burst, feed.per_second, self._clock))
        self._buckets.move_to_end(name)
        while len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        taken, left = bucket.take(), bucket.left
        headers["ratelimit-limit"] = str(feed.burst)
        headers["ratelimit-remaining"] = str(int(left))
        headers["ratelimit-reset"] = str(math.ceil((feed.burst - left) / feed.per_second))
        if not taken:
            wait = str(math.ceil(bucket.wait()))
            raise ProblemError(429, "too many requests with this key", headers={"Retry-After": wait})


def demand(scopes: Collection[str], scope: str) -> None:
    """Raises ProblemError where a key has not that scope."""
    if scope not in scopes:
        raise ProblemError(403, f"this key may not do that, expected one with the scope {scope}")


@dataclass(frozen=True, slots=True)
class Context:
    """What the routes work with: ``app.state.context``. ``carriers`` are those that are configured now."""

    db: Database
    door: Door
    carriers: Callable[[], Gaps]
    audience: Callable[[], Audience]
    refreshing: Refreshing
    wake: Callable[[str], None]  # has the documents of a channel processed
    news: News


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


_BEARER: Final = HTTPBearer(auto_error=False, description="A key of this API, as edi-gateway keys create prints it")
_Told = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
Gateway = Annotated[Context, Depends(_context)]


def caller(scope: str) -> Callable[[Request, Context, HTTPAuthorizationCredentials | None], Awaitable[Caller]]:
    """A dependency: who asks, with a key of that scope."""

    async def let_in(request: Request, gateway: Gateway, told: _Told) -> Caller:
        return await gateway.door.let_in(request, told.credentials if told else "", scope)

    return let_in


Anyone = Annotated[Caller, Depends(caller(""))]
"""Who asks, with a key of any scope."""
Hooking = Annotated[Caller, Depends(caller("webhooks"))]
"""Who asks, with a key that may say where notifications go, and have them sent again."""
Reader = Annotated[Caller, Depends(caller("read"))]
"""Who asks, with a key that may read."""
Tracking = Annotated[Caller, Depends(caller("trackers"))]
"""Who asks, with a key that may change what is tracked."""
