"""Where events find what they say, settled for all messages of a form, or for all events of one (see ``forms``)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from operator import itemgetter

from edi_gateway.mapping.instants import in_parts
from edi_gateway.mapping.path import Condition, Path
from edi_gateway.mapping.plan import Run, Spot
from edi_gateway.mapping.schema import Text
from edi_gateway.model import Classifier
from edi_gateway.segment import Wanted

NO_TEXT = -1  # the number of a text that has no place: it is ""

Choice = tuple[int, Text | None, Sequence[tuple[int, Condition]]]
"""The number of a text, how it is converted, and what other texts have to be for it to count."""

Choices = Sequence[Choice | None]
"""The first that is there is taken; None is one that has to be looked for along its path."""

Reference = tuple[str, int, int]
"""The qualifier, or "" and the number of its text; the number of the value."""


@dataclass(frozen=True, slots=True)
class Dated:
    """Where a time stands: the numbers of its day, and of its time and zone or of what stands beside it."""

    formats: tuple[str, ...]
    classifier: Classifier  # of an event whose code says nothing of that
    in_parts: bool
    day: int
    beside: int
    zone: int


@dataclass(frozen=True, slots=True)
class EventLayout:
    """Where one event finds what it says."""

    at: int  # its segment
    told: Callable[[Sequence[str]], Hashable] | None  # picks the texts that decide what its code means; None: all do
    number: int  # which of the choices of tracking numbers
    texts: tuple[int, int, int, int]  # which of the other choices are piece, text, account and signatory
    located: Sequence[int | None]  # the segments that may say where it was; None is a path that has to be followed
    dated: Dated | None  # None is a time that has to be looked for
    references: Sequence[Reference]  # those that not all events of the message begin with


@dataclass(frozen=True, slots=True)
class Layout:
    """What is read of segments, and what their events make of that."""

    wanted: Wanted
    numbers: Sequence[Choices]
    texts: Sequence[Choices]
    references: Sequence[Reference]  # those all events begin with
    events: Sequence[EventLayout]


def settle(runs: Sequence[Run], told_at: Sequence[tuple[int, int]]) -> Layout | None:
    """The layout of a message by its events; ``told_at`` as an ``EventReader`` has it.

    None when something of them has to be looked for in each message.
    """
    return _settled(runs, told_at, lambda run, at: run.segments[at].number - 1)


def settle_event(run: Run, told_at: Sequence[tuple[int, int]]) -> Layout | None:
    """The same for any event with the plan of that run; segments are given by their index in a run."""
    return _settled([run], told_at, lambda _, at: at)


def _settled(
    runs: Sequence[Run], told_at: Sequence[tuple[int, int]], index: Callable[[Run, int], int]
) -> Layout | None:
    first = _Settling(index)
    if any(first.event(run, told_at) is None for run in runs):
        return None
    final = _Settling(index, {place: number for number, place in enumerate(sorted(first.places))})
    events = [event for event in (final.event(run, told_at) for run in runs) if event is not None]
    alike = takewhile(lambda each: len(set(each)) == 1, zip(*(event.references for event in events), strict=False))
    shared = [reference for reference, *_ in alike]
    return Layout(
        wanted=Wanted(list(final.places)),
        numbers=list(final.numbers.values()),
        texts=list(final.texts.values()),
        references=shared,
        events=[replace(event, references=event.references[len(shared) :]) for event in events],
    )


@dataclass(slots=True)
class _Settling:
    """Gives numbers to texts and to choices as events ask for them; equal ones have one number."""

    index: Callable[[Run, int], int]  # of a segment of a run
    places: dict[tuple[int, int, int], int] = field(default_factory=dict)  # number by segment, element and component
    numbers: dict[Hashable, Choices] = field(default_factory=dict)
    texts: dict[Hashable, Choices] = field(default_factory=dict)

    def event(self, run: Run, told_at: Sequence[tuple[int, int]]) -> EventLayout | None:
        """What the event of a run asks for; None when that is not to be had by place."""
        plan, at = run.plan, self.index(run, 0)
        references, located = list(self._references(run)), list(self._located(run))
        if None in references or located[:1] == [None]:
            return None
        about = (plan.piece, plan.text, plan.account, plan.signatory)
        piece, text, account, signatory = (self._choices(run, spots, self.texts) for spots in about)
        return EventLayout(
            at=at,
            told=itemgetter(*[self._text(at, *place) for place in told_at]) if told_at else None,
            number=self._choices(run, plan.tracking_number, self.numbers),
            texts=(piece, text, account, signatory),
            located=located,
            dated=self._dated(run),
            references=[reference for reference in references if reference is not None],
        )

    def _located(self, run: Run) -> Iterator[int | None]:
        for way in run.plan.located_by:
            yield from (None,) if isinstance(way, Path) else (self.index(run, at) for at in way)

    def _text(self, at: int, element: int, component: int) -> int:
        return self.places.setdefault((at, element, component), len(self.places))

    def _choices(self, run: Run, spots: Sequence[Spot], known: dict[Hashable, Choices]) -> int:
        choices = [self._choice(run, spot) for spot in spots]
        key = tuple(each and (each[0], id(each[1]), tuple(each[2])) for each in choices)
        known.setdefault(key, choices)
        return list(known).index(key)

    def _choice(self, run: Run, spot: Spot) -> Choice | None:
        if isinstance(spot, Text):
            return None
        at, element, component, text, guards = spot
        if any(condition.name for _, condition in guards):
            return None
        met = [
            (self._text(self.index(run, where), condition.element, condition.component), condition)
            for where, condition in guards
        ]
        return self._text(self.index(run, at), element, component), text, met

    def _dated(self, run: Run) -> Dated | None:
        """The first time that a form has: it is nearly always there, so the others are not cut out in vain."""
        if not run.plan.occurred_at:
            return None
        instant, way = run.plan.occurred_at[0]
        day, time, zone = instant.path, instant.time, instant.zone
        named = any(place is not None and place.name for place in (day, time, zone))
        if isinstance(way, Path) or named or instant.derived:
            return None
        at, parts = self.index(run, way[0]), in_parts(instant)
        own = self._text(at, day.element, day.component)
        beside = self._own(at, time) if parts else self._text(at, day.element, day.component + 1)
        kind = instant.classifier or Classifier.ACT
        return Dated(instant.formats, kind, parts, own, beside, self._own(at, zone))

    def _own(self, at: int, place: Path | None) -> int:
        return self._text(at, place.element, place.component) if place else NO_TEXT

    def _references(self, run: Run) -> Iterator[Reference | None]:
        for qualifier, where, element, component in run.plan.references:
            if isinstance(where, Path) or (isinstance(qualifier, Path) and qualifier.name):
                yield None
                continue
            at = self.index(run, where)
            value = self._text(at, element, component)
            if isinstance(qualifier, str):
                yield qualifier, NO_TEXT, value
            else:
                yield "", self._text(at, qualifier.element, qualifier.component), value
