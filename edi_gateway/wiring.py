"""Configuration and mappings joined: the channels and destinations the pipeline works with."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from edi_gateway.config import configured, load
from edi_gateway.config.endpoints import wired_endpoints
from edi_gateway.config.http import Http
from edi_gateway.errors import ConfigError, RefusedError
from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.mapping.render import Header, Layout, outbound_code
from edi_gateway.mapping.schema import OutboundCode
from edi_gateway.model import Classifier, Location, OutboundMessage, Party, Status, TrackingEvent
from edi_gateway.notifications.words import Said, Words, canonical, nine_status
from edi_gateway.pipeline.notifying import provable
from edi_gateway.pipeline.partners import Audience, Callback, Channel, Destination, Feed, Notifying, Outlet
from edi_gateway.pipeline.simulating import MAPPING, simulated
from edi_gateway.plugins import Encoder, Receiver, Sink, Source
from edi_gateway.store.tables import WebhookEndpoint
from edi_gateway.transforms.pgp import prove_decrypt, prove_encrypt
from edi_gateway.transports.api_poll.registration import Registration
from edi_gateway.transports.http.instructions import secret_of, token_of
from edi_gateway.transports.http.webhook import Webhook
from edi_gateway.worlds import LIVE

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wired:
    """Everything the daemon works with, by name."""

    channels: Mapping[str, Channel]
    destinations: Sequence[Destination]
    feeds: Sequence[Feed] = ()

    @property
    def audience(self) -> Audience:
        """All who may hear of an event."""
        return [*self.destinations, *self.feeds]

    @property
    def outlets(self) -> list[Outlet]:
        """Where acknowledgements go."""
        return [channel.acknowledge.outlet for channel in self.channels.values() if channel.acknowledge]

    @property
    def receivers(self) -> list[Destination | Outlet]:
        """All that something is sent to."""
        return [*self.destinations, *self.outlets]

    @property
    def receives(self) -> bool:
        """Whether documents come to any channel by themselves."""
        return any(isinstance(channel.source, Receiver) for channel in self.channels.values())

    async def close(self) -> None:
        """Give back what sources and sinks keep open."""
        sources = (channel.source.close() for channel in self.channels.values())
        sinks = (receiver.sink.close() for receiver in self.receivers)
        await asyncio.gather(*sources, *sinks, return_exceptions=True)


def with_endpoints(wired: Wired, rows: Iterable[WebhookEndpoint]) -> Wired:
    """The same with the webhook endpoints that customers made."""
    return replace(wired, destinations=[*wired.destinations, *wired_endpoints(rows, wired.feeds)])


def carry_over(old: Wired, new: Wired) -> tuple[Wired, list[tuple[str, Source | Receiver | Sink]]]:
    """The new partners with the sources and sinks of the old ones where their options are the same, and the rest.

    What is left over is to be closed after the work named beside it.
    """
    sinks = {each.name: each.sink for each in old.receivers}
    channels = {
        name: _with_outlet(
            replace(channel, source=old.channels[name].source)
            if name in old.channels and _same(old.channels[name].source, channel.source)
            else channel,
            sinks,
        )
        for name, channel in new.channels.items()
    }
    destinations = [replace(each, sink=_kept(each, sinks)) for each in new.destinations]
    wired = Wired(channels, destinations, new.feeds)
    held = {id(channel.source) for channel in channels.values()} | {id(each.sink) for each in wired.receivers}
    before: list[tuple[str, Source | Receiver | Sink]] = [
        *((f"poll {name}", channel.source) for name, channel in old.channels.items()),
        *((f"deliver {each.name}", each.sink) for each in old.receivers),
    ]
    return wired, [(work, plugin) for work, plugin in before if id(plugin) not in held]


def _with_outlet(channel: Channel, sinks: Mapping[str, Sink]) -> Channel:
    acknowledge = channel.acknowledge
    if acknowledge is None:
        return channel
    outlet = replace(acknowledge.outlet, sink=_kept(acknowledge.outlet, sinks))
    return replace(channel, acknowledge=replace(acknowledge, outlet=outlet))


def _kept(receiver: Destination | Outlet, sinks: Mapping[str, Sink]) -> Sink:
    """The sink it had before, if that has the same options."""
    before = sinks.get(receiver.name)
    return before if before is not None and _same(before, receiver.sink) else receiver.sink


def _same(one: Source | Receiver | Sink, other: Source | Receiver | Sink) -> bool:
    return type(one) is type(other) and vars(one) == vars(other)


def wire(config: load.Config) -> Wired:
    """Compile every mapping that is used; raises ConfigError with the mistakes of all of them."""
    problems: dict[str, None] = {}  # in order, each once

    def attempt(make: Callable[[], _T]) -> _T | None:
        try:
            return make()
        except ConfigError as error:
            problems.update(dict.fromkeys(error.problems))
            return None

    channels = [attempt(partial(wire_channel, config, channel)) for channel in config.channels]
    destinations = [attempt(partial(_destination, config, each)) for each in config.destinations]
    wired = Wired({}, [each for each in destinations if each], config.feeds)
    if any(each.world != LIVE for each in wired.audience):
        channels.append(attempt(lambda: simulated(config.installation.library.reader(MAPPING))))
    if problems:
        raise ConfigError(*problems)
    return replace(wired, channels={channel.name: channel for channel in channels if channel})


def wire_channel(config: load.Config, channel: configured.Channel) -> Channel:
    """One channel with its mapping; raises ConfigError."""
    return Channel(
        name=channel.name,
        partner=Partner(channel.carrier, channel.timezone),
        source=channel.source,
        every=channel.every,
        format=channel.format,
        mapping=config.installation.library.reader(channel.mapping) if channel.mapping else None,
        accept_test=channel.accept_test,
        unique_references=channel.unique_references,
        patience=channel.patience,
        opening=channel.opening,
        dedupe_window=channel.dedupe_window,
        epoch_gap=config.installation.gateway.shipment_gap,
        acknowledge=channel.acknowledge,
        callback=callback(config.installation.gateway.http, channel.name, channel.source, channel.registration),
    )


def callback(http: Http, channel: str, source: Source | Receiver, registration: Registration | None) -> Callback | None:
    """Where a carrier sends to that channel; None where nothing is sent, or nobody knows this server's address."""
    if http.public_url is None or not isinstance(source, Receiver):
        return None
    url = f"{http.public_url}/inbound/{channel}"
    if not isinstance(source, Webhook):  # another's plugin, whose secrets are its own business
        return Callback(channel, url, registration=registration)
    return Callback(channel, url, token_of(source), secret_of(source), registration)


