"""One segment of a message → one tracking event.

What follows from the text of a segment alone (what a status means, which place it is) is worked out once for all
segments that say the same; where to look for the rest, once for all events of one form (see ``plan``).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from edi_gateway.mapping.codebook import Codebook, Decision
from edi_gateway.mapping.instants import Clock, instant_at
from edi_gateway.mapping.notes import Notes, refused
from edi_gateway.mapping.path import Path, Scope
from edi_gateway.mapping.plan import Memory, Run, View
from edi_gateway.mapping.planner import Planner, Surroundings, unplanned
from edi_gateway.mapping.schema import EventPlaces, Requirement, Text
from edi_gateway.mapping.texts import first, one
from edi_gateway.mapping.zones import zone_of
from edi_gateway.model import (
    Classifier,
    Direction,
    Location,
    Provenance,
    Segment,
    Status,
    TimeBasis,
    TrackingEvent,
    number_of,
)
from edi_gateway.segment import Sheet

LONGEST: Final = 256  # characters of what identifies: no directory allows more than 70
ROUNDED: Final = re.compile(r"\d([.,]\d+)?E\+\d+")  # how spreadsheets write numbers too long for a cell
_PLACES_NAMED: Final = 5  # of a long list of places, in an error

Place = tuple[Location, str | None]
"""A location and the zone kept there, if known."""
NOWHERE: Final[Place] = (Location(), None)

Meaning = tuple[Status, str, Direction, bool, Classifier | None, str, str, str, str, str]
"""Status, reason, direction, correction, classifier; code, its list and agency, reason codes as written; the rule."""


@dataclass(slots=True)
class Told:
    """What an event says of its status, and what that means in the directory of its message."""

    code: str
    code_list: str
    agency: str
    reasons: tuple[str, ...]
    code_at: Path | None  # where the code was read
    expected: str  # in place of a code that no table knows
    decision: Decision | None = None


class EventReader:
    """Reads what an event says by one mapping, and remembers what it may meet again."""

    def __init__(
        self, name: str, require: Sequence[Requirement], places: EventPlaces, codebook: Codebook, event_tag: str
    ) -> None:
        self.name = name
        self.event_tag = event_tag
        self.places = places
        self.planner = Planner(places)
        self.unplanned = unplanned(places)
        self._require = require
        self._codebook = codebook
        told = _paths(places.code, places.code_list, places.code_agency, places.reason)
        self.paths_of_code = [*told, *(each.path for each in require)]
        self.told_alone = _alone(self.paths_of_code, event_tag)
        # Where the segment of an event holds its time, too, no two are alike: those elements alone are compared.
        dated = any(not instant.path.steps for instant in places.occurred_at)
        plain = all(not path.name and not any(step.conditions for step in path.steps) for path in self.paths_of_code)
        told_at = dict.fromkeys((path.element, path.component) for path in self.paths_of_code)
        # The elements and components that decide on a code; () where the whole segment does, None where others may.
        self.told_at = (tuple(told_at) if dated else ()) if self.told_alone and (plain or not dated) else None
        at_place = _paths(*places.location.parts())
        tags = {path.steps[-1].tag for path in places.location.of}
        self.located_alone = all(_alone(at_place, tag) for tag in tags) if tags else not any(places.location.parts())
        self._told: Memory[Hashable, Told] = Memory()
        self._places: Memory[Hashable, Place] = Memory()

    def told(self, segment: Segment, directory: str, notes: Notes) -> Told:
        """Code and reasons; raises DocumentError for a segment that is no event, or has no code."""
        if not self.told_alone or segment.key is None:
            return self._read_told(segment, notes)
        said = tuple([segment.get(*place) for place in self.told_at]) if self.told_at else segment.key
        key = said, directory
        return self._told.get(key) or self._told.keep(key, self._read_told(segment, notes))

    def _read_told(self, segment: Segment, notes: Notes) -> Told:
        for requirement in self._require:
            text = requirement.path.value(segment)
            if not requirement.met(text):
                at = notes.at_end_of(requirement.path, segment)
                raise refused(at, text, requirement.expected, requirement.advice, "12")
        places = self.places
        code = first(places.code, segment) or _missing(segment, places.code, "a status code", notes)
        reasons = tuple(filter(None, (one(text, segment) for text in places.reason)))
        code_at = next((path for path in _paths(places.code) if path.value(segment)), None)
        code_list, agency = first(places.code_list, segment), first(places.code_agency, segment)
        expected = f"a status code that the tables of {self.name} know"
        expected += f" for list {code_list}" if code_list else ""
        expected += f" of agency {agency}" if agency else ""
        return Told(code, code_list, agency, reasons, code_at, expected)

    def meaning(self, segment: Segment, directory: str, notes: Notes) -> Meaning | None:
        """What its code means; None when somebody has to hear of it each time. Raises DocumentError as ``told``."""
        told = self.told(segment, directory, notes)
        decision = told.decision or self.decide(told, directory)
        if not decision.mapped or len(told.code) > LONGEST:
            return None
        meant = decision.status, decision.reason, decision.direction, decision.correction, decision.classifier
        return *meant, told.code, told.code_list, told.agency, " ".join(told.reasons), decision.rule

    def decide(self, told: Told, directory: str) -> Decision:
        """What the code tables say of it."""
        told.decision = self._codebook.decide(
            told.code, told.reasons, code_list=told.code_list, agency=told.agency, directory=directory
        )
        return told.decision

    def tracking_number(self, run: Run, notes: Notes) -> str:
        """Without blanks and in capitals; raises DocumentError when there is none."""
        number = number_of(run.first(run.plan.tracking_number))
        return number or _missing(run.event, self.places.tracking_number, "a tracking number", notes)

    def place(self, run: Run) -> Place:
        """All parts from one segment: a name from here and a code from there would be a place that does not exist."""
        if not self.places.location.of:
            return self._read_place(run.event)
        for way in run.plan.located_by:
            for holder in run.follow(way):
                place = self.place_in(holder)
                if place is not NOWHERE:
                    return place
        return NOWHERE

    def place_in(self, holder: Segment) -> Place:
        """What one segment says of the place."""
        key = holder.key
        known = self._places.get(key)
        if known is None:
            known = self._read_place(holder)
            if key is not None and _alone(_paths(*self.places.location.parts()), holder.tag):
                self._places.keep(key, known)
        return known

    def _read_place(self, holder: Segment) -> Place:
        places = self.places.location
        code = first(places.unlocode, holder)
        country = first(places.country, holder) or code[:2]
        location = Location(first(places.name, holder), code, country)
        return (location, zone_of(code, country, first(places.subdivision, holder))) if location else NOWHERE


@dataclass(slots=True)
class Events:
    """The events of one message, as they are read."""

    reader: EventReader
    notes: Notes
    carrier: str
    clock: Clock
    directory: str  # 96A of D:96A:UN:EAN004
    document_number: str
    version: str  # of the mapping
    _surroundings: Surroundings | None = None  # made for the first event that is read by itself
    _around: tuple[Sequence[Segment], Sequence[str]] = ((), ())  # the last outlook, and its texts

    def read(self, segment: Segment) -> TrackingEvent:
        """The event of a segment; raises DocumentError when it cannot be read."""
        reader = self.reader
        told = reader.told(segment, self.directory, self.notes)
        run = self.run_of(segment)
        plan = run.plan
        number = reader.tracking_number(run, self.notes)
        self._bounded(segment, "a tracking number", number)
        self._precise(segment, reader.places.tracking_number, number)
        self._bounded(segment, "a status code", told.code)
        decision = told.decision or reader.decide(told, self.directory)
        if not decision.mapped:
            self._warn_unmapped(segment, told)
        location, zone = reader.place(run)
        when, basis, date_only, classifier = self.occurred(run, zone, decision)
        return TrackingEvent(
            carrier=self.carrier,
            tracking_number=number,
            status=decision.status,
            occurred_at=when,
            reason=decision.reason,
            mapped=decision.mapped,
            classifier=classifier,
            direction=decision.direction,
            correction=decision.correction,
            piece=run.first(plan.piece),
            raw_code=told.code,
            code_list=told.code_list,
            code_agency=told.agency,
            raw_reason=" ".join(told.reasons),
            text=run.first(plan.text),
            date_only=date_only,
            time_basis=basis,
            location=location,
            account=run.first(plan.account),
            signatory=run.first(plan.signatory),
            references=run.references(),
            provenance=self._provenance(segment, decision.rule),
        )

    def occurred(self, run: Run, zone: str | None, decision: Decision) -> tuple[datetime, TimeBasis, bool, Classifier]:
        """When it was, what that rests on, whether it is but a date, and what kind of statement it is."""
        for instant, way in run.plan.occurred_at:
            path = instant.path
            for holder in run.follow(way):
                if path.read(holder).strip():
                    break
            else:
                continue
            clock = self.clock
            moment, when, basis, warning = instant_at(instant, holder, zone, clock.timezone, self.notes)
            if moment.warning or warning or instant.derived:
                at, said = self.notes.at(holder, path), path.read(holder)
                for text in filter(None, (moment.warning, warning)):
                    self.notes.warn(at, said, text)
                if instant.derived:
                    self.notes.warn(at, said, "a time of the event itself; this one was taken as a last resort")
            classifier = decision.classifier or instant.classifier or Classifier.ACT
            if not clock.beyond_doubt(moment):
                clock.check(when, instant, run.event, self.notes, happened=classifier is Classifier.ACT)
            return when, basis, moment.date_only, classifier
        places = " or ".join(str(instant.path) for instant in self.reader.places.occurred_at)
        raise refused(self.notes.at(run.event), "", f"a time of the event at {places}", "", "13")

    def run_of(self, segment: Segment) -> Run:
        """The event with its plan, or with every path to be followed."""
        return Run(*self.view_of(segment))

    def view_of(self, segment: Segment) -> View:
        """The same, with none of the segments of its plan made yet."""
        if not segment.planned:
            return View(segment, segment.parent or segment, self.reader.unplanned, ())
        if self._surroundings is None:
            header = self.notes.message.body
            assert header is not None, "a message that was set aside has no events"
            self._surroundings = Surroundings(self.reader.planner, header, self.reader.event_tag)
        return self._surroundings.view(segment)

    def texts_of(self, outlook: Sequence[Segment], sheet: Sheet) -> Sequence[str]:
        """The texts of what is around an event; most see the same as the one before."""
        if self._around[0] is not outlook:
            self._around = outlook, [sheet.texts[segment.number - 1] for segment in outlook]
        return self._around[1]

    def _precise(self, segment: Segment, places: Sequence[Text], number: str) -> None:
        if "E+" in number and ROUNDED.fullmatch(number):
            path = next((path for path in _paths(places) if path.value(segment)), None)
            at = self.notes.at((path and path.find(segment)) or segment, path)
            expected = "a number with all its digits: precision lost"
            advice = "a spreadsheet has rounded it: ask the partner to send the column as text"
            raise refused(at, number, expected, advice, "12")

    def _bounded(self, segment: Segment, what: str, said: str) -> None:
        if len(said) > LONGEST:
            expected = f"{what} of at most {LONGEST} characters"
            raise refused(self.notes.at(segment), f"{said[:40]}… ({len(said)} characters)", expected)

    def _provenance(self, segment: Segment, rule: str) -> Provenance:
        message = self.notes.message
        return Provenance(
            message.position.interchange,
            message.control_ref,
            self.document_number,
            *segment.place,
            self.reader.name,
            self.version,
            rule,
        )

    def _warn_unmapped(self, segment: Segment, told: Told) -> None:
        path = told.code_at
        holder = segment if path is None or self.reader.told_alone else path.find(segment)
        at = self.notes.at(holder or segment, path)
        advice = "add the code to the carrier's mapping; the event is kept as UNKNOWN until then"
        self.notes.warn(at, told.code, told.expected, advice)


def _missing(segment: Segment, places: Sequence[Text], what: str, notes: Notes) -> NoReturn:
    named = _paths(places)
    near = next((path for path in named if not path.steps or path.steps[-1].tag == segment.tag), None)
    at = notes.at(segment, near)
    where = " or ".join(str(path) for path in named[:_PLACES_NAMED])
    where += f" (or {len(named) - _PLACES_NAMED} more)" if len(named) > _PLACES_NAMED else ""
    advice = "if the carrier writes it elsewhere, name the place in the carrier's mapping"
    raise refused(at, "", f"{what} at {where}", advice, "13")


def _alone(paths: Iterable[Path], tag: str) -> bool:
    """Whether the paths stay within a segment of that tag, so that its text decides what they find."""
    return all(path.scope is Scope.OWN and [step.tag for step in path.steps] in ([], [tag]) for path in paths)


def _paths(*places: Sequence[Text]) -> list[Path]:
    return [text.path for texts in places for text in texts if text.path]
