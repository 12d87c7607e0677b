"""X12 214: from bytes to sets, and from bytes to complete events, against pyx12's reader."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Final

from pyx12.x12file import X12Reader

from benchmarks.contest import Contest, Sides, seconds
from edi_gateway.formats.x12.format import X12
from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import Segment, utc_now
from edi_gateway.pipeline.reading import read

_SETS: Final = 2_000
_EVENTS: Final = 3 * _SETS
_TIMES: Final = 5  # times we read the same file in one run, so that the clock has something to measure
_AGAINST: Final = f"pyx12 {version('pyx12')}, X12Reader iterated"
_MAPPINGS: Final = Path(__file__).parents[1] / "mappings"
_BEGIN: Final = datetime(2026, 1, 5)  # noqa: DTZ001  the zone is a code of its own
_PLACES: Final = (("NASHVILLE", "TN"), ("DALLAS", "TX"), ("NEWARK", "NJ"), ("ATLANTA", "GA"), ("SEATTLE", "WA"))


def interchange() -> bytes:
    """One interchange of 0.9 MB: sets of 22 segments with three statuses each, as a trucker sends them."""
    rng = random.Random(1)  # noqa: S311  places and minutes, not secrets
    header = f"ISA*00*{'':10}*00*{'':10}*02*{'SPDY':<15}*ZZ*{'HUB':<15}*260301*0815*U*00401*000000001*0*P*>"
    lines, at = [header, "GS*QM*SPDY*HUB*20260301*0815*1*X*004010"], _BEGIN
    for number in range(_SETS):
        body = [
            *(f"B10*SP{number:010}*LD{number * 7:08}*SPDY", f"L11*PO{number * 3:08}*PO", f"L11*BM{number:08}*BM"),
            *("N1*SH*ACME SPARE PARTS*93*4711", "N3*3900 CENTRAL PIKE", "N4*NASHVILLE*TN*37214*US"),
            *("N1*CN*NORDIC FURNITURE", "N3*12 MAIN ST", "N4*DALLAS*TX*75201*US", "LX*1"),
        ]
        for code in ("AF", "X6", "D1"):
            at += timedelta(minutes=rng.randrange(1, 4))
            at += timedelta(minutes=not (at.hour or at.minute))  # a whole midnight is no time
            city, state = rng.choice(_PLACES)
            body += [f"AT7*{code}*NS***{at:%Y%m%d}*{at:%H%M}*CT", f"MS1*{city}*{state}*US", f"MS2*SPDY*TR{number:06}"]
        body += [f"L11*{number}*QN", f"AT8*G*L*{number % 900 + 1}*{number % 9}"]
        lines += [f"ST*214*{number + 1:04}", *body, f"SE*{len(body) + 2}*{number + 1:04}"]
    lines += [f"GE*{_SETS}*1", "IEA*1*000000001"]
    return "".join(f"{line}~" for line in lines).encode("ascii")


@contextmanager
def _reading(ours: Callable[[bytes], int], expected: int) -> Iterator[Sides]:
    """Both read the same interchange; ``ours`` returns how much it found, so that nothing is left out unnoticed."""
    content = interchange()
    text, megabytes = content.decode("ascii"), len(content) / 1e6
    found = ours(content)
    if found != expected:
        raise ValueError(f"found {found} in the file, expected {expected}")
    yield Sides(
        us=lambda: _TIMES * megabytes / seconds(lambda: [ours(content) for _ in range(_TIMES)]),
        peer=lambda: megabytes / seconds(lambda: sum(1 for _ in X12Reader(StringIO(text)))),
    )


def _decode(content: bytes) -> int:
    """Envelope, counts and control numbers checked, every tag looked at and put in its place, every set in hand."""
    return sum(1 for _ in _bodies(content))


def _decode_segments(content: bytes) -> int:
    """The same, and every segment in hand."""
    return sum(segment.tag == "AT7" for body in _bodies(content) for segment in body.below())


def _bodies(content: bytes) -> Iterator[Segment]:
    for found in X12().decode(content):
        if found.findings:
            raise ValueError(str(found.findings[0]))
        for message in found.messages:
            if message.body is None or message.findings:
                raise ValueError(str(message.findings[0]))
            yield message.body


def _events(content: bytes) -> int:
    """Complete events: mapped, with their provenance, and the fingerprint each is recognised by."""
    fingerprints = set()
    for reading in read(content, X12(), _mapping(), Partner("speedy"), utc_now()):
        if reading.findings:
            raise ValueError(str(reading.findings[0]))
        for event in reading.said.events if reading.said else ():
            if not event.mapped or not event.provenance.segment:
                raise ValueError(f"{event} is not complete")
            fingerprints.add(event.fingerprint(1))
    return len(fingerprints)


@cache
def _mapping() -> Mapping:
    return Library([_MAPPINGS]).reader("standard/x12-214")


CONTESTS: Final = (
    Contest("x12_decode_speed_vs_pyx12", "MB/s", _AGAINST, partial(_reading, _decode, _SETS), runs=9),
    Contest(
        "x12_decode_segments_speed_vs_pyx12", "MB/s", _AGAINST, partial(_reading, _decode_segments, _EVENTS), runs=9
    ),
    Contest("x12_events_speed_vs_pyx12", "MB/s", _AGAINST, partial(_reading, _events, _EVENTS), runs=9),
)
