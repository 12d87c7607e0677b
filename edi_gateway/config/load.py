"""The configuration folder → checked, built and wired up to the mappings' names; every mistake told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from os.path import normpath
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, SecretStr

from edi_gateway.config.agreement import (
    awaited_in_vain,
    one_sequence,
    receiving,
    registered,
    same_channels,
    same_names,
    unknown_carriers,
)
from edi_gateway.config.answering import OUTLET, wired_acknowledge
from edi_gateway.config.configured import Channel, Destination, Told
from edi_gateway.config.database import located_in
from edi_gateway.config.destinations import NOTIFICATION_RETRY, DestinationOptions, misplaced, triggers
from edi_gateway.config.models import CarrierFile, CustomerFile, Gateway
from edi_gateway.config.names import enabled
from edi_gateway.config.rehearsing import feed_in_test, in_worlds
from edi_gateway.config.rules import wanted
from edi_gateway.errors import ConfigError
from edi_gateway.located import Loc, Located, load, validate
from edi_gateway.mapping.load import Library
from edi_gateway.notifications.identities import message_id
from edi_gateway.notifications.words import VOCABULARIES
from edi_gateway.pipeline import partners
from edi_gateway.plugging import make_plugin
from edi_gateway.plugins import is_told_one_by_one
from edi_gateway.transforms.opening import Opening
from edi_gateway.transforms.options import Decrypt, Encrypt
from edi_gateway.transports.api_poll.registration import Registration

_PACKAGE: Final = Path(__file__).resolve().parents[1]
SHIPPED_MAPPINGS: Final = (
    _PACKAGE / "shipped_mappings",
    _PACKAGE.parent / "mappings",
)  # in an installed wheel, in a checkout
NOTIFICATIONS: Final = partners.Batch(timedelta(0), 100, 4_000_000)  # sealed in one transaction
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Installation:
    """What ``gateway.yaml`` says. ``data`` is absolute and may not exist yet."""

    folder: Path
    gateway: Gateway
    data: Path
    database: SecretStr  # the URL with an absolute path and without references
    library: Library


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the configuration folder says."""

    installation: Installation
    channels: tuple[Channel, ...]
    destinations: tuple[Destination, ...]
    feeds: tuple[partners.Feed, ...] = ()


def load_installation(folder: Path) -> Installation:
    """Read ``gateway.yaml`` alone: looking at what is stored needs no partner, and no partner's secrets."""
    gateway = _gateway(folder)
    data = (folder / gateway.data).resolve()
    return Installation(folder, gateway, data, located_in(data, gateway.database), _library(folder, gateway))


def load_config(folder: Path) -> Config:
    """Read ``gateway.yaml``, ``carriers/*.yaml`` and ``customers/*.yaml`` and build every plugin that is enabled.

    Raises ConfigError with every mistake of every file. Secrets are resolved here, so that one that is missing
    is a mistake in the file too.
    """
    problems = _Problems()
    gateway = problems.attempt(partial(_gateway, folder))
    carriers = list(_files(folder / "carriers", "carrier", CarrierFile, problems))
    customers = list(_files(folder / "customers", "customer", CustomerFile, problems))
    assumed = gateway or Gateway(identity="-")  # nothing may look wrong only because gateway.yaml is
    building = _Building(folder, problems, assumed, _library(folder, gateway) if gateway else None)
    channels = [channel for file in carriers for channel in building.channels(file)]
    channels += [channel for file in customers for channel in building.acknowledgements(file)]
    destinations = [each for file in customers for each in in_worlds(file.model, building.destinations(file))]
    problems += unknown_carriers(
        [file.located.get(("carrier",)) for file in carriers], [(file.located, file.model) for file in customers]
    )
    problems += same_names(destinations)
    problems += same_channels(channels)
    problems += awaited_in_vain(destinations, channels)
    problems += one_sequence(destinations)
    if problems or gateway is None:
        raise ConfigError(*sorted(set(problems), key=_place))
    secrets = gateway.http.webhook_secrets
    live = [replace(file.model.feed(), webhook_secrets=secrets) for file in customers if file.model and file.model.api]
    feeds = (*live, *map(feed_in_test, live))
    return Config(load_installation(folder), tuple(channels), tuple(destinations), feeds)


class _Problems(list[str]):
    """Mistakes collected on the way."""

    def attempt(self, make: Callable[[], _T]) -> _T | None:
        """What ``make`` returns, or None after noting what is wrong."""
        try:
            return make()
        except ConfigError as error:
            self.extend(error.problems)
            return None


@dataclass(frozen=True, slots=True)
class _File(Generic[_Model]):
    """One file of a partner; ``model`` is None when the file as such is not valid."""

    located: Located
    model: _Model | None

    def enabled(self, section: str) -> Iterator[tuple[str, Loc]]:
        """Name and place of everything in the section that is not switched off."""
        return enabled(self.located, section)


