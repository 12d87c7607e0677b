"""Where the events of a message find what they say, settled for all messages of its form (see ``forms``)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from edi_gateway.mapping.instants import When, in_parts, read_parts, read_whole
from edi_gateway.mapping.path import Condition, Path
from edi_gateway.mapping.plan import Run, Spot
from edi_gateway.mapping.schema import Instant, Text
from edi_gateway.segment import Places

NO_TEXT = -1  # the number of a text that has no place: it is ""

Choice = tuple[int, Text | None, Sequence[tuple[int, Condition]]]
"""The number of a text, how it is converted, and what other texts have to be for it to count."""

Choices = Sequence[Choice | None]
"""The first that is there is taken; None is one that has to be looked for along its path."""


@dataclass(frozen=True, slots=True)
class Dated:
    """Where a time stands: what reads it, and the numbers of its texts, the day first."""

    instant: Instant
    formats: tuple[str, ...]
    read: Callable[..., When]
    texts: Sequence[int]


@dataclass(frozen=True, slots=True)
class EventLayout:
    """Where one event of a message finds what it says."""

    at: int  # its segment
    told: Sequence[int]  # numbers of the texts that decide what its code means
    number: int  # which of the choices
    texts: tuple[int, int, int, int]  # which of the choices are piece, text, account and signatory
    located: Sequence[int]  # the segments that may say where it was
    dated: Sequence[Dated | None]  # None is a time that has to be looked for along its path
    references: Sequence[tuple[str, int, int]]  # the qualifier, or the number of its text; that of the value


@dataclass(frozen=True, slots=True)
class Layout:
    """What is read of a message, and what its events make of that."""

    places: Places
    choices: Sequence[Choices]
    events: Sequence[EventLayout]


def settle(runs: Sequence[Run], told_at: Sequence[tuple[int, int]]) -> Layout | None:
    """The layout of a message by its events; ``told_at`` are the elements and components that decide on a code.

    None when something of them has to be looked for in each message.
    """
    first = _Settling()
    if any(first.event(run, told_at) is None for run in runs):
        return None
    final = _Settling({place: number for number, place in enumerate(sorted(first.numbers))})
    events = [event for event in (final.event(run, told_at) for run in runs) if event is not None]
    of_segments = groupby(final.numbers, key=itemgetter(0))
    places = [(at, [(element, component) for _, element, component in places]) for at, places in of_segments]
    return Layout(places, list(final.choices.values()), events)


@dataclass(slots=True)
class _Settling:
    """Gives numbers to texts and to choices as events ask for them; equal ones have one number."""

    numbers: dict[tuple[int, int, int], int] = field(default_factory=dict)  # by segment, element and component
    choices: dict[Hashable, Choices] = field(default_factory=dict)

    def event(self, run: Run, told_at: Sequence[tuple[int, int]]) -> EventLayout | None:
        """What the event of a run asks for; None when that is not to be had by place."""
        plan, at = run.plan, run.event.number - 1
        references = list(self._references(run))
        if not all(references) or not all(isinstance(way, Sequence) for way in plan.located_by):
            return None
        about = (plan.piece, plan.text, plan.account, plan.signatory)
        piece, text, account, signatory = (self._choices(run, spots) for spots in about)
        return EventLayout(
            at=at,
            told=[self._text(at, *place) for place in told_at],
            number=self._choices(run, plan.tracking_number),
            texts=(piece, text, account, signatory),
            located=[_index(run, each) for way in plan.located_by if not isinstance(way, Path) for each in way],
            dated=list(self._dated(run)),
            references=[reference for reference in references if reference is not None],
        )

    def _text(self, at: int, element: int, component: int) -> int:
        return self.numbers.setdefault((at, element, component), len(self.numbers))

    def _choices(self, run: Run, spots: Sequence[Spot]) -> int:
        choices = [self._choice(run, spot) for spot in spots]
        key = tuple(each and (each[0], id(each[1]), tuple(each[2])) for each in choices)
        self.choices.setdefault(key, choices)
        return list(self.choices).index(key)

    def _choice(self, run: Run, spot: Spot) -> Choice | None:
        if isinstance(spot, Text):
            return None
        at, element, component, text, guards = spot
        if any(condition.name for _, condition in guards):
            return None
        met = [
            (self._text(_index(run, where), condition.element, condition.component), condition)
            for where, condition in guards
        ]
        return self._text(_index(run, at), element, component), text, met

    def _dated(self, run: Run) -> Iterator[Dated | None]:
        for instant, way in run.plan.occurred_at:
            day, time, zone = instant.path, instant.time, instant.zone
            if isinstance(way, Path) or any(place is not None and place.name for place in (day, time, zone)):
                yield None
                continue
            for at in [_index(run, each) for each in way]:
                own = self._text(at, day.element, day.component)
                if in_parts(instant):
                    beside = (
                        self._text(at, each.element, each.component) if each else NO_TEXT for each in (time, zone)
                    )
                    yield Dated(instant, instant.formats, read_parts, (own, *beside))
                else:
                    beside_it = self._text(at, day.element, day.component + 1)
                    yield Dated(instant, instant.formats, read_whole, (own, beside_it))

    def _references(self, run: Run) -> Iterator[tuple[str, int, int] | None]:
        for qualifier, where, element, component in run.plan.references:
            if isinstance(where, Path) or (isinstance(qualifier, Path) and qualifier.name):
                yield None
                continue
            at = _index(run, where)
            value = self._text(at, element, component)
            if isinstance(qualifier, str):
                yield qualifier, NO_TEXT, value
            else:
                yield "", self._text(at, qualifier.element, qualifier.component), value


def _index(run: Run, at: int) -> int:
    """The index in its message of a segment of a run."""
    return run.segments[at].number - 1
