"""The HTTP server in the configuration: where it listens, whom it believes, how much it bears."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr

from edi_gateway.config.fields import Section, as_list
from edi_gateway.quantities import Duration, Size
from edi_gateway.secrets import Secret

_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})")
_SHORTEST: Final = 32  # bytes
_SECOND: Final = timedelta(seconds=1)
_NONE: Final = timedelta(0)


def _is_long(secret: SecretStr) -> SecretStr:
    length = len(secret.get_secret_value().encode())
    if length < _SHORTEST:
        raise ValueError(f"the secret has {length} bytes, expected at least {_SHORTEST}: openssl rand -hex 32")
    return secret


MasterSecret = Annotated[Secret, AfterValidator(_is_long)]
"""What other secrets are derived from."""


def _is_address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > 65_535:
        raise ValueError(f"found {text!r}, expected an address and a port such as 127.0.0.1:8080 or [::1]:8080")
    return text


def _is_public(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"found {url!r}, expected the address this server has for others, as https://hub.example")
    return url.rstrip("/")


class Tls(Section):
    """The server's own certificate."""

    certificate: Path = Field(description="file with the certificate and those between it and the root, PEM")
    key: Path = Field(description="file with its private key, PEM, without a passphrase")


class Http(Section):
    """The HTTP server."""

    model_config = ConfigDict(hide_input_in_errors=True)

    address: Annotated[str, AfterValidator(_is_address)] = Field(
        "127.0.0.1:8080", description="address and port to listen on"
    )
    public_url: Annotated[str, AfterValidator(_is_public)] | None = Field(
        None, description="where carriers reach this server, as https://hub.example; what is before /inbound"
    )
    tls: Tls | None = Field(None, description="the server's certificate; left out: plain HTTP, for a proxy before it")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(as_list)] = Field(
        (), description="networks of the proxies whose X-Forwarded-For and other headers are believed"
    )
    max_connections: int = Field(1_000, ge=1, description="connections at a time; more are turned away with 503")
    max_per_address: int = Field(
        200, ge=1, description="connections at a time of one client, or its requests where they come through a proxy"
    )
    max_waiting: Size = Field(
        200_000_000, ge=1, description="bytes of bodies that are being read or committed; more are refused with 503"
    )
    webhook_secrets: MasterSecret | None = Field(
        None,
        description="reference to a text of at least 32 bytes, from which the secrets of webhook endpoints that"
        " customers make are worked out; without it they can make none",
    )
    header_timeout: Annotated[Duration, Field(gt=_NONE)] = Field(
        10 * _SECOND, description="how long a client may take to send a request's headers, or the next request"
    )
    playground: bool = Field(
        default=False, strict=True, description="true: serve a page at which people try GraphQL out with a test key"
    )
    body_timeout: Annotated[Duration, Field(gt=_NONE)] = Field(
        30 * _SECOND, description="how long a client may take to send a request's body"
    )

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where to listen; port 0 is any that is free."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)
