"""Message → tracking events in one vocabulary, by a compiled mapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from edi_gateway.errors import DocumentError
from edi_gateway.mapping.codebook import Codebook
from edi_gateway.mapping.convert import CONVERTERS
from edi_gateway.mapping.path import Path
from edi_gateway.mapping.schema import EventPlaces, Instant, LocationPlaces, ReportPlaces, Requirement, Text
from edi_gateway.mapping.times import Moment, check_plausible, parse_edifact, parse_pattern, resolve
from edi_gateway.mapping.zones import zone_of
from edi_gateway.model import (
    Classifier,
    Direction,
    Finding,
    Level,
    Location,
    Message,
    MessageFunction,
    Position,
    Provenance,
    Segment,
    Severity,
    Status,
    TimeBasis,
    TrackingEvent,
)

_LONGEST = 256  # characters of what identifies: no directory allows more than 70
_FORESEEABLE = timedelta(days=3650)  # an estimate or a plan further ahead is a slip of the pen
_PLACES_NAMED = 5  # of a long list of places, in an error


@dataclass(frozen=True, slots=True)
class Partner:
    """Whose message it is: what a mapping needs to know of the carrier."""

    carrier: str
    timezone: str = ""


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
    for_each: Path
    require: Sequence[Requirement]
    report: ReportPlaces
    event: EventPlaces
    codebook: Codebook

    def harmonize(self, message: Message, partner: Partner, now: datetime) -> Harmonized:
        """Read every event of a message; what cannot be read is a finding, and its neighbours go on."""
        assert message.body is not None, "a message that was set aside has no events"
        reading = _Reading(self, message, replace(partner, timezone=partner.timezone or self.timezone), now)
        return reading.run(message.body)


@dataclass(slots=True)
class _Reading:
    """One message being read: the mapping, the partner, and the findings so far."""

    mapping: Mapping
    message: Message
    partner: Partner
    now: datetime
    findings: list[Finding] = field(default_factory=list)
    document_number: str = ""
    directory: str = ""  # 96A of D:96A:UN:EAN004

    def run(self, body: Segment) -> Harmonized:
        report = self.mapping.report
        self.directory = (*self.message.version.split(":"), "", "")[1]
        self.document_number = _text(report.number, body)[:_LONGEST]
        function = self._function(report, body)
        issued_at = self._issued_at(report.issued_at, body)
        found = list(self.mapping.for_each.segments(body))
        self._account_for_all(body, found, function)
        events = [event for event in map(self._try_event, found) if event is not None]
        return Harmonized(function, self.document_number, issued_at, events, self.findings)

    def _function(self, report: ReportPlaces, body: Segment) -> MessageFunction:
        code = _text(report.function, body)
        if code and code not in report.functions:
            path = next(text.path for text in report.function if text.path)
            at = self._at(path.find(body) or body, path.element, path.component)
            known = f"a message function that is known: {', '.join(report.functions)}"
            self._warn(at, code, known, "the message is taken for an original")
        return report.functions.get(code, MessageFunction.ORIGINAL)

    def _account_for_all(self, body: Segment, found: Sequence[Segment], function: MessageFunction) -> None:
        tag = self.mapping.for_each.steps[-1].tag
        if not found and function is not MessageFunction.CANCELLATION:
            self._set_aside(
                Level.MESSAGE,
                self._at(body),
                f"a message without {tag}",
                f"at least one {tag} at {self.mapping.for_each}",
                "a report that carries no status needs a profile of its own: ask the partner what it means",
            )
        reached = {segment.number for segment in found}
        for segment in body.below():
            if segment.tag == tag and segment.number not in reached:
                where = f"every {tag} to be reached by for_each {self.mapping.for_each}"
                advice = "widen for_each, then retry"
                self._set_aside(Level.EVENT, self._at(segment), f"a {tag} outside it", where, advice)

    def _try_event(self, segment: Segment) -> TrackingEvent | None:
        try:
            return self._event(segment)
        except DocumentError as error:
            self.findings.append(error.finding)
            return None

    def _event(self, segment: Segment) -> TrackingEvent:
        places = self.mapping.event
        self._check(segment)
        code = _text(places.code, segment) or self._missing(segment, places.code, "a status code")
        number = _text(places.tracking_number, segment)
        number = "".join(number.split()).upper() or self._missing(segment, places.tracking_number, "a tracking number")
        for what, said in (("a tracking number", number), ("a status code", code)):
            self._bounded(segment, what, said)
        code_list, agency = _text(places.code_list, segment), _text(places.code_agency, segment)
        reasons = tuple(filter(None, (_one(text, segment) for text in places.reason)))
        decision = self.mapping.codebook.decide(
            code, reasons, code_list=code_list, agency=agency, directory=self.directory
        )
        entry = decision.entry
        if entry is None:
            self._warn_unmapped(segment, code, code_list, agency)
        status = entry.status if entry else Status.UNKNOWN
        location = _location(places.location, segment)
        when, basis, moment, instant = self._occurred(segment, location)
        classifier = (entry and entry.classifier) or instant.classifier or Classifier.ACT
        self._plausible(segment, instant, when, happened=classifier is Classifier.ACT)
        return TrackingEvent(
            carrier=self.partner.carrier,
            tracking_number=number,
            status=status,
            occurred_at=when,
            reason=decision.reason if entry else "other.unmapped",
            mapped=entry is not None,
            classifier=classifier,
            direction=(entry and entry.direction) or _direction(status),
            correction=bool(entry and entry.correction),
            piece=_text(places.piece, segment),
            raw_code=code,
            code_list=code_list,
            code_agency=agency,
            raw_reason=" ".join(reasons),
            text=_text(places.text, segment),
            date_only=moment.date_only,
            time_basis=basis,
            location=location,
            account=_text(places.account, segment),
            signatory=_text(places.signatory, segment),
            references=self._references(segment),
            provenance=self._provenance(segment, decision.rule),
        )

    def _bounded(self, segment: Segment, what: str, said: str) -> None:
        if len(said) > _LONGEST:
            expected = f"{what} of at most {_LONGEST} characters"
            raise self._error(Level.EVENT, self._at(segment), f"{said[:40]}… ({len(said)} characters)", expected)

    def _check(self, segment: Segment) -> None:
        for requirement in self.mapping.require:
            place = requirement.path
            text = place.value(segment)
            if text not in requirement.values:
                at = self._at(place.find(segment) or segment, place.element, place.component)
                raise self._error(Level.EVENT, at, text, requirement.expected, requirement.advice)

    def _occurred(self, segment: Segment, location: Location) -> tuple[datetime, TimeBasis, Moment, Instant]:
        for instant in self.mapping.event.occurred_at:
            holder = instant.path.find(segment)
            if holder is None:
                continue
            moment = self._moment(instant, holder)
            zone = zone_of(location.unlocode, location.country) if moment.offset is None else None
            when, basis, warning = resolve(moment, zone, self.partner.timezone or None)
            at = self._at(holder, instant.path.element, instant.path.component)
            said = holder.get(instant.path.element, instant.path.component)
            for text in filter(None, (moment.warning, warning)):
                self._warn(at, said, text)
            if instant.derived:
                self._warn(at, said, "a time of the event itself; this one was taken as a last resort")
            return when, basis, moment, instant
        places = [str(instant.path) for instant in self.mapping.event.occurred_at]
        raise self._error(Level.EVENT, self._at(segment), "", f"a time of the event at {' or '.join(places)}", "", "13")

    def _moment(self, instant: Instant, holder: Segment) -> Moment:
        path = instant.path
        text = holder.get(path.element, path.component).strip()
        try:
            return _read_moment(instant.format, text, holder.get(path.element, path.component + 1).strip())
        except ValueError as error:
            at = self._at(holder, path.element, path.component)
            advice = "ask the partner for a corrected report"
            raise self._error(Level.EVENT, at, text, f"a date or time ({error})", advice, "12") from error

    def _issued_at(self, instants: Iterable[Instant], body: Segment) -> datetime | None:
        for instant in instants:
            holder = instant.path.find(body)
            if holder is None:
                continue
            try:
                when = resolve(self._moment(instant, holder), None, self.partner.timezone or None)[0]
                self._plausible(body, instant, when, happened=False)
            except DocumentError as error:
                self.findings.append(replace(error.finding, severity=Severity.WARNING))
            else:
                return when
        return None

    def _plausible(self, segment: Segment, instant: Instant, when: datetime, *, happened: bool) -> None:
        latest = self.now if happened else self.now + _FORESEEABLE
        why = check_plausible(when, latest)
        if why:
            holder = instant.path.find(segment) or segment
            at = self._at(holder, instant.path.element, instant.path.component)
            found = holder.get(instant.path.element, instant.path.component)
            expected = f"a time that can be true ({why})"
            raise self._error(Level.EVENT, at, found, expected, "check the carrier's clock", "12")

    def _references(self, segment: Segment) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for reference in self.mapping.event.references:
            if isinstance(reference, Path):
                pairs = ((holder.get(1, 1).strip(), holder.get(1, 2).strip()) for holder in reference.segments(segment))
            else:
                pairs = (
                    (qualifier, holder.get(place.element, place.component).strip())
                    for qualifier, places in reference.items()
                    for place in places
                    for holder in place.segments(segment)
                )
            for qualifier, value in pairs:
                if qualifier and value:
                    found.setdefault(qualifier, {})[value] = None
        return {qualifier: tuple(values) for qualifier, values in found.items()}

    def _provenance(self, segment: Segment, rule: str) -> Provenance:
        position = self.message.position
        return Provenance(
            interchange=position.interchange,
            message=self.message.control_ref,
            document_number=self.document_number,
            segment=segment.number,
            start=segment.start,
            end=segment.end,
            mapping=self.mapping.name,
            mapping_version=self.mapping.version,
            rule=rule,
        )

    def _missing(self, segment: Segment, places: Sequence[Text], what: str) -> str:
        named = [text.path for text in places if text.path]
        near = next((path for path in named if not path.steps or path.steps[-1].tag == segment.tag), None)
        at = self._at(segment, near.element, near.component) if near else self._at(segment)
        where = " or ".join(str(path) for path in named[:_PLACES_NAMED])
        where += f" (or {len(named) - _PLACES_NAMED} more)" if len(named) > _PLACES_NAMED else ""
        advice = "if the carrier writes it elsewhere, name the place in the carrier's mapping"
        raise self._error(Level.EVENT, at, "", f"{what} at {where}", advice, "13")

    def _warn_unmapped(self, segment: Segment, code: str, code_list: str, agency: str) -> None:
        places = self.mapping.event.code
        path = next((text.path for text in places if text.path and text.path.value(segment)), None)
        at = self._at(path.find(segment) or segment, path.element, path.component) if path else self._at(segment)
        known = f"a status code that the tables of {self.mapping.name} know"
        known += f" for list {code_list}" if code_list else ""
        known += f" of agency {agency}" if agency else ""
        self._warn(at, code, known, "add the code to the carrier's mapping; the event is kept as UNKNOWN until then")

    def _warn(self, at: Position, found: str, expected: str, advice: str = "") -> None:
        self.findings.append(Finding(Severity.WARNING, Level.EVENT, at, found, expected, advice))

    def _set_aside(self, level: Level, at: Position, found: str, expected: str, advice: str) -> None:
        self.findings.append(Finding(Severity.QUARANTINE, level, at, found, expected, advice))

    def _error(
        self, level: Level, at: Position, found: str, expected: str, advice: str = "", code: str = ""
    ) -> DocumentError:
        return DocumentError(Finding(Severity.QUARANTINE, level, at, found, expected, advice, code))

    def _at(self, segment: Segment, element: int = 0, component: int = 0) -> Position:
        return Position(
            interchange=self.message.position.interchange,
            message=self.message.control_ref,
            segment=segment.number,
            tag=segment.tag,
            element=element,
            component=component if element else 0,
            start=segment.start,
            end=segment.end,
        )


def _text(texts: Sequence[Text], segment: Segment) -> str:
    for text in texts:
        value = _one(text, segment)
        if value:
            return value
    return ""


def _one(text: Text, segment: Segment) -> str:
    if text.path is None:
        return text.const or ""
    if not text.convert and not text.values:
        return text.path.value(segment)
    for holder in text.path.segments(segment):
        value = convert(text, holder.get(text.path.element, text.path.component).strip())
        if value:
            return value
    return ""


def convert(text: Text, value: str) -> str:
    """The value through the converters and the replacement table of a text; "" stays ""."""
    for name in text.convert:
        value = CONVERTERS[name](value)
    return text.values.get(value, text.values.get("*", value)) if value else ""


def _location(places: LocationPlaces, segment: Segment) -> Location:
    """All parts from one segment: a name from here and a code from there would be a place that does not exist."""
    holders = (holder for path in places.of for holder in path.segments(segment)) if places.of else (segment,)
    return next(filter(None, (_place(places, holder) for holder in holders)), Location())


def _place(places: LocationPlaces, segment: Segment) -> Location:
    code = _text(places.unlocode, segment)
    country = _text(places.country, segment) or code[:2]
    return Location(_text(places.name, segment), code, country)


def _direction(status: Status) -> Direction:
    return Direction.RETURN if status in {Status.RETURN_TO_SENDER, Status.RETURNED} else Direction.FORWARD


def _read_moment(wanted: str, text: str, beside: str) -> Moment:
    if wanted == "edifact":
        return parse_edifact(text, beside)
    return parse_pattern(text, wanted) if "%" in wanted else parse_edifact(text, wanted)
