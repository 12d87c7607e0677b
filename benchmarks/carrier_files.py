"""A carrier's IFTSTA files, made up: the same bytes for the same numbers, on every machine.

Scans come in the order of their time, so that a parcel's are spread over many messages as they are in real files: each
parcel is scanned four times within three days, while thousands of others are on their way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

CARRIER: Final = "speedy"
ZONE: Final = "Europe/Berlin"
_SEED: Final = 20250303
_BEGIN: Final = datetime(2025, 3, 3, 5)  # noqa: DTZ001  as its files do, the carrier names no zone
_NEXT_PARCEL: Final = timedelta(minutes=1)
_STEPS: Final = (  # code of Recommendation 24, text, hours after the step before
    ("13", "COLLECTED", (0, 0)),
    ("29", "UNLOADED AT DEPOT", (4, 20)),
    ("31", "ON ITS WAY", (6, 30)),
    ("21", "DELIVERED", (3, 20)),
)
_PLACES: Final = (
    ("DEHAM", "HAMBURG"),
    ("NLRTM", "ROTTERDAM"),
    ("ATVIE", "WIEN"),
    ("FRLYS", "LYON"),
    ("PLWAW", "WARSZAWA"),
    ("DEMUC", "MÜNCHEN"),
    ("SEGOT", "GÖTEBORG"),
    ("ESBCN", "BARCELONA"),
)
_NAMES: Final = (
    "MÜLLER LOGISTIK GMBH",
    "ACME SPARE PARTS BV",
    "NORDIC FURNITURE AB",
    "TRANSALPINA SRL",
    "PHARMA DIRECT SA",
    "BAUHAUS DEPOT 12",
    "SCHMIDT UND SÖHNE KG",
    "O?'NEILL ?+ SONS LTD",
)


class _Scan(NamedTuple):
    """One thing that happened to a parcel."""

    at: datetime
    parcel: int
    step: int


def carrier_files(events: int, a_file: int, *, a_message: int = 100) -> list[bytes]:
    """So many events in files of one interchange each."""
    scans = sorted(_scans(events))[:events]
    rng = random.Random(_SEED)  # noqa: S311  texts, not secrets
    return [
        _interchange(number, scans[begin : begin + a_file], a_message, rng)
        for number, begin in enumerate(range(0, events, a_file), 1)
    ]


def _scans(events: int) -> Iterator[_Scan]:
    rng = random.Random(_SEED)  # noqa: S311
    for parcel in range(-(-events // len(_STEPS))):
        at = _BEGIN + parcel * _NEXT_PARCEL
        for step, (_, _, hours) in enumerate(_STEPS):
            at += timedelta(minutes=rng.randint(hours[0] * 60, hours[1] * 60))
            yield _Scan(at, parcel, step)


def _interchange(number: int, scans: Sequence[_Scan], a_message: int, rng: random.Random) -> bytes:
    messages = [
        _message(index, scans[begin : begin + a_message], rng)
        for index, begin in enumerate(range(0, len(scans), a_message), 1)
    ]
    reference = f"IC{number:08}"
    head = f"UNA:+.? 'UNB+UNOC:3+SPEEDY:14+HUB:ZZZ+250326:0815+{reference}++IFTSTA'"
    return "".join([head, *messages, f"UNZ+{len(messages)}+{reference}'"]).encode("latin-1")


def _message(index: int, scans: Sequence[_Scan], rng: random.Random) -> str:
    reference = f"ME{index:06}"
    segments = [
        f"UNH+{reference}+IFTSTA:D:{'01B' if index % 2 else '00B'}:UN",
        f"BGM+23+STA{reference}+9",
        f"DTM+137:{scans[-1].at:%Y%m%d%H%M}:203",
        "NAD+CA+SPEEDY:160++SPEEDY EXPRESS AG+INDUSTRIESTR. 5+HAMBURG++20095+DE",
    ]
    for line, scan in enumerate(scans, 1):
        segments += _event(line, scan, rng)
    segments.append(f"UNT+{len(segments) + 1}+{reference}")
    return "".join(f"{segment}'" for segment in segments)


def _event(line: int, scan: _Scan, rng: random.Random) -> Iterator[str]:
    code, text, _ = _STEPS[scan.step]
    place, city = rng.choice(_PLACES)
    yield f"CNI+{line}+SP{scan.parcel:010}"
    yield f"STS+1+{code}::6:{text}"
    yield f"RFF+CU:PO{scan.parcel * 7:08}"
    yield f"RFF+ADE:{4400 + scan.parcel % 100}"
    yield f"DTM+334:{scan.at:%Y%m%d%H%M}:203"
    if code == "21":
        yield f"FTX+AAI+++SIGNED BY {rng.choice(_NAMES)}"
    yield f"NAD+CN+++{rng.choice(_NAMES)}+HAUPTSTR. {rng.randrange(200)}+{city}++{rng.randrange(10**5):05}+{place[:2]}"
    yield f"LOC+14+{place}:139:6:{city}+{place[:2]}:162"
    if scan.parcel % 2:
        yield "GID+1+1:PK"
        yield f"MEA+WT+AAD+KGM:{rng.randrange(1, 900)}.{rng.randrange(10)}"
