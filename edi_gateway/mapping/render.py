"""Tracking events → message: the mapping language run backwards.

A place that is read from in one direction is written to in the other: ``DTM[1.1=334]@1.2`` makes a DTM whose
element 1 component 1 is 334. The order of segments is the format's business, not the mapping's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from edi_gateway.errors import RefusedError
from edi_gateway.mapping.path import Levels, Path, Scope, Step, Syntax, parse_expression, parse_place
from edi_gateway.mapping.schema import EventPlaces, Instant, OutboundCode, Text
from edi_gateway.mapping.texts import convert
from edi_gateway.mapping.written_times import DATE_FORMATS, WRITTEN_FORMATS, apart, format_edifact
from edi_gateway.mapping.zones import zone_of
from edi_gateway.model import Classifier, OutboundSegment, Status, TrackingEvent

_FIELD = re.compile(r"\{([\w.]+)(?::([^{}]+))?\}")
_HOUR = re.compile(r"%[-#]?[HIXc]")
_CANCELS = "1"  # BGM 1225
_DATE_AND_TIME = {
    "iso": ("%Y-%m-%d", "%H:%M:%S"),
    "edifact": ("%Y%m%d", "%H%M"),
    "102": ("%Y%m%d", ""),
    "203": ("%Y%m%d", "%H%M"),
    "204": ("%Y%m%d", "%H%M%S"),
    "205": ("%Y%m%d", "%H%M%z"),
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a message says of itself, for the templates of ``header``."""

    control: str
    message: str
    document_number: str
    function: str  # BGM 1225
    carrier: str
    customer: str
    created: datetime
    tracking_number: str = ""  # where a message is about one shipment
    change: Mapping[str, str | datetime | Status | None] | None = None  # where it is about one event: CHANGE_FIELDS


CHANGE_FIELDS = frozenset(
    {
        *("id", "sequence", "trigger", "previous_status", "new_status"),
        *("shipment.status", "shipment.reason", "shipment.direction"),
        *("shipment.status_at", "shipment.estimated_delivery_at"),
    }
)
HEADER_FIELDS = frozenset(each.name for each in fields(Header)) - {"change"} | CHANGE_FIELDS
_INSTANTS = frozenset({"created", "shipment.status_at", "shipment.estimated_delivery_at"})


