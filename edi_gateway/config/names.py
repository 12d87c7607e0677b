"""What is configured, by name: told by the files alone, without partners' secrets or their plugins' options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from edi_gateway.config.answering import OUTLET
from edi_gateway.located import Loc, Located, load
from edi_gateway.plugins import plugin_classes
from edi_gateway.worlds import CHANNEL, destination_in_test

Kind = Literal["carrier", "customer"]


def partner_names(folder: Path, kind: Kind) -> list[str]:
    """The names of the carriers or customers there are, as far as their files can be read."""
    return sorted(str(name) for located in _files(folder, kind) if (name := located.get((kind,))))


def configured_names(folder: Path) -> tuple[set[str], set[str]]:
    """The names of all channels and destinations that are switched on.

    Raises ConfigError when a file cannot be read at all.
    """
    channels = set(_names(folder, "carrier", "channels"))
    tests = set(_names(folder, "customer", "destinations", having="test"))
    destinations = set(_names(folder, "customer", "destinations")) - tests | set(map(destination_in_test, tests))
    channels |= {CHANNEL} if customers_of_test_data(folder) else set()
    outlets = {f"{name}/{OUTLET}" for name in _names(folder, "carrier", "channels", having="acknowledge")}
    return channels | set(_names(folder, "customer", "channels")), destinations | outlets


def customers_of_test_data(folder: Path) -> list[str]:
    """Customers who may use the API or have a destination for test data."""
    testing = {name.partition("/")[0] for name in _names(folder, "customer", "destinations", having="test")}
    asking = {str(each.get(("customer",))) for each in _files(folder, "customer") if each.get(("api",)) is not None}
    return sorted(testing | asking)


def asking_channels(folder: Path) -> list[str]:
    """The names of the channels that ask carriers for tracking numbers."""
    classes = plugin_classes("sources")
    return [
        name
        for name, located, loc in channels(folder, "carrier")
        if (kind := _type(located, loc)) in classes and "schedule" in classes[kind].model_fields
    ]


def receiving_channels(folder: Path) -> dict[str, tuple[Located, Loc]]:
    """The names of the channels that documents come to by themselves, and where each is written."""
    classes = plugin_classes("sources")
    found = [*channels(folder, "carrier"), *channels(folder, "customer")]
    return {
        name: (located, loc)
        for name, located, loc in found
        if (kind := _type(located, loc)) in classes and hasattr(classes[kind], "answer")
    }


def channels(folder: Path, kind: Kind) -> Iterator[tuple[str, Located, Loc]]:
    """Every channel that is switched on: its name and where it is written."""
    for located in _files(folder, kind):
        for name, loc in enabled(located, "channels"):
            yield f"{located.get((kind,))}/{name}", located, loc


def enabled(located: Located, section: str) -> Iterator[tuple[str, Loc]]:
    """Name and place of everything in a section of a file that is not switched off."""
    found = located.get((section,))
    for name in found if isinstance(found, dict) else ():
        if located.get((section, name, "enabled")) is not False:
            yield name, (section, name)


def _names(folder: Path, kind: Kind, section: str, having: str = "") -> Iterator[str]:
    for located in _files(folder, kind):
        for name, loc in enabled(located, section):
            if not having or located.get((*loc, having)):
                yield f"{located.get((kind,))}/{name}"


def _files(folder: Path, kind: Kind) -> Iterator[Located]:
    return (load(path) for path in sorted((folder / f"{kind}s").glob("[!.]*.yaml")))


def _type(located: Located, loc: Loc) -> str:
    return str(located.get((*loc, "source", "type")))
