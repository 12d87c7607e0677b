"""One channel that documents are sent to, without the rest of the configuration: no other partner's secrets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edi_gateway.config.agreement import receiving, registered
from edi_gateway.config.http import Http
from edi_gateway.config.load import load_installation
from edi_gateway.config.names import receiving_channels
from edi_gateway.errors import ConfigError
from edi_gateway.located import did_you_mean, validate
from edi_gateway.plugging import make_plugin
from edi_gateway.plugins import Receiver
from edi_gateway.transports.api_poll.registration import Registration


@dataclass(frozen=True, slots=True)
class Receiving:
    """The channel as configured."""

    name: str  # partner/channel
    http: Http
    source: Receiver
    registration: Registration | None


def receiving_channel(folder: Path, name: str) -> Receiving:
    """That channel with its secrets; raises ConfigError where there is none, or it cannot be used."""
    http = load_installation(folder).gateway.http
    if http.public_url is None:
        raise ConfigError(
            f"{folder / 'gateway.yaml'}: http.public_url is not set, expected where carriers reach this server, such as"
            " http: {public_url: https://hub.example}"
        )
    places = receiving_channels(folder)
    if name not in places:
        known = ", ".join(places) or "none"
        raise ConfigError(f"nothing is sent to a channel {name!r}{did_you_mean(name, places)}; there are: {known}")
    located, loc = places[name]
    source = make_plugin("sources", located, (*loc, "source"), {}, folder)
    told = located.get((*loc, "registration")) is not None
    context = {"folder": folder}
    registration = validate(Registration, located, (*loc, "registration"), context=context) if told else None
    if not isinstance(source, Receiver):
        raise ConfigError(f"{located.at(loc)}: {name} asks by itself, and gets nothing sent")
    problems = [
        *receiving(located, loc, source, http),
        *registered(located, loc, source, registration, http),
    ]
    if problems:
        raise ConfigError(*problems)
    return Receiving(name, http, source, registration)
