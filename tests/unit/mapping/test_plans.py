"""Plans: what was read before never changes what is read now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.errors import DocumentError
from edi_gateway.mapping.event import EventReader, Events
from edi_gateway.mapping.harmonize import Harmonized, Mapping, Partner
from edi_gateway.mapping.instants import Clock
from edi_gateway.mapping.load import Library
from edi_gateway.mapping.notes import Notes
from edi_gateway.model import Message, TrackingEvent
from tests.unit.formats.edi import interchange, read_one
from tests.unit.formats.edi import message as segments_of

MAPPINGS = Path(__file__).parents[3] / "mappings"
STANDARD = Library([MAPPINGS]).reader("standard/iftsta")
NOW = datetime(2026, 11, 1, tzinfo=UTC)

# Each tag in three wordings, so that messages of one form say different things.
WORDINGS = {
    "CNI": ("CNI+1+K1", "CNI+1+K2", "CNI+1"),
    "STS": ("STS+1+21", "STS+1+13::6", "STS+1+21::87"),
    "RFF": ("RFF+CW:V1", "RFF+CN:V2", "RFF+ADE:V3"),
    "DTM": ("DTM+334:202610120815:203", "DTM+17:202610130815:203", "DTM+137:202610140815:203"),
    "LOC": ("LOC+14+PTLIS:139:6", "LOC+9+:::GENT+:::BE", "LOC+175"),
    "NAD": ("NAD+AP+N1", "NAD+CA+N2", "NAD+CZ+N?+3"),
    "EQD": ("EQD+CN+E1", "EQD+TE+E2", "EQD"),
    "GID": ("GID+1", "GID+2", "GID"),
    "PCI": ("PCI+33E+P1", "PCI+24E+P2", "PCI"),
    "GIN": ("GIN+BJ+34", "GIN+AW+35", "GIN+ML+36"),
}
FORM = st.lists(st.sampled_from([*WORDINGS, "STS", "RFF", "DTM"]), max_size=8).map(
    lambda tags: [*tags[: len(tags) // 2], "CNI", "STS", *tags[len(tags) // 2 :], "DTM"]
)

# What has to be looked at closely: released, blank, cut short, unknown, impossible.
ODD = {
    "CNI": ("CNI+1+K?+4 ", "CNI+1+ K5 +", "CNI+1+4.3E+15"),
    "STS": ("STS+1+ZZ", "STS+1+21::6:AT ?'DOCK? ", "STS+2+21", "STS+1+ 21 ", "STS+1", "STS+1+21+3::: WHY "),
    "RFF": ("RFF+ADE: A 1 ", "RFF+CU", "RFF+CU:A?:B:C"),
    "DTM": ("DTM+334::203", "DTM+334:202613120815:203", "DTM+334: 202610120815 :203", "DTM+334:20261012:102"),
    "LOC": ("LOC+14", "LOC+14+PTLIS:139:6:LIS?:BOA+PT:162", "LOC+14+ :139:6", "LOC+9"),
}
LONG = st.lists(FORM, min_size=1, max_size=3).flatmap(
    lambda forms: st.lists(st.sampled_from(forms), min_size=6, max_size=8)
)


def messages(bodies: Sequence[Sequence[str]]) -> list[Message]:
    """One message for each body; those that are set aside are left out."""
    content = interchange(*(segments_of(*body, ref=f"M{number}") for number, body in enumerate(bodies)))
    return [message for message in read_one(content).messages if message.body is not None]


def read(mapping: Mapping, message: Message) -> Harmonized:
    """What the mapping makes of a message of the carrier speedy."""
    return mapping.harmonize(message, Partner("speedy", "Europe/Berlin"), NOW)


@given(st.lists(FORM, min_size=1, max_size=2), st.data())
def test_an_event_is_read_the_same_whatever_was_read_before(forms: list[list[str]], data: st.DataObject) -> None:
    """A mapping that has read others of the same form and one that has read nothing agree on each message."""
    bodies = [[data.draw(st.sampled_from(WORDINGS[tag])) for tag in form] for form in forms for _ in range(8)]
    used = replace(STANDARD)
    for message in messages(bodies):
        assert read(used, message) == read(replace(STANDARD), message)


@pytest.mark.parametrize(
    ("around", "inside", "number", "account"),
    [
        ("CW", "CN", "OUT", ""),
        ("CW", "ADE", "OUT", "IN"),
        ("CN", "CW", "IN", ""),
        ("CN", "ADE", "K1", "IN"),
        ("ADE", "CW", "IN", "OUT"),
        ("ADE", "CN", "IN", "OUT"),
    ],
)
def test_events_of_one_form_are_told_apart_by_what_stands_in_and_around_them(
    around: str, inside: str, number: str, account: str
) -> None:
    """The same tags with other qualifiers are other numbers and references."""
    event = only_event(f"RFF+{around}:OUT", "CNI+1+K1", "STS+1+21", f"RFF+{inside}:IN", "DTM+334:202610120815:203")
    assert (event.tracking_number, event.account) == (number, account)


def test_events_of_one_form_are_told_apart_by_the_tags_around_them() -> None:
    """Where the same event stands in other surroundings, what it inherits stands elsewhere, too."""
    event = ("CNI+1+K1", "STS+1+21", "DTM+334:202610120815:203")
    assert only_event("RFF+CW:P1", *event).tracking_number == "P1"
    assert only_event("RFF+CW:P1", "RFF+ADE:A1", *event).account == "A1"
    assert only_event("RFF+CW:P1", "NAD+CA", *event).tracking_number == "P1"


def test_a_path_into_groups_beside_its_own_is_followed_in_every_message(tmp_path: Path) -> None:
    """What stands in other consignments is no part of an event's form, so it is looked for each time."""
    tmp_path.joinpath("own.yaml").write_text('extends: standard/iftsta\nevent: {account: "^UNH/CNI[1=2]@2.1"}\n')
    mapping = Library([tmp_path, MAPPINGS]).reader("own")
    event = ("STS+1+21", "DTM+334:202610120815:203")
    alone, beside = messages([("CNI+1+K1", *event), ("CNI+1+K1", *event, "CNI+2+K2", *event)])
    assert [each.account for each in read(mapping, alone).events] == [""]
    assert [each.account for each in read(mapping, beside).events] == ["K2", "K2"]


