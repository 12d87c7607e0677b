"""The path language: how a mapping names a place in a message.

======================  ==========================================================================
``STS@2.1``             element 2, component 1 of the segment itself or of the first STS below it
``@2.1``                the same place of the segment itself
``RFF[1.1=CN|AAM]@1.2`` only a segment whose element 1 component 1 is CN or AAM (``!=``: is neither)
``GID/PCI/GIN@2.1``     a segment inside a group inside a group
``//LOC[1=175]@2.1``    anywhere below, in document order
``^RFF@1.2``            looks outward: the nearest enclosing group that is or directly holds such a segment
``^^CNI@2.1``           only an enclosing group itself, never what lies beside it
``@Sendungsnr``         the element (column, field) of that name; ``H@Datum`` that of the H above or beside
``ROW[Art=ZU|AB]@Ort``  conditions ask for names, too; a name that is no word is quoted: ``@"2nd date"``
======================  ==========================================================================

Mappings of trees (``syntax: json`` and ``xml``) say JMESPath or XPath instead: what the node of the event is asked;
with a leading ``^`` the nearest enclosing level where the expression gives something.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from lxml import etree

from edi_gateway.model import Segment

_STEP = re.compile(r"(?P<tag>[A-Z][A-Z0-9_]{0,30})(?:\[(?P<conditions>[^\]]*)\])?")
_WHERE = r'(?:(?P<element>[1-9]\d?)(?:\.(?P<component>[1-9]\d?))?|"(?P<quoted>[^"]+)"|(?P<name>[^\W\d][^"@\[\]=!,|]*))'
_CONDITION = re.compile(_WHERE + r"\s*(?P<sign>!?=)(?P<values>.*)")
_PLACE = re.compile(_WHERE)
_EXAMPLE = 'such as "RFF[1.1=CN]@1.2", "//LOC[1=175]@2.1", "^CNI@2.1" or "@Column"'

Syntax = Literal["segments", "json", "xml"]


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
    name: str = ""  # of the element, when it has one

    def holds(self, segment: Segment) -> bool:
        """Whether the segment meets it; blanks around a value do not count."""
        said = segment.named(self.name) if self.name else segment.get(self.element, self.component)
        return (said.strip() in self.values) != self.negated


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
    """A parsed path. ``element`` is 0 when it names segments, or an element by its ``name``, or is an expression."""

    text: str
    scope: Scope
    steps: tuple[Step, ...]
    element: int = 0
    component: int = 1
    name: str = ""
    reach: Reach = field(init=False, repr=False, compare=False)  # what a first step of a tag can lead to

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", _REACH[self.scope])

    def __str__(self) -> str:
        return self.text

    def segments(self, context: Segment) -> Sequence[Segment]:
        """Every segment the path leads to from there, nearest first."""
        if not self.steps:
            return (context,) if self.scope is Scope.OWN else list(_outwards(context))
        first = self.steps[0]
        found = self.reach(context, first.tag)
        if first.conditions:
            found = [segment for segment in found if first.holds(segment)]
        for step in self.steps[1:]:
            found = [below for segment in found for below in segment.held(step.tag) if step.holds(below)]
        return found

    @property
    def is_place(self) -> bool:
        """Whether it leads to a text, not to whole segments."""
        return bool(self.element or self.name)

    @property
    def event_tag(self) -> str:
        """The tag of the segments it leads to."""
        return self.steps[-1].tag

    def read(self, segment: Segment) -> str:
        """What a segment at the path's end says at its place."""
        return segment.named(self.name) if self.name else segment.get(self.element, self.component)

    @property
    def all_of_a_tag(self) -> bool:
        """Whether it leads to every segment of one tag below the context."""
        return self.scope is Scope.DEEP and len(self.steps) == 1 and not self.steps[0].conditions

    def find(self, context: Segment) -> Segment | None:
        """The first segment with something at the place, or None."""
        for segment in self.segments(context):
            if self.read(segment).strip():
                return segment
        return None

    def value(self, context: Segment) -> str:
        """The first text at the place, trimmed, or ""."""
        for segment in self.segments(context):
            text = self.read(segment).strip()
            if text:
                return text
        return ""


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a tree down to its events: each expression is asked of what the one before it found."""

    expressions: tuple[str, ...]
    all_of_a_tag: bool = field(default=True, init=False)  # nothing of a tree is an event that no expression finds

    def __str__(self) -> str:
        return " / ".join(self.expressions)

    @property
    def event_tag(self) -> str:
        """What leads to the events from the level above."""
        return self.expressions[-1]

    def segments(self, context: Segment) -> Sequence[Segment]:
        """The nodes of the last level, in the order of the document."""
        found: Sequence[Segment] = (context,)
        for expression in self.expressions:
            found = [below for node in found for below in node.each(expression)]
        return found


def _outwards(context: Segment) -> Iterator[Segment]:
    outer = context.parent
    while outer is not None:
        yield outer
        outer = outer.parent


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
    element, component, name = _parse_place(place, text) if at else (0, 1, "")
    scope = next(
        (scope for scope in (Scope.DEEP, Scope.ENCLOSING, Scope.OUTWARD) if way.startswith(scope.value)), Scope.OWN
    )
    way = way.removeprefix(scope.value)
    if not way and scope is Scope.OWN and at:
        return Path(text, scope, (), element, component, name)
    steps = tuple(_parse_step(step, text) for step in _split_steps(way))
    return Path(text, scope, steps, element, component, name)


def parse_expression(text: str, syntax: Syntax) -> Path:
    """Read a place in a tree: an expression, with "^" before it one that is asked of the enclosing levels.

    Raises ValueError that says what the expression's own language finds wrong.
    """
    expression = text.strip()
    scope = Scope.OUTWARD if expression.startswith("^") else Scope.OWN
    return Path(text, scope, (), name=checked(expression.removeprefix("^"), syntax))


def checked(expression: str, syntax: Syntax) -> str:
    """The expression, trimmed; raises ValueError when it is none of that syntax."""
    try:
        jmespath.compile(expression.strip()) if syntax == "json" else etree.XPath(expression.strip())
    except (JMESPathError, etree.XPathSyntaxError) as error:
        language, example = _LANGUAGES[syntax]
        why = str(error).partition("\n")[0]
        raise ValueError(
            f'"{expression}" is no {language} expression ({why}), expected one such as {example}'
        ) from None
    return expression.strip()


_LANGUAGES: Final = {
    "json": ("JMESPath", '"shipment.number" or "^trackingNumber"'),
    "xml": ("XPath", '"Address/City", "@code" or "^TrackingNumber"'),
}


def parse_place(text: str) -> Path:
    """As parse_path, for a path that must end in a place."""
    path = parse_path(text)
    if not path.is_place:
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
    return Condition(*_where(matched)[:2], values, matched["sign"] == "!=", _where(matched)[2])


def _parse_place(place: str, text: str) -> tuple[int, int, str]:
    matched = _PLACE.fullmatch(place.strip())
    if not matched:
        msg = (
            f'"@{place}" in "{text}" is no place: expected element or element.component counted from 1, or a name,'
            f" {_EXAMPLE}"
        )
        raise ValueError(msg)
    return _where(matched)


def _where(matched: re.Match[str]) -> tuple[int, int, str]:
    name = (matched["quoted"] or matched["name"] or "").strip()
    return int(matched["element"] or 0), int(matched["component"] or 1), name
