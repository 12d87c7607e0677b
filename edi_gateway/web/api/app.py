"""The customers' API as one application: its door, its routes, its description."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from edi_gateway.pipeline.partners import Audience, Feed
from edi_gateway.store.engine import Database
from edi_gateway.store.trackers import Gaps
from edi_gateway.web.api import catch_up, graph, hooks, shipments, trackers
from edi_gateway.web.api.caller import Context, Door
from edi_gateway.web.api.description import describe
from edi_gateway.web.api.envelope import Envelope
from edi_gateway.web.api.news import News
from edi_gateway.web.api.problems import handle_problems
from edi_gateway.web.api.refreshing import NO_APIS, CarrierApis, Refreshing


def make_api(
    db: Database,
    find: Callable[[str], Feed | None],
    carriers: Callable[[], Gaps],
    audience: Callable[[], Audience] = tuple,
    apis: CarrierApis = NO_APIS,
    *,
    playground: bool = False,
) -> FastAPI:
    """The application. ``find``, ``carriers`` and ``audience`` know who is configured now.

    ``playground``: people may try things out.
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
    refreshing = Refreshing(db, apis)
    app.state.context = Context(db, Door(db, find), carriers, audience, refreshing, apis.read, News(db))
    app.include_router(shipments.router)
    app.include_router(trackers.router)
    app.include_router(hooks.router)
    app.include_router(catch_up.router)
    app.include_router(graph.router)
    if playground:
        app.include_router(graph.page)
    handle_problems(app)
    describe(app)
    app.add_middleware(Envelope, unversioned=_named(app))
    return app


def stop_waiting(app: FastAPI) -> None:
    """Let nobody wait for events any longer: the gateway stops."""
    app.state.context.news.stop()


def _named(app: FastAPI) -> set[str]:
    """What paths of the present version begin with."""
    return {path.split("/")[2] for path in app.openapi()["paths"] if path.startswith("/v1/")}
