"""Harmonizing with standard/iftsta: which event a message gives, and what is said where it gives none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.mapping.harmonize import Harmonized, Partner
from edi_gateway.mapping.load import Library
from edi_gateway.model import (
    Classifier,
    Direction,
    Message,
    MessageFunction,
    Severity,
    Status,
    TimeBasis,
    TrackingEvent,
)
from tests.unit.mapping.segments import message, segment

MAPPINGS = Path(__file__).parents[3] / "mappings"
STANDARD = Library([MAPPINGS]).reader("standard/iftsta")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DTM = "DTM+334:202610120815:203"


def read(said: Message, timezone: str = "Europe/Berlin") -> Harmonized:
    """What the standard mapping makes of a message of the carrier speedy."""
    return STANDARD.harmonize(said, Partner("speedy", timezone), NOW)


def event(*below_sts: str, sts: str = "STS+1+21", cni: str = "CNI+1+K77", version: str = "D:01B:UN") -> TrackingEvent:
    """The one event of a message with one consignment and one STS."""
    said = message(
        segment("BGM+23+R1+9"), segment(cni, segment(sts, *map(segment, below_sts or (DTM,)))), version=version
    )
    events = read(said).events
    assert len(events) == 1, read(said).findings
    return events[0]


def quarantined(said: Message) -> list[tuple[str, int, int, str, str]]:
    """Tag, segment, element, found and expected of everything that was set aside."""
    return [
        (finding.at.tag, finding.at.segment, finding.at.element, finding.found, finding.expected)
        for finding in read(said).findings
        if finding.severity is Severity.QUARANTINE
    ]


def test_an_sts_becomes_an_event_in_our_vocabulary() -> None:
    """Number, status, time and provenance stand where the directory puts them."""
    found = event(DTM, "LOC+175+DEHAM:139:6:HAMBURG", "RFF+CU:PO1")
    assert (found.carrier, found.tracking_number, found.status) == ("speedy", "K77", Status.DELIVERED)
    assert found.occurred_at == datetime(2026, 10, 12, 6, 15, tzinfo=UTC)
    assert (found.location.name, found.location.unlocode, found.location.country) == ("HAMBURG", "DEHAM", "DE")
    assert found.references["CU"] == ("PO1",)
    assert found.provenance.segment == 4
    assert "rec24" in found.provenance.rule


@pytest.mark.parametrize(
    ("sts", "status", "raw"),
    [
        ("STS+1+21", Status.DELIVERED, "21"),
        ("STS+1+21+310", Status.DELIVERED, "21"),
        ("STS++13", Status.PICKED_UP, "13"),
        ("STS+1+21::6", Status.DELIVERED, "21"),
        ("STS+1+21::87", Status.UNKNOWN, "21"),
        ("STS++Z1+5+8+38+108", Status.UNKNOWN, "Z1"),
        ("STS+1+I::87:DELIVERED", Status.UNKNOWN, "I"),
        ("STS+1+P::HS:text", Status.UNKNOWN, "P"),
    ],
)
def test_a_code_is_looked_up_in_the_list_of_its_agency(sts: str, status: Status, raw: str) -> None:
    """Rec. 24 is for codes of no agency, UN/ECE or GS1; a partner's own code stays unknown until it is mapped."""
    found = event(sts=sts)
    assert (found.status, found.raw_code, found.mapped) == (status, raw, status is not Status.UNKNOWN)


def test_the_directory_decides_which_list_a_number_is_of() -> None:
    """Code 51 changed its meaning between DE 9011 and Recommendation 24."""
    rules = {event(sts="STS+1+51", version=version).provenance.rule.split(":")[0] for version in ("D:96A", "D:01B")}
    assert rules == {"codes/de9011.yaml", "codes/rec24.yaml"}


def test_an_unmapped_code_is_kept_with_a_warning_at_its_place() -> None:
    """Nothing is guessed, nothing is dropped."""
    said = message(segment("CNI+1+K77", segment("STS+1+QX::87", segment(DTM))))
    result = read(said)
    assert [(e.status, e.reason, e.mapped) for e in result.events] == [(Status.UNKNOWN, "other.unmapped", False)]
    warning = next(finding for finding in result.findings if finding.found == "QX")
    assert (warning.at.tag, warning.at.element, warning.severity) == ("STS", 2, Severity.WARNING)