@dataclass(slots=True)
class _Tree:
    """A message being laid out: the groups that are open, outermost first, and how many groups each holder has."""

    root: OutboundSegment
    open: list[tuple[list[tuple[Path, str]], OutboundSegment]] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Layout:
    """A mapping compiled for writing. ``levels`` are the nested groups of one event, such as CNI, STS."""

    name: str
    version: str
    levels: tuple[Step, ...]
    timezone: ZoneInfo | None  # zone times are written in; None is the zone the carrier meant
    event: EventPlaces
    header: Mapping[str, str]
    constants: Sequence[tuple[Path, str]]
    statuses: Mapping[str, OutboundCode]
    carriers: Mapping[str, str] = field(default_factory=dict)  # what the customer calls a carrier
    per_shipment: bool = False  # a message is about one shipment, not about all of a carrier
    parse: Callable[[str], Path] = parse_place  # of the places of the header

    def outbound_code(
        self, status: Status, reason: str, classifier: Classifier = Classifier.ACT
    ) -> OutboundCode | None:
        """What the customer calls it: by reason first, then by the reason's namespace, then by status.

        What has not happened may have codes of its own. None where the customer has no word for it.
        """
        return outbound_code(self.statuses, status, reason, classifier)

    def message(
        self, header: Header, events: Iterable[TrackingEvent], clean: Callable[[str], str] = str
    ) -> OutboundSegment:
        """The message's tree, its root the header segment; raises RefusedError for an event that has no code.

        ``clean`` is applied to every text that comes from an event.
        """
        if header.function == _CANCELS and not any("{function}" in template for template in self.header.values()):
            raise RefusedError(f"{self.name} has no place to say that something told before is cancelled")
        header = replace(header, carrier=self.carriers.get(header.carrier, self.carriers.get("*", header.carrier)))
        root = OutboundSegment("UNH")
        for place, template in self.header.items():
            _write(root, (), self.parse(place), self._fill(template, header))
        tree = _Tree(root)
        for event in events:
            self._add(tree, list(self._values(event, clean)))
        return root

    def _fill(self, template: str, header: Header) -> str:
        def value(matched: re.Match[str]) -> str:
            found = self._said(header, matched[1])
            return _format(found, matched[2] or "203") if isinstance(found, datetime) else str(found)

        return _FIELD.sub(value, template)

    def _said(self, header: Header, name: str) -> str | datetime:
        if name not in CHANGE_FIELDS:
            return getattr(header, name)  # type: ignore[no-any-return]
        if header.change is None:
            raise RefusedError(f"{self.name} asks for {{{name}}}, which only what tells one event at a time has")
        found = header.change[name]
        if not isinstance(found, Status):
            return found or ""
        code = self.outbound_code(found, str(header.change["shipment.reason"]) if name == "shipment.status" else "")
        return code.code if code else ""

    def _add(self, tree: _Tree, values: list[tuple[Path, str]]) -> None:
        """Hang one event into the tree; an outer group is shared as long as everything in it is the same."""
        holder = tree.root
        for depth, step in enumerate(self.levels):
            last = depth == len(self.levels) - 1
            mine = [(path, value) for path, value in values if self._depth(path) == depth]
            if not last and len(tree.open) > depth and tree.open[depth][0] == mine:
                holder = tree.open[depth][1]
                continue
            node = _node(step)
            holder.children.append(node)
            tree.counts[id(holder)] += 1
            for path, value in mine:
                text = value
                if "{index}" in value and (path, value) in self.constants:  # a carrier's text is no template
                    text = value.replace("{index}", str(tree.counts[id(holder)]))
                _write(node, (step,), path, text)
            del tree.open[depth:]
            tree.open.append((mine, node))
            holder = node

    def _depth(self, path: Path) -> int:
        """Which level of the event a place belongs to: its own segment's, or the enclosing one it names."""
        if path.scope not in {Scope.OUTWARD, Scope.ENCLOSING}:
            return len(self.levels) - 1
        if not path.steps:  # of a tree: the level above
            return max(0, len(self.levels) - 2)
        return next(depth for depth, step in enumerate(self.levels) if step.tag == path.steps[0].tag)

    def _values(self, event: TrackingEvent, clean: Callable[[str], str]) -> Iterator[tuple[Path, str]]:
        yield from self.constants
        code = self.outbound_code(event.status, event.reason, event.classifier)
        if code is None:
            what = f"{event.status}/{event.reason}" if event.reason else event.status
            raise RefusedError(
                f"{self.name} has no code for {what}: add it under statuses, or keep it out by the customer's rules"
            )
        places = self.event
        location = places.location
        texts = (
            (places.tracking_number, event.tracking_number),
            (places.piece, event.piece),
            (places.code[code.place - 1 :], code.code),
            (places.code_list, code.list),
            (places.code_agency, code.agency),
            (places.reason[code.place - 1 :], code.reason),
            (places.text, event.text if code.text is None else code.text),
            (location.name, event.location.name),
            (location.unlocode, event.location.unlocode),
            (location.country, event.location.country),
            (places.account, event.account),
            (places.signatory, event.signatory),
        )
        for target, value in texts:
            if target and value and target[0].path:
                yield target[0].path, _fit(target[0], clean(value))
        if places.occurred_at:
            yield from self._instant(event)
        yield from self._references(event, clean)

    def _instant(self, event: TrackingEvent) -> Iterator[tuple[Path, str]]:
        instants = self.event.occurred_at
        chosen = next((each for each in instants if each.classifier is event.classifier), instants[0])
        if chosen.path.name:
            yield from _named_instant(chosen, self._wall_time(event), date_only=event.date_only)
            return
        when = self._wall_time(event)
        if chosen.time or chosen.zone or chosen.formats[0] == "x12":
            yield from apart(chosen, when, date_only=event.date_only)
            return
        wanted = "102" if event.date_only else ("203" if chosen.formats[0] == "edifact" else chosen.formats[0])
        if "%" in wanted:
            yield chosen.path, when.strftime(wanted)
            return
        yield chosen.path, format_edifact(when, wanted)
        yield _beside(chosen.path), wanted

    def _wall_time(self, event: TrackingEvent) -> datetime:
        """The event's time in the customer's zone, else in that of its place, as a reader without offset takes it."""
        if event.date_only:
            return event.occurred_at
        place = zone_of(event.location.unlocode, event.location.country)
        zone = self.timezone or (ZoneInfo(place) if place else None)
        return event.occurred_at.astimezone(zone) if zone else event.occurred_at

    def _references(self, event: TrackingEvent, clean: Callable[[str], str]) -> Iterator[tuple[Path, str]]:
        for reference in self.event.references:
            if not isinstance(reference, dict):
                continue
            for qualifier, places in reference.items():
                for place, value in zip(places, event.references.get(qualifier, ()), strict=False):
                    yield place, clean(value)