def _gateway(folder: Path) -> Gateway:
    located = load(folder / "gateway.yaml")
    gateway = Gateway() if located.data is None else validate(Gateway, located)
    absent = [
        f"{located.at(('mappings',))}: mappings: there is no folder {path}, seen from {folder}"
        for path in gateway.mappings
        if "mappings" in gateway.model_fields_set and not (folder / path).is_dir()
    ]
    if absent:
        raise ConfigError(*absent)
    return gateway


def _library(folder: Path, gateway: Gateway) -> Library:
    own = [Path(normpath(folder / path)) for path in gateway.mappings]
    known = {path.resolve() for path in own}
    return Library([*own, *(shipped for shipped in SHIPPED_MAPPINGS if shipped.is_dir() and shipped not in known)])


def _files(folder: Path, key: str, model: type[_Model], problems: _Problems) -> Iterator[_File[_Model]]:
    """Every YAML file of the folder that can be read, in order of names; ``key`` is the partner's, used once."""
    first: dict[object, str] = {}
    for path in sorted(folder.glob("[!.]*.y*ml")):
        located = problems.attempt(partial(load, path))
        if located is None:
            continue
        name, at = located.get((key,)), located.at((key,))
        if path.suffix != ".yaml":
            problems.append(f"{path}:1: file is not read, expected a name that ends in .yaml")
        if isinstance(name, str) and first.setdefault(name, at) != at:
            problems.append(f"{at}: {key} {name!r} once more, expected each in one file; the first is {first[name]}")
        yield _File(located, problems.attempt(partial(validate, model, located)))


