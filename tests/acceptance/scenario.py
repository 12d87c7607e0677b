"""Files of two carriers as they really come, and what two customers must receive because of them.

What is expected is counted while the files are written, from the scenario's own facts; no code of the gateway helps.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PLACES = (("DEHAM", "HAMBURG", "DE"), ("DEMUC", "MÜNCHEN", "DE"), ("BEANR", "ANTWERPEN", "BE"), ("CZPRG", "PRAHA", "CZ"))
# carrier's code → code of UN/ECE Rec. 24 that the standard layout writes for the status it is mapped to
NORDLOG = {"GI": "13", "DP": "31", "AR": "31", "DM": "18", "GO": "113", "D": "21", "QQ": "125"}
KURIER = {"P1": "13", "A1": "31", "E4": "210", "S1": "112", "D2": "21", "D3": "21", "X9": "125"}
SUBSCRIBED = "NLGU0000003"  # initech asked for this container of nordlog


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened, as a customer reads it: number, code, DTM qualifier and value."""

    number: str
    code: str
    qualifier: str
    when: str


@dataclass(slots=True)
class Scenario:
    """What goes in and what must come out. ``expected`` nets reports and cancellations."""

    files: list[tuple[str, str, bytes]] = field(default_factory=list)  # carrier, name, bytes
    expected: dict[str, Counter[Fact]] = field(default_factory=lambda: {"globex": Counter(), "initech": Counter()})
    copies: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class _Event:
    number: str
    code: str
    when: str
    account: str
    place: tuple[str, str, str]
    estimate: bool = False


def build(files: int, seed: int) -> Scenario:
    """A scenario of about that many files, the same for the same seed; every tenth file is a copy of another."""
    chance = random.Random(seed)
    scenario, told = Scenario(), list[tuple[str, _Event]]()
    for index in range(files):
        if index % 10 == 9:
            _copy(scenario, chance, index)
            continue
        carrier = ("nordlog", "kurier")[index % 2]
        events = [_event(chance, carrier, index, n) for n in range(chance.randint(2, 6))]
        # Under another agency a code nobody mapped is another code, so only mapped events are told in other words.
        mapped = [event for teller, event in told[-40:] if teller == carrier and event.code not in {"QQ", "X9"}]
        again = [event for event in mapped if chance.random() < 0.1]
        bad = chance.choice(("", "", "", "date", "trailer", "number"))
        scenario.quarantined += bool(bad)
        content = _WRITERS[carrier](index, [*events, *again], bad)
        scenario.files.append((carrier, f"{carrier}_{index:05}.edi", content))
        told += [(carrier, event) for event in events]
        for event in events:
            _expect(scenario, carrier, event, 1)
    _cancel(scenario, chance, told)
    return scenario


def _event(chance: random.Random, carrier: str, index: int, n: int) -> _Event:
    codes = NORDLOG if carrier == "nordlog" else KURIER
    number = f"NLGU{index % 60:07}" if carrier == "nordlog" else f"KU{index % 60:04}{n:03}"
    # Every event has a minute of its own, so that equal facts are only those told twice on purpose.
    minute = index * 8 + n
    when = f"202609{1 + minute // 1440:02}{minute // 60 % 24:02}{minute % 60:02}"
    account = chance.choice(("4711", "4712", "8150"))
    return _Event(number, chance.choice(list(codes)), when, account, chance.choice(PLACES), chance.random() < 0.1)


def _expect(scenario: Scenario, carrier: str, event: _Event, count: int) -> None:
    code = (NORDLOG if carrier == "nordlog" else KURIER)[event.code]
    fact = Fact(event.number, code, "133" if event.estimate else "334", event.when)
    if carrier == "nordlog" or event.account.startswith("47"):
        scenario.expected["globex"][fact] += count
    if event.account == "8150" or event.number == SUBSCRIBED:
        scenario.expected["initech"][fact] += count


def _copy(scenario: Scenario, chance: random.Random, index: int) -> None:
    carrier, _, content = chance.choice(scenario.files)
    scenario.files.append((carrier, f"{carrier}_{index:05}_again.edi", content))
    scenario.copies += 1


def _cancel(scenario: Scenario, chance: random.Random, told: list[tuple[str, _Event]]) -> None:
    """A last file of nordlog takes some events back."""
    of_nordlog = [event for carrier, event in told if carrier == "nordlog" and event.code != "QQ"]
    void = chance.sample(of_nordlog, min(8, len(of_nordlog)))
    scenario.files.append(("nordlog", "nordlog_cancel.edi", _nordlog(99999, void, "", function="1")))
    for event in void:
        _expect(scenario, "nordlog", event, -1)


