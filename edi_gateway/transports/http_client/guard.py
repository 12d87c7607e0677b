"""The URL guard: requests on behalf of a customer go out to the world, and to nothing that is near us.

A name is resolved by us at every new connection, each of its addresses is judged, and the connection is made to an
address that was judged: what a name says a moment later does not matter.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import urlsplit

import httpx

from edi_gateway.errors import TransientError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Host and port to every address there is. Raises OSError."""

_EXAMPLES: Final = ("example.com", "example.org", "example.net", "example")
_METADATA: Final = {
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
}
_NEVER: Final = {
    name: tuple(map(ipaddress.ip_network, networks))
    for name, networks in {
        "an unspecified address": ("0.0.0.0/8", "::/128"),
        "a link-local address": ("169.254.0.0/16", "fe80::/10", "fec0::/10"),
        "a multicast address": ("224.0.0.0/4", "ff00::/8"),
        "a reserved address": ("240.0.0.0/4", "192.0.0.0/24", "198.18.0.0/15", "::/96", "64:ff9b:1::/48", "100::/64"),
        "an address inside another (6to4)": ("2002::/16",),
        "an address inside another (Teredo)": ("2001::/32",),
    }.items()
}
_PRIVATE: Final = {
    name: tuple(map(ipaddress.ip_network, networks))
    for name, networks in {
        "a loopback address": ("127.0.0.0/8", "::1/128"),
        "a private address": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        "a shared address (CGNAT)": ("100.64.0.0/10",),
    }.items()
}
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64: the last four bytes are an IPv4 address
_ELSEWHERE: Final = (IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1"))  # documentation: nobody has these
_NUMBER: Final = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)")
_UNCLEAN: Final = re.compile(r"[\x00-\x20\x7f\\]")


class BarredError(TransientError):
    """Nothing is sent there: an address it leads to is none of the world's. Its owner may mend that, so it is tried."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What is let through all the same."""

    private: bool = False  # loopback, private and shared addresses, and this machine's own
    http: bool = False
    example: bool = False


def check_url(url: str, allowed: Allowed) -> str:
    """The URL in its plain form: host in lower case and ASCII, without a dot at its end.

    Raises ValueError for what can be seen to be wrong without asking anybody. Errors show neither path nor query.
    """
    if _UNCLEAN.search(url):
        raise ValueError("the URL holds a blank, a control character or a backslash")
    try:
        parts, asked = urlsplit(url), httpx.URL(url)
        parts.port  # noqa: B018  is worked out when it is asked for
    except (ValueError, httpx.InvalidURL):
        raise ValueError("found no URL, expected one such as https://shop.customer.com/webhook/shipment") from None
    if asked.scheme not in {"https", "http"} or not asked.host:
        raise ValueError("found no URL of HTTPS, expected one such as https://shop.customer.com/webhook/shipment")
    if asked.scheme == "http" and not allowed.http:
        raise ValueError("the URL begins with http, expected https, or allow: [http] where that is meant")
    if "@" in parts.netloc:
        raise ValueError("the URL holds a user or password, expected those below auth")
    if parts.fragment:
        raise ValueError("the URL holds a # and what follows, which is never sent")
    host = asked.raw_host.decode("ascii").lower().removesuffix(".")
    check_host(host, allowed)
    return str(asked.copy_with(host=host))


def check_host(host: str, allowed: Allowed) -> None:
    """Raises ValueError when the host as it is written is none to send anything to."""
    address = _literal(host)
    if address is not None:
        if why := near(address, allowed):
            raise ValueError(why)
        return
    if not host or "%" in host or ".." in host or host.startswith("."):
        raise ValueError(f"found {host!r}, expected a host's name")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise ValueError(f"found {host!r}, expected an address as four decimal numbers, or a name")
    if not allowed.example and any(host == name or host.endswith(f".{name}") for name in _EXAMPLES):
        raise ValueError(f"{host} is reserved for examples; allow: [example] where that is meant")
    if not allowed.private and (host == "localhost" or host.endswith(".localhost")):
        raise ValueError(f"{host} is this machine; allow: [private] where that is meant")


def near(address: Address, allowed: Allowed) -> str:
    """Why nothing may be sent to that address; "" when it may."""
    meant = _meant(address)
    if meant in _METADATA:
        return f"{address} tells cloud machines about themselves"
    if kind := _kind(meant, _PRIVATE):
        return "" if allowed.private else f"{address} is {kind}"
    if kind := _kind(meant, _NEVER):
        return f"{address} is {kind}"
    if not meant.is_global:
        return f"{address} is no public address"
    return f"{address} is this machine's own address" if not allowed.private and is_ours(meant) else ""


def is_ours(address: Address) -> bool:
    """Whether the machine itself has that address."""
    elsewhere = _ELSEWHERE[address.version == 6]
    return _binds(address) and not _binds(elsewhere)  # where everything binds (nonlocal_bind), nothing is said


async def resolve(host: str, port: int) -> Sequence[Address]:
    """What the machine's name service says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(ipaddress.ip_address(str(place[4][0]).partition("%")[0]) for place in found)]


async def addresses(host: str, port: int, allowed: Allowed, resolve: Resolve) -> Sequence[Address]:
    """Every address of a host, each of them judged.

    Raises BarredError when one of them, or the host itself, is none to send anything to, and TransientError when there
    is no address.
    """
    host = host.lower().removesuffix(".")
    try:
        check_host(host, allowed)
    except ValueError as error:
        raise BarredError(f"{error}: nothing was sent") from None
    literal = _literal(host)
    try:
        found = [literal] if literal is not None else await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise TransientError(f"{host}: no address is known ({error})") from None
    if not found:
        raise TransientError(f"{host}: no address is known")
    for address in found:
        if why := near(address, allowed):
            raise BarredError(
                f"{host} leads to {address}, and {why}: nothing was sent; have its name service put right, or say"
                " allow: [private] if the receiver stands in our own network"
            )
    return found


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _meant(address: Address) -> Address:
    """The address a packet gets to: what stands inside a mapped or translated one."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    if isinstance(address, IPv6Address) and address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _kind(address: Address, kinds: dict[str, tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]]) -> str:
    return next((name for name, networks in kinds.items() if any(address in network for network in networks)), "")


def _binds(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