@dataclass(frozen=True, slots=True)
class _Building:
    """Makes channels and destinations; when anything of one is wrong it is left out and the mistake noted."""

    folder: Path
    problems: _Problems
    gateway: Gateway
    library: Library | None  # None: gateway.yaml is not valid, so nobody knows where mappings are

    def channels(self, file: _File[CarrierFile]) -> Iterator[Channel]:
        """The enabled channels of a carrier."""
        for name, loc in file.enabled("channels"):
            source = self._plugin("sources", file.located, (*loc, "source"))
            syntax = self._format(file.located, loc)
            asked_at = self._mapping(file.located, (*loc, "mapping"))
            decrypt = self._section(Decrypt, file.located, (*loc, "decrypt"))
            registration = self._section(Registration, file.located, (*loc, "registration"))
            if file.model is None or source is None or syntax is None:
                continue
            self.problems.extend(receiving(file.located, loc, source, self.gateway.http))
            self.problems.extend(registered(file.located, loc, source, registration, self.gateway.http))
            options = file.model.channels[name]
            yield Channel(
                name=f"{file.model.carrier}/{name}",
                carrier=file.model.carrier,
                timezone=file.model.timezone or "",
                dedupe_window=file.model.dedupe_window // timedelta(minutes=1),
                source=source,
                format=syntax,
                mapping=options.mapping,
                every=options.every or self.gateway.poll,
                accept_test=options.accept_test,
                unique_references=options.unique_references,
                patience=options.patience,
                opening=Opening(options.unpack, decrypt),
                asked_at=asked_at,
                opened_at=f"{file.located.at((*loc, 'decrypt'))}: ",
                acknowledge=self._acknowledge(file, name, loc),
                registration=registration,
            )

    def acknowledgements(self, file: _File[CustomerFile]) -> Iterator[Channel]:
        """The enabled channels of a customer, which bring acknowledgements and nothing else."""
        for name, loc in file.enabled("channels"):
            source = self._plugin("sources", file.located, (*loc, "source"))
            syntax = self._plugin("formats", file.located, (*loc, "format"))
            if file.model is None or source is None or syntax is None:
                continue
            self.problems.extend(receiving(file.located, loc, source, self.gateway.http))
            options = file.model.channels[name]
            yield Channel(
                name=f"{file.model.customer}/{name}",
                carrier=file.model.customer,
                timezone="",
                dedupe_window=1,
                source=source,
                format=syntax,
                mapping="",
                every=options.every or self.gateway.poll,
                accept_test=True,  # a test is acknowledged as a test
                unique_references=options.unique_references,
                patience=options.patience,
                asked_at=f"{file.located.at(loc)}: ",
            )

    def _acknowledge(self, file: _File[CarrierFile], name: str, loc: Loc) -> partners.Acknowledge | None:
        """How the carrier is answered; None when it is not, or not soundly."""
        options = file.model.channels[name].acknowledge if file.model else None
        if file.model is None or options is None:
            return None
        sink = self._plugin("sinks", file.located, (*loc, "acknowledge", "sink"))
        outlet = f"{file.model.carrier}/{name}/{OUTLET}"
        retry = options.retry or self.gateway.retry
        return wired_acknowledge(options, outlet, file.model.carrier, sink, retry) if sink else None

    def destinations(self, file: _File[CustomerFile]) -> Iterator[Destination]:
        """The enabled destinations of a customer."""
        for name, loc in file.enabled("destinations"):
            located = file.located
            sink = self._plugin("sinks", located, (*loc, "sink"))
            one_by_one = sink is not None and is_told_one_by_one(sink)
            said = file.model is not None and sink is not None
            self.problems.extend(misplaced(located, loc, one_by_one=one_by_one) if said else ())
            encoder = self._plugin("encoders", located, (*loc, "format"), self._parties(located, one_by_one=one_by_one))
            asked_at = self._mapping(located, (*loc, "mapping"))
            encrypt = self._section(Encrypt, located, (*loc, "encrypt"))
            if file.model is None or sink is None:
                continue
            options = file.model.destinations[name]
            if one_by_one:
                yield self._notified(file.model, name, sink, encoder, self._told(located, loc, options), asked_at)
            elif encoder is not None and options.mapping is not None and options.file_name is not None:
                naming = partial(options.file_name.render, customer=file.model.customer, destination=name)
                yield Destination(
                    **_common(file.model, name, self.gateway.retry),
                    events=triggers(options, one_by_one=False),
                    sink=sink,
                    encoder=encoder,
                    mapping=options.mapping,
                    file_name=naming,
                    batch=options.batch.wired(),
                    control_numbers=options.control_numbers.wired(encoder.partnership, encoder.largest_control),
                    replace_unencodable=options.unencodable == "replace",
                    asked_at=asked_at,
                    counted_at=f"{located.at((*loc, 'control_numbers'))}: ",
                    encrypt=encrypt,
                    encrypted_at=f"{located.at((*loc, 'encrypt'))}: ",
                    awaited_at=f"{located.at((*loc, 'acknowledgement'))}: ",
                    expects=options.acknowledgement.expect if options.acknowledgement else None,
                    within=options.acknowledgement.within if options.acknowledgement else timedelta(0),
                )

    def _parties(self, located: Located, *, one_by_one: bool) -> dict[str, Any]:
        """What an encoder need not say itself: who we are and, where it writes for one receiver only, who that is."""
        ours = {"sender": self.gateway.identity} if self.gateway.identity else {}
        return ours | ({"recipient": located.get(("customer",))} if one_by_one else {})

    def _told(self, located: Located, loc: Loc, options: DestinationOptions) -> Told:
        at = self._mapping(located, (*loc, "vocabulary")) if options.called not in VOCABULARIES else ""
        return Told(None if options.own_layout else options.layout or "canonical", options.called, options.history, at)

    def _notified(
        self, file: CustomerFile, name: str, sink: Any, encoder: Any, told: Told, asked_at: str
    ) -> Destination:
        """A destination that is told event by event."""
        key = f"notifications of {file.customer}/{name}"
        return Destination(
            **_common(file, name, NOTIFICATION_RETRY),
            events=triggers(file.destinations[name], one_by_one=True),
            sink=sink,
            encoder=encoder,
            mapping=file.destinations[name].mapping or "",
            file_name=lambda _number, _now: message_id(),
            batch=NOTIFICATIONS,
            control_numbers=partners.ControlNumbers(key, 1, 1, roll_over=False),
            replace_unencodable=False,
            asked_at=asked_at,
            counted_at="",
            awaited_at="",
            expects=None,
            within=timedelta(0),
            told=told,
            line_per_shipment=file.destinations[name].order == "shipment",
        )

    def _format(self, located: Located, loc: Loc) -> Any:
        """What the channel says, else what its mapping does."""
        if located.get((*loc, "format")) is not None:
            return self._plugin("formats", located, (*loc, "format"))
        name, asked_at = located.get((*loc, "mapping")), f"{located.at((*loc, 'mapping'))}: "
        if self.library is None or not isinstance(name, str) or self.library.path(name) is None:
            return None
        return self.problems.attempt(partial(self.library.format, name, asked_at))

    def _plugin(self, group: str, located: Located, loc: Loc, defaults: Mapping[str, Any] | None = None) -> Any:
        if not isinstance(located.get(loc), dict):
            return None  # the file's own model says so
        return self.problems.attempt(partial(make_plugin, group, located, loc, defaults or {}, self.folder))

    def _section(self, model: type[_Model], located: Located, loc: Loc) -> _Model | None:
        if not isinstance(located.get(loc), dict):
            return None  # there are none, or the file's own model says what is wrong
        return self.problems.attempt(partial(validate, model, located, loc, context={"folder": self.folder}))

    def _mapping(self, located: Located, loc: Loc) -> str:
        name, asked_at = located.get(loc), f"{located.at(loc)}: "
        if self.library is not None and isinstance(name, str):
            self.problems.attempt(partial(self.library.find, name, asked_at))
        return asked_at


def _common(file: CustomerFile, name: str, retry: Sequence[timedelta]) -> dict[str, Any]:
    """What every kind of destination has."""
    options = file.destinations[name]
    return {
        "name": f"{file.customer}/{name}",
        "customer": file.customer,
        "wants": partial(wanted, file.receives),
        "only": partial(wanted, options.only) if options.only else None,
        "retry": options.retry or retry,
        "in_order": options.order == "strict",
        "in_flight": 1 if options.order == "strict" else options.in_flight,
    }


def _place(problem: str) -> tuple[str, int]:
    """File and line of a problem, to tell them in that order."""
    found = re.match(r"(.*?):(\d+):", problem)
    return (found[1], int(found[2])) if found else ("", 0)
