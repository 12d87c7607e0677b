"""Segments of one form → tracking events: all of a short message at once, those of a long one event by event.

Carriers send a few forms over and over: the same segments in the same order. Where events find what they say is settled
once for each form, by the plans of its events; from then on a message is read by place, and what several of its events
share is read once. Long messages are all different, but their events are not: these are read by place each. What is met
for the first time is read as any other segment would be, and so is each event of which there is something to remark:
nothing is said here that the paths would not say.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from edi_gateway.errors import DocumentError
from edi_gateway.mapping.event import LONGEST, NOWHERE, ROUNDED, EventReader, Events, Meaning, Place
from edi_gateway.mapping.instants import Clock, read_parts, read_whole
from edi_gateway.mapping.layout import Choices, Dated, Layout, Reference, settle, settle_event
from edi_gateway.mapping.path import Levels, Path
from edi_gateway.mapping.plan import Memory, Plan, Run
from edi_gateway.mapping.texts import convert
from edi_gateway.model import (
    Classifier,
    Segment,
    TimeBasis,
    TrackingEvent,
    make_event,
    make_provenance,
    number_of,
)
from edi_gateway.segment import Sheet, Wanted

_When = tuple[datetime, TimeBasis, bool, Classifier]
_MET: Final = Layout(Wanted(()), (), (), (), ())  # in place of a layout: only what comes again is worth settling
_NONE: Final = Layout(Wanted(()), (), (), (), ())  # in place of a layout: these are read event by event


@dataclass(slots=True)
class _Form:
    """What tells messages of one form apart: segments by whose first element paths choose, and what they ask for."""

    chosen: Sequence[int]
    asked_for: Sequence[frozenset[str]]
    layouts: Memory[Hashable, Layout] = field(default_factory=Memory)


class FormReader:
    """Reads whole messages by one mapping, and remembers their forms."""

    def __init__(self, reader: EventReader, for_each: Path | Levels) -> None:
        self.reader = reader
        self.for_each = for_each
        # Whatever decides which segments are events, and what they say, has to be part of the form or of the texts.
        plain = isinstance(for_each, Path) and not any(step.conditions for step in for_each.steps)
        self.able_alone = reader.told_at is not None and reader.located_alone
        self.able = plain and self.able_alone
        self._forms: Memory[Hashable, _Form] = Memory()
        self._layouts: Memory[Plan, Layout] = Memory()
        self._meanings: Memory[Hashable, Meaning] = Memory()
        self._places: Memory[Hashable, Place] = Memory()

    def read(self, body: Segment, events: Events) -> list[TrackingEvent | None]:
        """The events of a message, None for each that has to be read by itself; [] where that is all of them."""
        sheet = body.sheet if self.able else None
        if sheet is None or sheet.form is None:
            return []
        form = self._forms.get(sheet.form) or self._forms.keep(sheet.form, self._form(body))
        qualifiers = tuple(body.qualifiers(form.chosen))
        layout = form.layouts.get(qualifiers)
        if layout is None or layout is _MET:
            # It is that of all qualifiers no path asks for, and remembered for these, too.
            said = zip(qualifiers, form.asked_for, strict=True)
            told_apart = tuple([qualifier if qualifier in asked_for else None for qualifier, asked_for in said])
            layout = form.layouts.get(told_apart)
            if layout is None:
                form.layouts.keep(told_apart, _MET)
                return []
            if layout is _MET:
                layout = form.layouts.keep(told_apart, self._settled(body, events))
            form.layouts.keep(qualifiers, layout)
        return [] if layout is _NONE else self._read(sheet, layout, sheet.texts, sheet.segment, events)

    def read_one(self, segment: Segment, events: Events) -> TrackingEvent | None:
        """The event of a segment by its own form; None when it has to be read in another way."""
        sheet = segment.sheet if self.able_alone else None
        if sheet is None:
            return None
        view = events.view_of(segment)
        layout = self._layouts.get(view.plan)
        if layout is None:
            self._layouts.keep(view.plan, _MET)
            return None
        if layout is _MET:
            layout = self._layouts.keep(view.plan, settle_event(Run(*view), self.reader.told_at or ()) or _NONE)
        if layout is _NONE:
            return None
        texts = view.texts(sheet, events.texts_of(view.outlook, sheet))
        return self._read(sheet, layout, texts, lambda at: Run(*view).segments[at], events, segment.number - 1)[0]

    def _form(self, body: Segment) -> _Form:
        planner = self.reader.planner
        asked = ((at, planner.asked_for(segment.tag)) for at, segment in enumerate(body.below(), 1))
        chosen = {at: asked_for for at, asked_for in asked if asked_for}
        return _Form(list(chosen), list(chosen.values()))

    def _settled(self, body: Segment, events: Events) -> Layout:
        found, tag = self.for_each.segments(body), self.for_each.event_tag
        if not found or len(found) < len(body.anywhere(tag)):
            return _NONE  # there is something to remark each time
        return settle([events.run_of(segment) for segment in found], self.reader.told_at or ()) or _NONE

    def _read(
        self,
        sheet: Sheet,
        layout: Layout,
        texts_as_cut: Sequence[str],
        segment: Callable[[int], Segment],
        events: Events,
        begin: int = 0,
    ) -> list[TrackingEvent | None]:
        """The events of a layout by the texts of its segments; ``begin`` is the index of the first in its message."""
        said = [*sheet.said(texts_as_cut, layout.wanted), ""]  # the last one stands for what has no place
        numbers = [_number(_first(choices, said)) for choices in layout.numbers]
        texts = [_first(choices, said) for choices in layout.texts]
        shared = _references({}, layout.references, said)
        carrier, clock, directory, document = events.carrier, events.clock, events.directory, events.document_number
        message, name, version = events.notes.message, self.reader.name, events.version
        interchange, reference, certain = message.position.interchange, message.control_ref, None not in texts
        offset, starts = sheet.start, sheet.starts
        made: list[TrackingEvent | None] = []
        for event in layout.events:
            key = (directory, event.told(said) if event.told else sheet.key(texts_as_cut[event.at]))
            meaning = self._meanings.get(key) or self._mean(key, segment(event.at), events)
            located = event.located
            place = self._places.get(sheet.key(texts_as_cut[located[0] or 0])) if located else NOWHERE
            if place is None or (place is NOWHERE and located):
                place = self._place(segment, located)
            when = place and _when(event.dated, said, place[1], clock)
            number = numbers[event.number]
            piece, text, account, signatory = event.texts
            if meaning is None or place is None or when is None or not number or not certain:
                made.append(None)
                continue
            status, reason, direction, correction, classifier, code, code_list, agency, reasons, rule = meaning
            at, basis, date_only, kind = when
            start = offset + starts[begin + event.at]
            stands = begin + event.at + 1, start, start + len(texts_as_cut[event.at])
            made.append(
                make_event(
                    *(carrier, number, status, at, reason),
                    True,  # mapped: what is not has a remark
                    classifier or kind,
                    direction,
                    correction,
                    texts[piece] or "",
                    code,
                    code_list,
                    agency,
                    reasons,
                    texts[text] or "",
                    date_only,
                    basis,
                    place[0],
                    texts[account] or "",
                    texts[signatory] or "",
                    _references(shared.copy(), event.references, said),
                    make_provenance(interchange, reference, document, *stands, name, version, rule),
                )
            )
        return made

    def _mean(self, key: Hashable, segment: Segment, events: Events) -> Meaning | None:
        try:
            meaning = self.reader.meaning(segment, events.directory, events.notes)
        except DocumentError:
            return None
        return meaning and self._meanings.keep(key, meaning)

    def _place(self, segment: Callable[[int], Segment], located: Sequence[int | None]) -> Place | None:
        """The first place of which something is said; None where it has to be looked for."""
        for at in located:
            if at is None:
                return None
            holder = segment(at)
            place = self._places.get(holder.key) or self._places.keep(holder.key, self.reader.place_in(holder))
            if place is not NOWHERE:
                return place
        return NOWHERE


def _first(choices: Choices, said: Sequence[str]) -> str | None:
    """The first text that is there, "" for none; None where it has to be looked for."""
    for choice in choices:
        if choice is None:
            return None
        at, text, guards = choice
        found = said[at]
        if found and guards and not all((said[where] in each.values) != each.negated for where, each in guards):
            continue
        if found and text is not None:
            found = convert(text, found)
        if found:
            return found
    return ""


def _number(text: str | None) -> str:
    """As ``EventReader.tracking_number`` has it; "" where there is something to remark."""
    number = number_of(text or "")
    return "" if len(number) > LONGEST or ("E+" in number and ROUNDED.fullmatch(number)) else number


def _when(dated: Dated | None, said: Sequence[str], zone_of_place: str | None, clock: Clock) -> _When | None:
    """When it was; None where there is something to remark, or another time to be looked for."""
    day = said[dated.day] if dated else ""
    if dated is None or not day:
        return None
    formats, beside = dated.formats, said[dated.beside]
    try:
        if dated.in_parts:
            read = read_parts(formats, day, beside, said[dated.zone], zone_of_place, clock.timezone)
        else:
            read = read_whole(formats, day, beside, zone_of_place, clock.timezone)
    except ValueError:
        return None
    moment, when, basis, warning = read
    if moment.warning or warning or not clock.beyond_doubt(moment):
        return None
    return when, basis, moment.date_only, dated.classifier


def _references(
    found: dict[str, tuple[str, ...]], references: Sequence[Reference], said: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """What was found before, and these."""
    for qualifier, named, at in references:
        value = said[at]
        name = value and (qualifier or said[named])
        if not name:
            continue
        if name not in found:
            found[name] = (value,)
        elif value not in found[name]:
            found[name] += (value,)
    return found
