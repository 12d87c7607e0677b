"""Makes the plans by which events are read (see ``plan``), each when it is first needed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from edi_gateway.mapping.path import Condition, Path, Scope, parse_place
from edi_gateway.mapping.plan import Guards, Memory, Plan, Reference, Spot, View, Way
from edi_gateway.mapping.schema import EventPlaces, Referring, Text
from edi_gateway.model import Segment

_OUTER: Final = frozenset({Scope.OUTWARD, Scope.ENCLOSING})
_NOTHING: Final[frozenset[str]] = frozenset()
_FIRST: Final = parse_place("@1")

_AskedFor = Mapping[str, frozenset[str]]
"""By tag, the first elements that paths ask for."""


@dataclass(frozen=True, slots=True)
class _Form:
    """Events of one form: which of their segments (by distance) are told apart, by what, and the plans so far."""

    told_apart: Sequence[int]
    asked_for: Sequence[frozenset[str]]
    plans: Memory[Hashable, Plan] = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What an event sees when it looks outward, nearest group first, and the forms of events met with that."""

    segments: Sequence[Segment]
    form: Hashable
    events: Memory[Hashable, _Form]


class Planner:
    """The plans of one mapping."""

    def __init__(self, places: EventPlaces) -> None:
        texts = (places.tracking_number, places.piece, places.text, places.account, places.signatory)
        usual = [text.path for each in texts for text in each if text.path]
        usual += [instant.path for instant in places.occurred_at if len(instant.path.steps) == 1]
        outward = [path for path in _paths(places) if path.scope is Scope.OUTWARD and path.steps]
        self.places = places
        self.inside = _asked_for(path for path in usual if path.scope not in _OUTER)
        self.outside = _asked_for(outward)
        self.sought_outside = {path.steps[0].tag for path in outward}
        self._outlooks: Memory[Hashable, tuple[int, Memory[Hashable, _Form]]] = Memory()
        self._numbers = count()

    def asked_for(self, tag: str) -> frozenset[str]:
        """The first elements by which paths tell segments of a tag apart, in an event or around it."""
        return self.inside.get(tag, _NOTHING) | self.outside.get(tag, _NOTHING)

    def outlook(self, segments: Sequence[Segment], form: Hashable, header: Segment) -> _Outlook:
        """What is around an event, with what was learnt in such surroundings; ``form`` names their tags and nesting."""
        asked = [(each.number - 1, self.outside[each.tag]) for each in segments if each.tag in self.outside]
        said = zip(header.qualifiers([distance for distance, _ in asked]), asked, strict=True)
        told_apart = tuple([qualifier if qualifier in asked_for else None for qualifier, (_, asked_for) in said])
        known = self._outlooks.get((form, told_apart))
        if known is None:
            known = self._outlooks.keep((form, told_apart), (next(self._numbers), Memory()))
        return _Outlook(segments, *known)

    def view(self, event: Segment, group: Segment, outlook: _Outlook) -> View:
        """The event with its plan."""
        key = event.form()
        form = outlook.events.get(key) or outlook.events.keep(key, self._form(event))
        qualifiers = tuple(event.qualifiers(form.told_apart))
        plan = form.plans.get(qualifiers)
        if plan is None:  # it is that of all qualifiers no path asks for, and remembered for these, too
            said = zip(qualifiers, form.asked_for, strict=True)
            told_apart = tuple([qualifier if qualifier in asked_for else None for qualifier, asked_for in said])
            plan = form.plans.get(told_apart) or form.plans.keep(told_apart, self._plan(event, group, outlook))
            form.plans.keep(qualifiers, plan)
        return View(event, group, plan, outlook.segments)

    def _form(self, event: Segment) -> _Form:
        below = [(distance, self.inside.get(segment.tag)) for distance, segment in enumerate(event.below(), 1)]
        told_apart = {distance: asked_for for distance, asked_for in below if asked_for}
        return _Form(list(told_apart), list(told_apart.values()))

    def _plan(self, event: Segment, group: Segment, outlook: _Outlook) -> Plan:
        places, search = self.places, _Search(event, group, outlook.segments, self.inside, self.outside)
        instants = [(instant, search.way(instant.path)) for instant in places.occurred_at]
        return Plan(
            needed=search.needed,
            tracking_number=search.spots(places.tracking_number),
            piece=search.spots(places.piece),
            text=search.spots(places.text),
            occurred_at=[(instant, way) for instant, way in instants if way],
            located_by=list(filter(None, map(search.way, places.location.of))),
            account=search.spots(places.account),
            signatory=search.spots(places.signatory),
            references=list(search.references(places)),
        )


