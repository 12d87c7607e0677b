"""The API's description of itself (OpenAPI), with what holds for every route put in for all of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from edi_gateway.web.api.problems import MEDIA_TYPE, Problem

_ANYWHERE: Final = (400, 401, 403, 408, 413, 422, 429, 500, 503)
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_JSON: Final = "application/json"
_REQUEST_ID: Final = {
    "description": "names the request towards those who run the gateway",
    "schema": {"type": "string", "pattern": "^req_[0-9a-f]{16}$", "examples": ["req_9f1c2b7a60d54e1c"]},
    "required": True,
}
_RATE: Final = {
    "RateLimit-Limit": "requests that may come at once",
    "RateLimit-Remaining": "requests that may come at once now",
    "RateLimit-Reset": "seconds until that is the limit again",
}
_ABOUT: Final = """\
Shipments, trackers and events of one customer. Every request needs a key (`Authorization: Bearer KEY`). What goes wrong
is told as RFC 9457 problem details, naming field and reason. Times are RFC 3339.
"""


def describe(app: FastAPI) -> None:
    """Let the application describe itself so."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def _described(app: FastAPI) -> dict[str, Any]:
    said = get_openapi(title=app.title, version=app.version, summary=app.summary, description=_ABOUT, routes=app.routes)
    schemas = said.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in said["paths"].values():
        for operation in path.values():
            _complete(operation)
    return said


def _complete(operation: dict[str, Any]) -> None:
    """Its refusals and its headers."""
    responses = operation["responses"]
    for status in _ANYWHERE:
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    for name, response in responses.items():
        status = int(name)
        if status >= HTTPStatus.BAD_REQUEST:
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
        headers = response.setdefault("headers", {})
        headers["X-Request-Id"] = _REQUEST_ID
        if status not in {401, 408, 413, 500, 503}:
            headers |= {header: _whole(told) for header, told in _RATE.items()}
        if status in {429, 503}:
            headers["Retry-After"] = _whole("seconds")
    if responses.get("304"):
        for name in ("200", "304"):
            tag = {"description": "for If-None-Match", "schema": {"type": "string"}, "required": True}
            responses[name]["headers"]["ETag"] = tag


def _whole(told: str) -> dict[str, Any]:
    return {"description": told, "schema": {"type": "integer", "minimum": 0, "examples": [1]}}
