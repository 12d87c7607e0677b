"""Where a request comes from: its address, or what a proxy that we trust says of a client's certificate."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from edi_gateway.plugins import Request
from edi_gateway.transports.http.options import HeaderName, Method, one_or_more

Network = IPv4Network | IPv6Network


class Ip(Method):
    """Addresses requests may come from."""

    type: Literal["ip"]
    networks: Annotated[tuple[Network, ...], Field(min_length=1), BeforeValidator(one_or_more)] = Field(
        description="network or list of networks, such as 192.0.2.0/24 or 2001:db8::/32; one address is one too"
    )

    def objection(self, request: Request, _body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does."""
        return "" if any(request.client in network for network in self.networks) else "address is not among networks"


class ProxyHeader(Method):
    """What the proxy before us found out, such as the subject of a client's certificate (mTLS).

    The header counts only in what comes through a proxy named in ``http: trusted_proxies``.
    """

    type: Literal["proxy_header"]
    header: HeaderName = Field(description="header the proxy sets, such as X-SSL-Client-S-DN; it must drop a client's")
    values: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(one_or_more)] = Field(
        description="value or list of values that are let in, such as CN=speedy"
    )

    def objection(self, request: Request, _body: bytes | None) -> str:
        """What speaks against the request, "" when nothing does."""
        if not request.proxied:
            return "did not come through a trusted proxy"
        given = request.headers.get(self.header)
        if given is None:
            return f"no header {self.header}"
        return "" if given in self.values else f"header {self.header} has another value"
