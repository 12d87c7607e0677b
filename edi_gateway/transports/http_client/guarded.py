"""HTTP over guarded connections: made by us to an address that was judged, verified against the name that was meant."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import httpcore
import httpx

from edi_gateway.transports.http_client.guard import Allowed, Resolve, addresses

_IDLE: Final = 5.0  # seconds after which a connection nobody uses is closed, and the name resolved anew
_NEXT: Final = 4.0  # seconds after which another address of the host is tried, if it has one
_FAILURES: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)


class Dialer(httpcore.AsyncNetworkBackend):
    """Connects to a host's addresses, once all of them are judged; raises what `addresses` does."""

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that takes one."""
        refused: list[str] = []
        found = await addresses(host, port, self._allowed, self._resolve)
        for address in found:
            patience = timeout if address is found[-1] else _NEXT
            try:
                return await self._network.connect_tcp(str(address), port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                refused.append(f"{address}: {str(error) or 'no answer'}")
        raise httpcore.ConnectError("; ".join(refused))


class GuardedTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 in a pool of such connections. Time is limited by who asks."""

    def __init__(self, dialer: Dialer, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=None, keepalive_expiry=_IDLE, network_backend=dialer
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises httpx.TransportError, and what `addresses` does."""
        url = request.url
        asked = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
        )
        try:
            answer = await self._pool.handle_async_request(asked)
        except _FAILURES as error:
            raise httpx.TransportError(_said(error)) from error
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        """End every connection."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.aiter_stream():
                yield piece
        except _FAILURES as error:
            raise httpx.TransportError(_said(error)) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it while its answer is not at its end."""
        await self._answer.aclose()


def _said(error: Exception) -> str:
    kind = type(error).__name__
    return f"{kind}: {error}" if str(error) else kind