def unplanned(places: EventPlaces) -> Plan:
    """The plan for segments that have no form to go by, such as rows and nodes of a tree: every path is followed."""
    references: list[Reference] = []
    for reference in places.references:
        if isinstance(reference, Path):
            references.append((_FIRST, reference, 1, 2))
            continue
        if isinstance(reference, Referring):
            references.append((reference.qualifier, reference.of, reference.value.element, reference.value.component))
            continue
        for qualifier, every in reference.items():
            references += [(qualifier, place, place.element, place.component) for place in every]
    return Plan(
        needed=(),
        tracking_number=places.tracking_number,
        piece=places.piece,
        text=places.text,
        occurred_at=[(instant, instant.path) for instant in places.occurred_at],
        located_by=places.location.of,
        account=places.account,
        signatory=places.signatory,
        references=references,
    )


class Surroundings:
    """What is around the events of one message."""

    def __init__(self, planner: Planner, header: Segment, event_tag: str) -> None:
        self._planner = planner
        self._header = header
        self._event_tag = event_tag
        self._seen: dict[tuple[int, str], _Outlook] = {}
        self._of_groups: dict[int, _Outlook] = {}

    def view(self, event: Segment) -> View:
        """The event with its plan."""
        group = event.parent
        assert group is not None, "an event stands below the header"
        outlook = self._of_groups.get(group.number)
        if outlook is None:
            outlook = self._of_groups[group.number] = self._from(group)
        return self._planner.view(event, group, outlook)

    def _from(self, group: Segment) -> _Outlook:
        outer, tag = group.parent, group.tag
        plain = tag not in self._planner.sought_outside and group.holds_only(self._event_tag)
        if outer is not None and plain:
            return self._within(outer, tag)  # a group of nothing but events adds nothing to what is around it
        return self._within(group, self._event_tag)

    def _within(self, group: Segment, inner_tag: str) -> _Outlook:
        """What is seen from inside a group, from within one of its segments of that tag."""
        known = self._seen.get((group.number, inner_tag))
        if known is not None:
            return known
        form, segments = group.context(inner_tag, self._event_tag)
        beyond = self._within(group.parent, group.tag) if group.parent else _NOWHERE
        made = self._planner.outlook([*segments, *beyond.segments], (form, beyond.form), self._header)
        self._seen[group.number, inner_tag] = made
        return made