def prove_keys(config: load.Config) -> None:
    """Use every PGP key once, as it will be used; raises ConfigError with all that cannot be."""
    theirs = [(each.opened_at, each.opening.decrypt) for each in config.channels if each.opening.decrypt]
    ours = [(each.encrypted_at, each.encrypt) for each in config.destinations if each.encrypt]
    found = [(f"{at}decrypt", prove_decrypt(options)) for at, options in theirs]
    found += [(f"{at}encrypt", prove_encrypt(options)) for at, options in ours]
    problems = [f"{at}: {problem}" for at, problem in found if problem]
    if problems:
        raise ConfigError(*problems)


def _destination(config: load.Config, each: configured.Destination) -> Destination:
    library = config.installation.library
    layout = library.writer(each.mapping) if each.mapping else None
    wired = Destination(
        name=each.name,
        customer=each.customer,
        wants=each.wants,
        only=each.only,
        events=each.events,
        layout=layout,
        encoder=each.encoder,
        sink=each.sink,
        batch=each.batch,
        file_name=each.file_name,
        control_numbers=each.control_numbers,
        retry=each.retry,
        replace_unencodable=each.replace_unencodable,
        in_order=each.in_order,
        in_flight=each.in_flight,
        encrypt=each.encrypt,
        parties=(_identification(each.encoder, "sender"), _identification(each.encoder, "recipient")),
        expects=each.expects,
        within=each.within,
        notifying=_notifying(library, each.told, layout) if each.told else None,
        line_per_shipment=each.line_per_shipment,
    )
    _prove(wired, each)
    return wired


def _notifying(library: Library, told: configured.Told, layout: Layout | None) -> Notifying:
    """How single events are told; raises ConfigError when the vocabulary is no vocabulary."""
    if layout is not None:
        return Notifying(None, _words(layout.statuses), history=False)
    words = {"canonical": canonical, "nine_status": nine_status}.get(told.vocabulary)
    return Notifying(told.layout, words or _words(library.statuses(told.vocabulary)), told.history)


def _words(statuses: Mapping[str, OutboundCode]) -> Words:
    """The customer's own words, as a mapping has them."""

    def called(status: Status, reason: str, classifier: Classifier) -> Said | None:
        code = outbound_code(statuses, status, reason, classifier)
        return Said(code.code, code.reason or reason) if code else None

    return called


def _identification(encoder: Encoder | None, role: str) -> str:
    """How acknowledgements name a party of what this encoder writes; "" where it has none."""
    party = getattr(encoder, role, None)
    return party.id if isinstance(party, Party) else ""


def _prove(wired: Destination, each: configured.Destination) -> None:
    """Write one event that says everything, in every status; raises ConfigError for what the message cannot hold."""
    try:
        if wired.notifying:
            deque(provable(wired, _EVERYTHING, _SOME_DAY), maxlen=0)
        elif wired.layout and wired.encoder:
            layout, header = wired.layout, Header("1", "1", "1-1", "9", "CARRIER", "CUSTOMER", _SOME_DAY, "NUMBER")
            told = [status for status in Status if layout.outbound_code(status, "")]
            body = layout.message(header, (replace(_EVERYTHING, status=status) for status in told))
            wired.encoder.encode("1", _SOME_DAY, [OutboundMessage("1", body)])
    except RefusedError as error:
        raise ConfigError(f"{each.asked_at}mapping {each.mapping}: {error}") from error


_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_EVERYTHING = TrackingEvent(
    carrier="CARRIER",
    tracking_number="NUMBER",
    status=Status.UNKNOWN,
    occurred_at=_SOME_DAY,
    piece="PIECE",
    text="TEXT",
    location=Location("PLACE", "DEHAM", "DE"),
    account="ACCOUNT",
    signatory="NAME",
    references=defaultdict(lambda: ("REFERENCE",)),
)
