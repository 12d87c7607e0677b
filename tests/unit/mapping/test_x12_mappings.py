"""standard/x12-214, standard/x12-315 and the layout standard/x12-214-out: from segments to events and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyx12.x12file import X12Reader

from edi_gateway.errors import RefusedError
from edi_gateway.formats.x12.format import X12
from edi_gateway.formats.x12.output import X12Output
from edi_gateway.mapping.harmonize import Harmonized, Partner
from edi_gateway.mapping.load import Library
from edi_gateway.mapping.render import Header
from edi_gateway.model import (
    Classifier,
    Location,
    OutboundMessage,
    Severity,
    Status,
    TimeBasis,
    TrackingEvent,
)
from tests.unit.formats.x12 import GS, group, interchange, read_one, transaction

MAPPINGS = Path(__file__).parents[3] / "mappings"
LIBRARY = Library([MAPPINGS])
SHARED = Path(__file__).parents[4] / "shared" / "domain" / "samples"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
AT7 = "AT7*D1*NS***20260714*0815*LT"


def read(*body: str, mapping: str = "standard/x12-214", timezone: str = "", version: str = "004010") -> Harmonized:
    """What the mapping makes of one set."""
    kind = mapping[-3:]
    header = GS.replace("004010", version)
    content = interchange(group(transaction(*body, kind=kind), header=header))
    (message,) = read_one(content, X12(message=kind)).messages
    return LIBRARY.reader(mapping).harmonize(message, Partner("speedy", timezone), NOW)


def event(*body: str, **more: str) -> TrackingEvent:
    """The one event of a set."""
    said = read(*body, **more)
    assert len(said.events) == 1, said.findings
    return said.events[0]


@pytest.mark.parametrize(
    ("at7", "status", "classifier", "reason", "code_list"),
    [
        ("AT7*D1*NS***20260714*0815", Status.DELIVERED, Classifier.ACT, "", "1650"),
        ("AT7*SD*AO***20260714*0815", Status.EXCEPTION, Classifier.ACT, "delay.weather", "1650"),
        ("AT7*AG*NS***20260714*0815", Status.IN_TRANSIT, Classifier.EST, "delivery.expected", "1650"),
        ("AT7*X2*NS***20260714*0815", Status.IN_TRANSIT, Classifier.EST, "delivery.arrival_expected", "1650"),
        ("AT7***AA*NA*20260714*0815", Status.PENDING, Classifier.PLN, "pickup.appointment", "1652"),
        ("AT7***AB*NA*20260714*0815", Status.IN_TRANSIT, Classifier.PLN, "delivery.appointment", "1652"),
        ("AT7***AC*NA*20260714*0815", Status.IN_TRANSIT, Classifier.EST, "delivery.appointment_expected", "1652"),
        ("AT7*D2*NS***20260714*0815", Status.EXCEPTION, Classifier.ACT, "delivery.partial", "1650"),
        ("AT7*QQ*NS***20260714*0815", Status.UNKNOWN, Classifier.ACT, "other.unmapped", "1650"),
    ],
)
def test_a_status_is_of_1650_and_an_appointment_of_1652(
    at7: str, status: Status, classifier: Classifier, reason: str, code_list: str
) -> None:
    """What is expected or planned says so and moves nothing; NS and NA are no reason."""
    found = event("B10*P1*L1*SPDY", "LX*1", at7)
    assert (found.status, found.classifier, found.reason, found.code_list) == (status, classifier, reason, code_list)


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (("B10*P1*L1*SPDY", "L11*Z9*2I"), "P1"),
        (("B10**L1*SPDY**CN*P6",), "P6"),
        (("B10**L1*SPDY", "L11*Z9*2I"), "Z9"),
        (("B10**L1*SPDY",), "L1"),
    ],
)
def test_the_tracking_number_is_the_carriers(body: tuple[str, ...], number: str) -> None:
    """B1001, then B1006, then a reference that is the carrier's number, at last the shipper's."""
    assert event(*body, "LX*1", AT7).tracking_number == number


def test_references_of_heading_and_loop_are_kept_for_the_statuses_they_are_about() -> None:
    """Those before the first LX hold for all; those in a loop for its own, wherever they stand in it."""
    body = ("B10*P1*L1*SPDY", "L11*PO1*PO", "L11**BM", "N1*SH*A", "L11*N9*SI")
    said = read(*body, "LX*1", AT7, "L11*A*QN", "AT8*G*L*1", "LX*2", "L11*B*QN", AT7)
    first, second = (each.references for each in said.events)
    assert (first["PO"], first["SI"], first["QN"]) == (("PO1",), ("N9",), ("A",))
    assert (second["PO"], second["QN"], second["LX"], second["SHIPMENT"]) == (("PO1",), ("B",), ("2",), ("L1",))
    assert "BM" not in first


@pytest.mark.parametrize(
    ("ms1", "country", "utc", "basis"),
    [
        ("MS1*DENVER*CO*US", "US", 14, TimeBasis.LOCATION),
        ("MS1*DENVER*CO*USA", "US", 14, TimeBasis.LOCATION),
        ("MS1*DENVER*CO", "US", 14, TimeBasis.LOCATION),
        ("MS1*CALGARY*AB*CAN", "CA", 14, TimeBasis.LOCATION),
        ("MS1*LYON**FR", "FR", 6, TimeBasis.LOCATION),
        ("MS1*EL PASO*TX*US", "US", 13, TimeBasis.PARTNER),
        ("MS1****0122*04530*W*N", "", 13, TimeBasis.PARTNER),
    ],
)
def test_the_zone_is_that_of_a_state_that_has_one(ms1: str, country: str, utc: int, basis: TimeBasis) -> None:
    """In a state that is divided nobody guesses: the partner's zone holds, or a warning says that there is none."""
    found = event("B10*P1*L1*SPDY", "LX*1", AT7, ms1, timezone="America/Chicago")
    assert (found.location.country, found.time_basis) == (country, basis)
    assert found.occurred_at.astimezone(UTC).hour == utc
    if basis is TimeBasis.PARTNER:
        said = read("B10*P1*L1*SPDY", "LX*1", AT7, ms1)
        assert "taken as UTC" in said.findings[-1].expected


