"""The two carriers' IFTSTA layouts, written segment by segment; no code is shared with the gateway's writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal, NamedTuple

from tests.acceptance.facts import Fact

Spoil = Literal["date", "time", "number", "reference"]


class Telling(NamedTuple):
    """A fact as one report puts it: ``wording`` 0 or 1 chooses text, spelling, and how the time is written."""

    fact: Fact
    wording: int = 0


class Spoilt(NamedTuple):
    """What the quarantine has to say of a bad place: parts of its texts."""

    file: str
    at: str  # how the place ends
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Message:
    """Segments from UNH to UNT, and what is wrong with them: (place, found, expected)."""

    segments: Sequence[str]
    fault: tuple[str, str, str] | None = None


def free(text: str) -> str:
    """The text with every delimiter released."""
    return "".join(f"?{character}" if character in "?'+:" else character for character in text)


def nordlog_message(
    reference: str,
    number: str,
    issued: str,
    tellings: Sequence[Telling],
    *,
    function: str = "9",
    spoil: Spoil | None = None,
) -> Message:
    """Many containers a message: a CNI without number for each, everything else below its STS; the last is spoilt."""
    directory = "01B" if int(reference) % 2 else "00B"
    head = [
        f"UNH+{reference}+IFTSTA:D:{directory}:UN",
        f"BGM+23+{number}+{function}",
        f"DTM+137:{issued}:203",
        "NAD+CA+NORD:160++NORDLOG A/S+HAVNEVEJ 4+AARHUS++8000+DK",
    ]
    body: list[str] = []
    for index, (fact, wording) in enumerate(tellings, 1):
        shipment, place = fact.shipment, fact.place
        here = spoil if index == len(tellings) else None
        agency = "87" if int(shipment.number[-1]) % 2 else "HS"  # of two agencies, an unknown code is two codes
        body += [
            f"CNI+{index}",
            f"STS+1+{fact.code}::{agency}:{free(fact.scan.texts[wording])}",
            f"RFF+BM:{shipment.bill}",
            *([] if here == "number" else [f"RFF+EQ:{shipment.number}"]),
            f"RFF+ADE:{shipment.account}",
            f"RFF+CU:{shipment.order}",
            f"RFF+ON:{shipment.order}",
            _nordlog_time(fact, wording, here),
            f"LOC+175+{place.unlocode}:139:6:{free(place.names[wording])}+{place.country}:162",
            *([] if here == "number" else [f"EQD+CN+{shipment.number}+45G1:102:5"]),
        ]
    return _closed(reference, [*head, *body], spoil)


def _nordlog_time(fact: Fact, wording: int, spoil: Spoil | None) -> str:
    qualifier = "132" if fact.estimated else "334"
    if spoil == "date":
        return "DTM+334:202502301430:203"
    if fact.day_only:
        return f"DTM+{qualifier}:{fact.local:%Y%m%d}:102"
    if wording:
        return f"DTM+{qualifier}:{fact.at.astimezone(UTC):%Y%m%d%H%M}?+00:205"
    return f"DTM+{qualifier}:{fact.local:%Y%m%d%H%M}:203"


def kurier_message(reference: str, telling: Telling, *, function: str = "", spoil: Spoil | None = None) -> Message:
    """One parcel a message: its number in the header, the whole status in C601, the place before its STS."""
    (fact, wording), shipment = telling, telling.fact.shipment
    seconds = f"{fact.at.minute:02}" if wording else "00"
    hour = "25" if spoil == "time" else f"{fact.local:%H}"
    segments = [
        f"UNH+{reference}+IFTSTA:D:07B:UN",
        f"BGM+23:KUR::QVD+K4{'+' * bool(function)}{function}",
        f"NAD+DEQ+{shipment.account}",
        f"NAD+BS+{shipment.account}:01",
        *([] if spoil == "number" else [f"RFF+CW:{shipment.number}"]),
        f"RFF+CU:{shipment.order}",
        f"RFF+ON:{shipment.order}",
        "CNI+1",
        f"LOC+14+:::{free(fact.place.names[wording])}+:::{fact.place.country}",
        f"STS+1:{fact.code}:31",
        *(["RFF+AGY:O?'NEILL"] if fact.code == "D2" else []),
        f"DTM+78:{fact.local:%Y%m%d}{hour}{fact.local:%M}{seconds}:204",
        f"FTX+AVA+02++{free(fact.scan.texts[wording])}",
    ]
    return _closed(reference, segments, spoil)


def _closed(reference: str, segments: Sequence[str], spoil: Spoil | None) -> Message:
    """Add UNT, and say where the bad place is."""
    counted = len(segments) + 1
    if spoil == "reference":
        wrong = f"{reference}9"
        fault = (f"segment {counted} UNT, element 2", wrong, f"reference {reference}")
        return Message([*segments, f"UNT+{counted}+{wrong}"], fault)
    whole = [*segments, f"UNT+{counted}+{reference}"]
    tag = {"date": "DTM+334", "time": "DTM+78", "number": "STS"}.get(spoil or "")
    if tag is None:
        return Message(whole)
    number = max(index for index, segment in enumerate(segments, 1) if segment.startswith(tag))
    if spoil == "number":
        return Message(whole, (f"segment {number} STS", "", "a tracking number"))
    found = segments[number - 1].split(":")[1]
    return Message(whole, (f"segment {number} DTM, element 1, component 2", found, "a date or time"))


def nordlog_interchange(reference: str, messages: Sequence[Message], closing: str = "") -> str:
    """Line by line, every other one with a UNA; ``closing`` is the reference UNZ bears, by default the right one."""
    una = ["UNA:+.? '"] if int(reference) % 2 else []
    head = f"UNB+UNOC:3+NORDLOG:ZZZ+HUB:ZZZ+250326:0815+{reference}"
    segments = [segment for message in messages for segment in message.segments]
    lines = [f"{segment}'" for segment in (head, *segments, f"UNZ+{len(messages)}+{closing or reference}")]
    return "\n".join([*una, *lines]) + "\n"


def kurier_interchange(reference: str, messages: Sequence[Message], closing: str = "") -> str:
    """Without line breaks, all messages in a functional group; ``closing`` is the reference UNZ bears."""
    parties = "KURIERPROD:KU+HUB-IFTSTA:02+250326:1805"
    segments = [
        f"UNB+UNOC:3+{parties}+{reference}++IFTSTA",
        f"UNG+IFTSTA+{parties}+{reference}+UN+D:07B",
        *(segment for message in messages for segment in message.segments),
        f"UNE+{len(messages)}+{reference}",
        f"UNZ+1+{closing or reference}",
    ]
    return "".join(f"{segment}'" for segment in segments)
