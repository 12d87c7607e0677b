"""HTTP/1.1 as uvicorn speaks it, with bounds on how many connect and how long a request's headers may take."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

log = structlog.get_logger()
LARGEST_HEADERS: Final = 32 * 1024  # bytes
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedProtocol(H11Protocol):
    """One connection."""

    max_connections = 1_000
    header_seconds = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turned_away = False
        self._waiting: asyncio.TimerHandle | None = None  # for the end of a request's headers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Somebody connected."""
        full = len(self.connections) >= self.max_connections
        super().connection_made(transport)
        if full:
            self._turned_away = True
            self.connections.discard(self)
            transport.write(_FULL)
            transport.close()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._turned_away:
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """A request has been answered, perhaps before its body was there."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Headers that have begun to come must come to their end, and so must a body nobody waits for.

        uvicorn looks after pauses between requests, the application after bodies it reads.
        """
        unread = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if self.conn.their_state is not h11.IDLE and not unread:
            self._stop_watching()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self.header_seconds, self._too_slow)

    def _stop_watching(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        log.debug("connection.too_slow", client=self.client and self.client[0])
        self.transport.abort()


def bounded(max_connections: int, header_seconds: float) -> type[BoundedProtocol]:
    """The protocol with these bounds."""
    return type("Bounded", (BoundedProtocol,), {"max_connections": max_connections, "header_seconds": header_seconds})
