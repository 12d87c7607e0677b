"""HTTP/1.1 as uvicorn speaks it, with bounds on how many connect and how long a request's headers may take."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from edi_gateway.web.origin import Network, address_of, is_in, neighbourhood

log = structlog.get_logger()
LARGEST_HEADERS: Final = 32 * 1024  # bytes
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many may connect, all of them and each, and for how many seconds headers may take."""

    connections: int
    per_address: int
    header_seconds: float
    trusted: Sequence[Network]  # proxies, behind which are many


class BoundedProtocol(H11Protocol):
    """One connection."""

    bounds: ClassVar[Bounds]
    open_by_client: ClassVar[Counter[object]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turned_away = False
        self._client: object = None  # who is counted
        self._waiting: asyncio.TimerHandle | None = None  # for the end of a request's headers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Somebody connected."""
        full = len(self.connections) >= self.bounds.connections
        super().connection_made(transport)
        if full or not self._counted():
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
        if self._client is not None:
            self.open_by_client[self._client] -= 1
            if not self.open_by_client[self._client]:
                del self.open_by_client[self._client]  # nobody is remembered who has gone
        super().connection_lost(exc)

    def _counted(self) -> bool:
        """Whether it is not one too many of its client; what proxies bring is counted by the request."""
        address = address_of(self.client[0] if self.client else "")
        if is_in(address, self.bounds.trusted):
            return True
        client = neighbourhood(address)
        if self.open_by_client[client] >= self.bounds.per_address:
            return False
        self._client = client
        self.open_by_client[client] += 1
        return True

    def _watch(self) -> None:
        """Headers that have begun to come must come to their end, and so must a body nobody waits for.

        uvicorn looks after pauses between requests, the application after bodies it reads.
        """
        unread = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if self.conn.their_state is not h11.IDLE and not unread:
            self._stop_watching()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self.bounds.header_seconds, self._too_slow)

    def _stop_watching(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        log.debug("connection.too_slow", client=self.client and self.client[0])
        self.transport.abort()


def bounded(bounds: Bounds) -> type[BoundedProtocol]:
    """The protocol with these bounds."""
    return type("Bounded", (BoundedProtocol,), {"bounds": bounds, "open_by_client": Counter()})