def test_each_event_of_a_long_message_sees_its_own_surroundings(tmp_path: Path) -> None:
    """What stands around the group before is not around this one, though both have one form."""
    tmp_path.joinpath("own.yaml").write_text('extends: standard/iftsta\nevent: {account: "^LOC@2.1"}\n')
    groups = [(f"CNI+1+K{n}", f"LOC+9+L{n}", "STS+1+21", "DTM+334:202610120815:203") for n in range(60)]
    (message,) = messages([[segment for group in groups for segment in group]])
    events = read(Library([tmp_path, MAPPINGS]).reader("own"), message).events
    assert [(event.tracking_number, event.account) for event in events] == [(f"K{n}", f"L{n}") for n in range(60)]


def test_a_place_further_below_counts_where_the_nearest_says_nothing() -> None:
    """Each event of many is looked through, when its own place is empty."""
    event = ("STS+1+21", "DTM+334:202610120815:203", "LOC+9", "TDT+20", "LOC+14+PTLIS:139:6")
    (message,) = messages([[segment for n in range(30) for segment in (f"CNI+1+K{n}", *event)]])
    assert [event.location.unlocode for event in read(replace(STANDARD), message).events] == ["PTLIS"] * 30


def test_a_code_means_what_it_means_in_the_directory_of_its_message() -> None:
    """Equal segments of two directories are two things."""
    kinds = ("IFTSTA:D:96A:UN", "IFTSTA:D:01B:UN", "IFTSTA:D:96A:UN")
    content = interchange(
        *(
            segments_of("CNI+1+K1", "STS+1+51", "DTM+334:202610120815:203", ref=f"M{number}", kind=kind)
            for number, kind in enumerate(kinds)
        )
    )
    rules = [read(STANDARD, each).events[0].provenance.rule.partition(":")[0] for each in read_one(content).messages]
    assert rules == ["codes/de9011.yaml", "codes/rec24.yaml", "codes/de9011.yaml"]


def only_event(*body: str) -> TrackingEvent:
    """The event of a message that has one."""
    (message,) = messages([body])
    (event,) = read(STANDARD, message).events
    return event


@given(LONG, st.data())
def test_an_event_of_a_long_message_is_read_as_its_paths_say(forms: list[list[str]], data: st.DataObject) -> None:
    """Many groups of few forms: each event says what following every path of it says, and what is amiss is remarked."""
    body = [data.draw(st.sampled_from((*WORDINGS[tag], *ODD.get(tag, ())))) for form in forms for tag in form]
    filler = ["CNI+99+K99", *["STS+1+21", "DTM+334:202610120815:203"] * 50]
    (message,) = messages([[*body, *filler]])
    said, plain = read(replace(STANDARD), message), by_paths(message)
    assert said == plain
    assert [list(event.references) for event in said.events] == [list(event.references) for event in plain.events]


def by_paths(message: Message) -> Harmonized:
    """What a message says when every event of it is read by itself."""
    reader = EventReader(
        STANDARD.name, STANDARD.require, STANDARD.event, STANDARD.codebook, STANDARD.for_each.event_tag
    )
    notes = Notes(message)
    whole = read(replace(STANDARD), message)
    number, directory = whole.document_number, message.version.split(":")[1]
    events = Events(reader, notes, "speedy", Clock(NOW, "Europe/Berlin"), directory, number, STANDARD.version)
    found = []
    assert message.body is not None
    for segment in STANDARD.for_each.segments(message.body):
        try:
            found.append(events.read(segment))
        except DocumentError as error:
            notes.keep(error.finding)
    return replace(whole, events=found, findings=notes.findings)
