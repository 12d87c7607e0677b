"""The HTTP application: which path leads where."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from edi_gateway.web.inbound import Inbound

Application = ASGIApp
_METHODS: Final = ["GET", "POST"]
_PATHS: Final = ("/inbound/{carrier}/{channel}", "/inbound/{carrier}/{channel}/{rest:path}")


class Front:
    """Carriers under /inbound, customers everywhere else: once there is an ``api`` for them."""

    def __init__(self, inbound: Inbound) -> None:
        self.api: Application | None = None
        self._inbound = Router([Route(path, inbound, methods=_METHODS) for path in _PATHS], redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_inbound = scope["type"] != "http" or scope["path"].startswith("/inbound/")
        answering = self._inbound if is_inbound or self.api is None else self.api
        await answering(scope, receive, send)
