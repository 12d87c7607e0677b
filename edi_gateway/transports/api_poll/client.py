"""The connection to one carrier's API: its pool, its limits, and the token it wants to see."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx

from edi_gateway.errors import AttentionError
from edi_gateway.transports.api_poll.asking import Asked
from edi_gateway.transports.api_poll.auth import Auth, OAuth2, proof
from edi_gateway.transports.api_poll.exchange import Answer, UnansweredError, exchange

_TOKEN_BYTES: Final = 100_000
_ASSUMED: Final = 300.0  # seconds a token holds that does not say
_SPARE: Final = 60.0  # seconds before its end that a token is no longer used, or a tenth of its time
_REFUSED: Final = (400, 401, 403)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how much, how many at a time."""

    connect: timedelta
    read: timedelta
    whole: timedelta
    max_size: int
    in_flight: int


class Client:
    """Asks, with what proves who we are. A token of OAuth2 is asked for when needed, by one for all."""

    def __init__(self, auth: Auth | None, limits: Limits) -> None:
        self._auth = auth
        self._limits = limits
        self._http: httpx.AsyncClient | None = None
        self._token = ""
        self._token_ends = 0.0
        self._asking = asyncio.Lock()

    async def ask(self, asked: Asked) -> Answer:
        """Send it. Raises UnansweredError, and AttentionError when no token is to be had."""
        token = await self._valid_token()
        answer = await self._send(asked, token)
        if answer.status == 401 and token:  # it was taken back before its time
            self._forget(token)
            answer = await self._send(asked, await self._valid_token())
        return answer

    async def prove(self) -> str:
        """Get a token, if one is needed; says what was seen."""
        token = await self._valid_token()
        return f"a token that holds {self._token_ends - time.monotonic():.0f} s" if token else ""

    async def close(self) -> None:
        """End every connection."""
        http, self._http = self._http, None
        if http:
            await http.aclose()

    async def _send(self, asked: Asked, token: str) -> Answer:
        headers, query = proof(self._auth, token)
        url = httpx.URL(asked.url).copy_merge_params({**asked.query, **query})
        # Packed answers are kept packed, and opened within the channel's limits when they are read.
        sent = {"Accept-Encoding": "identity"} | dict(asked.headers) | headers
        request = self._open().build_request(asked.method, url, headers=sent, content=asked.content or None)
        return await exchange(self._open(), request, self._limits.whole, self._limits.max_size)

    def _open(self) -> httpx.AsyncClient:
        if self._http is None:
            limits = self._limits
            read, connect = limits.read.total_seconds(), limits.connect.total_seconds()
            self._http = httpx.AsyncClient(
                verify=ssl.create_default_context(),
                timeout=httpx.Timeout(read, connect=connect, pool=limits.whole.total_seconds()),
                limits=httpx.Limits(max_connections=limits.in_flight + 1),
                trust_env=False,  # what is configured holds, whatever the account's environment says
            )
        return self._http

    async def _valid_token(self) -> str:
        if not isinstance(self._auth, OAuth2):
            return ""
        async with self._asking:
            if not self._token or time.monotonic() >= self._token_ends:
                self._token, holds = await self._new_token(self._auth)
                self._token_ends = time.monotonic() + holds - min(_SPARE, holds / 10)
            return self._token

    def _forget(self, token: str) -> None:
        if self._token == token:
            self._token = ""

    async def _new_token(self, auth: OAuth2) -> tuple[str, float]:
        headers = {"Accept": "application/json", **auth.headers()}
        request = self._open().build_request("POST", auth.token_url, headers=headers, data=auth.form())
        answer = await exchange(self._open(), request, self._limits.whole, _TOKEN_BYTES)
        if answer.status in _REFUSED:
            raise AttentionError(
                f"no token: {request.url.host} answers {answer.status}; look at auth in the carrier's file, and ask the"
                " carrier whether name and secret still hold"
            )
        try:
            told = json.loads(answer.content) if answer.good else {}
            return str(told["access_token"]), float(told.get("expires_in", _ASSUMED))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UnansweredError(f"no token: {request.url.host} answers {answer.status} without one") from None