@pytest.mark.parametrize(
    ("at7", "element", "code"),
    [
        ("AT7*X6*NS*20260714*1230", 3, "7"),
        ("AT7*X6*NS***20261341*1230", 5, "8"),
        ("AT7*X6*NS***20260714*2530", 5, "8"),
        ("AT7*X6*NS***19990714*1230", 5, "8"),
        ("AT7*X6*NS", 0, "1"),
        ("AT7**NS***20260714", 1, "1"),
    ],
)
def test_an_event_that_cannot_be_read_is_set_aside_alone(at7: str, element: int, code: str) -> None:
    """With its place and the code of element 723; its neighbours are read."""
    said = read("B10*P1*L1*SPDY", "LX*1", at7, AT7)
    (finding,) = [each for each in said.findings if each.severity is Severity.QUARANTINE]
    assert (finding.at.tag, finding.at.segment, finding.at.element, finding.code) == ("AT7", 4, element, code)
    assert [each.raw_code for each in said.events] == ["D1"]


def test_a_partner_that_always_leaves_an_element_out_is_read_by_its_own_mapping(tmp_path: Path) -> None:
    """As the advice says, with a warning at each."""
    (tmp_path / "own.yaml").write_text(
        "extends: standard/x12-214\nrequire: []\nevent:\n"
        '  code: ["@1"]\n  occurred_at: {path: "@3", time: "@4", zone: "@5", format: x12, derived: true}\n'
    )
    content = interchange(group(transaction("B10*P1*L1*SPDY", "LX*1", "AT7*X6*NS*20260714*1230*UT")))
    (message,) = read_one(content).messages
    said = Library([tmp_path, MAPPINGS]).reader("own").harmonize(message, Partner("speedy"), NOW)
    assert said.events[0].occurred_at == datetime(2026, 7, 14, 12, 30, tzinfo=UTC)
    assert [each.severity for each in said.findings] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("body", "when", "classifier"),
    [
        (("R4*5*UN*BEANR", "DTM*140*20260309*0500*UT"), "0309 0500", Classifier.ACT),
        (("R4*5*UN*BEANR", "DTM*139*20260309*0500*UT"), "0309 0500", Classifier.EST),
        (("R4*L*UN*BEANR", "DTM*139*20260309*0500*UT"), "0310 0715", Classifier.ACT),
        ((), "0310 0715", Classifier.ACT),
    ],
)
def test_an_estimate_of_an_ocean_carrier_stays_one(body: tuple[str, ...], when: str, classifier: Classifier) -> None:
    """DTM 139 of the place of the activity, even of a time that is past; B4 where there is none."""
    found = event("B4***VD*20260310*0815**MRDU*448120*L**NLRTM*UN*5", "N9*BM*B1", *body, mapping="standard/x12-315")
    assert (found.occurred_at.astimezone(UTC).strftime("%m%d %H%M"), found.classifier) == (when, classifier)
    assert (found.tracking_number, found.piece, found.code_list) == ("B1", "MRDU4481205", "157")


