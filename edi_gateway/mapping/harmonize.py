"""Message → tracking events in one vocabulary, by a compiled mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from edi_gateway.errors import DocumentError
from edi_gateway.frozen import maker, quick
from edi_gateway.mapping.codebook import Codebook
from edi_gateway.mapping.event import LONGEST, EventReader, Events
from edi_gateway.mapping.flat import FlatReader, flat
from edi_gateway.mapping.forms import FormReader
from edi_gateway.mapping.instants import Clock, instant_at
from edi_gateway.mapping.notes import Notes
from edi_gateway.mapping.path import Levels, Path
from edi_gateway.mapping.schema import EventPlaces, ReportPlaces, Requirement
from edi_gateway.mapping.texts import first
from edi_gateway.model import Finding, Level, Message, MessageFunction, Position, Segment, Severity, TrackingEvent
from edi_gateway.table import Table


@dataclass(frozen=True, slots=True)
class Partner:
    """Whose message it is: what a mapping needs to know of the carrier."""

    carrier: str
    timezone: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Harmonized:
    """What one message says: its events, what it does to earlier reports, and what was noticed."""

    function: MessageFunction
    document_number: str
    issued_at: datetime | None
    events: Sequence[TrackingEvent]
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping compiled for reading; ``version`` is a hash of every file it was made of."""

    name: str
    version: str
    message: str
    timezone: str
    for_each: Path | Levels
    require: Sequence[Requirement]
    report: ReportPlaces
    event: EventPlaces
    codebook: Codebook
    _events: EventReader = field(init=False, repr=False, compare=False)
    _flat: bool = field(init=False, repr=False, compare=False)
    _forms: FormReader = field(init=False, repr=False, compare=False)
    _of_document: dict[object, FlatReader] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        reader = EventReader(self.name, self.require, self.event, self.codebook, self.for_each.event_tag)
        object.__setattr__(self, "_events", reader)
        object.__setattr__(self, "_flat", flat(self.for_each, reader))
        object.__setattr__(self, "_forms", FormReader(reader, self.for_each))
        object.__setattr__(self, "_of_document", {})

    def harmonize(self, message: Message, partner: Partner, now: datetime) -> Harmonized:
        """Read every event of a message; what cannot be read is a finding, and its neighbours go on."""
        assert message.body is not None, "a message that was set aside has no events"
        body, notes = message.body, Notes(message)
        clock = _clock(now, partner.timezone or self.timezone or None)
        number = first(self.report.number, body)[:LONGEST]
        function = self._function(body, notes)
        issued_at = self._issued_at(body, clock, notes)
        directory = (*message.version.split(":"), "", "")[1]
        events = Events(self._events, notes, partner.carrier, clock, directory, number, self.version)
        if isinstance(body, Table) and self._flat:
            return Harmonized(function, number, issued_at, self._read_table(body, events), notes.findings)
        by_form = self._forms.read(body, events)
        if by_form and all(by_form):
            return _harmonized(function, number, issued_at, by_form, notes.findings)  # type: ignore[arg-type]
        found = self.for_each.segments(body)
        self._account_for_all(body, found, function, notes)
        return Harmonized(function, number, issued_at, list(self._readable(found, by_form, events)), notes.findings)

    def _readable(
        self, found: Sequence[Segment], by_form: Iterable[TrackingEvent | None], events: Events
    ) -> Iterator[TrackingEvent]:
        if not by_form:
            by_form = (self._forms.read_one(segment, events) for segment in found)
        for segment, event in zip(found, by_form, strict=True):
            try:
                yield event or events.read(segment)
            except DocumentError as error:
                events.notes.keep(error.finding)

    def _read_table(self, table: Table, events: Events) -> Sequence[TrackingEvent]:
        """The events of a table by its columns, which are settled once for a document."""
        reader = self._of_document.get((table.columns, events.clock.now, events.clock.timezone))
        if reader is None:
            reader = FlatReader(self._events, table.columns)
            self._of_document.clear()
            self._of_document[table.columns, events.clock.now, events.clock.timezone] = reader
        if reader.lacking:
            found, advice = f"columns {', '.join(table.columns.names)}", "name the column as the file calls it now"
            at = Position(line=table.lines[0], tag="header", start=table.start, end=table.end)
            events.notes.set_aside(Level.MESSAGE, at, found, reader.lacking, advice)
            return []
        return reader.read(table, events)

    def _function(self, body: Segment, notes: Notes) -> MessageFunction:
        report = self.report
        if not report.function:
            return MessageFunction.ORIGINAL
        code = first(report.function, body)
        if code and code not in report.functions:
            path = next(text.path for text in report.function if text.path)
            known = f"a message function that is known: {', '.join(report.functions)}"
            notes.warn(notes.at_end_of(path, body), code, known, "the message is taken for an original")
        return report.functions.get(code, MessageFunction.ORIGINAL)

    def _issued_at(self, body: Segment, clock: Clock, notes: Notes) -> datetime | None:
        for instant in self.report.issued_at:
            holder = instant.path.find(body)
            if holder is None:
                continue
            try:
                _, when, _, _ = instant_at(instant, holder, None, clock.timezone, notes)
                clock.check(when, instant, body, notes, happened=False)
            except DocumentError as error:
                notes.findings.append(replace(error.finding, severity=Severity.WARNING))
            else:
                return when
        return None

    def _account_for_all(
        self, body: Segment, found: Sequence[Segment], function: MessageFunction, notes: Notes
    ) -> None:
        """Nothing that looks like an event is passed over in silence."""
        tag = self.for_each.event_tag
        if not found and function is not MessageFunction.CANCELLATION:
            problem = first(self.report.problem, body)
            named = "events" if isinstance(self.for_each, Levels) else f"at least one {tag}"
            what, expected = problem or f"a message without {tag}", f"{named} at {self.for_each}"
            advice = "a report that carries no status needs a profile of its own: ask the partner what it means"
            advice = "the carrier has nothing to tell of it" if problem else advice
            notes.set_aside(Level.MESSAGE, notes.at(body), what, expected, advice)
        if self.for_each.all_of_a_tag:
            return
        reached = {segment.number for segment in found}
        for segment in body.anywhere(tag):
            if segment.number not in reached:
                where = f"every {tag} to be reached by for_each {self.for_each}"
                advice = "widen for_each, then retry"
                notes.set_aside(Level.EVENT, notes.at(segment), f"a {tag} outside it", where, advice)


_harmonized: Final = maker(Harmonized)


@lru_cache(maxsize=16)
def _clock(now: datetime, timezone: str | None) -> Clock:
    """One for all messages of a document."""
    return Clock(now, timezone)
