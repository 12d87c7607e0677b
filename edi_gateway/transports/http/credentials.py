"""Secrets that are shown as they are: a password, a token, a key, an address nobody can guess."""

from __future__ import annotations

import base64
import binascii
from typing import Literal, Self

from pydantic import Field, model_validator

from edi_gateway.plugins import Request
from edi_gateway.transports.http.options import HeaderName, Method, Secrets, is_one_of


class Basic(Method):
    """User name and password (RFC 7617)."""

    type: Literal["basic"]
    username: str = Field(min_length=1, description="the user name the carrier sends")
    password: Secrets = Field(description="reference to the password, or a list of several that hold")

    def objection(self, request: Request, _body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "no Authorization: Basic"
        try:
            said = base64.b64decode(given.strip(), validate=True).decode("utf-8", "surrogateescape")
        except (binascii.Error, ValueError):
            return "Authorization: Basic is no base64"
        user, _, password = said.partition(":")
        fits = is_one_of(password, self.password)
        return "" if user == self.username and fits else "user name or password do not fit"


class Bearer(Method):
    """A token in the header Authorization (RFC 6750)."""

    type: Literal["bearer"]
    token: Secrets = Field(description="reference to the token, or a list of several that hold")

    def objection(self, request: Request, _body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return "no Authorization: Bearer"
        return "" if is_one_of(given.strip(), self.token) else "token does not fit"


class ApiKey(Method):
    """A key in a header or in the query."""

    type: Literal["api_key"]
    header: HeaderName | None = Field(None, description="header that holds the key, such as X-API-Key")
    query: str | None = Field(None, min_length=1, description="parameter of the query that holds it instead")
    key: Secrets = Field(description="reference to the key, or a list of several that hold")

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if bool(self.header) == bool(self.query):
            raise ValueError("expected header or query, one of them")
        return self

    def objection(self, request: Request, _body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does."""
        place = f"header {self.header}" if self.header else f"query {self.query}"
        given = request.headers.get(self.header) if self.header else request.query.get(self.query or "")
        if given is None:
            return f"no {place}"
        return "" if is_one_of(given.strip(), self.key) else f"key in {place} does not fit"


class UrlToken(Method):
    """A part of the address that nobody can guess: /inbound/CARRIER/CHANNEL/TOKEN."""

    type: Literal["url_token"]
    token: Secrets = Field(description="reference to the last part of the address, or a list of several that hold")

    def objection(self, request: Request, _body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does."""
        if not request.path:
            return "no token in the address"
        return "" if is_one_of(request.path, self.token) else "token in the address does not fit"