class _Search:
    """The places of a mapping looked for in an event that stands for all of its form."""

    def __init__(
        self, event: Segment, group: Segment, outlook: Sequence[Segment], inside: _AskedFor, outside: _AskedFor
    ) -> None:
        self.needed: list[int] = []  # grows as places are found
        self._event = event
        self._inside = inside
        self._outside = outside
        self._outer = {segment.number: index - len(outlook) for index, segment in enumerate(outlook)}
        self._outer[group.number] = 1
        self._enclosing = set(_enclosing_tags(group))

    def spots(self, texts: Sequence[Text]) -> Sequence[Spot]:
        """Where the texts are."""
        return [spot for text in texts for spot in self._spots(text)]

    def references(self, places: EventPlaces) -> Iterator[Reference]:
        """Where the references are."""
        for reference in places.references:
            if isinstance(reference, Path):
                yield from ((_FIRST, at, 1, 2) for at in self._holders(reference))
                continue
            if isinstance(reference, Referring):
                value = reference.value
                holders = self._holders(reference.of)
                yield from ((reference.qualifier, at, value.element, value.component) for at in holders)
                continue
            for qualifier, every in reference.items():
                for place in every:
                    holders = [place] if place.name else self._holders(place)
                    yield from ((qualifier, at, place.element, place.component) for at in holders)

    def way(self, path: Path) -> Way:
        """Where the path leads; [] when that is nowhere."""
        found = self._guarded(path)
        return path if found is None or any(guards for _, guards in found) else [at for at, _ in found]

    def _guarded(self, path: Path) -> Sequence[tuple[int, Guards]] | None:
        """Where the path may lead, and what decides it there; None when it has to be followed."""
        if path.scope in _OUTER and not self._in_sight(path):
            return None
        found = []
        for passed in self._along(path):
            conditions = [
                (segment, condition, self._decided(path, segment, condition))
                for segment, step in zip(passed, path.steps, strict=True)
                for condition in step.conditions
            ]
            if any(decided is False for *_, decided in conditions):
                continue
            open_ones = [(segment, condition) for segment, condition, decided in conditions if decided is None]
            at = self._index(path, passed[-1] if passed else self._event)
            guards = [(self._index(path, segment), condition) for segment, condition in open_ones]
            if at is None or any(where is None for where, _ in guards):
                return None
            found.append((at, [(where, condition) for where, condition in guards if where is not None]))
        return found

    def _in_sight(self, path: Path) -> bool:
        """Whether the outlook decides what the path finds: it does not hold what stands in groups like our own."""
        first, *further = path.steps
        if path.scope is Scope.ENCLOSING:
            return not further and not first.conditions
        return not further or first.tag not in self._enclosing

    def _spots(self, text: Text) -> Iterator[Spot]:
        path = text.path
        found = None if path is None or path.name or text.join else self._guarded(path)
        if path is None or found is None:
            yield text
            return
        converted = text if text.convert or text.values else None
        yield from ((at, path.element, path.component, converted, guards) for at, guards in found)

    def _holders(self, path: Path) -> Sequence[int | Path]:
        way = self.way(path)
        return [way] if isinstance(way, Path) else way

    def _along(self, path: Path) -> Sequence[Sequence[Segment]]:
        """The segments a path passes, conditions aside; one list for each end."""
        if not path.steps:
            return [[]]
        ways = [[segment] for segment in path.reach(self._event, path.steps[0].tag)]
        for step in path.steps[1:]:
            ways = [[*way, segment] for way in ways for segment in way[-1].held(step.tag)]
        return ways

    def _decided(self, path: Path, segment: Segment, condition: Condition) -> bool | None:
        """Whether a condition holds for all events of this form; None when the form does not say."""
        asked_for = (self._outside if path.scope in _OUTER else self._inside).get(segment.tag, _NOTHING)
        if (condition.element, condition.component) != (1, 1) or not asked_for.issuperset(condition.values):
            return None
        return None if segment.number == self._event.number else condition.holds(segment)

    def _index(self, path: Path, segment: Segment) -> int | None:
        """Where the segment is in a run; None for one that does not have its place there."""
        if path.scope in _OUTER:
            return self._outer.get(segment.number)
        distance = segment.number - self._event.number
        if distance and distance not in self.needed:
            self.needed.append(distance)
        return self.needed.index(distance) + 2 if distance else 0


def _enclosing_tags(group: Segment | None) -> Iterator[str]:
    while group is not None:
        yield group.tag
        group = group.parent


def _asked_for(paths: Iterable[Path]) -> _AskedFor:
    asked_for: dict[str, frozenset[str]] = {}
    for step in (step for path in paths for step in path.steps):
        for condition in step.conditions:
            if (condition.element, condition.component) == (1, 1):
                asked_for[step.tag] = asked_for.get(step.tag, _NOTHING).union(condition.values)
    return asked_for


def _paths(places: EventPlaces) -> Iterator[Path]:
    """Every path that is followed from an event by a plan."""
    texts = (places.tracking_number, places.piece, places.text, places.account, places.signatory)
    yield from (text.path for each in texts for text in each if text.path)
    yield from (instant.path for instant in places.occurred_at)
    yield from places.location.of
    for reference in places.references:
        if isinstance(reference, dict):
            yield from sum(reference.values(), ())
        else:
            yield reference if isinstance(reference, Path) else reference.of


_NOWHERE: Final = _Outlook((), (), Memory())
