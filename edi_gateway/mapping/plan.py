"""Where the places of a mapping are, for events of a given form.

A mapping for any carrier names dozens of places, and an event has a handful of them. Which ones, and where, follows
from its form: the tags below it and around it, how they nest, and the first elements by which paths tell segments of
one tag apart (RFF+CN from RFF+CW). Events of one form are many, so the paths are followed once for each form; from then
on a place is the n-th segment of its event, or the n-th of what is around it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from edi_gateway.mapping.path import Condition, Path
from edi_gateway.mapping.schema import Instant, Text
from edi_gateway.mapping.texts import convert, one
from edi_gateway.model import Segment
from edi_gateway.segment import Sheet

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_REMEMBERED: Final = 2_000


class Memory(dict[_K, _V]):
    """What was worked out before; begins anew when it grows too large, so that no file can fill the memory."""

    def keep(self, key: _K, value: _V) -> _V:
        """Remember the value and return it."""
        if len(self) >= _REMEMBERED:
            self.clear()
        self[key] = value
        return value


Guards = Sequence[tuple[int, Condition]]
"""What must stand in which segments: conditions that the form of an event does not decide."""

Spot = tuple[int, int, int, Text | None, Guards] | Text
"""Segment, element, component, the text if it is to be converted, guards; the text alone where it cannot be planned."""

Way = Sequence[int] | Path
"""Segments; the path itself where they cannot be planned."""

Reference = tuple[str | Path, int | Path, int, int]
"""The qualifier or its place, the segment or segments, and the place of the value."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where to look, in the order of the mapping; places that are not there are left out.

    A segment is given by its index in a ``Run``. A plan is equal to itself alone.
    """

    needed: Sequence[int]  # distances of the segments of an event that come third and later in its run
    tracking_number: Sequence[Spot]
    piece: Sequence[Spot]
    text: Sequence[Spot]
    occurred_at: Sequence[tuple[Instant, Way]]
    located_by: Sequence[Way]
    account: Sequence[Spot]
    signatory: Sequence[Spot]
    references: Sequence[Reference]


class View(NamedTuple):
    """From where an event is read."""

    event: Segment
    group: Segment  # that holds it
    plan: Plan
    outlook: Sequence[Segment]  # what is around it

    def texts(self, sheet: Sheet, outlook: Sequence[str]) -> list[str]:
        """The texts of the segments of its ``Run``; ``outlook`` are those of what is around it."""
        texts, at = sheet.texts, self.event.number - 1
        needed = [texts[at + distance] for distance in self.plan.needed]
        return [texts[at], texts[self.group.number - 1], *needed, *outlook]


class Run:
    """The segments an event is read from: its own, the group that holds it, those its plan needs, what is around it."""

    __slots__ = ("event", "plan", "segments")

    def __init__(self, event: Segment, group: Segment, plan: Plan, outlook: Sequence[Segment]) -> None:
        self.event = event
        self.plan = plan
        needed = event.onward(plan.needed) if plan.needed else []
        self.segments = [event, group, *needed, *outlook]

    def first(self, spots: Sequence[Spot]) -> str:
        """The first text that is there, trimmed and converted, or ""."""
        for spot in spots:
            if isinstance(spot, tuple):
                at, element, component, text, guards = spot
                said = self.segments[at].get(element, component).strip()
                if said and guards and not all(each.holds(self.segments[where]) for where, each in guards):
                    continue
                if said and text is not None:
                    said = convert(text, said)
            else:
                said = one(spot, self.event)
            if said:
                return said
        return ""

    def follow(self, way: Way) -> Iterable[Segment]:
        """The segments it leads to."""
        return way.segments(self.event) if isinstance(way, Path) else map(self.segments.__getitem__, way)

    def references(self) -> dict[str, tuple[str, ...]]:
        """Qualifier → values, each once."""
        found: dict[str, tuple[str, ...]] = {}
        more: dict[str, dict[str, None]] = {}
        for qualifier, at, element, component in self.plan.references:
            for holder in at.segments(self.event) if isinstance(at, Path) else (self.segments[at],):
                value = (
                    at.read(holder) if isinstance(at, Path) and at.name else holder.get(element, component)
                ).strip()
                name = value and (qualifier if isinstance(qualifier, str) else qualifier.read(holder).strip())
                if not name:
                    continue
                if name not in found:
                    found[name] = (value,)
                elif value not in found[name]:
                    more.setdefault(name, {})[value] = None
        for name, values in more.items():
            found[name] += tuple(values)
        return found
