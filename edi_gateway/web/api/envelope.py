"""What holds for every request of the customers' API: its id, its line in the log, its bounds, its headers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Collection
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edi_gateway.errors import RequestRefusedError
from edi_gateway.web.api import problems
from edi_gateway.web.body import Room

log = structlog.get_logger()
_LARGEST: Final = 1_000_000  # bytes of a body
_LONGEST: Final = 30.0  # seconds for all of it
_TOGETHER: Final = 64_000_000  # bytes of all bodies that are read at a time
_VERSION: Final = "/v1"
_ALWAYS: Final = {
    "cache-control": "private, no-store",
    "vary": "Authorization",
    "x-content-type-options": "nosniff",
}


class Envelope:
    """The middleware. Paths that begin with one of ``unversioned`` are those of the present version."""

    def __init__(self, app: ASGIApp, unversioned: Collection[str] = ()) -> None:
        self._app = app
        self._unversioned = unversioned
        self._room = Room(_TOGETHER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Carriers' requests have bounds and a log of their own."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        scope = self._addressed(scope)
        scope["state"] = {"request_id": answer.name, "headers": answer.headers}
        if scope["path"].startswith("/inbound/"):
            await self._app(scope, receive, answer)
            return
        bounded = _Bounded(receive, self._room)
        begun = time.monotonic()
        with structlog.contextvars.bound_contextvars(request=answer.name):
            try:
                await self._app(scope, bounded, answer)
            except ClientDisconnect:
                return
            except Exception:
                log.exception("api.defect")
                if not answer.begun:
                    await problems.answer(Request(scope), 500, "a defect of the gateway")(scope, receive, answer)
            finally:
                bounded.release()
                _note(scope, answer, time.monotonic() - begun)

    def _addressed(self, scope: Scope) -> Scope:
        """HEAD is GET without the body, which the server leaves out; what names no version means this one."""
        path = scope["path"]
        if path.split("/", 2)[1] in self._unversioned:
            path = _VERSION + path
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return {**scope, "path": path, "method": method}


class _Answer:
    """Where the answer goes; ``headers`` are added to it unless it has them."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.name = f"req_{secrets.token_hex(8)}"
        self.headers = {"x-request-id": self.name, **_ALWAYS}
        self.status = 0

    @property
    def begun(self) -> bool:
        """Whether some of it has been sent."""
        return self.status > 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            said = {name.lower() for name, _ in message["headers"]}
            more = ((name.encode(), value.encode()) for name, value in self.headers.items())
            message["headers"] = [*message["headers"], *(each for each in more if each[0] not in said)]
        await self._send(message)


class _Bounded:
    """What is received, no longer than a body may be nor for longer than it may take."""

    def __init__(self, receive: Receive, room: Room) -> None:
        self._receive = receive
        self._room = room
        self._taken = 0
        self._until = asyncio.get_running_loop().time() + _LONGEST
        self._more = True

    async def __call__(self) -> Message:
        try:
            async with asyncio.timeout_at(self._until if self._more else None):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "the body took too long", {"Connection": "close"}) from None
        self._more = message.get("more_body", False)
        size = len(message.get("body", b""))
        if self._taken + size > _LARGEST:
            raise HTTPException(413, f"a body of more than {_LARGEST:,} bytes", {"Connection": "close"})
        try:
            self._room.take(size)
        except RequestRefusedError as error:
            again = {"Connection": "close", "Retry-After": str(error.retry_after)}
            raise HTTPException(error.status, "too many requests are being read, try again", again) from None
        self._taken += size
        return message

    def release(self) -> None:
        """The body is done with."""
        self._room.give_back(self._taken)
        self._taken = 0


def _note(scope: Scope, answer: _Answer, seconds: float) -> None:
    """One line for each request; who asked is named by what of its key is no secret."""
    route: Any = scope.get("route")
    log.info(
        "api.request",
        method=scope["method"],
        path=getattr(route, "path", ""),  # as the API describes it: what is in its place is the customer's own
        status=answer.status,
        ms=round(seconds * 1000, 1),
        **scope["state"].get("caller", {}),
    )
