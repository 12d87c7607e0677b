"""How many elements a segment holds: what goes beyond is, most likely, text with a separator that nobody released."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, count, repeat
from operator import gt
from typing import Final, NamedTuple

from edi_gateway.formats.syntax import CutSegment, Reading, Shape

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


class _Most(dict[str, int]):
    def __missing__(self, tag: str) -> int:
        return _ANY


_ANY: Final = 1_000_000
_MOST: Final = _Most({tag: most for most, tags in _ELEMENTS.items() for tag in tags})
# Their one element has to be there, a number or a time: cut in two, it would be another's, or another.
TORN: Final = frozenset({"DTM", "RFF"})


class Excess(NamedTuple):
    """The first element that a segment has no room for, and the text before it, which may have been cut off there."""

    at: int  # index of the segment within its message
    element: int
    text: str
    before: str


def excesses(shape: Shape, reading: Reading) -> Iterator[Excess]:
    """What does not fit in each segment; blank elements do no harm."""
    counts = map(str.count, shape.texts, repeat(reading.element))
    crowded = map(gt, counts, map(_MOST.__getitem__, shape.tags))
    for index in compress(count(), crowded):
        tag, latin = shape.tags[index], shape.texts[index]
        most = _MOST[tag]
        if not reading.wrapped and _separators(latin, reading) <= most:
            continue
        elements = [":".join(components).strip() for components in CutSegment(tag, 0, 0, latin, reading).elements]
        odd = next((number for number, text in enumerate(elements, 1) if number > most and text), 0)
        if odd:
            before = next((text for text in reversed(elements[: odd - 1]) if text), "")
            yield Excess(index, odd, elements[odd - 1], before)


def _separators(latin: str, reading: Reading) -> int:
    """How many of them are not released, in text that no line break cuts."""
    if not reading.release:
        return latin.count(reading.element)
    rest = latin.replace(reading.release * 2, "")
    return rest.count(reading.element) - rest.count(reading.release + reading.element)
