"""EDIFACT and X12: the standard mapping, what it makes of the sample, and the codes it does not know."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice, product
from typing import Final

from edi_gateway.discovery.codes import Tables, suggestions
from edi_gateway.discovery.column import MOST_ROWS, shown
from edi_gateway.discovery.draft import Draft, put_meanings, scalar
from edi_gateway.discovery.sample import Sample
from edi_gateway.errors import ConfigError, DocumentError
from edi_gateway.formats.text import PADDING
from edi_gateway.mapping.harmonize import Mapping, Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import Message, Severity, TimeBasis, TrackingEvent
from edi_gateway.plugins import Format

_NOW: Final = datetime(2100, 1, 1, tzinfo=UTC)  # a sample's times may be of any day
_BANNER: Final = 1024
_X12: Final = re.compile(rb"ISA(?=[^A-Za-z0-9\s]|\S?\d\d)")
_SET: Final = re.compile(rb"[\r\n~'\x05-\x1f]\s*ST.(\d{3})[^0-9]")
_TYPE: Final = re.compile(rb"UNH\+[^+]{0,20}\+([A-Z]{6})")
_QUALIFIED: Final = ("RFF", "DTM", "LOC", "NAD", "L11", "N1", "N9", "R4")
_EVENTS: Final = ("STS", "AT7", "B4")
_MOST_MESSAGES: Final = 2_000


def syntax_of(content: bytes) -> str:
    """edifact, x12, or "" when the bytes are neither."""
    head = content[:_BANNER].lstrip(PADDING + b"\xef\xbb\xbf")
    if head.startswith((b"UNA", b"UNB", b"UNH+")):
        return "edifact"
    if _X12.match(head):
        return "x12"
    if re.search(rb"(?:^|\n)(?:UNA.{6}\s*)?UNB\+", head):
        return "edifact"
    return "x12" if re.search(rb"(?:^|\n)ISA[^A-Za-z0-9\s]", head) else ""


def standard_for(name: str, content: bytes, syntax: str) -> str:
    """The standard mapping for these messages; raises ConfigError when there are only others."""
    types = Counter(found.decode() for found in (_TYPE if syntax == "edifact" else _SET).findall(content))
    mappings = {"IFTSTA": "standard/iftsta", "214": "standard/x12-214", "315": "standard/x12-315"}
    known = sorted((kind for kind in types if kind in mappings), key=lambda kind: -types[kind])
    if known:
        return mappings[known[0]]
    if types:
        seen = ", ".join(f"{kind} {count}x" for kind, count in sorted(types.items()))
        raise ConfigError(f"{name}: found {seen}; status reports are {', '.join(mappings)}, others have no events")
    return "standard/iftsta" if syntax == "edifact" else "standard/x12-214"


def segments(sample: Sample, syntax: str, library: Library, known: Tables) -> Draft:
    """A mapping that extends the standard one; raises ConfigError when there is no message in the sample."""
    standard = standard_for(sample.name, sample.content, syntax)
    messages, problems = _messages(sample, library.format(standard))
    if not messages:
        problem = f" ({problems[0]})" if problems else ""
        raise ConfigError(f"{sample.name}: found {syntax} without a message that can be read{problem}")
    events, aside = _events(messages, library.reader(standard))
    draft = Draft()
    draft.recognised.append(
        f"{syntax}: {len(messages)} messages {messages[0].type} {messages[0].version}, read by {standard}"
    )
    draft.put(f"extends: {standard}", f"{len(events)} events by it" + (f", {len(aside)} set aside" if aside else ""))
    assumed = sum(event.time_basis is TimeBasis.ASSUMED for event in events)
    if assumed:
        draft.put(
            "# timezone: Europe/Berlin", f"{assumed} times name no zone and no known place; put the carrier's here"
        )
        draft.decide.append(f"the time zone: {assumed} times name none, and count as UTC until timezone: is set")
    _put_numbers(draft, events)
    for found, count in Counter(aside).most_common(5):
        draft.put(f"# set aside {count}x: {found}")
        draft.decide.append(f"set aside {count}x: {found}")
    draft.decide += [f"said by the reader: {problem}" for problem in problems[:3]]
    if aside:
        _put_elements(draft, messages)
    _put_codes(draft, events, known)
    _put_seen(draft, messages)
    return draft


def _messages(sample: Sample, syntax: Format) -> tuple[list[Message], list[str]]:
    """Messages with a body, and what is wrong with the envelope of one that was looked at as a whole."""
    found, problems = list[Message](), list[str]()
    try:
        for interchange in syntax.decode(sample.content):
            bad = [each for each in interchange.findings if each.severity is Severity.QUARANTINE]
            problems += [shown(f"{each.found}; expected {each.expected}", 160) for each in bad if sample.whole]
            for message in islice(interchange.messages, _MOST_MESSAGES - len(found)):
                problems += [shown(f"{each.found}; expected {each.expected}", 160) for each in message.findings
                             if each.severity is Severity.QUARANTINE and sample.whole]  # fmt: skip
                if message.body is not None:
                    found.append(message)
            if len(found) >= _MOST_MESSAGES:
                break
    except DocumentError as error:
        problems.append(shown(f"{error.finding.found}; expected {error.finding.expected}", 160))
    return found, problems


def _events(messages: Iterable[Message], mapping: Mapping) -> tuple[list[TrackingEvent], list[str]]:
    events, aside = list[TrackingEvent](), list[str]()
    for message in messages:
        said = mapping.harmonize(message, Partner(""), _NOW)
        events += said.events
        aside += [
            shown(f"{each.at.tag} {each.found!r}, expected {each.expected}", 160)
            for each in said.findings
            if each.severity is Severity.QUARANTINE
        ]
        if len(events) >= MOST_ROWS:
            break
    return events, aside


def _put_numbers(draft: Draft, events: list[TrackingEvent]) -> None:
    numbers = list(dict.fromkeys(event.tracking_number for event in events))
    if numbers:
        said = ", ".join(shown(number) for number in numbers[:5])
        draft.put(f"# tracking numbers by it: {len(numbers)} different, such as {said}",
                  "set event: tracking_number: if the carrier means another one")  # fmt: skip
        draft.recognised.append(f"tracking numbers: {len(numbers)} different, such as {said}")
        draft.decide.append("whether these are the numbers your customers know; else name the place")


def _put_codes(draft: Draft, events: list[TrackingEvent], known: Tables) -> None:
    """The codes the standard's lists do not know, by the agency they are said to be of."""
    by_agency: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for event in events:
        if not event.mapped:
            by_agency[event.code_agency].append((event.raw_code, event.text))
    mapped = Counter(f"{event.raw_code} {event.status}" for event in events if event.mapped)
    if mapped:
        said = ", ".join(f"{shown(code)} {count}x" for code, count in mapped.most_common(10))
        draft.put(f"# codes the standard's lists know: {said}")
    if not by_agency:
        draft.recognised += [f"codes: all {len(mapped)} are on the standard's lists"] if mapped else []
        return
    draft.put("")
    meanings = {agency: suggestions(pairs, known) for agency, pairs in sorted(by_agency.items())}
    live = any(each.status for each in (one for found in meanings.values() for one in found))
    draft.put("code_lists:" if live else "# code_lists:", "codes no list knows")
    for agency, found in meanings.items():
        own = any(each.status for each in found)
        mark = "" if own else "# "
        draft.put(f"  {mark}- agency: {scalar(agency)}", "" if agency else "none is named beside these codes")
        draft.put(f"  {mark}  codes:")
        put_meanings(draft, found, "      ")


