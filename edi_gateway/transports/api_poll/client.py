"""The connection to one carrier's API: its pool, its limits, and the token it wants to see."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from edi_gateway.transports.api_poll.asking import Asked
from edi_gateway.transports.api_poll.exchange import Answer, exchange
from edi_gateway.transports.http_client.auth import Auth, proof
from edi_gateway.transports.http_client.tokens import MOST_BYTES, Issued, Tokens


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

    def __init__(self, auth: Auth | None, limits: Limits, ca: Path | None = None) -> None:
        self._auth = auth
        self._ca = ca  # file with those who vouch for the carrier; None: those the system trusts
        self._limits = limits
        self._http: httpx.AsyncClient | None = None
        self._tokens = Tokens(self._fetch)

    async def ask(self, asked: Asked) -> Answer:
        """Send it. Raises UnansweredError, and what `Tokens.valid` does."""
        token = await self._tokens.valid(self._auth)
        answer = await self._send(asked, token)
        if answer.status == 401 and token:  # it was taken back before its time
            self._tokens.forget(token)
            answer = await self._send(asked, await self._tokens.valid(self._auth))
        return answer

    async def prove(self) -> str:
        """Get a token, if one is needed; says what was seen."""
        token = await self._tokens.valid(self._auth)
        return f"a token that holds {self._tokens.holds:.0f} s" if token else ""

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
                verify=ssl.create_default_context(cafile=self._ca),
                timeout=httpx.Timeout(read, connect=connect, pool=limits.whole.total_seconds()),
                limits=httpx.Limits(max_connections=limits.in_flight + 1),
                trust_env=False,  # what is configured holds, whatever the account's environment says
            )
        return self._http

    async def _fetch(self, url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Issued:
        request = self._open().build_request("POST", url, headers=headers, data=form)
        answer = await exchange(self._open(), request, self._limits.whole, MOST_BYTES)
        return Issued(answer.status, answer.content)
