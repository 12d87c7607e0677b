"""Channels that documents come to by themselves, in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from edi_gateway.config.load import load_config
from edi_gateway.errors import ConfigError
from tests.configured import GATEWAY, write

CARRIER = """\
carrier: speedy
channels:
  alerts:
    source: {type: webhook, auth: none}
    mapping: ups/track_alert
"""
PROXIED = "auth: {type: all, of: [{type: proxy_header, header: X-Client, values: CN=speedy}]}"


def mistakes(folder: Path, carrier: str, gateway: str = GATEWAY) -> list[str]:
    try:
        load_config(write(folder, carriers__speedy=carrier, gateway=gateway))
    except ConfigError as error:
        return [problem.partition("config/")[2] or problem for problem in error.problems]
    return []


def test_nobody_waits_for_a_poll_that_never_comes(tmp_path: Path) -> None:
    """A webhook is not polled: who says how often is told."""
    assert mistakes(tmp_path, CARRIER) == []
    (problem,) = mistakes(tmp_path, CARRIER.replace("    mapping", "    every: 5m\n    mapping"))
    assert "speedy.yaml:5: channels.alerts.every: this channel is never polled" in problem


def test_a_proxy_that_nobody_trusts_lets_nobody_in(tmp_path: Path) -> None:
    """What only a proxy can say needs one in gateway.yaml."""
    carrier = CARRIER.replace("auth: none", PROXIED)
    (problem,) = mistakes(tmp_path, carrier)
    assert "speedy.yaml:4: channels.alerts.source.auth: proxy_header counts only" in problem
    assert mistakes(tmp_path, carrier, f"{GATEWAY}http: {{trusted_proxies: [10.0.0.0/8]}}\n") == []


@pytest.mark.parametrize(
    "address", ["8080", "127.0.0.1", "127.0.0.1:99999", "http://localhost:80", ":8080", "::1:8080", "[::1]"]
)
def test_where_to_listen_is_an_address_and_a_port(tmp_path: Path, address: str) -> None:
    """Anything else is told before the gateway starts."""
    (problem,) = mistakes(tmp_path, CARRIER, f'{GATEWAY}http: {{address: "{address}"}}\n')
    assert "http.address: found" in problem


@pytest.mark.parametrize(
    ("address", "found"), [("[::1]:8080", ("::1", 8080)), ("gateway.example:443", ("gateway.example", 443))]
)
def test_names_and_addresses_of_either_kind_are_taken(tmp_path: Path, address: str, found: tuple[str, int]) -> None:
    """An address of IPv6 stands in brackets, as in a URL."""
    gateway = f'{GATEWAY}http: {{address: "{address}"}}\n'
    config = load_config(write(tmp_path, carriers__speedy=CARRIER, gateway=gateway))
    assert config.installation.gateway.http.host_and_port == found
