"""A first mapping as text: what was recognised as keys, and beside each guess why, and what else was seen."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from edi_gateway.discovery.clocks import strptime
from edi_gateway.discovery.codes import Suggestion, Tables, short, suggestions
from edi_gateway.discovery.column import Column, shown
from edi_gateway.discovery.fields import Fields, When

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_LABELS: Final = {
    "tracking_number": "the tracking number",
    "code": "the status code",
    "when": "the time of the event",
}
_MOST_UNUSED: Final = 40


@dataclass(slots=True)
class Draft:
    """A mapping that is being written: its lines, and what a person is told of them."""

    lines: list[str] = field(default_factory=list)
    recognised: list[str] = field(default_factory=list)
    decide: list[str] = field(default_factory=list)

    def put(self, text: str, review: str = "") -> None:
        """One line, with what has to be looked at beside it."""
        self.lines.append(f"{text}   # review: {review}" if review else text)

    @property
    def text(self) -> str:
        """The file."""
        return "\n".join(line.rstrip() for line in self.lines) + "\n"


def scalar(text: str) -> str:
    """Text as YAML reads it back."""
    if _PLAIN.fullmatch(text) and _reads_back(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _reads_back(text: str) -> bool:
    return text.casefold() not in {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"}


def put_event(draft: Draft, fields: Fields, *, missing: str) -> None:
    """The places of the event; ``missing`` is a place at which nothing stands, for what was not found."""
    draft.put("event:")
    _put_number(draft, fields, missing)
    _put_code(draft, fields)
    for key, column in (("reason", fields.reason), ("text", fields.text)):
        if column is not None:
            draft.put(f"  {key}: {scalar(column.place)}", column.seen())
    _put_when(draft, fields, missing)
    location = {"name": fields.place, "unlocode": fields.unlocode, "country": fields.country}
    if any(location.values()):
        draft.put("  location:")
    for key, column in location.items():
        if column is not None:
            converted = f"{{path: {scalar(column.place)}, convert: {key}}}" if key != "name" else scalar(column.place)
            draft.put(f"    {key}: {converted}", column.seen())
    for key, column in (("account", fields.account), ("signatory", fields.signatory)):
        if column is not None:
            draft.put(f"  {key}: {scalar(column.place)}", f"by its name; {len(column.counts)} different values")
    if fields.references:
        draft.put("  references:")
    for qualifier, column in fields.references.items():
        draft.put(f"    - {{{qualifier}: {scalar(column.place)}}}", f"by its name; such as {_example(column)}")


def _put_number(draft: Draft, fields: Fields, missing: str) -> None:
    column = fields.tracking_number
    if column is None:
        draft.put(f"  tracking_number: {scalar(missing)}", "nothing looks like a tracking number: name its place")
        draft.decide.append("which place holds the tracking number: nothing looks like one, so no event can be read")
        return
    distinct, events = len(column.counts), len(column.cells)
    why = f"by name and shape; {distinct} different in {events} events, such as {_example(column)}"
    draft.put(f"  tracking_number: {scalar(column.place)}", why + _instead(fields, "tracking_number"))
    draft.recognised.append(f"tracking number: {shown(column.name)} ({distinct} different in {events} events)")


def _put_code(draft: Draft, fields: Fields) -> None:
    column = fields.code
    if column is None:
        draft.put(
            "  code: {const: SEEN}", "nothing looks like a status code: name its place; until then all is UNKNOWN"
        )
        draft.decide.append("which place holds the status: nothing looks like one, so every event is UNKNOWN")
        return
    as_text = " (a text: there is no code)" if column is fields.text else ""
    draft.put(f"  code: {scalar(column.place)}", column.seen() + as_text + _instead(fields, "code"))
    draft.recognised.append(f"status: {shown(column.name)}{as_text}, {len(column.counts)} different")


def _put_when(draft: Draft, fields: Fields, missing: str) -> None:
    when = fields.when
    if when is None:
        draft.put(f"  occurred_at: {scalar(missing)}", "nothing looks like a time: name its place and format")
        draft.decide.append("which place holds the time: nothing looks like one, so no event can be read")
        return
    parts = [f"path: {scalar(when.date.place)}"]
    parts += [f"time: {scalar(_beside(when.clock))}"] if when.clock else []
    parts += [f"zone: {scalar(_beside(when.zone))}"] if when.zone else []
    wanted = _format(when)
    parts += [f"format: {scalar(wanted)}"] if wanted else []
    clock = f" {shown(when.clock.values[0])}" if when.clock else ""
    why = f"such as {shown(when.date.values[0])}{clock}" + _instead(fields, "when") + _doubt(draft, when)
    text = f"{{{', '.join(parts)}}}" if len(parts) > 1 else scalar(when.date.place)
    draft.put(f"  occurred_at: {text}", why)
    named = " + ".join(shown(column.name) for column in (when.date, when.clock, when.zone) if column)
    draft.recognised.append(f"time: {named}, {wanted or 'ISO 8601'}")


def _beside(column: Column) -> str:
    place = column.place
    return place[place.index("@") :] if place.startswith("^^") else place.removeprefix("^")


def _format(when: When) -> str:
    """What the mapping has to say of how times are written; nothing where that is ISO 8601."""
    written = when.written
    if written is None or (written.format == "iso" and when.clock_pattern in {"", "%H:%M", "%H:%M:%S"}):
        return ""
    if when.clock is None:
        return written.format
    return f"{strptime(written.format)} {when.clock_pattern}"


def _doubt(draft: Draft, when: When) -> str:
    written = when.written
    if written is None:
        draft.decide.append(f"how {shown(when.date.name)} writes times: {when.date.seen()}")
        return "; THESE ARE NO TIMES THAT CAN BE READ: say how they are written with format:"
    said = ""
    if written.other:
        mine, theirs = _day_order(written.format), _day_order(written.other)
        draft.decide.append(
            f"whether {shown(when.date.name)} has the {mine} or the {theirs} first: every value fits both;"
            f" {mine} first is written for now"
        )
        said = f"; AMBIGUOUS: {written.other} fits every value as well, ask the carrier"
    if written.misfits:
        odd = ", ".join(map(repr, map(shown, written.misfits)))
        draft.decide.append(f"what {shown(when.date.name)} means by {odd}: such events are set aside")
        said += f"; not so: {odd}"
    if written.date_only and when.clock is None:
        draft.decide.append("where the time of day stands: only a date was found, so events count by their day")
        said += "; a date without a time of day"
    return said


def _day_order(pattern: str) -> str:
    return "day" if pattern.index("%d") < pattern.index("%m") else "month"


def needs_zone(when: When | None) -> bool:
    """Whether times name no zone, so that the mapping should."""
    return (
        when is not None
        and when.zone is None
        and not (when.written is not None and (when.written.zoned or when.written.format == "epoch"))
    )


def put_timezone(draft: Draft, when: When | None) -> None:
    """The zone, left to a person: none is guessed."""
    if needs_zone(when):
        draft.put(
            "# timezone: Europe/Berlin", "times name no zone; put the carrier's here, until then they count as UTC"
        )
        draft.decide.append("the time zone: times name none, and count as UTC until timezone: is set")


def put_codes(draft: Draft, fields: Fields, known: Tables) -> None:
    """The status codes with what they may mean."""
    texts = fields.text.cells if fields.text else ()
    codes = fields.code.cells if fields.code else ()
    pairs = zip(codes, texts or [""] * len(codes), strict=True)
    found = suggestions(pairs, known)
    draft.put("")
    draft.put("codes:")
    if not any(each.status for each in found):
        draft.put("  REPLACE_ME: {status: UNKNOWN}", "a mapping needs one code at least; no meaning could be suggested")
    put_meanings(draft, found, "  ")


def put_meanings(draft: Draft, found: Sequence[Suggestion], indent: str) -> None:
    """Lines of a code table; a code without a suggestion stays a comment, so that it is UNKNOWN and seen."""
    for each in found:
        if each.status is None:
            draft.put(f"{indent}# {scalar(shown(each.code, 80))}: {{status: UNKNOWN}}", each.review)
        else:
            draft.put(f"{indent}{scalar(each.code)}: {short(each.status, each.reason)}", each.review)
    known = sum(each.status is not None for each in found)
    if found:
        draft.recognised.append(f"codes: {len(found)} seen, a meaning suggested for {known}")
    if known < len(found):
        unknown = ", ".join(shown(each.code, 20) for each in found if each.status is None)
        draft.decide.append(f"what these codes mean: {shown(unknown, 200)}")
    if known:
        draft.decide.append("whether the suggested meanings are right: read each line under codes")


def put_unused(draft: Draft, columns: Sequence[Column], fields: Fields) -> None:
    """What else is there, for whoever misses something."""
    taken = {id(column) for column in fields.taken()}
    unused = [column for column in columns if id(column) not in taken and column.values]
    if not unused:
        return
    draft.put("")
    draft.put("# Not used, and what stands there:")
    for column in unused[:_MOST_UNUSED]:
        draft.put(f"#   {shown(column.place, 80)}: {_example(column)}, {len(column.counts)} different")
    if len(unused) > _MOST_UNUSED:
        draft.put(f"#   and {len(unused) - _MOST_UNUSED} more")


def _example(column: Column) -> str:
    return repr(shown(column.values[0])) if column.values else "nothing"


def _instead(fields: Fields, name: str) -> str:
    others = [each for each in fields.others.get(name, ()) if each.values]
    return f"; or {', '.join(shown(each.place, 60) for each in others)}" if others else ""