@pytest.mark.parametrize(
    ("dtm", "classifier"),
    [
        ("DTM+334:202610120815:203", Classifier.ACT),
        ("DTM+78:202610120815:203", Classifier.ACT),
        ("DTM+132:202610120815:203", Classifier.EST),
        ("DTM+17:202610120815:203", Classifier.EST),
        ("DTM+189:202610120815:203", Classifier.PLN),
    ],
)
def test_the_date_qualifier_tells_what_happened_from_what_is_expected(dtm: str, classifier: Classifier) -> None:
    """Estimates and plans are classified by the qualifier they come with."""
    assert event(dtm).classifier is classifier


@pytest.mark.parametrize(
    ("dtm", "loc", "utc", "basis"),
    [
        ("DTM+334:202610120815?+0500:205", "", "03:15", TimeBasis.OFFSET),
        ("DTM+334:202610120815:203", "LOC+175+PTLIS:139:6", "07:15", TimeBasis.LOCATION),
        ("DTM+334:202610120815:203", "LOC+14+:::GENT+:::BE", "06:15", TimeBasis.LOCATION),
        ("DTM+334:202610120815:203", "", "06:15", TimeBasis.PARTNER),
    ],
)
def test_the_zone_comes_from_value_then_place_then_partner(dtm: str, loc: str, utc: str, basis: TimeBasis) -> None:
    """``time_basis`` says which."""
    found = event(*filter(None, (dtm.replace("?+", "\x01"), loc))) if "?" not in dtm else event_with_offset(dtm)
    assert (found.occurred_at.astimezone(UTC).strftime("%H:%M"), found.time_basis) == (utc, basis)


def event_with_offset(dtm: str) -> TrackingEvent:
    """As event, for a value that holds a released plus sign."""
    plain = segment("DTM+334")
    plain._elements[0] = ["334", dtm.split(":")[1].replace("?+", "+"), "205"]
    return read(message(segment("CNI+1+K77", segment("STS+1+21", plain)))).events[0]


def test_without_any_zone_utc_is_assumed_and_said() -> None:
    """The event says so, and so does a warning."""
    result = read(message(segment("CNI+1+K77", segment("STS+1+21", segment(DTM)))), timezone="")
    assert result.events[0].time_basis is TimeBasis.ASSUMED
    assert any("UTC" in finding.expected for finding in result.findings)


def test_context_is_inherited_from_consignment_and_header() -> None:
    """A package number in the header and a place below CNI belong to the STS further in."""
    said = message(
        segment("RFF+CW:1Z9"),
        segment("CNI+1", segment("LOC+14+:::GENT+:::BE"), segment("STS+1+21", segment("DTM+78:20261012081500:204"))),
    )
    found = read(said).events[0]
    assert (found.tracking_number, found.location.name, found.location.country) == ("1Z9", "GENT", "BE")


def test_one_consignment_does_not_borrow_from_its_neighbour() -> None:
    """A consignment without a number is not given the next one's."""
    said = message(
        segment("CNI+1", segment("STS+1+21", segment(DTM))),
        segment("CNI+2+K78", segment("STS+1+13", segment(DTM))),
    )
    result = read(said)
    assert [found.tracking_number for found in result.events] == ["K78"]
    assert [found[0] for found in quarantined(said)] == ["STS"]


def test_an_impossible_date_sets_aside_its_event_only() -> None:
    """The neighbour goes on; the finding names segment, element, found and expected."""
    said = message(
        segment("CNI+1+K1", segment("STS+1+21", segment("DTM+334:20020148:102"))),
        segment("CNI+2+K2", segment("STS+1+21", segment(DTM))),
    )
    assert [found.tracking_number for found in read(said).events] == ["K2"]
    (tag, number, element, found, expected), *others = quarantined(said)
    assert (tag, number, element, found, others) == ("DTM", 4, 1, "20020148", [])
    assert "day 48" in expected


@pytest.mark.parametrize("dtm", ["DTM+334:209904010800:203", "DTM+334:198001010800:203"])
def test_a_time_that_cannot_be_true_is_set_aside(dtm: str) -> None:
    """Nothing happened in the far future, nor before this trade kept files."""
    assert [found[:4] for found in quarantined(message(segment("CNI+1+K1", segment("STS+1+21", segment(dtm)))))] == [
        ("DTM", 4, 1, dtm.split(":")[1])
    ]


@pytest.mark.parametrize(("sts", "element"), [("STS+1", 2), ("STS+7+Z21", 1)])
def test_a_status_that_is_none_of_ours_is_set_aside_at_its_element(sts: str, element: int) -> None:
    """A category without a code, and a category that is not transport."""
    (tag, _, at, _, _), *_ = quarantined(message(segment("CNI+1+K1", segment(sts, segment(DTM)))))
    assert (tag, at) == ("STS", element)


