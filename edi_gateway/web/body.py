"""A request's body, read no further than is allowed: bytes, time, and room for all requests together."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from edi_gateway.errors import RequestRefusedError

_DRAINED: Final = 32_000_000  # bytes that are thrown away so that a client who still sends hears the answer
_DRAINING: Final = 2.0  # seconds
_COME_AGAIN: Final = 5  # seconds


class Room:
    """The bytes of all bodies that are read or wait to be committed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0

    def take(self, size: int) -> None:
        """Raises RequestRefusedError when there is no room for them."""
        if self._taken + size > self._size:
            raise RequestRefusedError(503, "too many bytes wait to be committed (http: max_waiting)", _COME_AGAIN)
        self._taken += size

    def give_back(self, size: int) -> None:
        """They are done with."""
        self._taken -= size


class Body:
    """The body of one request; ``declared`` is its length as the client says, if it does."""

    def __init__(self, receive: Receive, declared: str | None, room: Room, seconds: float) -> None:
        self._receive = receive
        self._declared = int(declared) if declared and declared.isdigit() else None
        self._room = room
        self._seconds = seconds
        self._taken = 0
        self._more = True

    async def read(self, most: int) -> bytes:
        """All of it. Raises RequestRefusedError for more bytes or more time than allowed, ClientDisconnect."""
        if self._declared is not None and self._declared > most:
            raise RequestRefusedError(413, f"a body of {self._declared:,} bytes, {most:,} are allowed (max_size)")
        read: list[bytes] = []
        try:
            async with asyncio.timeout(self._seconds):
                while self._more:
                    piece = await self._next()
                    if self._taken + len(piece) > most:
                        raise RequestRefusedError(413, f"a body of more than {most:,} bytes (max_size)")
                    self._room.take(len(piece))
                    self._taken += len(piece)
                    read.append(piece)
        except TimeoutError:
            found = f"{self._taken:,} bytes of a body within {self._seconds:g} s, and not its end"
            raise RequestRefusedError(408, f"{found} (http: body_timeout)") from None
        return b"".join(read)

    async def drain(self) -> bool:
        """Throw away what still comes, within bounds; returns whether the end was reached."""
        left = _DRAINED
        try:
            async with asyncio.timeout(_DRAINING):
                while self._more:
                    left -= len(await self._next())
                    if left < 0:
                        return False
        except (TimeoutError, ClientDisconnect):
            return False
        return True

    def release(self) -> None:
        """Its bytes are done with."""
        self._room.give_back(self._taken)
        self._taken = 0

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._more = False
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece
