"""The reference files: complete, explained, valid, and true about the defaults."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import BaseModel

from edi_gateway.config.acknowledging import AcknowledgeOptions, AwaitedOptions, CustomerChannelOptions
from edi_gateway.config.destinations import NOTIFICATION_RETRY, Batch, DestinationOptions
from edi_gateway.config.http import Http
from edi_gateway.config.load import Config, load_config
from edi_gateway.config.models import CarrierFile, ChannelOptions, CustomerFile, Gateway, Log
from edi_gateway.config.numbers import ControlNumbers
from edi_gateway.config.rules import Reference, Rule
from edi_gateway.located import Loc, load, validate
from edi_gateway.plugging import make_plugin
from edi_gateway.plugins import plugin_classes
from edi_gateway.restraint import Circuit
from edi_gateway.tracking.schedule import Schedule, Tail
from edi_gateway.transforms.options import Unpack
from edi_gateway.transports.api_poll.options import Errors, Rate, Request
from edi_gateway.transports.api_poll.registration import Registration
from edi_gateway.transports.api_poll.source import ApiPollSource

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "config" / "reference"
CHANNEL: Loc = ("channels", "status-files")
WEBHOOK: Loc = ("channels", "alerts")
POLLED: Loc = ("channels", "api", "source")
DESTINATION: Loc = ("destinations", "edi")
NOTIFIED: Loc = ("destinations", "live")
OF_NOTIFICATIONS = {"layout", "vocabulary", "history"}

MODELS = [
    ("gateway", (), Gateway),
    ("gateway", ("log",), Log),
    ("gateway", ("http",), Http),
    ("carrier", (), CarrierFile),
    ("carrier", CHANNEL, ChannelOptions),
    ("carrier", (*CHANNEL, "unpack"), Unpack),
    ("carrier", (*CHANNEL, "acknowledge"), AcknowledgeOptions),
    ("carrier", (*CHANNEL, "acknowledge", "control_numbers"), ControlNumbers),
    ("polled_carrier", (*POLLED, "request"), Request),
    ("polled_carrier", (*POLLED, "schedule"), Schedule),
    ("polled_carrier", (*POLLED, "schedule", "after_delivery"), Tail),
    ("polled_carrier", (*POLLED, "rate"), Rate),
    ("polled_carrier", (*POLLED, "errors"), Errors),
    ("polled_carrier", (*POLLED, "circuit"), Circuit),
    ("polled_carrier", ("channels", "live", "registration"), Registration),
    ("customer", (), CustomerFile),
    ("customer", (*DESTINATION, "acknowledgement"), AwaitedOptions),
    ("customer", ("channels", "acknowledgements"), CustomerChannelOptions),
    ("customer", ("receives", 0), Rule),
    ("customer", ("receives", 0, "reference"), Reference),
    ("customer", (*DESTINATION, "batch"), Batch),
    ("customer", (*DESTINATION, "control_numbers"), ControlNumbers),
]
PLUGINS = [
    ("carrier", (*CHANNEL, "source"), "sources", "sftp"),
    ("carrier", (*CHANNEL, "format"), "formats", "edifact"),
    ("carrier", (*WEBHOOK, "source"), "sources", "webhook"),
    ("polled_carrier", POLLED, "sources", "api_poll"),
    ("customer", (*DESTINATION, "sink"), "sinks", "sftp"),
    ("customer", (*DESTINATION, "format"), "encoders", "edifact"),
]


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The reference files, put where the gateway reads them."""
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    for variable in ("SPEEDY_KEY", "GLOBEX_KEY", "SPEEDY_SECRET", "SPEEDY_OLD_SECRET"):
        monkeypatch.setenv(variable, key)
    for kind, place in (("gateway", "gateway"), ("carrier", "carriers/speedy"), ("customer", "customers/globex")):
        target = tmp_path / "config" / f"{place}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REFERENCE / f"{kind}.yaml", target)
    for mapping in ("standard/iftsta", "globex/tracking_events"):
        path = tmp_path / "mappings" / f"{mapping}.yaml"
        path.parent.mkdir(parents=True)
        path.touch()
    return load_config(tmp_path / "config")


def keys(value: Any, loc: Loc = ()) -> Iterator[Loc]:
    """Where every key of a file stands."""
    for step, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if isinstance(step, str):
            yield (*loc, step)
        yield from keys(below, (*loc, step))


def test_the_reference_files_are_a_working_configuration(reference: Config) -> None:
    """Copied into place, with their secrets set and their mappings there, they are read without a mistake."""
    assert [channel.name for channel in reference.channels] == [
        "speedy/status-files",
        "speedy/alerts",
        "globex/acknowledgements",
    ]
    assert [destination.name for destination in reference.destinations] == ["globex/edi"]


