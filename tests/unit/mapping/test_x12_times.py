"""Times that stand in three places: what X12 writes, and what others write in columns of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edi_gateway.errors import DocumentError
from edi_gateway.mapping.instants import instant_at
from edi_gateway.mapping.notes import Notes
from edi_gateway.mapping.schema import Instant
from edi_gateway.mapping.x12_times import parse_x12, read_time_code
from edi_gateway.model import TimeBasis
from tests.unit.mapping.segments import message, segment

AT7 = Instant.model_validate({"path": "@5", "time": "@6", "zone": "@7", "format": "x12"})


def read(text: str, instant: Instant = AT7, place: str | None = None) -> tuple[datetime, TimeBasis, bool, str]:
    """The instant of a segment, what it rests on, whether only the day is known, and every remark."""
    moment, when, basis, warning = instant_at(instant, segment(text), place, None, Notes(message()))
    return when, basis, moment.date_only, "; ".join(filter(None, (moment.warning, warning)))


@pytest.mark.parametrize(
    ("code", "utc"),
    [
        ("UT", "08:30"),
        ("GM", "08:30"),
        ("01", "07:30"),
        ("12", "20:30"),
        ("13", "20:30"),
        ("20", "13:30"),
        ("24", "09:30"),
        ("27", "03:00"),
        ("ED", "12:30"),
        ("ET", "12:30"),
        ("CT", "13:30"),
        ("PT", "15:30"),
        ("HT", "18:30"),
        ("ND", "11:00"),
    ],
)
def test_a_time_code_is_an_offset_or_a_zone(code: str, utc: str) -> None:
    """In July: named zones keep summer time, numbered codes are offsets (13 to 24 lie west)."""
    when, basis, date_only, remarks = read(f"AT7+X6+NS+++20260714+0830+{code}")
    assert (when.astimezone(UTC).strftime("%H:%M"), basis, date_only, remarks) == (utc, TimeBasis.OFFSET, False, "")


def test_local_time_is_that_of_the_place() -> None:
    """LT, and no code at all, leave it to the place."""
    for code in ("LT", ""):
        when, basis, _, _ = read(f"AT7+X6+NS+++20260714+0830+{code}", place="America/Chicago")
        assert (when.astimezone(UTC).hour, basis) == (13, TimeBasis.LOCATION)


def test_standard_time_in_summer_is_taken_at_its_word_with_a_warning() -> None:
    """Senders write ES for ET; nobody guesses, but somebody is told, unless the place keeps no summer time."""
    when, basis, _, remarks = read("AT7+X6+NS+++20260714+0830+ES", place="America/New_York")
    assert (when.astimezone(UTC).hour, basis) == (13, TimeBasis.OFFSET)
    assert "summer time" in remarks
    assert "summer time" in read("AT7+X6+NS+++20260714+0830+ES")[3]
    assert not read("AT7+X6+NS+++20260114+0830+ES")[3]
    assert not read("AT7+X6+NS+++20260714+0830+MS", place="America/Phoenix")[3]


@pytest.mark.parametrize("clock", ["0000", "2400", "000000", "24000000"])
def test_a_whole_midnight_is_a_day_without_a_time(clock: str) -> None:
    """It is written where the time is not known: the day counts, and a warning says so."""
    when, _, date_only, remarks = read(f"AT7+D1+NS+++20260714+{clock}+LT", place="America/Chicago")
    assert (when.strftime("%Y%m%d"), date_only) == ("20260714", True)
    assert "not known" in remarks


@pytest.mark.parametrize(
    ("clock", "wall"),
    [("1630", "16:30:00.000000"), ("163005", "16:30:05.000000"), ("16300570", "16:30:05.700000")],
)
def test_a_time_may_go_down_to_hundredths(clock: str, wall: str) -> None:
    """HHMM, HHMMSS, HHMMSSD and HHMMSSDD."""
    assert read(f"AT7+D1+NS+++20260714+{clock}+UT")[0].strftime("%H:%M:%S.%f") == wall


def test_a_date_alone_stays_a_date() -> None:
    """Six digits are of this century."""
    assert read("AT7+D1+NS+++20260714", place="America/Chicago")[2]
    assert read("AT7+D1+NS+++260714")[0].year == 2026


@pytest.mark.parametrize(("day", "clock"), [("20261301", "0800"), ("20260230", ""), ("20260714", "2460"), ("x", "")])
def test_what_no_calendar_or_clock_has_sets_the_event_aside(day: str, clock: str) -> None:
    """The finding is at the date."""
    with pytest.raises(DocumentError) as caught:
        read(f"AT7+D1+NS+++{day}+{clock}")
    assert (caught.value.finding.at.element, caught.value.finding.found) == (5, day)


def test_an_unknown_time_code_is_local_time_with_a_warning() -> None:
    """Nothing is dropped for it."""
    when, basis, _, remarks = read("AT7+X6+NS+++20260714+0830+Q9", place="America/Chicago")
    assert (when.astimezone(UTC).hour, basis) == (13, TimeBasis.LOCATION)
    assert "'Q9'" in remarks


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=3))
def test_any_text_is_a_moment_or_a_value_error(day: str, clock: str, code: str) -> None:
    """No third thing happens."""
    try:
        parse_x12(day, clock, code)
    except ValueError:
        return
    assert read_time_code(code.strip().upper()).offset is None or abs(
        read_time_code(code.strip().upper()).offset or timedelta(0)
    ) <= timedelta(hours=14)


COLUMNS = {"path": "@1", "time": "@2", "zone": "@3"}


@pytest.mark.parametrize(
    ("form", "row", "expected"),
    [
        ("%d.%m.%Y %H:%M", "ROW+14.07.2026+08|30+CEST", "2026-07-14T08:30:00+02:00"),
        ("%d.%m.%Y %H:%M", "ROW+14.07.2026+08|30+-05|00", "2026-07-14T08:30:00-05:00"),
        ("%d.%m.%Y %H:%M", "ROW+14.07.2026++", "2026-07-14T12:00:00+09:00"),
        ("203", "ROW+20260714+0830+", "2026-07-14T08:30:00+09:00"),
        ("203", "ROW+20260714+08|30+Z", "2026-07-14T08:30:00+00:00"),
        ("203", "ROW+20260714", "2026-07-14T12:00:00+09:00"),
        ("edifact", "ROW+20260714", "2026-07-14T12:00:00+09:00"),
    ],
)
def test_other_formats_may_stand_apart_too(form: str, row: str, expected: str) -> None:
    """Date, time and zone of a table: the pattern is of both with a blank between them, the zone a text."""
    said = segment(row)
    said._elements = [[each[0].replace("|", ":")] for each in said._elements]
    instant = Instant.model_validate({**COLUMNS, "format": form})
    moment, when, _, warning = instant_at(instant, said, "Asia/Tokyo", None, Notes(message()))
    assert (when.isoformat(), moment.warning, warning) == (expected, "", "")


def test_a_zone_that_is_none_is_local_time_with_a_warning() -> None:
    """Such as a town."""
    when, basis, _, remarks = read("ROW+20260714+0830+near Lyon", Instant.model_validate({**COLUMNS, "format": "203"}))
    assert (when.hour, basis) == (8, TimeBasis.ASSUMED)
    assert "near Lyon" in remarks


def test_time_and_zone_stand_in_the_segment_of_the_date() -> None:
    """Anything else is refused when the mapping is read."""
    Instant.model_validate({"path": "//DTM[1=140]@2", "time": "@3", "format": "x12"})
    with pytest.raises(ValidationError, match="is looked for in the segment of"):
        Instant.model_validate({"path": "DTM@2", "time": "R4@3", "format": "x12"})
