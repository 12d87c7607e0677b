"""The customers' side: received files read with pydifact, which shares no code with the gateway's writer."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pydifact.exceptions import EDISyntaxError
from pydifact.segmentcollection import RawSegmentCollection
from pydifact.segments import Segment

from tests.acceptance.facts import Told

_KINDS: Final = {"334": "ACT", "133": "EST", "17": "EST"}  # DE 2005, of both customers
_REPORT, _CANCEL = "9", "1"  # DE 1225


class Statement(NamedTuple):
    """One event of a file: that it is so, or (``cancel``) that it is not so after all."""

    told: Told
    cancel: bool
    place: str


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """One file in a customer's mailbox. ``defects`` is what its envelope says and does not hold."""

    name: str
    recipient: str
    control: int
    statements: Sequence[Statement]
    defects: Sequence[str]


def read_mailbox(folder: Path, zone: str) -> list[ReceivedFile]:
    """Every file in the folder, by control number; local times in the files are of ``zone``."""
    files = [_read(path.name, path.read_bytes(), ZoneInfo(zone)) for path in folder.iterdir()]
    return sorted(files, key=lambda file: file.control)


def histories(files: Sequence[ReceivedFile]) -> Mapping[Told, str]:
    """Each fact with what was said of it in the order it was said: R for a report, C for a cancellation."""
    said: dict[Told, str] = defaultdict(str)
    for file in files:
        for statement in file.statements:
            said[statement.told] += "C" if statement.cancel else "R"
    return said


def _read(name: str, content: bytes, zone: ZoneInfo) -> ReceivedFile:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it brings no tables for these directories and says so
            segments = list(RawSegmentCollection.from_str(content.decode("latin-1")).segments)
        opening = next(segment for segment in segments if segment.tag == "UNB")
    except (EDISyntaxError, StopIteration) as error:
        return ReceivedFile(name, "", 0, (), (f"no interchange: {error!r}",))
    return ReceivedFile(
        name=name,
        recipient=_at(opening, 3),
        control=int(_at(opening, 5)),
        statements=list(_statements(segments, zone)),
        defects=list(_defects(segments)),
    )


def _statements(segments: Sequence[Segment], zone: ZoneInfo) -> Iterator[Statement]:
    function = carrier = number = ""
    for index, segment in enumerate(segments):
        if segment.tag == "BGM":
            function = _at(segment, 3)
        elif segment.tag == "NAD" and _at(segment, 1) == "CA":
            carrier = _at(segment, 2)
        elif segment.tag == "CNI":
            number = _at(segment, 2)
        elif segment.tag == "STS":
            below = list(_below(segments[index + 1 :]))
            (time,) = (each for each in below if each.tag == "DTM")
            place = next((_at(each, 2, 4) for each in below if each.tag == "LOC"), "")
            order = next(_at(each, 1, 2) for each in below if each.tag == "RFF" and _at(each, 1) in {"CU", "ON"})
            told = Told(
                carrier, number, _at(segment, 2), _at(segment, 3), _KINDS[_at(time, 1)], _when(time, zone), order
            )
            yield Statement(told, {_REPORT: False, _CANCEL: True}[function], place)


def _below(segments: Sequence[Segment]) -> Iterator[Segment]:
    for segment in segments:
        if segment.tag in {"STS", "CNI", "UNT"}:
            return
        yield segment


def _when(time: Segment, zone: ZoneInfo) -> str:
    text, form = _at(time, 1, 2), _at(time, 1, 3)
    if form == "102":
        return text
    layout = {"203": "%Y%m%d%H%M", "204": "%Y%m%d%H%M%S"}[form]
    return f"{datetime.strptime(text, layout).replace(tzinfo=zone).astimezone(UTC):%Y%m%d%H%M}"


def _defects(segments: Sequence[Segment]) -> Iterator[str]:
    """Counts and references of UNT and UNZ against what they close."""
    tags = [segment.tag for segment in segments]
    tags = tags[1:] if tags[0] == "UNA" else tags
    if tags[0] != "UNB" or tags[-1] != "UNZ" or tags.count("UNB") != 1 or tags.count("UNZ") != 1:
        yield "not one interchange from UNB to UNZ"
        return
    opening, closing = segments[-len(tags)], segments[-1]
    if [_at(closing, 1), _at(closing, 2)] != [str(tags.count("UNH")), _at(opening, 5)]:
        yield f"UNZ {closing.elements} closes {tags.count('UNH')} messages of {_at(opening, 5)}"
    header, begun = opening, 0
    for index, segment in enumerate(segments):
        if segment.tag == "UNH":
            header, begun = segment, index
        elif segment.tag == "UNT" and [_at(segment, 1), _at(segment, 2)] != [str(index - begun + 1), _at(header, 1)]:
            yield f"UNT {segment.elements} closes {index - begun + 1} segments of {_at(header, 1)}"


def _at(segment: Segment, element: int, component: int = 1) -> str:
    """The text at a place counted from 1, "" when there is none."""
    whole = segment.elements[element - 1] if element <= len(segment.elements) else ""
    components = whole if isinstance(whole, list) else [whole]
    return components[component - 1] if component <= len(components) else ""
