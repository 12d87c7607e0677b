"""Layouts: what is written for events, and that the same places read it back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.errors import ConfigError, RefusedError
from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.formats.edifact.output import EdifactOutput
from edi_gateway.mapping.harmonize import Partner
from edi_gateway.mapping.load import Library
from edi_gateway.mapping.render import Header, Layout
from edi_gateway.model import (
    Classifier,
    Location,
    OutboundMessage,
    OutboundSegment,
    Status,
    TrackingEvent,
)

MAPPINGS = Path(__file__).parents[3] / "mappings"
LIBRARY = Library([MAPPINGS])
STANDARD = LIBRARY.writer("standard/tracking_events")
READER = LIBRARY.reader("standard/iftsta")
WHEN = datetime(2026, 10, 12, 8, 15, tzinfo=timezone(timedelta(hours=2)))
HEADER = Header("7", "1", "7-1", "9", "speedy", "globex", datetime(2026, 10, 12, 9, 0, tzinfo=UTC))


def event(number: str = "K77", status: Status = Status.DELIVERED, **more: object) -> TrackingEvent:
    """An event with what a test does not care about."""
    return TrackingEvent(carrier="speedy", tracking_number=number, status=status, **{"occurred_at": WHEN, **more})  # type: ignore[arg-type]


def flat(segment: OutboundSegment) -> list[str]:
    """Segments below, one text each, in the order they were made."""
    lines = []
    for child in segment.children:
        lines += ["+".join([child.tag, *(":".join(element) for element in child.elements)]), *flat(child)]
    return lines


def layout(tmp_path: Path, text: str) -> Layout:
    """A customer's own layout."""
    (tmp_path / "own.yaml").write_text(text)
    return Library([tmp_path, MAPPINGS]).writer("own")


def test_consecutive_events_of_a_shipment_share_its_consignment() -> None:
    """One CNI per shipment, counted, one STS per event."""
    events = [event("A", Status.PICKED_UP), event("A"), event("B")]
    lines = [line for line in flat(STANDARD.message(HEADER, events)) if line[:3] in {"CNI", "STS"}]
    assert lines == ["CNI+1+A", "STS+1+13", "STS+1+21", "CNI+2+B", "STS+1+21"]


def test_the_header_is_filled_in() -> None:
    """Document number, function, time and carrier come from the message."""
    assert flat(STANDARD.message(HEADER, []))[:3] == ["BGM+23+7-1+9", "DTM+137:202610120900:203", "NAD+CA+speedy"]


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (Status.EXCEPTION, "", "320"),
        (Status.EXCEPTION, "damage.reported", "18"),
        (Status.EXCEPTION, "delay.weather", "101"),
        (Status.EXCEPTION, "other.thing", "320"),
    ],
)
def test_a_status_is_written_by_its_reason_first(status: Status, reason: str, code: str) -> None:
    """The most specific entry of ``statuses`` decides."""
    assert f"STS+1+{code}" in flat(STANDARD.message(HEADER, [event(status=status, reason=reason)]))


def test_estimates_are_written_as_estimates() -> None:
    """Another date qualifier, so that the customer's own reader does not take it for done."""
    lines = flat(STANDARD.message(HEADER, [event(classifier=Classifier.EST)]))
    assert "DTM+133:202610120815:203" in lines


def test_a_date_is_written_as_a_date() -> None:
    """No time is invented."""
    assert "DTM+334:20261012:102" in flat(STANDARD.message(HEADER, [event(date_only=True)]))


def test_a_customers_own_codes_zone_and_cuts(tmp_path: Path) -> None:
    """A layout changes codes, agency, zone and lengths, and keeps the rest of the standard."""
    own = layout(
        tmp_path,
        "extends: standard/tracking_events\ntimezone: UTC\n"
        "event: {text: {path: '@2.4', max_length: 5}}\n"
        "statuses: {DELIVERED: {code: DEL, agency: '86', list: X1}}\n",
    )
    lines = flat(own.message(HEADER, [event(text="signed by anybody")]))
    assert {"STS+1+DEL:X1:86:signe", "DTM+334:202610120615:203"} <= set(lines)


