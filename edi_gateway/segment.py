"""What a reader makes of a document: segments in trees. Rows of a table and nodes of JSON and XML are segments, too."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar, Final, Protocol

MOST_AROUND: Final = 1_000  # segments of a tag looked at in an enclosing group; no directory allows more there
_REMEMBERED: Final = 200  # ways in which segments differ in length


class Wanted:
    """What is to be read of several segments: places by the segment's index, element and component, in that order."""

    __slots__ = ("_picks", "each", "texts", "whole")

    def __init__(self, places: Sequence[tuple[int, int, int]]) -> None:
        self.each = [(at, [place[1:] for place in of_one]) for at, of_one in groupby(places, itemgetter(0))]
        self.texts = picks([at for at, _ in self.each])  # the texts of these segments out of those of all
        self.whole = all(component == 1 for _, _, component in places)  # nothing but whole elements
        self._picks: dict[tuple[int, ...], Callable[[Sequence[str]], Sequence[str]]] = {}

    def pick(self, counts: tuple[int, ...]) -> Callable[[Sequence[str]], Sequence[str]]:
        """What picks the places out of all elements of the segments, one segment after the other, and a "" behind them.

        ``counts`` are the elements of each segment, its tag apart.
        """
        pick = self._picks.get(counts)
        if pick is None:
            pick = self._made(counts)
            if len(self._picks) >= _REMEMBERED:
                self._picks.clear()
            self._picks[counts] = pick
        return pick

    def _made(self, counts: tuple[int, ...]) -> Callable[[Sequence[str]], Sequence[str]]:
        indices, begin, absent = [], 0, sum(counts) + len(counts)
        for (_, places), count in zip(self.each, counts, strict=True):
            indices += [begin + element if element <= count else absent for element, _ in places]
            begin += count + 1
        return picks(indices)


def picks(indices: Sequence[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """What picks these out of a sequence. One alone is picked as a slice: whatever is picked is a sequence."""
    one = slice(indices[0], indices[0] + 1) if indices else slice(0)
    return itemgetter(*indices) if len(indices) > 1 else itemgetter(one)


class Sheet(Protocol):
    """A message as it lies there: whoever knows its form reads it by place, without making segments of it."""

    @property
    def form(self) -> Hashable:
        """Equal for messages that have the same tags, nested in the same way; None where that is not known."""

    @property
    def texts(self) -> Sequence[str]:
        """Its segments as they were cut, the header first."""

    def said(self, texts: Sequence[str], wanted: Wanted) -> list[str]:
        """What segments of it say at each of the places, in their order, trimmed; "" when absent."""

    def key(self, text: str) -> Hashable:
        """See Segment.key."""

    @property
    def start(self) -> int:
        """The offset in the document from which ``starts`` count."""

    @property
    def starts(self) -> Sequence[int]:
        """Where each of its segments begins."""

    def segment(self, index: int) -> Segment:
        """The segment there."""


class Segment:
    """One segment and, below it, the segments its group holds. Formats subclass it, to work out what is asked for.

    ``number`` counts within the message (header = 1); ``start``/``end`` are byte offsets in the document.
    """

    __slots__ = ("children", "end", "number", "parent", "start", "tag")
    planned: ClassVar[bool] = True  # numbered without gaps below the header, so that plans may count on it

    def __init__(self, tag: str, number: int, start: int, end: int) -> None:
        self.tag = tag
        self.number = number
        self.start = start
        self.end = end
        self.parent: Segment | None = None
        self.children: Sequence[Segment] = ()

    @property
    def place(self) -> tuple[int, int, int]:
        """Its number, start and end."""
        return self.number, self.start, self.end

    @property
    def key(self) -> Hashable:
        """Equal for segments that say the same in each of their elements; None where that is not known."""
        return None

    @property
    def sheet(self) -> Sheet | None:
        """The message it is of, where that can be read by place."""
        return None

    def held(self, tag: str) -> Sequence[Segment]:
        """The segments of a tag directly below."""
        return [child for child in self.children if child.tag == tag]

    def anywhere(self, tag: str) -> Sequence[Segment]:
        """The segments of a tag anywhere below, in document order."""
        return [segment for segment in self.below() if segment.tag == tag]

    def holds_only(self, tag: str) -> bool:
        """Whether all segments directly below are of that tag."""
        return all(child.tag == tag for child in self.children)

    def below(self) -> Iterator[Segment]:
        """Every segment nested under this one, in document order."""
        for child in self.children:
            yield child
            yield from child.below()

    def context(self, inner_tag: str, event_tag: str) -> tuple[Hashable, list[Segment]]:
        """What this group holds around its segments of ``inner_tag``, without groups of other events; and its form."""
        forms, segments = [], [self]
        for tag in dict.fromkeys(child.tag for child in self.children):
            for near in self.around(tag, event_tag) if tag != inner_tag else ():
                segments += [near, *near.below()]
                forms.append(near.form())
        return (self.tag, inner_tag, tuple(forms)), segments

    def around(self, tag: str, event_tag: str) -> Sequence[Segment]:
        """The segments of a tag directly below, without groups that have an event in them."""
        return [near for near in self.held(tag)[:MOST_AROUND] if not near.anywhere(event_tag)]

    def form(self) -> Hashable:
        """Equal for segments that have the same tags, nested in the same way, below them."""
        return tuple((segment.tag, len(segment.children)) for segment in (self, *self.below()))

    def qualifiers(self, distances: Sequence[int]) -> list[str]:
        """What stands first, trimmed, in the segments that stand so many places behind this one."""
        return [segment.get(1).strip() for segment in self.onward(distances)]

    def onward(self, distances: Sequence[int]) -> list[Segment]:
        """The segments that stand so many places behind this one, all of them below it."""
        below = [self, *self.below()]
        return [below[distance] for distance in distances]

    def get(self, element: int, component: int = 1) -> str:
        """The text at that place, counted from 1 (the tag is 0), released and decoded; "" when absent."""
        raise KeyError(element, component)

    def components(self, element: int) -> list[str]:
        """All components of that element."""
        raise KeyError(element)

    @property
    def line(self) -> int:
        """The line of the document it begins on, where documents are written in lines; else 0."""
        return 0

    def named(self, name: str) -> str:  # noqa: ARG002  formats that know names look for it
        """The text of the element of that name, or what that expression finds, trimmed; "" when absent."""
        return ""

    def each(self, expression: str) -> Sequence[Segment]:
        """What an expression of the format's own language leads to, each a level below this one."""
        raise KeyError(expression)