def test_a_container_is_put_together_from_its_three_elements() -> None:
    """Where no reference names it."""
    found = event("B4***OA*20260310*0815**MRDU*448120*L**NLRTM*UN*5", mapping="standard/x12-315")
    assert (found.tracking_number, found.location.unlocode) == ("MRDU4481205", "NLRTM")


HOOLI = LIBRARY.writer("hooli/tracking_events")
OUTPUT = X12Output.model_validate({"sender": "HUB:12", "recipient": "HOOLI:ZZ", "version": "005010"})
HEADER = Header("7", "1", "7-1", "9", "kurier", "hooli", NOW, "K77")
NOT_SAID = {Status.UNKNOWN}
AS_ANOTHER = {Status.LOST: Status.EXCEPTION, Status.RETURNED: Status.RETURN_TO_SENDER}


def told(*events: TrackingEvent, header: Header = HEADER) -> bytes:
    """The interchange of these events."""
    return OUTPUT.encode("7", NOW, [OutboundMessage("1", HOOLI.message(header, events, OUTPUT.replace))])


@given(
    status=st.sampled_from([each for each in Status if each not in NOT_SAID]),
    when=st.datetimes(datetime(2020, 1, 1), datetime(2026, 10, 1)),  # noqa: DTZ001 - the zone comes next
    offset=st.integers(-48, 56),
    city=st.text("ABC xyz*~>^é", max_size=40),
    date_only=st.booleans(),
)
def test_what_we_tell_a_customer_is_read_back(
    status: Status, when: datetime, offset: int, city: str, date_only: bool
) -> None:
    """Number, status, minute and place come back through standard/x12-214; an independent reader has no complaint."""
    at = when.replace(second=0, microsecond=0, tzinfo=timezone(timedelta(minutes=15 * offset)))
    said = TrackingEvent("kurier", "K77", status, at, location=Location(city, "", "US"), date_only=date_only,
                         references={"BM": ("B1",), "STATE": ("TX",)})  # fmt: skip
    content = told(said)
    (message,) = read_one(content).messages
    result = LIBRARY.reader("standard/x12-214").harmonize(message, Partner("hub"), NOW)
    (found,) = result.events
    assert (found.tracking_number, found.status) == ("K77", AS_ANOTHER.get(status, status))
    assert (found.references["BM"], found.references["SCAC"]) == (("B1",), ("KURI",))
    assert found.location.name == OUTPUT.replace(city)[:30].strip()
    if date_only:
        assert (found.date_only, found.occurred_at.date()) == (True, at.date())
    elif (at.hour, at.minute) != (0, 0) and found.occurred_at.utcoffset() == at.utcoffset():
        assert found.occurred_at == at
    reader = X12Reader(StringIO(content.decode("ascii")))
    list(reader)
    assert reader.pop_errors() == []


def test_what_is_expected_is_told_as_an_appointment() -> None:
    """Nobody takes an estimate for done: AT703 instead of AT701."""
    soon = datetime(2026, 11, 3, 9, tzinfo=UTC)
    expected = TrackingEvent("kurier", "K77", Status.IN_TRANSIT, soon, "delivery.expected", classifier=Classifier.EST)
    assert b"~AT7***AB*NA*20261103*0900*UT~" in told(expected)
    pickup = TrackingEvent("kurier", "K77", Status.PENDING, soon, "pickup.planned", classifier=Classifier.PLN)
    assert b"~AT7***AA*NA*20261103*0900*UT~" in told(pickup)


def test_what_a_214_cannot_say_is_refused() -> None:
    """A status without a code, and taking back what was told: never told as something else."""
    with pytest.raises(RefusedError, match="has no code for UNKNOWN"):
        told(TrackingEvent("kurier", "K77", Status.UNKNOWN, NOW))
    cancelling = Header("7", "1", "7-1", "1", "kurier", "hooli", NOW, "K77")
    with pytest.raises(RefusedError, match="no place to say that something told before is cancelled"):
        told(TrackingEvent("kurier", "K77", Status.DELIVERED, NOW), header=cancelling)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collected samples are not on this machine")
def test_collected_samples_give_events_or_a_precise_reason() -> None:
    """Every set of every file: events, or one finding that says what was found and what was expected."""
    events = 0
    for folder in ("x12_214", "x12_315"):
        mapping = LIBRARY.reader(f"standard/x12-{folder[-3:]}")
        for path in sorted((SHARED / folder).iterdir()):
            for found in X12(message=folder[-3:], control_references="warn", salvage=True).decode(path.read_bytes()):
                for message in found.messages:
                    if message.body is None:
                        assert message.findings[0].expected
                        continue
                    said = mapping.harmonize(message, Partner("speedy"), NOW)
                    assert all(each.mapped for each in said.events), path
                    events += len(said.events)
                    assert said.events
    assert events >= 40