def _put_elements(draft: Draft, messages: Iterable[Message]) -> None:
    """What the segments of events say, element by element: the code may stand elsewhere than the standard has it."""
    said: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for message in islice(messages, 200):
        assert message.body is not None
        for segment in (each for tag in _EVENTS for each in message.body.anywhere(tag)):
            for element, component in product(range(1, 8), range(1, 5)):
                text = segment.get(element, component).strip()
                if text:
                    said[f"{segment.tag}@{element}.{component}"][shown(text)] += 1
    for place, counts in sorted(said.items()):
        draft.put(f"#   {place}: {', '.join(f'{text!r} {count}x' for text, count in counts.most_common(10))}")


def _put_seen(draft: Draft, messages: Iterable[Message]) -> None:
    tags, qualifiers = Counter[str](), defaultdict[str, Counter[str]](Counter)
    for message in islice(messages, 200):
        assert message.body is not None
        for segment in (message.body, *message.body.below()):
            tags[segment.tag] += 1
            if segment.tag in _QUALIFIED:
                place = 2 if segment.tag == "L11" else 1
                qualifiers[segment.tag][segment.get(place).strip()] += 1
    draft.put("")
    draft.put(f"# Segments seen: {', '.join(f'{tag} {count}x' for tag, count in sorted(tags.items()))}")
    for tag, counts in sorted(qualifiers.items()):
        draft.put(f"#   {tag}: {', '.join(f'{shown(name, 20)} {count}x' for name, count in counts.most_common(12))}")