def test_a_message_without_any_status_is_set_aside() -> None:
    """A report that says nothing about a shipment is another profile, not an empty success."""
    assert len(quarantined(message(segment("BGM+77+1+9")))) == 1


@pytest.mark.parametrize(
    ("bgm", "function"),
    [
        ("BGM+23+R1+9", MessageFunction.ORIGINAL),
        ("BGM+23+R1+1", MessageFunction.CANCELLATION),
        ("BGM+23+R1+5", MessageFunction.REPLACEMENT),
        ("BGM+23+R1", MessageFunction.ORIGINAL),
    ],
)
def test_the_message_function_is_read(bgm: str, function: MessageFunction) -> None:
    """BGM 1225 says whether a report cancels or replaces an earlier one of its number."""
    said = read(message(segment(bgm), segment("CNI+1+K1", segment("STS+1+21", segment(DTM)))))
    assert (said.function, said.document_number) == (function, "R1")


def test_a_return_has_its_direction() -> None:
    """A status on the way back turns the shipment round."""
    found = event(sts="STS+1+323")
    assert (found.status, found.direction) == (Status.RETURN_TO_SENDER, Direction.RETURN)


def test_a_date_without_a_time_stays_a_date() -> None:
    """No midnight is invented."""
    found = event("DTM+334:20261012:102")
    assert (found.date_only, found.occurred_at.date().isoformat()) == (True, "2026-10-12")


@given(st.lists(st.text(alphabet="ABC0129:+ ", max_size=12), min_size=1, max_size=8))
def test_no_segment_makes_the_reader_fail(texts: list[str]) -> None:
    """Whatever stands in the segments, each STS is an event or a finding."""
    tags = ("RFF", "DTM", "LOC", "NAD", "GID", "FTX", "STS", "EQD")
    body = [segment(f"{tags[index % len(tags)]}+{text}") for index, text in enumerate(texts)]
    said = message(segment("CNI+1+K1", segment("STS+1+21", *body)))
    result = read(said)
    aside = [finding for finding in result.findings if finding.severity is Severity.QUARANTINE]
    statuses = 1 + sum(each.tag == "STS" for each in body)
    assert len(result.events) + len(aside) >= statuses


def test_the_carrier_and_its_events_are_told_apart() -> None:
    """Two carriers' equal numbers are two facts."""
    said = message(segment("CNI+1+K1", segment("STS+1+21", segment(DTM))))
    one = STANDARD.harmonize(said, Partner("a"), NOW).events[0]
    other = STANDARD.harmonize(said, Partner("b"), NOW).events[0]
    assert one.fingerprint() != other.fingerprint()
    assert one.fingerprint() == replace(one, text="other words").fingerprint()


def test_an_equipment_status_does_not_borrow_a_consignment_beside_it() -> None:
    """A container reported in the header (D.08B and later) is not one of the consignments further down."""
    said = message(
        segment("EQD+CN+MSCU1", segment("STS+1+21", segment(DTM))),
        segment("CNI+1+C1", segment("STS+1+13", segment(DTM))),
        segment("CNI+2+C2", segment("STS+1+13", segment(DTM))),
        version="D:24A:UN",
    )
    result = read(said)
    assert [found.tracking_number for found in result.events] == ["MSCU1", "C1", "C2"]
    assert ["CNI" in found.references for found in result.events] == [False, True, True]
    assert ["EQD" in found.references for found in result.events] == [True, False, False]


def test_a_town_of_five_letters_is_no_place_code() -> None:
    """PARIS without its code list is a name; its zone is the partner's, not that of Panama."""
    found = event(DTM, "LOC+14+PARIS::87")
    assert (found.location.name, found.location.unlocode, found.location.country) == ("PARIS", "", "")
    assert found.time_basis is TimeBasis.PARTNER


def test_a_place_is_read_from_one_segment() -> None:
    """The name of the status and the code of its consignment would be a place that does not exist."""
    said = message(
        segment(
            "CNI+1+K1", segment("LOC+175+USLAX:139:6"), segment("STS+1+21", segment("LOC+7+:::ROTTERDAM"), segment(DTM))
        )
    )
    place = read(said).events[0].location
    assert (place.name, place.unlocode) == ("ROTTERDAM", "")


def test_an_unknown_message_function_is_said() -> None:
    """The message is taken for an original, and somebody hears of it."""
    said = read(message(segment("BGM+23+R1+4"), segment("CNI+1+K1", segment("STS+1+21", segment(DTM)))))
    assert (said.function, [finding.found for finding in said.findings]) == (MessageFunction.ORIGINAL, ["4"])
