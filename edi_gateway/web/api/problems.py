"""What goes wrong in the customers' API, said as RFC 9457 has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from edi_gateway.errors import StorageError
from edi_gateway.store.engine import storable

log = structlog.get_logger()
MEDIA_TYPE: Final = "application/problem+json"
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
_MOST_ERRORS: Final = 20  # are told
_LONGEST: Final = 200  # characters of what is told of one: the client's own words are in it


class Field_(BaseModel):  # noqa: N801 -- pydantic's Field is another
    """One place of a request, and what is wrong there."""

    field: str = Field(examples=["body.items.0.tracking_number"])
    reason: str = Field(examples=["String should have at least 1 character"])


class Problem(BaseModel):
    """A problem, RFC 9457."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no such shipment"])
    request_id: str = Field(examples=["req_9f1c2b7a60d54e1c"])
    errors: list[Field_] = Field(default_factory=list)


class ProblemError(Exception):
    """Ends a request with that problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = errors
        self.headers = headers


def answer(
    request: Request,
    status: int,
    detail: str,
    errors: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response that says so."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request.state.request_id,
        errors=[Field_(field=_told(field), reason=_told(reason)) for field, reason in errors[:_MOST_ERRORS]],
    )
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Let every refusal of the application be such a problem."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)
        return answer(request, error.status, str(error), error.errors, error.headers)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = [(".".join(str(part) for part in each["loc"]), each["msg"]) for each in error.errors()]
        unreadable = any(each["type"] == "json_invalid" for each in error.errors())
        detail = "the body is no JSON" if unreadable else "the request is not as the API describes it"
        return answer(request, 400 if unreadable else 422, detail, errors)

    async def other(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"Allow": ", ".join(sorted(_methods(request)))}
        return answer(request, error.status_code, str(error.detail), headers=headers)

    async def unavailable(request: Request, error: Exception) -> JSONResponse:
        log.error("api.unavailable", why=str(error))
        return answer(request, 503, "the gateway cannot answer now, try again", headers={"Retry-After": "5"})

    app.add_exception_handler(StorageError, unavailable)
    app.add_exception_handler(ProblemError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, other)


def _told(said: str) -> str:
    return storable(said[:_LONGEST])


def _methods(request: Request) -> set[str]:
    """What may be done with the path, by whichever route."""
    ways = ((method, {**request.scope, "method": method}) for method in _METHODS)
    routes = request.app.routes
    methods = {method for method, scope in ways if any(each.matches(scope)[0] is Match.FULL for each in routes)}
    return methods | {"HEAD"} if "GET" in methods else methods


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route besides its success, for its description."""
    return {
        status: {"model": Problem, "description": HTTPStatus(status).phrase}  # described as the problem by description
        for status in statuses
    }
