"""The URL guard: what is near us is never reached, however it is written."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from edi_gateway.transports.http_client.guard import Allowed, check_url, is_ours, near

NOTHING = Allowed()
PRIVATE = Allowed(private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.0.9", "::1", "10.0.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fd12::1"),
        *("100.64.0.1", "100.127.255.255", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    ],
)
def test_our_own_network_is_reached_where_that_is_allowed_and_not_otherwise(address: str) -> None:
    """Loopback, private and shared addresses, also inside others."""
    assert near(ip_address(address), NOTHING)
    assert near(ip_address(address), PRIVATE) == ""


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "::ffff:169.254.169.254"),
        *("64:ff9b::a9fe:a9fe", "169.254.0.1", "fe80::1", "fec0::1", "224.0.0.1", "239.1.2.3", "ff02::1", "0.0.0.0"),
        *("0.1.2.3", "::", "240.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1", "192.0.2.1", "203.0.113.9"),
        *("2002:7f00:1::", "2002:808:808::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "::7f00:1"),
        *("64:ff9b:1::7f00:1", "100::1"),
    ],
)
def test_what_is_nobodys_receiver_is_never_reached(address: str) -> None:
    """Metadata, link-local, multicast, reserved and unspecified addresses, and those that hide another."""
    assert near(ip_address(address), NOTHING)
    assert near(ip_address(address), PRIVATE)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "100.128.0.1"])
def test_the_world_is_reached(address: str) -> None:
    """Public addresses, of both kinds, and written as the other kind."""
    assert near(ip_address(address), NOTHING) == ""


def test_the_machines_own_addresses_are_known() -> None:
    """Those it can bind; a public address it has would be refused for that alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing, and shows by which address it would
        mine = probe.getsockname()[0]
    assert [is_ours(ip_address(text)) for text in (mine, "127.0.0.1", "8.8.8.8")] == [True, True, False]


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://Shop.Customer.com./A?b=1", "https://shop.customer.com/A?b=1"),
        ("https://bücher.de:8443/x", "https://xn--bcher-kva.de:8443/x"),
        ("https://8.8.8.8./", "https://8.8.8.8/"),
    ],
)
def test_a_url_is_written_plainly(url: str, plain: str) -> None:
    """One host is one text."""
    assert check_url(url, NOTHING) == plain


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "[::1]", "2130706433", "0x7f.1", "0x7f000001", "127.1", "0177.0.0.1", "017700000001"),
        *("127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127\u30020\u30020\u30021"),
        *("\uff11\uff12\uff17.0.0.1", "%31%32%37.0.0.1", "localhost", "a.localhost."),
        *("user@shop.customer.com", "user:word@shop.customer.com"),
        *("shop.customer.com\\@127.0.0.1", "a b", "", "..", "@"),
        *("example.com", "www.EXAMPLE.org", "example.net.", "shop.example", "1.2.3.4.5", "[fe80::1%25lo]", "x\r\ny"),
    ],
)  # fmt: skip
def test_odd_and_near_hosts_are_refused_as_they_are_read(host: str) -> None:
    """However a number is written, and whoever stands before the host."""
    with pytest.raises(ValueError, match=r"."):
        check_url(f"https://{host}/", NOTHING)


@pytest.mark.parametrize(
    "url", ["http://shop.customer.com", "ftp://shop.customer.com", "//shop.customer.com", "https:/x", "x"]
)
def test_only_https_is_spoken(url: str) -> None:
    """Unless the customer's configuration says so; then it is http, and nothing else."""
    with pytest.raises(ValueError, match="http"):
        check_url(url, NOTHING)
    if url.startswith("http:"):
        assert check_url(url, Allowed(http=True)) == url


def test_examples_are_let_through_where_that_is_meant() -> None:
    """In a demonstration, say."""
    assert check_url("https://shop.example", Allowed(example=True)) == "https://shop.example"