def outbound_code(
    statuses: Mapping[str, OutboundCode], status: Status, reason: str, classifier: Classifier = Classifier.ACT
) -> OutboundCode | None:
    """What a table of statuses calls it, see `Layout.outbound_code`."""
    namespace = reason.partition(".")[0]
    subjects = (status,) if classifier is Classifier.ACT else (classifier, status)
    keys = [f"{subject}{tail}" for subject in subjects for tail in (f"/{reason}", f"/{namespace}", "")]
    found = next((statuses[key] for key in keys if key in statuses), None)
    return found if found and found.code else None


def compile_layout(
    *,
    name: str,
    version: str,
    for_each: Path | Levels,
    syntax: Syntax,
    timezone: str,
    event: EventPlaces,
    header: Mapping[str, str],
    constants: Mapping[str, str],
    statuses: Mapping[str, OutboundCode],
    carriers: Mapping[str, str],
    per_shipment: bool,
) -> Layout:
    """Check what can be checked before an event comes; raises ValueError that says what to mend."""
    if isinstance(for_each, Path) and (for_each.scope is not Scope.OWN or not for_each.steps):
        raise ValueError(f"for_each names every group from the header down, such as CNI/STS, not {for_each}")
    parse = parse_place if syntax == "segments" else partial(parse_expression, syntax=syntax)
    check_statuses(statuses)
    _check_header(header, parse)
    written = [(parse(place), text) for place, text in constants.items()]
    zone = ZoneInfo(timezone) if timezone else None
    levels = for_each.steps if isinstance(for_each, Path) else tuple(map(Step, for_each.expressions))
    layout = Layout(name, version, levels, zone, event, header, written, statuses, carriers, per_shipment, parse)
    for instant in event.occurred_at:
        wanted = instant.formats[0]
        if "%" not in wanted and wanted not in {*WRITTEN_FORMATS, *DATE_FORMATS}:
            known = ", ".join((*WRITTEN_FORMATS, "x12"))
            raise ValueError(f"occurred_at: format {wanted} cannot be written, expected one of {known}")
    for path in _targets(event, layout.constants):
        if path.scope is Scope.DEEP:
            raise ValueError(f"{path} can be read but not written: name the groups on the way instead of //")
        outward = path.scope in {Scope.OUTWARD, Scope.ENCLOSING}
        if outward and path.steps and path.steps[0].tag not in {step.tag for step in levels[:-1]}:
            raise ValueError(f"{path} looks outward to a group that for_each {for_each} does not open")
    return layout


def _targets(event: EventPlaces, constants: Sequence[tuple[Path, str]]) -> Iterator[Path]:
    yield from (path for path, _ in constants)
    location = event.location
    what = (event.tracking_number, event.piece, event.code, event.code_list, event.code_agency, event.reason)
    about = (event.text, event.account, event.signatory)
    for texts in (*what, *about, location.name, location.unlocode, location.country):
        if texts and texts[0].path:
            yield texts[0].path
    yield from (instant.path for instant in event.occurred_at)
    yield from (p for r in event.references if isinstance(r, dict) for places in r.values() for p in places)


