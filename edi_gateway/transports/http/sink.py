"""A customer's webhook: each document is the body of a signed POST, known by its id however often it is sent."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

import httpcore
import httpx
from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edi_gateway.errors import BusyError, GoneError, TransientError
from edi_gateway.model import Exchange, OutboundDocument, Receipt, utc_now
from edi_gateway.plugins import Plugin, Step
from edi_gateway.secrets import SecretOrText
from edi_gateway.transports.http.options import HeaderName, one_or_more
from edi_gateway.transports.http.signing import SigningSecret, sign
from edi_gateway.transports.http_client.auth import Basic, Bearer, OAuth2, proof
from edi_gateway.transports.http_client.fields import Seconds
from edi_gateway.transports.http_client.guard import Allowed, Resolve, check_url, resolve
from edi_gateway.transports.http_client.guarded import Dialer, GuardedTransport
from edi_gateway.transports.http_client.pausing import retry_after
from edi_gateway.transports.http_client.tokens import MOST_BYTES, Issued, Tokens

_PATH: Final = "/webhook/shipment"
_AGENT: Final = f"edi-gateway/{version('edi-gateway')}"
_KEPT: Final = 2048  # bytes of an answer
_READING: Final = 1.0  # seconds for the beginning of an answer, once its status is there
_SHOWN: Final = 200  # characters of an answer in the reason of a failure
_OVERLAP: Final = timedelta(hours=24)
_DISABLED_AFTER: Final = timedelta(days=5)
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
_OURS: Final = {
    *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"),
    *("keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    *("webhook-id", "webhook-signature", "webhook-timestamp"),
}
Pass = Literal["http", "private", "example"]


class WebhookSink(Plugin):
    """Documents sent by POST to a customer's URL, signed as Standard Webhooks has it."""

    # An error about any key would show the whole of the input otherwise, secrets included.
    model_config = ConfigDict(hide_input_in_errors=True)
    one_by_one: ClassVar = True  # each document tells one event

    allow: Annotated[frozenset[Pass], BeforeValidator(one_or_more, json_schema_input_type=list[Pass] | Pass)] = Field(
        frozenset(),
        description="what the URL guard lets through: http, private (our own network), example (example.com)",
    )
    url: str = Field(description="where to send; without a path: /webhook/shipment")
    secret: SigningSecret = Field(
        description="reference to the secret that signs: whsec_ and base64, or any text of at least 24 bytes"
    )
    previous_secret: SigningSecret | None = Field(
        None, description="reference to the secret before, which signs as well for 24 h after rotated_at"
    )
    rotated_at: AwareDatetime | None = Field(None, description="when secret took the place of previous_secret")
    headers: dict[HeaderName, SecretOrText] = Field({}, description="headers besides ours; values may be references")
    auth: Annotated[Basic | Bearer | OAuth2, Field(discriminator="type")] | None = Field(
        None, description="what proves who sends, besides the signature: a type and its options"
    )
    timeout: Seconds = Field(timedelta(seconds=15), le=timedelta(minutes=5), description="time for one whole attempt")

    _resolve: Resolve = PrivateAttr(default_factory=lambda: resolve)  # a bare function would become a method
    _http: httpx.AsyncClient | None = PrivateAttr(default=None)
    _tls: ssl.SSLContext | None = PrivateAttr(default=None)
    _tokens: Tokens = PrivateAttr()

    @field_validator("url")
    @classmethod
    def _leads_out(cls, url: str, info: ValidationInfo) -> str:
        checked = check_url(url, _allowed(info.data.get("allow", ())))
        return checked if urlsplit(url).path else str(httpx.URL(checked).copy_with(path=_PATH))

    @field_validator("auth")
    @classmethod
    def _asks_outside(cls, auth: Basic | Bearer | OAuth2 | None, info: ValidationInfo) -> Any:
        if isinstance(auth, Bearer) and not _VALUE.fullmatch(auth.token.get_secret_value()):
            raise ValueError("the token is empty or holds more than one line of ASCII")
        if not isinstance(auth, OAuth2):
            return auth
        try:
            return auth.model_copy(
                update={"token_url": check_url(auth.token_url, _allowed(info.data.get("allow", ())))}
            )
        except ValueError as error:
            raise ValueError(f"token_url: {error}") from None

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, Any]) -> dict[str, Any]:
        for name, value in headers.items():
            if name in _OURS:
                raise ValueError(f"{name} is set by the gateway, expected other headers")
            if not _VALUE.fullmatch(value.get_secret_value()):
                raise ValueError(f"the value of {name} is empty or holds more than one line of ASCII")
        return headers

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.previous_secret is None) != (self.rotated_at is None):
            raise ValueError("expected both previous_secret and rotated_at, or neither")
        if self.auth and "authorization" in self.headers:
            raise ValueError("headers and auth both set authorization, expected one of them")
        return self

    def model_post_init(self, _context: Any, /) -> None:
        """Nothing is connected until there is something to send."""
        self._tokens = Tokens(self._issue)

    @property
    def disabled_after(self) -> timedelta:
        """How long nothing but failures may come of it."""
        return _DISABLED_AFTER

    async def send(self, document: OutboundDocument, *, again: bool) -> Receipt:  # noqa: ARG002  its id tells
        """Send it; a status of 2xx proves that it arrived, whatever becomes of the rest of the answer.

        Raises GoneError for 410, BusyError for 429 and 503 that say when to come again, TransientError for all else.
        """
        started = time.monotonic()
        deadline = asyncio.get_running_loop().time() + self.timeout.total_seconds()
        try:
            response, exchange = await self._exchange(document, deadline)
        except TimeoutError:
            raise TransientError(
                f"{self._where}: no answer within {self.timeout.total_seconds():g} s", exchange=_failed(started)
            ) from None
        except httpx.HTTPError as error:
            raise TransientError(f"{self._where}: {error}", exchange=_failed(started)) from error
        if response.is_success:
            return Receipt(f"HTTP {response.status_code} in {exchange.milliseconds} ms", exchange)
        raise self._failure(response, exchange)

    async def check(self) -> AsyncIterator[Step]:
        """Name, addresses, connection and TLS, and a token where one is needed; nothing is sent to the customer."""
        url = httpx.URL(self.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        step = "TLS" if url.scheme == "https" else "TCP"
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                yield Step(step, True, f"{url.host}:{port} at {await self._reach(url.raw_host.decode(), port)}")
        except (TransientError, httpcore.NetworkError, httpcore.TimeoutException, TimeoutError) as error:
            yield Step(step, False, f"{url.host}:{port}: {str(error) or 'no answer'}")
            return
        if isinstance(self.auth, OAuth2):
            try:
                async with asyncio.timeout(self.timeout.total_seconds()):
                    await self._tokens.valid(self.auth)
                    yield Step("token", True, f"a token that holds {self._tokens.holds:.0f} s")
            except (TransientError, httpx.HTTPError, TimeoutError) as error:
                yield Step("token", False, str(error) or "no answer")

    async def close(self) -> None:
        """End every connection."""
        http, self._http = self._http, None
        if http:
            await http.aclose()

    @property
    def _where(self) -> str:
        url = httpx.URL(self.url)
        return f"POST {url.scheme}://{url.netloc.decode()}"  # path and query may hold what is nobody else's business

    async def _exchange(self, document: OutboundDocument, deadline: float) -> tuple[httpx.Response, Exchange]:
        async with asyncio.timeout_at(deadline):
            token = await self._tokens.valid(self.auth)
        response, exchange = await self._post(document, token, deadline)
        if response.status_code == HTTPStatus.UNAUTHORIZED and token:  # it was taken back before its time
            self._tokens.forget(token)
            async with asyncio.timeout_at(deadline):
                token = await self._tokens.valid(self.auth)
            response, exchange = await self._post(document, token, deadline)
        return response, exchange

    async def _post(self, document: OutboundDocument, token: str, deadline: float) -> tuple[httpx.Response, Exchange]:
        http, began = self._open(), time.monotonic()
        request = http.build_request("POST", self.url, headers=self._signed(document, token), content=document.content)
        async with asyncio.timeout_at(deadline):
            response = await http.send(request, stream=True)
        milliseconds = _milliseconds(began)
        try:
            answer = await _beginning(response, _KEPT, deadline)
        finally:
            await response.aclose()
        return response, Exchange(milliseconds, response.status_code, answer.decode("utf-8", "replace"))

    def _signed(self, document: OutboundDocument, token: str) -> dict[str, str]:
        now, secrets = utc_now(), [self.secret]
        if self.previous_secret and self.rotated_at and now < self.rotated_at + _OVERLAP:
            secrets.append(self.previous_secret)
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        headers |= proof(self.auth, token)[0]
        headers |= {"content-type": "application/json", "user-agent": _AGENT, "accept-encoding": "identity"}
        return headers | sign(document.name, int(now.timestamp()), document.content, secrets)

    def _failure(self, response: httpx.Response, exchange: Exchange) -> TransientError:
        status, shown = response.status_code, " ".join(exchange.answer[:_SHOWN].split())
        text = f"{self._where} answers {status}" + (f": {shown}" if shown else "")
        if response.is_redirect:
            text = f"{self._where} answers {status}, a redirect, which is not followed: write as url where it leads"
        if status == HTTPStatus.GONE:
            return GoneError(text, exchange=exchange)
        until = retry_after(response.headers.get("retry-after", ""))
        if until and status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            return BusyError(f"{text}; asks to wait until {until:%Y-%m-%d %H:%M:%S} UTC", until, exchange)
        return TransientError(text, exchange=exchange)

    async def _issue(self, url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Issued:
        http = self._open()
        sent = {"user-agent": _AGENT, "accept-encoding": "identity", **headers}
        request = http.build_request("POST", url, headers=sent, data=dict(form))
        try:
            response = await http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise TransientError(f"no token: {httpx.URL(url).host}: {error}") from error
        try:
            deadline = asyncio.get_running_loop().time() + self.timeout.total_seconds()
            return Issued(response.status_code, await _beginning(response, MOST_BYTES, deadline, reading=None))
        finally:
            await response.aclose()

    async def _reach(self, host: str, port: int) -> str:
        stream = await self._dialer.connect_tcp(host, port)
        try:
            if self.url.startswith("https"):
                stream = await stream.start_tls(self._context, server_hostname=host)
            return str(stream.get_extra_info("server_addr")[0])
        finally:
            await stream.aclose()

    @property
    def _dialer(self) -> Dialer:
        return Dialer(_allowed(self.allow), self._resolve)

    @property
    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _open(self) -> httpx.AsyncClient:
        if self._http is None:
            http = httpx.AsyncClient(
                transport=GuardedTransport(self._dialer, self._context),
                timeout=None,  # noqa: S113  an attempt has one deadline for all of it
                follow_redirects=False,
                trust_env=False,  # what is configured holds, whatever the account's environment says
            )
            http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # none is kept
            self._http = http
        return self._http


def _allowed(names: object) -> Allowed:
    passes = names if isinstance(names, frozenset) else frozenset()
    return Allowed(private="private" in passes, http="http" in passes, example="example" in passes)


async def _beginning(response: httpx.Response, most: int, deadline: float, reading: float | None = _READING) -> bytes:
    """How the answer begins, as far as it comes in time."""
    until = deadline if reading is None else min(deadline, asyncio.get_running_loop().time() + reading)
    content = bytearray()
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout_at(until):
            async for piece in response.aiter_raw():
                content += piece
                if len(content) >= most:
                    break
    return bytes(content[:most])


def _failed(started: float) -> Exchange:
    return Exchange(_milliseconds(started))


def _milliseconds(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