@pytest.mark.parametrize(("kind", "loc", "model"), MODELS)
def test_every_key_is_in_its_reference_file(kind: str, loc: Loc, model: type[BaseModel]) -> None:
    """A key that exists can be found; a key that does not exist any more is gone."""
    fields = {info.alias or name for name, info in model.model_fields.items()}
    assert set(load(REFERENCE / f"{kind}.yaml").get(loc)) == fields


def test_every_key_of_a_destination_is_with_its_kind() -> None:
    """Those of files with the files, those of notifications with the notifications."""
    located, keys = load(REFERENCE / "customer.yaml"), set(DestinationOptions.model_fields)
    assert set(located.get(DESTINATION)) == keys - OF_NOTIFICATIONS
    assert OF_NOTIFICATIONS < set(located.get(NOTIFIED)) < keys


@pytest.mark.parametrize(("kind", "loc", "group", "name"), PLUGINS)
def test_every_option_of_the_built_in_plugins_is_in_a_reference_file(
    kind: str, loc: Loc, group: str, name: str
) -> None:
    """Options that exclude each other stand there behind a #."""
    located = load(REFERENCE / f"{kind}.yaml")
    beside = located.path.read_text().splitlines()[located.line(loc) :]
    options = plugin_classes(group)[name].model_fields
    missing = [option for option in options if not any(re.match(rf" *(# )?{option}:", line) for line in beside)]
    assert missing == []


@pytest.mark.parametrize("kind", ["gateway", "carrier", "polled_carrier", "customer"])
def test_every_key_is_explained(kind: str) -> None:
    """A comment stands on the key's line or on the one above it, except where one line explains two keys."""
    located = load(REFERENCE / f"{kind}.yaml")
    lines = ["", *located.path.read_text().splitlines()]
    obvious = {"type", "host", "username", "log", "channels", "destinations", "port", "agent"}
    unexplained = [
        loc
        for loc in keys(located.data)
        if loc[-1] not in obvious
        and " # " not in lines[located.line(loc)]
        and not lines[located.line(loc) - 1].strip().startswith("#")
    ]
    assert unexplained == []


def test_gateway_yaml_shows_the_defaults() -> None:
    """What the reference calls a default is one."""
    shown = validate(Gateway, load(REFERENCE / "gateway.yaml"))
    assert shown.model_copy(update={"identity": None}) == Gateway()


def test_carrier_and_customer_show_the_defaults_they_name(reference: Config) -> None:
    """Every key of channel and destination with a default shows it."""
    carrier = validate(CarrierFile, load(REFERENCE / "carrier.yaml"))
    customer = validate(CustomerFile, load(REFERENCE / "customer.yaml"))
    assert carrier.dedupe_window == CarrierFile.model_fields["dedupe_window"].default
    channel, destination = carrier.channels["status-files"], customer.destinations["edi"]
    shown: list[tuple[BaseModel | None, set[str]]] = [
        (channel, {"every", "format", "acknowledge"}),
        (channel.acknowledge, {"retry"}),
        (destination, {"retry", "acknowledgement", "format", "mapping", "file_name", "events"}),
        (customer.destinations["live"], {"layout", "vocabulary", "retry", "order", "enabled"}),
        (destination.acknowledgement, set()),
        (customer.channels["acknowledgements"], {"every"}),
    ]
    for options, inherited in shown:
        assert options is not None
        fields = type(options).model_fields.items()
        own = {name: info.default for name, info in fields if not info.is_required() and name not in inherited}
        assert {name: getattr(options, name) for name in own} == own
    assert reference.destinations[0].retry == Gateway().retry
    assert customer.destinations["live"].retry == NOTIFICATION_RETRY


def test_the_reference_of_a_polled_carrier_is_valid_and_shows_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it calls a default is one."""
    for variable in ("SPEEDY_ID", "SPEEDY_SECRET"):
        monkeypatch.setenv(variable, "s3cret")
    located = load(REFERENCE / "polled_carrier.yaml")
    shown = make_plugin("sources", located, POLLED, {}, tmp_path)
    own = {"request", "auth", "schedule", "batch", "rate", "paging", "errors"}
    assert isinstance(shown, ApiPollSource)
    for name, info in ApiPollSource.model_fields.items():
        assert name in own or getattr(shown, name) == info.default, name
    for name in ("after_delivery", "unknown", "silence"):
        assert getattr(shown.schedule, name) == Schedule.model_fields[name].default


def test_the_configuration_one_starts_with_is_valid(tmp_path: Path) -> None:
    """The gateway.yaml that comes with the gateway is read without a mistake."""
    shutil.copy(ROOT / "config" / "gateway.yaml", tmp_path)
    assert load_config(tmp_path).installation.gateway == Gateway()


@pytest.mark.parametrize("model", [*(model for _, _, model in MODELS), DestinationOptions])
def test_every_field_describes_itself(model: type[BaseModel]) -> None:
    """Errors and editors tell what a key means."""
    assert [name for name, info in model.model_fields.items() if not info.description] == []
