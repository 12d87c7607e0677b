"""The path language: how a mapping names a place in a message.

======================  ==========================================================================
``STS@2.1``             element 2, component 1 of the segment itself or of the first STS below it
``@2.1``                the same place of the segment itself
``RFF[1.1=CN|AAM]@1.2`` only a segment whose element 1 component 1 is CN or AAM (``!=``: is neither)
``GID/PCI/GIN@2.1``     a segment inside a group inside a group
``//LOC[1=175]@2.1``    anywhere below, in document order
``^RFF@1.2``            looks outward: the nearest enclosing group that is or directly holds such a segment
``^^CNI@2.1``           only an enclosing group itself, never what lies beside it
======================  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from edi_gateway.model import Segment

_STEP = re.compile(r"(?P<tag>[A-Z][A-Z0-9]{1,2})(?:\[(?P<conditions>[^\]]*)\])?")
_CONDITION = re.compile(r"(?P<element>[1-9]\d?)(?:\.(?P<component>[1-9]\d?))?(?P<sign>!?=)(?P<values>.*)")
_PLACE = re.compile(r"(?P<element>[1-9]\d?)(?:\.(?P<component>[1-9]\d?))?")
_EXAMPLE = 'such as "RFF[1.1=CN]@1.2", "//LOC[1=175]@2.1" or "^CNI@2.1"'


class Scope(Enum):
    """Where a path begins to look."""

    OWN = ""  # the segment itself, then directly below it
    DEEP = "//"  # anywhere below
    ENCLOSING = "^^"  # the enclosing groups themselves, nearest first
    OUTWARD = "^"  # the enclosing groups and what they hold, nearest first


@dataclass(frozen=True, slots=True)
class Condition:
    """The text at a place must be (or must not be) one of some values, the first of which is the one to write."""

    element: int
    component: int
    values: tuple[str, ...]
    negated: bool = False

    def holds(self, segment: Segment) -> bool:
        """Whether the segment meets it; blanks around a value do not count."""
        return (segment.get(self.element, self.component).strip() in self.values) != self.negated


@dataclass(frozen=True, slots=True)
class Step:
    """One segment on the way: its tag and what must stand in it."""

    tag: str
    conditions: tuple[Condition, ...] = ()

    def holds(self, segment: Segment) -> bool:
        """Whether a segment of this tag meets the conditions."""
        return all(condition.holds(segment) for condition in self.conditions)


Reach = Callable[[Segment, str], Sequence[Segment]]


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path. ``element`` is 0 when it names segments rather than a place in them."""

    text: str
    scope: Scope
    steps: tuple[Step, ...]
    element: int = 0
    component: int = 1
    reach: Reach = field(init=False, repr=False, compare=False)  # what a first step of a tag can lead to

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", _REACH[self.scope])

    def __str__(self) -> str:
        return self.text

    def segments(self, context: Segment) -> Sequence[Segment]:
        """Every segment the path leads to from there, nearest first."""
        if not self.steps:
            return (context,)
        first = self.steps[0]
        found = self.reach(context, first.tag)
        if first.conditions:
            found = [segment for segment in found if first.holds(segment)]
        for step in self.steps[1:]:
            found = [below for segment in found for below in segment.held(step.tag) if step.holds(below)]
        return found

    @property
    def all_of_a_tag(self) -> bool:
        """Whether it leads to every segment of one tag below the context."""
        return self.scope is Scope.DEEP and len(self.steps) == 1 and not self.steps[0].conditions

    def find(self, context: Segment) -> Segment | None:
        """The first segment with something at the place, or None."""
        for segment in self.segments(context):
            if segment.get(self.element, self.component).strip():
                return segment
        return None

    def value(self, context: Segment) -> str:
        """The first text at the place, trimmed, or ""."""
        for segment in self.segments(context):
            text = segment.get(self.element, self.component).strip()
            if text:
                return text
        return ""


def _own(context: Segment, tag: str) -> Sequence[Segment]:
    return (context,) if context.tag == tag else context.held(tag)


def _deep(context: Segment, tag: str) -> Sequence[Segment]:
    return context.anywhere(tag)


def _outward(context: Segment, tag: str) -> Sequence[Segment]:
    """Enclosing groups of that tag, or what they hold; groups that hold others like us are the others' context."""
    found: list[Segment] = []
    inner, outer = context, context.parent
    while outer is not None:
        if outer.tag == tag:
            found.append(outer)
        elif inner.tag != tag:
            found += outer.around(tag, context.tag)
        inner, outer = outer, outer.parent
    return found


def _enclosing(context: Segment, tag: str) -> Sequence[Segment]:
    found = []
    outer = context.parent
    while outer is not None:
        if outer.tag == tag:
            found.append(outer)
        outer = outer.parent
    return found


_REACH: Final = {Scope.OWN: _own, Scope.DEEP: _deep, Scope.OUTWARD: _outward, Scope.ENCLOSING: _enclosing}


def parse_path(text: str) -> Path:
    """Read a path; raises ValueError that says what is wrong and how it should look."""
    way, at, place = text.strip().partition("@")
    element, component = _parse_place(place, text) if at else (0, 1)
    scope = next(
        (scope for scope in (Scope.DEEP, Scope.ENCLOSING, Scope.OUTWARD) if way.startswith(scope.value)), Scope.OWN
    )
    way = way.removeprefix(scope.value)
    if not way and scope is Scope.OWN and at:
        return Path(text, scope, (), element, component)
    steps = tuple(_parse_step(step, text) for step in _split_steps(way))
    return Path(text, scope, steps, element, component)


def parse_place(text: str) -> Path:
    """As parse_path, for a path that must end in a place."""
    path = parse_path(text)
    if not path.element:
        msg = f'"{text}" names no place in a segment: add "@" with element and component, {_EXAMPLE}'
        raise ValueError(msg)
    return path


def _split_steps(way: str) -> list[str]:
    return re.split(r"/(?![^\[]*\])", way)


def _parse_step(step: str, text: str) -> Step:
    matched = _STEP.fullmatch(step)
    if not matched:
        msg = f'"{step}" in "{text}" is no segment: expected a tag with conditions in brackets, {_EXAMPLE}'
        raise ValueError(msg)
    conditions = matched["conditions"]
    if conditions is None:
        return Step(matched["tag"])
    return Step(matched["tag"], tuple(_parse_condition(part, text) for part in conditions.split(",")))


def _parse_condition(part: str, text: str) -> Condition:
    matched = _CONDITION.fullmatch(part.strip())
    if not matched:
        msg = f'"{part}" in "{text}" is no condition: expected element.component=value, such as 1.1=CN or 1=14|175'
        raise ValueError(msg)
    values = tuple(value.strip() for value in matched["values"].split("|"))
    return Condition(int(matched["element"]), int(matched["component"] or 1), values, matched["sign"] == "!=")


def _parse_place(place: str, text: str) -> tuple[int, int]:
    matched = _PLACE.fullmatch(place.strip())
    if not matched:
        msg = f'"@{place}" in "{text}" is no place: expected element or element.component counted from 1, {_EXAMPLE}'
        raise ValueError(msg)
    return int(matched["element"]), int(matched["component"] or 1)
