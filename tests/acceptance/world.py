"""A seeded world: carriers' files with everything that goes wrong in them, and what the customers have to receive.

The generator knows what is true because it invents it: facts first, then who tells them in which file, then the
bytes. What it expects of the gateway is computed from the facts and never by running the gateway.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, pairwise
from typing import Final, Literal

from tests.acceptance.carrier_edi import (
    Message,
    Spoil,
    Spoilt,
    Telling,
    kurier_interchange,
    kurier_message,
    nordlog_interchange,
    nordlog_message,
)
from tests.acceptance.facts import (
    ACCOUNTS,
    CUSTOMERS,
    JOURNEYS,
    PLACES,
    SUBSCRIBED,
    UNMAPPED,
    Fact,
    Shipment,
    Told,
    hears,
    told,
)

_BEGIN: Final = datetime(2025, 3, 3, 5, tzinfo=UTC)
_ISSUED, _TAKEN_BACK, _SAID_ANEW = "202503260815", "202503270815", "202503280815"  # BGM's DTM+137, of nordlog
_INTERCHANGE: Final = {"nordlog": nordlog_interchange, "kurier": kurier_interchange}
_SPOILS: Final[Mapping[str, Sequence[Spoil]]] = {
    "nordlog": ("date", "number", "reference"),
    "kurier": ("time", "number", "reference"),
}


@dataclass(frozen=True, slots=True)
class CarrierFile:
    """A file as the carrier drops it; ``copy_of`` names the file of which it is an identical copy."""

    carrier: str
    name: str
    content: bytes
    copy_of: str = ""


@dataclass(slots=True)
class World:
    """Files in the order they are dropped, and what is true of them all."""

    files: list[CarrierFile] = field(default_factory=list)
    again: list[CarrierFile] = field(default_factory=list)  # dropped once more under the same name, later
    facts: set[Fact] = field(default_factory=set)  # reported anywhere
    withdrawn: set[Fact] = field(default_factory=set)  # reported and taken back for good
    said_anew: set[Fact] = field(default_factory=set)  # taken back and then reported once more
    spoilt: list[Spoilt] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)  # file → state of its document, copies aside

    def originals(self) -> Mapping[str, str]:
        """File → the file it is a copy of, or itself."""
        return {file.name: file.copy_of or file.name for file in self.files}

    def standing(self, customer: str) -> set[Told]:
        """What the customer has to know in the end."""
        return {told(customer, fact) for fact in self.facts - self.withdrawn if hears(customer, fact)}

    def amended(self, customer: str) -> set[Told]:
        """What the customer may see reported, cancelled, and perhaps reported again, as files happened to arrive."""
        return {told(customer, fact) for fact in self.withdrawn | self.said_anew if hears(customer, fact)}

    def names_of_places(self) -> Mapping[Told, frozenset[str]]:
        """How the place of each of Globex' facts may be spelled."""
        return {told("globex", fact): frozenset(fact.place.names) for fact in self.facts}

    def subscriptions(self) -> list[str]:
        """Tracking numbers Globex subscribes to."""
        return sorted({fact.shipment.number for fact in self.facts if fact.shipment.account == SUBSCRIBED})

    def unmapped(self) -> Counter[tuple[str, str]]:
        """(carrier, code) → events with a code no mapping knows."""
        return Counter((fact.shipment.carrier, fact.code) for fact in self.facts if fact.scan is UNMAPPED)

    def current(self) -> Mapping[str, str]:
        """Tracking number → current status, of shipments that Initech hears everything of and nothing was taken back.

        A journey ends with its latest scan or a terminal one, so that this is simply the last fact that moves.
        """
        uncertain = {fact.shipment for fact in self.withdrawn | self.said_anew}
        last: dict[Shipment, Fact] = {}
        for fact in self.facts:
            shipment = fact.shipment
            heard = hears("initech", fact) and shipment.account != "6000" and shipment not in uncertain
            if heard and fact.moves and (shipment not in last or last[shipment].at < fact.at):
                last[shipment] = fact
        return {shipment.number: fact.scan.status for shipment, fact in last.items()}