def _nordlog(index: int, events: Iterable[_Event], bad: str, function: str = "9") -> bytes:
    """IFTSTA D.00B or D.01B: codes of agency 87 or HS in C555, container in RFF+EQ, no UNA, lines."""
    listed = list(events)
    half = len(listed) // 2 or 1
    parts = [listed[:half], listed[half:]]
    directory, agency = ("00B", "HS") if index % 4 < 2 else ("01B", "87")
    messages = [
        _message(f"{index:05}{n}", f"IFTSTA:D:{directory}:UN", _consignments(part, agency, f"NL{index}-{n}", function))
        for n, part in enumerate(parts)
        if part
    ]
    if bad:
        messages.insert(1, _bad(index, bad))
    head = f"UNB+UNOC:2+NORDLOG:ZZZ+HUB:ZZZ+260915:0815+{index}'"
    return "\n".join([head, *messages, f"UNZ+{len(messages)}+{index}'"]).encode("latin-1")


def _consignments(events: Iterable[_Event], agency: str, document: str, function: str) -> Iterator[str]:
    yield f"BGM+23+{document}+{function}'"
    yield "DTM+137:202609150815:203'"
    for n, event in enumerate(events, 1):
        code, name, country = event.place
        yield f"CNI+{n}'"
        yield f"STS+1+{event.code}::{agency}:SOME TEXT'"
        yield f"RFF+EQ:{event.number}'"
        yield f"RFF+ADE:{event.account}'"
        yield f"DTM+{'132' if event.estimate else '334'}:{event.when}:203'"
        yield f"LOC+175+{code}:139:6:{name}+{country}:162'"


def _bad(index: int, bad: str) -> str:
    """A message with one fault: an impossible date, a container nobody named, or a trailer of another message."""
    when = "202609311075" if bad == "date" else "202609151030"
    number = [] if bad == "number" else [f"RFF+EQ:NLGU99{index:05}'"]
    body = ["BGM+23+BAD+9'", "CNI+1'", "STS+1+D::87'", *number, f"DTM+334:{when}:203'"]
    return _message(f"B{index}", "IFTSTA:D:01B:UN", body, trailer="OTHER" if bad == "trailer" else "")


def _kurier(index: int, events: Iterable[_Event], bad: str) -> bytes:
    """IFTSTA D.07B in a group, one message a parcel, everything of the status in C601, no line breaks."""
    kind = "IFTSTA:D:07B:UN"
    messages = [_message(f"{index:010}{n}", kind, _parcel(event), "") for n, event in enumerate(events)]
    if bad:
        number = "" if bad == "number" else f"KUBAD{index}"
        when = "202609311075" if bad == "date" else "202609151030"
        faulty = _parcel(_Event(number, "D2", when, "4711", PLACES[0]))
        messages.insert(1, _message(f"B{index}", kind, faulty, "", trailer="OTHER" if bad == "trailer" else ""))
    reference = f"{index:014}"
    head = f"UNB+UNOC:1+KURIERPROD:KU+HUB:02+260915:1805+{reference}++IFTSTA'"
    group = f"UNG+IFTSTA+KURIERPROD:KU+HUB:02+260915:1805+{reference}+UN+D:07B'"
    tail = f"UNE+{len(messages)}+{reference}'UNZ+1+{reference}'"
    return "".join([head, group, *messages, tail]).encode("latin-1")


def _parcel(event: _Event) -> Iterator[str]:
    _, name, country = event.place
    yield "BGM+23:KUR::QVD+K1'"
    yield f"NAD+BS+{event.account}:01'"
    if event.number:
        yield f"RFF+CW:{event.number}'"
    yield "CNI+1'"
    yield f"LOC+14+:::{name}+:::{country}'"
    yield f"STS+1:{event.code}:1'"
    yield f"DTM+{'132' if event.estimate else '78'}:{event.when}:203'"


def _message(reference: str, kind: str, body: Iterable[str], line: str = "\n", trailer: str = "") -> str:
    segments = list(body)
    return line.join([f"UNH+{reference}+{kind}'", *segments, f"UNT+{len(segments) + 2}+{trailer or reference}'"])


_WRITERS = {"nordlog": _nordlog, "kurier": _kurier}
