"""How another's server knows us: keys, passwords and tokens, each a reference."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edi_gateway.secrets import Secret
from edi_gateway.transports.http_client.fields import Section, Url


class ApiKey(Section):
    """A key in a header or in the query."""

    type: Literal["api_key"] = Field(description="a key in a header or in the query")
    key: Secret = Field(description="reference to the key")
    header: str | None = Field(None, description="header that it stands in, such as X-API-Key")
    query: str | None = Field(None, description="parameter of the query that it stands in")

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if (self.header is None) == (self.query is None):
            raise ValueError("expected one of header and query")
        return self


class Basic(Section):
    """A user and a password in each request."""

    type: Literal["basic"] = Field(description="user and password")
    username: str = Field(min_length=1, description="account there")
    password: Secret = Field(description="reference to its password")


class Bearer(Section):
    """A token that was issued once."""

    type: Literal["bearer"] = Field(description="a token that does not run out")
    token: Secret = Field(description="reference to the token")


class OAuth2(Section):
    """Tokens that are asked for with client credentials (RFC 6749, section 4.4), and used until they run out."""

    type: Literal["oauth2"] = Field(description="tokens asked for with client credentials")
    token_url: Url = Field(description="where tokens are issued")
    client_id: Secret = Field(description="reference to the client's name")
    client_secret: Secret = Field(description="reference to the client's secret")
    scope: str = Field("", description="what the token is to be good for")
    fields: dict[str, str] = Field({}, description="further fields of the request, such as audience")
    send: Literal["header", "body"] = Field("header", description="where name and secret stand in the request")

    def form(self) -> dict[str, str]:
        """The request for a token."""
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {}) | self.fields
        if self.send == "body":
            form |= {
                "client_id": self.client_id.get_secret_value(),
                "client_secret": self.client_secret.get_secret_value(),
            }
        return form

    def headers(self) -> dict[str, str]:
        """Who asks for it."""
        if self.send == "body":
            return {}
        return {"Authorization": basic(self.client_id.get_secret_value(), self.client_secret.get_secret_value())}


Auth = Annotated[ApiKey | Basic | Bearer | OAuth2, Field(discriminator="type")]


def basic(username: str, password: str) -> str:
    """The header of RFC 7617."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def proof(auth: Auth | None, token: str) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and query parameters that prove who asks; ``token`` is OAuth2's."""
    match auth:
        case ApiKey(header=str(header)):
            return {header: auth.key.get_secret_value()}, {}
        case ApiKey(query=str(query)):
            return {}, {query: auth.key.get_secret_value()}
        case Basic():
            return {"Authorization": basic(auth.username, auth.password.get_secret_value())}, {}
        case Bearer():
            return {"Authorization": f"Bearer {auth.token.get_secret_value()}"}, {}
        case OAuth2():
            return {"Authorization": f"Bearer {token}"}, {}
        case _:
            return {}, {}
