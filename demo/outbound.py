"""The customers' side: outbound files read by pydifact, a reader that shares no code with the gateway's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydifact.segmentcollection import RawSegmentCollection
from pydifact.segments import Segment


class Told(NamedTuple):
    """One event as a customer reads it."""

    carrier: str
    tracking_number: str
    code: str
    reason: str
    kind: str  # DE 2005: 334 happened, 133 estimated
    when: str  # DE 2380, as written
    place: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """One outbound file. ``defects`` are counts and references of its envelope that do not hold."""

    name: str
    text: str
    recipient: str
    directory: str
    control: str
    told: tuple[Told, ...]
    defects: tuple[str, ...]


def read(name: str, content: bytes) -> Outbound:
    """Read a customer's file; raises pydifact's errors for what is no EDIFACT, IndexError for what is no IFTSTA."""
    text = content.decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of directories it brings no tables for, and does without them
        segments = list(RawSegmentCollection.from_str(text).segments)
    opening = next(segment for segment in segments if segment.tag == "UNB")
    header = next(segment for segment in segments if segment.tag == "UNH")
    return Outbound(
        name=name,
        text=text,
        recipient=":".join(_components(opening, 2)),
        directory=":".join(_components(header, 1)[1:3]),
        control=_first(opening, 4),
        told=tuple(_events(segments)),
        defects=tuple(_defects(segments)),
    )


def _events(segments: Sequence[Segment]) -> Iterator[Told]:
    """Every STS with what surrounds it: the carrier of its message, the number of its CNI, and what follows it."""
    carrier = number = ""
    for index, segment in enumerate(segments):
        if segment.tag == "NAD" and _first(segment, 0) == "CA":
            carrier = _first(segment, 1)
        elif segment.tag == "CNI":
            number = _first(segment, 1)
        elif segment.tag == "STS":
            below = {each.tag: each for each in reversed(_below(segments[index + 1 :]))}
            kind, when, *_ = _components(below["DTM"], 0)
            place = _components(below["LOC"], 1)[3]
            yield Told(carrier, number, _first(segment, 1), _first(segment, 2), kind, when, place)


def _below(segments: Sequence[Segment]) -> list[Segment]:
    end = next(index for index, segment in enumerate(segments) if segment.tag in {"STS", "CNI", "UNT"})
    return list(segments[:end])


def _defects(segments: Sequence[Segment]) -> Iterator[str]:
    """UNT and UNZ against what they close."""
    opening, closing = (next((each for each in segments if each.tag == tag), None) for tag in ("UNB", "UNZ"))
    headers = [index for index, each in enumerate(segments) if each.tag == "UNH"]
    trailers = [index for index, each in enumerate(segments) if each.tag == "UNT"]
    if opening is None or closing is None or len(headers) != len(trailers):
        yield "UNB and UNZ, UNH and UNT do not pair"
        return
    if (_first(closing, 0), _first(closing, 1)) != (str(len(headers)), _first(opening, 4)):
        yield f"UNZ says {_first(closing, 0)} messages of {_first(closing, 1)}, there are {len(headers)}"
    for start, end in zip(headers, trailers, strict=True):
        counted, said = end - start + 1, _first(segments[end], 0)
        if (said, _first(segments[end], 1)) != (str(counted), _first(segments[start], 0)):
            yield f"UNT says {said} segments of message {_first(segments[end], 1)}, there are {counted}"


def _components(segment: Segment, element: int) -> list[str]:
    """The components of an element counted from 0, none when it is not there."""
    found = segment.elements[element] if element < len(segment.elements) else []
    return found if isinstance(found, list) else [found]


def _first(segment: Segment, element: int) -> str:
    return next(iter(_components(segment, element)), "")
