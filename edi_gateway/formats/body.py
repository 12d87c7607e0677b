"""The segments of one message: cut, and with their nesting known; each is made when somebody looks at it.

A segment made twice is equal in all it says. The message holds none of them, so that nothing here forms a cycle, and a
message goes as soon as nobody holds it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain, repeat

from edi_gateway.formats.guide import Nesting, Step, Walk
from edi_gateway.formats.syntax import CutSegment, Reading, Shape
from edi_gateway.model import MOST_AROUND, Segment
from edi_gateway.segment import Wanted


class Body:
    """A message from its header to the segment before its trailer. Its ``shape`` counts from ``start``."""

    __slots__ = ("_held", "_walk", "reading", "shape", "start", "steps")

    def __init__(self, start: int, shape: Shape, reading: Reading, walk: Walk) -> None:
        self.start = start
        self.shape = shape
        self.reading = reading
        self.steps = walk.steps
        self._walk = walk
        self._held: dict[int, dict[str, list[int]]] = {}

    @property
    def nesting(self) -> Nesting:
        """Which segment holds which."""
        return self._walk.nesting

    @property
    def form(self) -> Hashable:
        """See Sheet.form: long messages are all different."""
        return self._walk if self._walk.shared else None

    @property
    def texts(self) -> Sequence[str]:
        """See Sheet.texts."""
        return self.shape.texts

    def said(self, texts: Sequence[str], wanted: Wanted) -> list[str]:
        """See Sheet.said. Where nothing has to be looked at closely, all segments are cut at once."""
        reading, some = self.reading, wanted.texts(texts)
        mark, component = reading.element, reading.component
        joined = mark.join(some)
        careful = not reading.as_cut or self._special(joined)
        if careful or not wanted.whole or component in joined:
            return self._said_one_by_one(some, wanted, careful=careful)
        pick = wanted.pick(tuple(map(str.count, some, repeat(mark))))
        found = pick([*joined.split(mark), ""])
        return list(found if joined.split(None, 1) == [joined] else map(str.strip, found))

    def _special(self, text: str) -> bool:
        release, repetition = self.reading.release, self.reading.repetition
        return bool((release and release in text) or (repetition and repetition in text))

    def _said_one_by_one(self, texts: Sequence[str], wanted: Wanted, *, careful: bool) -> list[str]:
        mark, component = self.reading.element, self.reading.component
        found: list[str] = []
        for text, (_, places) in zip(texts, wanted.each, strict=True):
            if careful and (not self.reading.as_cut or self._special(text)):
                found += self._said_carefully(text, places)
                continue
            elements = text.split(mark)
            before, parts = -1, [""]
            for element, number in places:
                if element != before:
                    parts = elements[element].split(component) if element < len(elements) else [""]
                    before = element
                found.append(parts[number - 1].strip() if number <= len(parts) else "")
        return found

    def _said_carefully(self, text: str, places: Sequence[tuple[int, int]]) -> Iterator[str]:
        fields, mark = self.reading.cut(text), self.reading.component
        for element, component in places:
            said = fields[element] if element < len(fields) else ""
            parts = said.split(mark) if type(said) is str else said
            yield parts[component - 1].strip() if component <= len(parts) else ""

    def key(self, text: str) -> Hashable:
        """See Sheet.key."""
        return text, self.reading

    @property
    def starts(self) -> Sequence[int]:
        """See Sheet.starts."""
        return self.shape.starts

    def place(self, index: int) -> tuple[int, int, int]:
        """See Segment.place."""
        start = self.start + self.shape.starts[index]
        return index + 1, start, start + len(self.shape.texts[index])

    def segment(self, index: int) -> Segment:
        """See Sheet.segment."""
        return BodySegment(self, index)

    def held(self, index: int) -> Mapping[str, Sequence[int]]:
        """Tag → indices of the segments that the one at ``index`` holds."""
        held = self._held.get(index)
        if held is None:
            held = self._held[index] = {}
            if self.steps[index].opens:
                (groups, ends), tags = self.nesting, self.shape.tags
                for below in range(index + 1, ends[index]):
                    if groups[below] == index:
                        held.setdefault(tags[below], []).append(below)
        return held

    def context(self, index: int, inner_tag: str, event_tag: str) -> tuple[Hashable, list[int]]:
        """See Segment.context; indices instead of segments."""
        steps, tags, ends = self.steps, self.shape.tags, self.nesting.ends
        found, form = [index], list[Step]()
        for tag, nears in self.held(index).items():
            for near in nears[:MOST_AROUND] if tag != inner_tag else ():
                if event_tag not in tags[near + 1 : ends[near]]:
                    found += range(near, ends[near])
                    form += steps[near : ends[near]]
        return (tags[index], inner_tag, tuple(form)), found


class BodySegment(CutSegment):
    """A segment that knows its place in a message."""

    __slots__ = ("_body", "_index", "_parent")

    def __init__(self, body: Body, index: int, parent: BodySegment | None = None) -> None:
        # Not calling the base, and leaving out what is rarely asked for, halves the cost of making a segment.
        self._body = body
        self._index = index
        self._parent = parent
        self._latin = body.shape.texts[index]
        self._reading = body.reading
        self._fields = None

    # Where a segment stands is not for others to say: these cannot be set.

    @property
    def tag(self) -> str:  # type: ignore[override]
        """See Segment."""
        return self._body.shape.tags[self._index]

    @property
    def number(self) -> int:  # type: ignore[override]
        """See Segment."""
        return self._index + 1

    @property
    def start(self) -> int:  # type: ignore[override]
        """See Segment."""
        return self._body.start + self._body.shape.starts[self._index]

    @property
    def end(self) -> int:  # type: ignore[override]
        """See Segment."""
        return self._body.start + self._body.shape.starts[self._index] + len(self._latin)

    @property
    def place(self) -> tuple[int, int, int]:
        """See Segment.place."""
        return self._body.place(self._index)

    @property
    def sheet(self) -> Body:
        """See Segment.sheet."""
        return self._body

    @property
    def parent(self) -> Segment | None:  # type: ignore[override]
        """The group that holds it; None for the header."""
        if self._parent is None and self._index:
            self._parent = BodySegment(self._body, self._body.nesting.groups[self._index])
        return self._parent

    @property
    def children(self) -> Sequence[Segment]:  # type: ignore[override]
        """The segments directly below."""
        below = sorted(chain.from_iterable(self._body.held(self._index).values()))
        return [BodySegment(self._body, index, self) for index in below]

    def below(self) -> Iterator[Segment]:
        """See Segment.below."""
        body = self._body
        return map(BodySegment, repeat(body), range(self._index + 1, body.nesting.ends[self._index]))

    def held(self, tag: str) -> Sequence[Segment]:
        """See Segment.held."""
        body = self._body
        return [BodySegment(body, index, self) for index in body.held(self._index).get(tag, ())]

    def anywhere(self, tag: str) -> Sequence[Segment]:
        """See Segment.anywhere. Those of one group share it as their parent."""
        if not self._body.steps[self._index].opens:
            return ()
        body, tags, here = self._body, self._body.shape.tags, self._index
        groups, ends = body.nesting
        made = {here: self}
        found = [index for index in range(here + 1, ends[here]) if tags[index] == tag]
        for index in found:
            group = groups[index]
            if group not in made:
                made[group] = BodySegment(body, group, self if groups[group] == here else None)
        return [BodySegment(body, index, made[groups[index]]) for index in found]

    def holds_only(self, tag: str) -> bool:
        """See Segment.holds_only."""
        ends, tags, below = self._body.nesting.ends, self._body.shape.tags, self._index + 1
        end = ends[self._index]
        while below < end and tags[below] == tag:
            below = ends[below]
        return below == end

    def context(self, inner_tag: str, event_tag: str) -> tuple[Hashable, list[Segment]]:
        """See Segment.context."""
        form, found = self._body.context(self._index, inner_tag, event_tag)
        return form, [BodySegment(self._body, index) for index in found]

    def form(self) -> Hashable:
        """See Segment.form: a step for each tag says how they nest."""
        return tuple(self._body.steps[self._index : self._body.nesting.ends[self._index]])

    def qualifiers(self, distances: Sequence[int]) -> list[str]:
        """See Segment.qualifiers. Most begin alike, so that their beginnings tell without cutting them up."""
        texts, here, known = self._body.shape.texts, self._index, self._reading.qualifiers
        head = self._reading.grammar.head
        return [known.get(texts[here + each][head]) or self._qualifier(here + each) for each in distances]

    def _qualifier(self, index: int) -> str:
        qualifier = BodySegment(self._body, index).get(1).strip()
        self._reading.remember_qualifier(self._body.shape.texts[index][self._reading.grammar.head], qualifier)
        return qualifier

    def onward(self, distances: Sequence[int]) -> list[Segment]:
        """See Segment.onward."""
        return [*map(BodySegment, repeat(self._body), map(self._index.__add__, distances))]
