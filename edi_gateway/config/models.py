"""The configuration files as typed data: one model per file, one field per key, one description per field."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from edi_gateway.config.acknowledging import (
    AcknowledgeOptions,
    AwaitedOptions,
    CustomerChannelOptions,
    PositiveDuration,
    Retry,
)
from edi_gateway.config.database import DEFAULT_DATABASE, DatabaseUrl
from edi_gateway.config.fields import Name, PartyText, Section, Zone, as_list
from edi_gateway.config.file_names import FileNameText
from edi_gateway.config.http import Http
from edi_gateway.config.numbers import ControlNumbers
from edi_gateway.config.rules import Rule
from edi_gateway.pipeline import partners
from edi_gateway.quantities import Duration, Size
from edi_gateway.transforms.options import Unpack

_MINUTE: Final = timedelta(minutes=1)
_RETRY: Final = (
    timedelta(0),
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15)),
    *(timedelta(hours=hours) for hours in (1, 2, 4, 8, 16, 24, 24, 24)),
)  # 103 hours, and 82 if each pause is cut by a fifth: a weekend and the Monday after it

PluginOptions = dict[str, Any]


class Log(Section):
    """How the gateway logs."""

    format: Literal["auto", "json", "console"] = Field(
        "auto", description="json for machines, console for people, auto: console on a terminal and json elsewhere"
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least important line written")


class Gateway(Section):
    """``gateway.yaml``: what holds for all partners."""

    data: Path = Field(Path("../data"), description="folder of the embedded database, seen from this file")
    database: DatabaseUrl = Field(
        DEFAULT_DATABASE,
        description="sqlite:///FILE (seen from the data folder) or postgresql://USER:PASSWORD@HOST/NAME",
    )
    mappings: Annotated[tuple[Path, ...], BeforeValidator(as_list)] = Field(
        (Path("../mappings"),), description="folder or folders of mappings, seen from this file; the first one wins"
    )
    identity: PartyText | None = Field(
        None, description="who we are in outbound interchanges, ID:QUALIFIER; a destination's format may say otherwise"
    )
    poll: PositiveDuration = Field(_MINUTE, description="how often a channel is polled that does not say")
    retry: Retry = Field(_RETRY, description="pauses after each failed attempt to deliver; used up: dead letter")
    stop_timeout: Duration = Field(timedelta(seconds=30), description="how long stopping waits for what is in flight")
    shipment_gap: PositiveDuration = Field(
        timedelta(days=90), description="a tracking number silent for longer than this is a new shipment"
    )
    least_free: Size = Field(
        20_000_000,
        ge=0,
        description="work pauses while the disk of an embedded database has less room than this; 0: not looked at",
    )
    http: Http = Field(Http(), description="the HTTP server; it runs when a channel is a webhook")
    log: Log = Field(Log(), description="how the gateway logs")


class ChannelOptions(Section):
    """How one carrier sends one kind of thing."""

    source: PluginOptions = Field(description="where files come from: a type and its options")
    format: PluginOptions | None = Field(
        None, description="the syntax of the files: a type and its options; as the mapping says when left out"
    )
    mapping: str = Field(description="the mapping that turns messages into events, such as standard/iftsta")
    unpack: Unpack = Field(Unpack(), description="how packed files (gzip, zip) are unpacked before they are read")
    decrypt: PluginOptions | None = Field(None, description="how encrypted files (PGP) are decrypted, with which keys")
    every: PositiveDuration | None = Field(
        None, description="how often to look for files; as gateway.yaml when left out"
    )
    accept_test: bool = Field(
        default=False, strict=True, description="process interchanges marked as a test like any other"
    )
    unique_references: bool = Field(
        default=True,
        strict=True,
        description="false: this partner uses interchange references again, so another content under one is no mistake",
    )
    patience: Annotated[Duration, Field(ge=timedelta(0))] = Field(
        timedelta(minutes=10),
        description="how long a file without its end may stay unchanged before it is taken as it is; 0s: not at all",
    )
    acknowledge: AcknowledgeOptions | None = Field(
        None, description="what the carrier is told of its interchanges; nothing when left out"
    )
    registration: PluginOptions | None = Field(
        None,
        description="how a carrier's API is told where to send, for a webhook; default: a person tells the carrier",
    )
    enabled: bool = Field(
        default=True, strict=True, description="false: not polled, its plugins and secrets not even looked at"
    )


class CarrierFile(Section):
    """``carriers/*.yaml``: one carrier and its channels."""

    carrier: Name = Field(description="the carrier's name")
    timezone: Zone | None = Field(None, description="zone of times that name none and whose place tells none")
    dedupe_window: Duration = Field(
        _MINUTE,
        ge=_MINUTE,
        le=timedelta(days=1),
        description="the same fact within this time is one event; whole minutes",
    )
    missed_after: PositiveDuration = Field(
        timedelta(minutes=15), description="how late a webhook may tell what polling told first, or it counts as missed"
    )
    channels: dict[Name, ChannelOptions] = Field(min_length=1, description="the carrier's channels by name")

    @model_validator(mode="after")
    def _whole_minutes(self) -> CarrierFile:
        if self.dedupe_window % _MINUTE:
            raise ValueError(f"dedupe_window is {self.dedupe_window}, expected whole minutes")
        return self


class Batch(Section):
    """When pending events become a file."""

    every: Annotated[Duration, Field(ge=timedelta(0))] = Field(
        timedelta(minutes=5), description="the longest an event waits for others to share its file"
    )
    at_most: int = Field(500, ge=1, le=10_000, description="events in one file; as soon as they are there it is sent")
    max_bytes: Size = Field(1_000_000, ge=1_000, description="size of one file; one event alone may exceed it")

    def wired(self) -> partners.Batch:
        """The batch as the pipeline knows it."""
        return partners.Batch(self.every, self.at_most, self.max_bytes)


class DestinationOptions(Section):
    """What one customer receives, in which form, where and when."""

    sink: PluginOptions = Field(description="where files go: a type and its options")
    format: PluginOptions = Field(description="the syntax and envelope of the files: a type and its options")
    mapping: str = Field(description="the mapping that lays out events in messages")
    file_name: FileNameText = Field(
        description="name of each file; {control:09} in it, {date:%Y%m%d}, {customer}, {destination} if wanted"
    )
    encrypt: PluginOptions | None = Field(None, description="for whom files are encrypted (PGP), and who signs them")
    events: Literal["all", "status_changes"] = Field(
        "all", description="every event, or only those that change the shipment's status"
    )
    batch: Batch = Field(Batch(), description="when pending events become a file")
    control_numbers: ControlNumbers = Field(ControlNumbers(), description="the sequence of control numbers")
    retry: Retry | None = Field(None, description="pauses after each failed attempt; as gateway.yaml when left out")
    order: Literal["any", "strict"] = Field(
        "any", description="strict: no file is sent while an earlier one is neither delivered nor given up by a person"
    )
    in_flight: int = Field(4, ge=1, le=64, description="files sent at the same time; with strict order always one")
    unencodable: Literal["refuse", "replace"] = Field(
        "refuse", description="a character the charset lacks: set the event aside, or write the nearest character"
    )
    acknowledgement: AwaitedOptions | None = Field(
        None, description="the acknowledgement the customer owes for each file; none when left out"
    )
    enabled: bool = Field(
        default=True, strict=True, description="false: nothing is collected for it, its secrets not looked at"
    )


class CustomerFile(Section):
    """``customers/*.yaml``: one customer, what it receives, and where, and how it acknowledges that."""

    customer: Name = Field(description="the customer's name")
    receives: tuple[Rule, ...] = Field(
        (), description="rules of which one must fit an event; what the customer subscribed to comes in any case"
    )
    destinations: dict[Name, DestinationOptions] = Field(min_length=1, description="the destinations by name")
    channels: dict[Name, CustomerChannelOptions] = Field(
        default={}, description="the channels by which the customer's acknowledgements come, by name"
    )
