"""Tokens of OAuth2: asked for when needed, by one for all who wait, and used until shortly before they run out."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from edi_gateway.errors import AttentionError, TransientError
from edi_gateway.transports.http_client.auth import OAuth2

MOST_BYTES: Final = 100_000  # of an answer that holds a token
_ASSUMED: Final = 300.0  # seconds a token holds that does not say
_SPARE: Final = 60.0  # seconds before its end that a token is no longer used, or a tenth of its time
_REFUSED: Final = (400, 401, 403)
_TOKEN: Final = re.compile(r"[\x20-\x7e]+")  # RFC 6749, A.12; anything else could not stand in a header


class Issued(NamedTuple):
    """What the server that issues tokens answers."""

    status: int
    content: bytes


Fetch = Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[Issued]]
"""Sends a form with these headers to a URL by POST. Raises TransientError where nothing is answered."""


class Tokens:
    """The token of one client."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._token = ""
        self._ends = 0.0
        self._asking = asyncio.Lock()

    @property
    def holds(self) -> float:
        """For how many seconds the token is used yet."""
        return self._ends - time.monotonic()

    async def valid(self, auth: object) -> str:
        """A token that holds, "" where none is needed.

        Raises AttentionError when none is to be had, TransientError when nobody answers.
        """
        if not isinstance(auth, OAuth2):
            return ""
        async with self._asking:
            if not self._token or self.holds <= 0:
                self._token, holds = await self._new(auth)
                self._ends = time.monotonic() + holds - min(_SPARE, holds / 10)
            return self._token

    def forget(self, token: str) -> None:
        """It was taken back before its time."""
        if self._token == token:
            self._token = ""

    async def _new(self, auth: OAuth2) -> tuple[str, float]:
        headers = {"Accept": "application/json", **auth.headers()}
        issued, host = await self._fetch(auth.token_url, headers, auth.form()), urlsplit(auth.token_url).hostname
        if issued.status in _REFUSED:
            raise AttentionError(
                f"no token: {host} answers {issued.status}; look at auth, and ask whether name and secret still hold"
            )
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            told = json.loads(issued.content) if 200 <= issued.status < 300 else {}
            token, holds = str(told["access_token"]), float(told.get("expires_in", _ASSUMED))
            if _TOKEN.fullmatch(token):
                return token, holds
        raise TransientError(f"no token: {host} answers {issued.status} without one")