def make_world(files: int, seed: int) -> World:
    """A world of that many files, always the same for the same seed; a tenth are copies under other names."""
    world, rng = World(), random.Random(seed)
    copies = files // 10
    made = [
        *_Carrier("nordlog", world, rng).write((files - copies + 1) // 2),
        *_Carrier("kurier", world, rng).write((files - copies) // 2),
    ]
    usable = [file for file in made if world.states[file.name] != "quarantined"]
    copied = [_copy(file) for file in rng.sample(usable, copies)]
    world.files = _shuffled(rng, [*made, *copied])
    world.again = rng.sample(usable, max(2, files // 40))
    for customer in CUSTOMERS:
        standing = sum(hears(customer, fact) for fact in world.facts)
        assert standing == len({told(customer, fact) for fact in world.facts if hears(customer, fact)}), "facts collide"
    return world


def _copy(file: CarrierFile) -> CarrierFile:
    return CarrierFile(file.carrier, file.name.replace(".edi", "_resent.edi"), file.content, file.name)


def _shuffled(rng: random.Random, files: Sequence[CarrierFile]) -> list[CarrierFile]:
    """Roughly in the order of their names, but files overtake each other."""
    return [file for _, file in sorted(enumerate(files), key=lambda each: each[1].name[3:] + str(rng.random()))]


@dataclass(frozen=True, slots=True)
class _Part:
    """A message in the making; with ``spoil`` its last telling (or all of it) cannot be read."""

    tellings: Sequence[Telling]
    function: str = "9"
    number: str = ""
    issued: str = _ISSUED
    spoil: Spoil | None = None


class _Carrier:
    """One carrier inventing facts and writing them into files."""

    def __init__(self, name: str, world: World, rng: random.Random) -> None:
        self._name = name
        self._world = world
        self._rng = rng
        self._count = count(10_000)

    def write(self, files: int) -> Iterator[CarrierFile]:
        """Tell about two shipments a file, in that many files; the last two hold nothing of use."""
        facts = [fact for _ in range(2 * files) for fact in self._journey()]
        loads = self._dealt(self._spoilt(self._reports(facts)), files - 2)
        for part in (*self._taken_back(facts), *self._recalled(files // 20 + 1), *self._phantoms(files // 6 + 1)):
            self._rng.choice(loads).append(part)  # before or after what it concerns
        for index, load in enumerate(loads, 1):
            yield self._file(index, load)
        yield self._file(files - 1, [self._phantom("reference"), self._phantom("reference")], "quarantined")
        yield self._garbage(files)

    def _journey(self) -> Iterator[Fact]:
        """Invent a shipment and what happens to it."""
        rng, number = self._rng, next(self._count)
        bill = f"{rng.choice(('INI', 'NORDB'))}77{number}"
        name = f"NLGU{number:07}" if self._name == "nordlog" else f"KU00004711{number:05}"
        shipment = Shipment(self._name, name, rng.choice(ACCOUNTS[self._name]), bill, f"PO-{number}")
        at = _BEGIN + timedelta(minutes=rng.randrange(12 * 1440))
        for step in rng.choice(JOURNEYS[self._name]):
            at += timedelta(minutes=rng.randint(20, 1200))
            yield Fact(shipment, step.rstrip("?!"), at, rng.choice(PLACES), step.endswith("?"), step.endswith("!"))

    def _reports(self, facts: Sequence[Fact]) -> list[_Part]:
        """Every fact told once and each seventh once more in other words, roughly in the order they happened."""
        self._world.facts.update(facts)
        tellings = [Telling(fact, self._rng.randrange(2)) for fact in facts]
        retold = self._rng.sample(tellings, len(tellings) // 7)
        tellings += [Telling(fact, 1 - wording) for fact, wording in retold]
        late = {telling: self._rng.expovariate(1 / 600) for telling in tellings}  # minutes
        tellings.sort(key=lambda telling: telling.fact.at + timedelta(minutes=late[telling]))
        parts = []
        while tellings:
            size = self._rng.randint(1, 4) if self._name == "nordlog" else 1
            parts.append(_Part(tellings[:size]))
            del tellings[:size]
        return parts

    def _spoilt(self, parts: Sequence[_Part]) -> list[_Part]:
        """Some messages end with an event that cannot be read; what stands before it can (NordLog has several)."""
        if self._name == "kurier":
            return list(parts)
        spoils: Iterator[Spoil] = cycle(("date", "number"))
        return [
            replace(part, tellings=[*part.tellings, *self._phantom("date").tellings], spoil=next(spoils))
            if self._rng.random() < 0.03
            else part
            for part in parts
        ]

    def _phantom(self, spoil: Spoil) -> _Part:
        """A message nobody may ever hear of, though Globex would, could it be read."""
        fact = next(iter(self._journey()))
        shipment = replace(fact.shipment, account="44021" if self._name == "nordlog" else "4711A")
        return _Part([Telling(replace(fact, shipment=shipment))], spoil=spoil)

    def _phantoms(self, wanted: int) -> list[_Part]:
        return [self._phantom(spoil) for spoil, _ in zip(cycle(_SPOILS[self._name]), range(wanted), strict=False)]

    def _taken_back(self, facts: Sequence[Fact]) -> Iterator[_Part]:
        """Cancellations that name their event; NordLog, who dates its messages, says some of them anew."""
        mapped = [fact for fact in facts if fact.scan is not UNMAPPED]
        for index, fact in enumerate(self._rng.sample(mapped, len(mapped) // 30)):
            yield _Part([Telling(fact)], "1", issued=_TAKEN_BACK)
            if index % 3 or self._name == "kurier":
                self._world.withdrawn.add(fact)
            else:
                self._world.said_anew.add(fact)
                yield _Part([Telling(fact, 1)], issued=_SAID_ANEW)

    def _recalled(self, wanted: int) -> Iterator[_Part]:
        """Reports that are cancelled as a whole, by their number; Kurier's reports have no number of their own."""
        for index in range(wanted if self._name == "nordlog" else 0):
            facts = [fact for fact in self._journey() if fact.scan is not UNMAPPED]
            self._world.facts.update(facts)
            self._world.withdrawn.update(facts)
            yield _Part([Telling(fact) for fact in facts], number=f"NLR{index:06}")
            yield _Part([], "1", f"NLR{index:06}", _TAKEN_BACK)

    def _dealt(self, parts: Sequence[_Part], loads: int) -> list[list[_Part]]:
        """The parts in order, cut into so many loads of different sizes, none empty."""
        cuts = [0, *sorted(self._rng.sample(range(1, len(parts)), loads - 1)), len(parts)]
        return [list(parts[begin:end]) for begin, end in pairwise(cuts)]

    def _file(self, index: int, parts: Sequence[_Part], state: str = "") -> CarrierFile:
        """One to three interchanges; some files hold one more, with a wrong trailer or cut off."""
        name = f"{'NL' if self._name == 'nordlog' else 'KU'}_{index:04}.edi"
        before = len(self._world.spoilt)
        size = -(-len(parts) // self._rng.randint(1, 3))
        texts = [self._interchange(name, parts[begin : begin + size]) for begin in range(0, len(parts), size)]
        if index % 9 == 4 and not state:
            texts.insert(0, self._broken(name, "trailer"))
        elif index % 13 == 5 and not state:
            texts.append(self._broken(name, "cut"))
        spoilt = len(self._world.spoilt) > before
        self._world.states[name] = state or ("partly_processed" if spoilt else "processed")
        return CarrierFile(self._name, name, "".join(texts).encode("latin-1"))

    def _interchange(self, file: str, parts: Sequence[_Part]) -> str:
        messages = [self._message(part) for part in parts]
        self._world.spoilt += [Spoilt(file, *message.fault) for message in messages if message.fault]
        return _INTERCHANGE[self._name](str(next(self._count)), messages)

    def _broken(self, file: str, how: Literal["trailer", "cut"]) -> str:
        """An interchange that must not be believed, with a message nobody may hear of."""
        reference, message = str(next(self._count)), self._message(replace(self._phantom("date"), spoil=None))
        if how == "trailer":
            closing = str(next(self._count))
            self._world.spoilt.append(Spoilt(file, "UNZ, element 2", closing, f"reference {reference}"))
            return _INTERCHANGE[self._name](reference, [message], closing)
        self._world.spoilt.append(Spoilt(file, "UNZ", "end of file", "UNZ"))
        text = _INTERCHANGE[self._name](reference, [message])
        return text[: text.index("DTM+")]

    def _message(self, part: _Part) -> Message:
        reference = str(next(self._count))
        if self._name == "kurier":
            (telling,) = part.tellings
            return kurier_message(reference, telling, function=part.function.strip("9"), spoil=part.spoil)
        number = part.number or f"NL{reference}"
        return nordlog_message(reference, number, part.issued, part.tellings, function=part.function, spoil=part.spoil)

    def _garbage(self, index: int) -> CarrierFile:
        """What a carrier's web server says instead of a file."""
        name = f"{'NL' if self._name == 'nordlog' else 'KU'}_{index:04}.edi"
        self._world.states[name] = "quarantined"
        self._world.spoilt.append(Spoilt(name, "", "<html>", "UNB"))
        page = f"<html><title>502 Bad Gateway</title><body>{name}</body></html>"
        return CarrierFile(self._name, name, page.encode())
