"""The customers' API as one application: its door, its routes, its description."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fastapi import FastAPI

from edi_gateway.pipeline.partners import Audience, Feed
from edi_gateway.store.engine import Database
from edi_gateway.web.api import catch_up, hooks, shipments
from edi_gateway.web.api.caller import Context, Door
from edi_gateway.web.api.envelope import Envelope
from edi_gateway.web.api.problems import handle_problems


def make_api(
    db: Database,
    find: Callable[[str], Feed | None],
    carriers: Callable[[], Collection[str]],
    audience: Callable[[], Audience] = tuple,
    wake: Callable[[str], None] = lambda _: None,
    *,
    playground: bool = False,
) -> FastAPI:
    """The application. ``find``, ``carriers`` and ``audience`` know who is configured now.

    ``wake`` is called with a channel that got something, after the commit. ``playground``: people may try things out.
    """
    app = FastAPI(
        title="edi_gateway",
        version="1",
        summary="Shipments, trackers and events of one customer",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = Context(db, Door(db, find), carriers, audience, wake, playground)
    app.include_router(shipments.router)
    app.include_router(hooks.router)
    app.include_router(catch_up.router)
    app.add_middleware(Envelope)
    handle_problems(app)
    return app
