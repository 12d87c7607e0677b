"""How many elements a segment holds: what goes beyond is, most likely, text with a separator that nobody released."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from edi_gateway.formats.syntax import BLANKS, CutSegment, Delimiters, Reading, Shape

# The most elements in any directory from D.94B to D.24A. What is not listed is not looked at.
_ELEMENTS: Final = {
    1: ("RFF", "DTM", "CNT"),
    2: ("CTA", "DIM", "EQA", "TMP"),
    3: ("CNI", "COM"),
    4: ("MEA", "PCI", "TSR"),
    5: ("LOC", "DOC", "SEL"),
    6: ("BGM", "FTX", "GID", "GIN"),
    7: ("STS", "EQD"),
    9: ("NAD",),
    10: ("TDT",),
}
_MOST: Final = {tag: most for most, tags in _ELEMENTS.items() for tag in tags}
# Their one element has to be there, a number or a time: cut in two, it would be another's, or another.
TORN: Final = frozenset({"DTM", "RFF"})


class Excess(NamedTuple):
    """The first element that a segment has no room for, and the text before it, which may have been cut off there."""

    at: int  # index of the segment within its message
    element: int
    text: str
    before: str


@lru_cache(maxsize=64)
def crowded(marks: Delimiters) -> re.Pattern[bytes]:
    """What is to be found in messages that may hold too long a segment; a released separator counts like another."""
    element, ends = re.escape(marks.element), re.escape(marks.element + marks.terminator)
    kinds = (f"(?:{'|'.join(tags)})(?:{element}[^{ends}]*+){{{most + 1}}}" for most, tags in _ELEMENTS.items())
    return re.compile(f"{re.escape(marks.terminator)}[{BLANKS}]*+(?:{'|'.join(kinds)})".encode("latin-1"))


def excesses(shape: Shape, reading: Reading) -> Iterator[Excess]:
    """What does not fit in each segment; blank elements do no harm."""
    for index, (tag, latin) in enumerate(zip(shape.tags, shape.texts, strict=True)):
        most = _MOST.get(tag, 0)
        if not most or latin.count(reading.element) <= most:
            continue
        elements = [":".join(components).strip() for components in CutSegment(tag, 0, 0, latin, reading).elements]
        odd = next((number for number, text in enumerate(elements, 1) if number > most and text), 0)
        if odd:
            before = next((text for text in reversed(elements[: odd - 1]) if text), "")
            yield Excess(index, odd, elements[odd - 1], before)
