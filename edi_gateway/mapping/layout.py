"""Where the events of a message find what they say, settled for all messages of its form (see ``forms``)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, takewhile
from operator import itemgetter

from edi_gateway.mapping.instants import in_parts
from edi_gateway.mapping.path import Condition, Path
from edi_gateway.mapping.plan import Run, Spot
from edi_gateway.mapping.schema import Instant, Text
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

    instant: Instant
    formats: tuple[str, ...]
    in_parts: bool
    day: int
    beside: int
    zone: int


@dataclass(frozen=True, slots=True)
class EventLayout:
    """Where one event of a message finds what it says."""

    at: int  # its segment
    told: Sequence[int]  # numbers of the texts that decide what its code means
    number: int  # which of the choices of tracking numbers
    texts: tuple[int, int, int, int]  # which of the other choices are piece, text, account and signatory
    located: Sequence[int]  # the segments that may say where it was
    dated: Sequence[Dated | None]  # None is a time that has to be looked for along its path
    references: Sequence[Reference]  # those that not all events of the message begin with


@dataclass(frozen=True, slots=True)
class Layout:
    """What is read of a message, and what its events make of that."""

    wanted: Sequence[Wanted]
    numbers: Sequence[Choices]
    texts: Sequence[Choices]
    references: Sequence[Reference]  # those all events begin with
    events: Sequence[EventLayout]


def settle(runs: Sequence[Run], told_at: Sequence[tuple[int, int]]) -> Layout | None:
    """The layout of a message by its events; ``told_at`` are the elements and components that decide on a code.

    None when something of them has to be looked for in each message.
    """
    first = _Settling()
    if any(first.event(run, told_at) is None for run in runs):
        return None
    final = _Settling({place: number for number, place in enumerate(sorted(first.places))})
    events = [event for event in (final.event(run, told_at) for run in runs) if event is not None]
    alike = takewhile(lambda each: len(set(each)) == 1, zip(*(event.references for event in events), strict=False))
    shared = [reference for reference, *_ in alike]
    return Layout(
        wanted=[_wanted(at, [place[1:] for place in places]) for at, places in groupby(final.places, itemgetter(0))],
        numbers=list(final.numbers.values()),
        texts=list(final.texts.values()),
        references=shared,
        events=[replace(event, references=event.references[len(shared) :]) for event in events],
    )


def _wanted(at: int, places: Sequence[tuple[int, int]]) -> Wanted:
    elements = [element for element, _ in places]
    whole = all(component == 1 for _, component in places)
    # One element alone is picked as a slice: whatever is picked is a sequence.
    pick = itemgetter(*elements) if len(elements) > 1 else itemgetter(slice(elements[0], elements[0] + 1))
    return Wanted(at, places, max(elements), pick if whole else None)


@dataclass(slots=True)
class _Settling:
    """Gives numbers to texts and to choices as events ask for them; equal ones have one number."""

    places: dict[tuple[int, int, int], int] = field(default_factory=dict)  # number by segment, element and component
    numbers: dict[Hashable, Choices] = field(default_factory=dict)
    texts: dict[Hashable, Choices] = field(default_factory=dict)

    def event(self, run: Run, told_at: Sequence[tuple[int, int]]) -> EventLayout | None:
        """What the event of a run asks for; None when that is not to be had by place."""
        plan, at = run.plan, run.event.number - 1
        references = list(self._references(run))
        if None in references or any(isinstance(way, Path) for way in plan.located_by):
            return None
        about = (plan.piece, plan.text, plan.account, plan.signatory)
        piece, text, account, signatory = (self._choices(run, spots, self.texts) for spots in about)
        return EventLayout(
            at=at,
            told=[self._text(at, *place) for place in told_at],
            number=self._choices(run, plan.tracking_number, self.numbers),
            texts=(piece, text, account, signatory),
            located=[_index(run, each) for way in plan.located_by if not isinstance(way, Path) for each in way],
            dated=list(self._dated(run)),
            references=[reference for reference in references if reference is not None],
        )

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
                own, parts = self._text(at, day.element, day.component), in_parts(instant)
                beside = self._own(at, time) if parts else self._text(at, day.element, day.component + 1)
                yield Dated(instant, instant.formats, parts, own, beside, self._own(at, zone))

    def _own(self, at: int, place: Path | None) -> int:
        return self._text(at, place.element, place.component) if place else NO_TEXT

    def _references(self, run: Run) -> Iterator[Reference | None]:
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
