"""What holds for every request of the customers' API: it has an id, and its body is bounded in size and time."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LARGEST: Final = 1_000_000  # bytes of a body
_LONGEST: Final = 30.0  # seconds for all of it


class Envelope:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = f"req_{secrets.token_hex(8)}"
        scope.setdefault("state", {})["request_id"] = name

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        carriers = scope["path"].startswith("/inbound/")  # they have bounds of their own
        await self._app(scope, receive if carriers else _bounded(receive), marked)


def _bounded(receive: Receive) -> Receive:
    taken = 0
    until = asyncio.get_running_loop().time() + _LONGEST

    async def bounded() -> Message:
        nonlocal taken
        try:
            async with asyncio.timeout_at(until if taken < _LARGEST else None):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the body took too long", {"Connection": "close"}) from None
        taken += len(message.get("body", b""))
        if taken > _LARGEST:
            raise HTTPException(413, f"a body of more than {_LARGEST:,} bytes", {"Connection": "close"})
        return message

    return bounded
