"""The configuration files as typed data: one model per file, one field per key, one description per field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from edi_gateway.config.acknowledging import (
    AcknowledgeOptions,
    CustomerChannelOptions,
    PositiveDuration,
    Retry,
)
from edi_gateway.config.database import DEFAULT_DATABASE, DatabaseUrl
from edi_gateway.config.destinations import DestinationOptions
from edi_gateway.config.fields import Name, PartyText, Section, Zone, as_list
from edi_gateway.config.http import Http
from edi_gateway.config.rules import Rule, wanted
from edi_gateway.pipeline import partners
from edi_gateway.quantities import Duration, Size
from edi_gateway.transforms.options import Unpack
from edi_gateway.transports.http.sink import Pass

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


class Api(Section):
    """A customer's use of the API, besides what its keys allow."""

    per_second: float = Field(20, gt=0, description="requests of one key a second in the long run")
    burst: int = Field(40, ge=1, description="requests of one key that may come at once after a pause")
    allow: Annotated[frozenset[Pass], BeforeValidator(as_list)] = Field(
        frozenset(),
        description="what the guard lets through for webhook endpoints the customer makes: http, private, example",
    )


class CustomerFile(Section):
    """``customers/*.yaml``: one customer, what it receives, and where, and how it acknowledges that."""

    customer: Name = Field(description="the customer's name")
    receives: tuple[Rule, ...] = Field(
        (), description="rules of which one must fit an event; what the customer subscribed to comes in any case"
    )
    destinations: dict[Name, DestinationOptions] = Field({}, description="the destinations by name")
    api: Api | None = Field(None, description="the customer may use the API; left out: it may not")
    channels: dict[Name, CustomerChannelOptions] = Field(
        default={}, description="the channels by which the customer's acknowledgements come, by name"
    )

    def feed(self) -> partners.Feed:
        """Whom the API answers."""
        allowed = self.api or Api()
        wants = partial(wanted, self.receives)
        return partners.Feed(self.customer, wants, allowed.per_second, allowed.burst, allowed.allow)

    @model_validator(mode="after")
    def _receives_something(self) -> CustomerFile:
        if not self.destinations and self.api is None:
            raise ValueError("nothing goes to this customer, expected destinations, api: {}, or both")
        return self

    def rules(self) -> Iterator[tuple[tuple[str | int, ...], Rule]]:
        """Every rule with its place in the file."""
        yield from ((("receives", index), rule) for index, rule in enumerate(self.receives))
        for name, options in self.destinations.items():
            yield from ((("destinations", name, "only", index), rule) for index, rule in enumerate(options.only))
