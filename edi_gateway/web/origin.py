"""Who asks, when proxies stand in between."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_NOBODY: Final = IPv4Address("0.0.0.0")  # noqa: S104  no address to listen on


def origin(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> tuple[Address, bool]:
    """The client's address, and whether it came through a trusted proxy.

    X-Forwarded-For is read from its end, as far as trusted proxies wrote it: what a client says itself does not count.
    """
    client = address_of(peer)
    if not is_in(client, trusted):
        return client, False
    for hop in reversed(forwarded_for.split(",")):
        if not hop.strip():
            continue
        client = address_of(hop.strip())
        if not is_in(client, trusted):
            break
    return client, True


def neighbourhood(address: Address) -> Address | Network:
    """Who counts as one client: an address, or in IPv6 the network that a client has for itself."""
    return IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether it is one of theirs."""
    return any(address in network for network in networks)


def address_of(text: str) -> Address:
    """The address, with or without its port; one that is written for IPv4 within IPv6 is one of IPv4."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return _NOBODY
    return getattr(found, "ipv4_mapped", None) or found
