"""Proof, asked for by GET, that an address is ours before a carrier sends anything there."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from edi_gateway.errors import RequestRefusedError
from edi_gateway.plugins import Answer, Request
from edi_gateway.transports.http.options import Method, Secrets, is_one_of


class Handshake(Method):
    """A parameter of the query that has to come back; where a token is given, only to those who know it."""

    echo: str = Field(min_length=1, description="parameter whose value is the answer, such as hub.challenge")
    token_parameter: str | None = Field(None, description="parameter with a token, such as hub.verify_token")
    token: Secrets | None = Field(None, description="reference to that token, or a list of several that hold")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if bool(self.token) != bool(self.token_parameter):
            raise ValueError("expected token_parameter and token, both or none")
        return self

    def answer(self, request: Request) -> Answer:
        """The value, as text. Raises RequestRefusedError."""
        if self.token and not is_one_of(request.query.get(self.token_parameter or "", ""), self.token):
            raise RequestRefusedError(405, "a handshake whose token does not fit")
        if self.echo not in request.query:
            raise RequestRefusedError(405, f"GET without {self.echo}, which is no handshake")
        return Answer(200, request.query[self.echo].encode("utf-8", "replace"), "text/plain; charset=utf-8")