def test_an_event_without_a_code_is_refused_by_name() -> None:
    """Nothing is left out silently."""
    bare = Layout("own", "1", STANDARD.levels, None, STANDARD.event, {}, [], {})
    with pytest.raises(RefusedError, match="own has no code for DELIVERED"):
        bare.message(HEADER, [event()])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("for_each: //STS\n", "names every group from the header down"),
        ("event: {signatory: '//RFF@1.2'}\n", "can be read but not written"),
        ("event: {signatory: '^NAD@1.2'}\n", "does not open"),
        ("header: {'BGM@1.1': '{contrl}'}\n", "contrl"),
        ("statuses: {DELIVRED: '1'}\n", "DELIVRED"),
        ("event: {occurred_at: {path: 'DTM@1.2', format: '719'}}\n", "719 cannot be written"),
    ],
)
def test_a_layout_that_cannot_be_written_is_refused_before_it_is_used(tmp_path: Path, text: str, said: str) -> None:
    """The message says what to mend, and in which file."""
    with pytest.raises(ConfigError, match=re.escape(said)) as raised:
        layout(tmp_path, f"extends: standard/tracking_events\n{text}")
    assert "own.yaml:" in str(raised.value)


def test_every_status_needs_a_code(tmp_path: Path) -> None:
    """A layout from scratch is told which ones are missing."""
    with pytest.raises(ConfigError, match="no code for ATTEMPT_FAILURE"):
        layout(tmp_path, "for_each: CNI/STS\nstatuses: {DELIVERED: '21'}\n")


_TEXT = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20).map(str.strip)
_EVENTS = st.lists(
    st.builds(
        event,
        number=st.from_regex(r"[A-Z0-9]{3,12}", fullmatch=True),
        status=st.sampled_from([status for status in Status if status is not Status.UNKNOWN]),
        # By day: an hour that comes twice in autumn cannot be told apart without an offset.
        occurred_at=st.integers(0, 2000).map(
            lambda day: datetime(2020, 1, 1, 9, day % 60, tzinfo=UTC) + timedelta(day)
        ),
        text=_TEXT,
        location=st.builds(Location, name=_TEXT, country=st.sampled_from(["DE", "FR", ""])),
    ),
    min_size=1,
    max_size=12,
)


def test_a_time_without_offset_is_that_of_the_place() -> None:
    """The customer's reader takes it so; an event told in another offset is written in the zone of its place."""
    there = event(occurred_at=datetime(2026, 10, 12, 6, 15, tzinfo=UTC), location=Location(country="PT"))
    assert "DTM+334:202610120715:203" in flat(STANDARD.message(HEADER, [there]))


def test_a_text_of_the_carrier_is_no_template() -> None:
    """Only the mapping's own constants count groups."""
    told = event(location=Location(name="{index}", country="DE"))
    assert "LOC+175+:::{index}+DE:162:5" in flat(STANDARD.message(HEADER, [told]))


@given(_EVENTS, st.sampled_from(["D:95B", "D:96B", "D:01B", "D:08B", "D:16A", "D:24A"]))
def test_what_is_written_is_read_back(events: list[TrackingEvent], version: str) -> None:
    """Number, status, time, text and place survive the way to the file and back, in every directory."""
    output = EdifactOutput(version=version, sender="HUB", recipient="GLOBEX", syntax="UNOC:3")
    body = STANDARD.message(HEADER, events)
    content = output.encode("7", HEADER.created, [OutboundMessage("1", body)])
    (interchange,) = Edifact(charset="UNOC").decode(content)
    (message,) = interchange.messages
    assert not message.findings
    read = READER.harmonize(message, Partner("speedy", "UTC"), datetime(2026, 1, 2, tzinfo=UTC))
    assert [_said(one) for one in read.events] == [_said(one) for one in events], read.findings


def _said(one: TrackingEvent) -> tuple[object, ...]:
    place = one.location
    name = "" if _is_code(place.name) else place.name
    return one.tracking_number, one.occurred_at.astimezone(UTC), one.text, name, place.country


def _is_code(text: str) -> bool:
    """A name that looks like a UN/LOCODE is one to the reader."""
    return bool(re.fullmatch(r"[A-Z]{2}[A-Z2-9]{3}", text.replace(" ", "").upper()))
