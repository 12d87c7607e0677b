"""The HTTP application: which path leads where."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Route

from edi_gateway.web.inbound import Inbound

_METHODS = ["GET", "POST"]


def make_app(inbound: Inbound, app: FastAPI) -> FastAPI:
    """The customers' API with the carriers' way in beside it."""
    for path in ("/inbound/{carrier}/{channel}", "/inbound/{carrier}/{channel}/{rest:path}"):
        app.router.routes.append(Route(path, inbound, methods=_METHODS, include_in_schema=False))
    return app