def check_statuses(statuses: Mapping[str, OutboundCode]) -> None:
    """Whether there is a word for each status; raises ValueError that says which is missing."""
    known = {status.value for status in Status}
    for key in statuses:
        if key.partition("/")[0] not in {*known, Classifier.EST, Classifier.PLN}:
            raise ValueError(f"statuses: {key} is no status: expected STATUS or STATUS/reason, one of {sorted(known)}")
    missing = sorted(known - set(statuses))
    if missing:
        raise ValueError(f"statuses: no code for {', '.join(missing)}; extends: standard/tracking_events brings them")


def _check_header(header: Mapping[str, str], parse: Callable[[str], Path]) -> None:
    for place, template in header.items():
        parse(place)
        for name, form in _FIELD.findall(template):
            if form and (name not in _INSTANTS or not (form in WRITTEN_FORMATS or form == "iso" or "%" in form)):
                known = ", ".join([*WRITTEN_FORMATS, "iso", "a strptime pattern"])
                raise ValueError(f"header {place}: {form} cannot be written, expected one of {known}")
            if name not in HEADER_FIELDS:
                raise ValueError(f"header {place}: {{{name}}} is unknown, expected one of {sorted(HEADER_FIELDS)}")


def _format(when: datetime, wanted: str) -> str:
    if wanted == "iso":
        return when.isoformat(timespec="seconds")
    return when.strftime(wanted) if "%" in wanted else format_edifact(when, wanted)


def _named_instant(chosen: Instant, when: datetime, *, date_only: bool) -> Iterator[tuple[Path, str]]:
    """The instant at elements that have names: in one piece, or date, time and zone apart."""
    wanted = chosen.formats[0]
    day, clock = _DATE_AND_TIME.get(wanted) or _halves(wanted)
    yield chosen.path, when.strftime(day) if date_only or chosen.time else _format(when, wanted)
    if chosen.time and not date_only:
        yield chosen.time, when.strftime(clock)
    if chosen.zone and not date_only:
        yield chosen.zone, f"{when:%z}"


def _halves(pattern: str) -> tuple[str, str]:
    """The pattern of the day, and that of the time behind it."""
    hour = _HOUR.search(pattern)
    at = hour.start() if hour else len(pattern)
    return pattern[:at].rstrip(" T,"), pattern[at:]


def _fit(target: Text, value: str) -> str:
    value = convert(target, value)
    return value[: target.max_length] if target.max_length else value


def _beside(path: Path) -> Path:
    return Path(path.text, path.scope, path.steps, path.element, path.component + 1)


def _write(node: OutboundSegment, own: tuple[Step, ...], path: Path, value: str) -> None:
    """Put a value where the path says, making the segments on the way that are not there yet."""
    if not value:
        return
    steps = path.steps
    if own and steps and steps[0].tag == own[0].tag:
        steps = steps[1:]
    for step in steps:
        node = _child(node, step)
    if path.name:
        node.names[path.name] = value
    else:
        node.put(path.element, path.component, value)


def _child(node: OutboundSegment, step: Step) -> OutboundSegment:
    """The segment the step means, made if there is none; a later place may add constants to one that is there."""
    fixed = list(_fixed(step))
    for child in node.children:
        standing = [_at(child, element, component) for element, component, _ in fixed]
        fits = all(text in {"", value} for text, (_, _, value) in zip(standing, fixed, strict=True))
        if child.tag == step.tag and fits and (not fixed or standing[0]):
            _fix(child, fixed)
            return child
    made = _node(step)
    node.children.append(made)
    return made


def _node(step: Step) -> OutboundSegment:
    node = OutboundSegment(step.tag)
    _fix(node, _fixed(step))
    return node


def _fix(node: OutboundSegment, fixed: Iterable[tuple[int, int, str]]) -> None:
    for element, component, value in fixed:
        node.put(element, component, value)


def _fixed(step: Step) -> Iterator[tuple[int, int, str]]:
    """The conditions of a step as constants to write: the first value of each."""
    for condition in step.conditions:
        if not condition.negated:
            yield condition.element, condition.component, condition.values[0]


def _at(node: OutboundSegment, element: int, component: int) -> str:
    composite = node.elements[element - 1] if len(node.elements) >= element else []
    return composite[component - 1] if len(composite) >= component else ""
