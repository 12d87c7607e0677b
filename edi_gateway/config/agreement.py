"""What channels and destinations must not say against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Final

from edi_gateway.config.configured import Channel, Destination
from edi_gateway.config.http import Http
from edi_gateway.config.models import CustomerFile
from edi_gateway.config.rules import EVERY_CARRIER
from edi_gateway.located import Loc, Located, did_you_mean
from edi_gateway.plugins import Receiver, Source
from edi_gateway.transports.api_poll.registration import Registration
from edi_gateway.transports.http.instructions import secret_of
from edi_gateway.transports.http.webhook import Webhook
from edi_gateway.worlds import owner

_ANY_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


def same_names(destinations: Sequence[Destination]) -> Iterator[str]:
    """Destinations that would write over each other's files: one place, equal names, numbers counted apart."""
    for one, other in combinations(destinations, 2):
        same_place = type(one.sink) is type(other.sink) and vars(one.sink) == vars(other.sink)
        same_names = one.file_name(1, _ANY_DAY) == other.file_name(1, _ANY_DAY)
        if same_place and same_names and one.control_numbers.key != other.control_numbers.key:
            yield (
                f"{other.asked_at}destinations {one.name} and {other.name} would write files of the same names into the"
                " same folder, expected another path, or {customer} and {destination} in file_name"
            )


def same_channels(channels: Sequence[Channel]) -> Iterator[str]:
    """A carrier's and a customer's channel of one name: what came by one would be taken for the other's."""
    carriers = {channel.name: channel.asked_at.removesuffix(": ") for channel in channels if channel.mapping}
    for channel in channels:
        if not channel.mapping and channel.name in carriers:
            there = carriers[channel.name]
            yield f"{channel.asked_at}channel {channel.name} once more, expected another name than at {there}"


def receiving(located: Located, loc: Loc, source: Source | Receiver, http: Http) -> Iterator[str]:
    """What a channel says that documents come to by themselves, although it means nothing there."""
    if not isinstance(source, Receiver):
        return
    every, auth = (*loc, "every"), (*loc, "source", "auth")
    if located.get(every) is not None:
        found = f"{located.at(every)}: {'.'.join(map(str, every))}: this channel is never polled"
        yield f"{found}, what it gets is sent to it; expected no such key"
    if source.relies_on_proxy and not http.trusted_proxies:
        found = f"{located.at(auth)}: {'.'.join(map(str, auth))}: proxy_header counts only if it comes through a proxy"
        yield f"{found} that is trusted, expected its network in http: trusted_proxies of gateway.yaml"


def registered(
    located: Located, loc: Loc, source: Source | Receiver, registration: Registration | None, http: Http
) -> Iterator[str]:
    """What a registration needs besides itself."""
    if registration is None:
        return
    at = f"{located.at((*loc, 'registration'))}: {'.'.join(map(str, (*loc, 'registration')))}"
    if not isinstance(source, Receiver):
        yield f"{at}: this channel asks by itself and gets nothing sent, expected no such key"
        return
    if http.public_url is None:
        yield f"{at}: a carrier has to be told where to send, expected http: public_url in gateway.yaml"
    if registration.wants_secret and not (isinstance(source, Webhook) and secret_of(source)):
        yield f"{at}: {{secret}} is told to the carrier, expected a way below source: auth that has one"


def unknown_carriers(
    carriers: Iterable[object], customers: Iterable[tuple[Located, CustomerFile | None]]
) -> Iterator[str]:
    """Rules that ask for a carrier nobody configured."""
    known = [name for name in carriers if isinstance(name, str)]
    for located, file in customers:
        for loc, rule in file.rules() if file else ():
            for name in rule.carrier or ():
                if name not in {EVERY_CARRIER, *known}:
                    at, where = located.at((*loc, "carrier")), ".".join(map(str, loc[:-1]))
                    yield f"{at}: {where}[{loc[-1]}].carrier: there is no carrier {name!r}{did_you_mean(name, known)}"


def awaited_in_vain(destinations: Sequence[Destination], channels: Sequence[Channel]) -> Iterator[str]:
    """Acknowledgements that are awaited, although nothing brings them."""
    speaking = {channel.carrier for channel in channels}
    for each in destinations:
        if each.expects and owner(each.customer) not in speaking:
            yield (
                f"{each.awaited_at}acknowledgement: {each.name} expects {each.expects}, but {owner(each.customer)} has"
                " no channel that brings any, expected one below channels"
            )


def one_sequence(destinations: Sequence[Destination]) -> Iterator[str]:
    """Destinations that draw from one sequence of control numbers, but do not agree where it begins and ends."""
    first: dict[str, Destination] = {}
    for each in destinations:
        one = first.setdefault(each.control_numbers.key, each)
        if each.control_numbers != one.control_numbers:
            yield (
                f"{each.counted_at}control_numbers: {each.name} and {one.name} have the same sender and recipient, so"
                f" they share one sequence; found {_limits(each)} here and {_limits(one)} there, expected the same"
            )


def _limits(destination: Destination) -> str:
    numbers = destination.control_numbers
    return f"{numbers.start} to {numbers.maximum}" + (", roll_over" if numbers.roll_over else ", no roll_over")
