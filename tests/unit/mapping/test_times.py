"""Times as carriers write them: what is read, what is put right with a warning, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.mapping.times import Moment, check_plausible, parse_edifact, parse_pattern, resolve
from edi_gateway.model import TimeBasis

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
WALL = datetime.fromisoformat("2025-05-17T14:30")
SECONDS = datetime.fromisoformat("2025-05-17T14:30:05")
NOON = datetime.fromisoformat("2025-05-17T12:00")


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [
        ("2", "170525", NOON),
        ("3", "051725", NOON),
        ("4", "17052025", NOON),
        ("101", "250517", NOON),
        ("102", "20250517", NOON),
        ("201", "2505171430", WALL),
        ("202", "250517143005", SECONDS),
        ("203", "202505171430", WALL),
        ("204", "20250517143005", SECONDS),
        ("307", "20250517143005120", SECONDS + timedelta(milliseconds=120)),
    ],
)
def test_every_format_is_read_without_a_word(code: str, value: str, expected: datetime) -> None:
    """Each 2379 format gives its wall time; a date stands at noon and is marked as a date."""
    assert Moment(expected, date_only=expected == NOON) == parse_edifact(value, code)


@pytest.mark.parametrize(
    ("code", "value", "hours"),
    [
        ("205", "202505171430+0200", 2.0),
        ("205", "202505171430-0330", -3.5),
        ("206", "2505171430+0200", 2.0),
        ("207", "250517143005+0200", 2.0),
        ("208", "20250517143005+0530", 5.5),
        ("301", "2505171430GMT", 0.0),
        ("302", "250517143005CET", 1.0),
        ("303", "202505171430+02", 2.0),
        ("303", "202505171430MESZ", 2.0),
        ("303", "202505171430EST", -5.0),
        ("304", "20250517143005UTC", 0.0),
    ],
)
def test_an_offset_in_the_text_is_kept(code: str, value: str, hours: float) -> None:
    """Signs and abbreviations behind the digits give the offset, without a warning."""
    moment = parse_edifact(value, code)
    assert (timedelta(hours=hours), "", "") == (moment.offset, moment.zone, moment.warning)
    assert moment.local in {WALL, SECONDS}


def test_an_american_zone_without_season_is_a_zone() -> None:
    """ET is New York time, so the day decides between standard and daylight time."""
    summer = resolve(parse_edifact("202507041200ET", "303"), BERLIN, None)
    winter = resolve(parse_edifact("202501041200ET", "303"), BERLIN, None)
    assert ("2025-07-04T12:00:00-04:00", TimeBasis.OFFSET) == (summer[0].isoformat(), summer[1])
    assert ("2025-01-04T12:00:00-05:00", TimeBasis.OFFSET) == (winter[0].isoformat(), winter[1])


@pytest.mark.parametrize("text", ["CST", "IST", "XYZ"])
def test_an_ambiguous_abbreviation_is_left_to_the_place(text: str) -> None:
    """CST is Chicago or Shanghai: the event's place decides, and a warning says so."""
    moment = parse_edifact(f"202501171430{text}", "303")
    assert text in moment.warning
    assert "2025-01-17T14:30:00+08:00" == resolve(moment, "Asia/Shanghai", None)[0].isoformat()


def test_local_time_says_nothing_and_warns_of_nothing() -> None:
    """LT behind a time is the same as no zone."""
    assert Moment(WALL) == parse_edifact("202505171430LT", "303")


def test_a_zoned_format_without_its_zone_warns() -> None:
    """Format 303 promises a zone; without one the wall time is read and a warning kept."""
    moment = parse_edifact("202505171430", "303")
    assert (WALL, None) == (moment.local, moment.offset)
    assert "303" in moment.warning


@pytest.mark.parametrize(
    ("code", "value", "local", "date_only"),
    [
        ("102", "202505171430", WALL, False),
        ("203", "20250517", NOON, True),
        ("203", "2505171430", WALL, False),
        ("204", "202505171430", WALL, False),
        ("203", "20250517143005", SECONDS, False),
        ("101", "20250517", NOON, True),
        ("2", "17052025", NOON, True),
        ("4", "170525", NOON, True),
        ("401", "202505171430", WALL, False),
        ("", "20250517", NOON, True),
        ("", "250517", NOON, True),
        ("999", "202505171430", WALL, False),
    ],
)
def test_the_number_of_digits_decides_against_the_format(
    code: str, value: str, local: datetime, date_only: bool
) -> None:
    """Where digits and format disagree, or the format is missing, the digits are believed, with a warning."""
    moment = parse_edifact(value, code)
    assert (local, date_only) == (moment.local, moment.date_only)
    assert value in moment.warning


@pytest.mark.parametrize(
    ("code", "value", "local"),
    [
        ("713", "25051714302505181200", WALL),
        ("713", "2505171430-2505181200", WALL),
        ("717", "250517250519", NOON),
        ("718", "2025051720250519", NOON),
        ("718", "20250517-20250519", NOON),
        ("719", "202505171430202505181200", WALL),
        ("719", "202505171430-202505181200", WALL),
        ("203", "202505171430-202505181200", WALL),
    ],
)
def test_of_a_range_the_start_is_taken(code: str, value: str, local: datetime) -> None:
    """A period, with or without its hyphen, gives its beginning and a warning."""
    moment = parse_edifact(value, code)
    assert local == moment.local
    assert "range" in moment.warning


@pytest.mark.parametrize(("code", "value"), [("203", "202512312400"), ("204", "20251231240000"), ("201", "2512312400")])
def test_twenty_four_hundred_is_midnight_of_the_next_day(code: str, value: str) -> None:
    """24:00 on New Year's Eve is 00:00 of the new year, with a warning."""
    moment = parse_edifact(value, code)
    assert (datetime.fromisoformat("2026-01-01T00:00"), False) == (moment.local, moment.date_only)
    assert "24:00" in moment.warning


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        ("102", "20020148", "20020148 is no CCYYMMDD date: day 48"),
        ("203", "202513011200", "month 13"),
        ("203", "202502291200", "day 29"),
        ("203", "202505172500", "hour 25"),
        ("203", "202505172430", "hour 24"),
        ("203", "202505171460", "minute 60"),
        ("204", "20250517143099", "second 99"),
        ("203", "000005171430", "year 0"),
        ("203", "999912312400", "hour 24"),
        ("203", "", "nothing"),
        ("203", "17.05.2025 14:30", "CCYYMMDDHHMM"),
        ("203", "20250517143", "11 characters"),
        ("205", "202505171430+1500", "-1400 to +1400"),
        ("205", "202505171430+0260", "-1400 to +1400"),
        ("203", "²02505171430", "CCYYMMDDHHMM"),
        ("203", "٢٠٢٥٠٥١٧١٤٣٠", "CCYYMMDDHHMM"),
    ],
)
def test_what_is_no_date_is_refused_with_its_reason(code: str, value: str, said: str) -> None:
    """The error names the part that no calendar has, or what was expected."""
    with pytest.raises(ValueError) as error:
        parse_edifact(value, code)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("401", "1430"),
        ("402", "143005"),
        ("404", "143005CET"),
        ("406", "+0200"),
        ("602", "2025"),
        ("610", "202505"),
        ("616", "202520"),
    ],
)
def test_a_format_that_names_no_day_is_refused(code: str, value: str) -> None:
    """A time of day, an offset, a month or a week alone is no time of an event."""
    with pytest.raises(ValueError, match=value.replace("+", r"\+")):
        parse_edifact(value, code)


@given(st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("9999-12-31")))
def test_what_is_written_in_a_format_is_read_back(wall: datetime) -> None:
    """Any wall time written as 203, 204 or 307 comes back to the minute, second or millisecond."""
    second = wall.replace(microsecond=0)
    milli = wall.replace(microsecond=wall.microsecond // 1000 * 1000)
    assert second.replace(second=0) == parse_edifact(f"{wall:%Y%m%d%H%M}", "203").local
    assert second == parse_edifact(f"{wall:%Y%m%d%H%M%S}", "204").local
    assert milli == parse_edifact(f"{wall:%Y%m%d%H%M%S}{wall.microsecond // 1000:03}", "307").local


@given(
    st.one_of(st.text(max_size=30), st.text("0123456789+-ZCET ", max_size=30)),
    st.sampled_from(["", "102", "203", "204", "205", "303", "401", "717", "718", "719", "999"]),
)
def test_any_text_is_a_moment_or_a_value_error(value: str, code: str) -> None:
    """Whatever a carrier writes, the outcome is a moment that can be resolved, or a ValueError."""
    try:
        moment = parse_edifact(value, code)
    except ValueError:
        return
    when, _, _ = resolve(moment, None, None)
    assert when.tzinfo is not None


def test_a_pattern_reads_wall_time_offset_and_date() -> None:
    """A strptime pattern gives a wall time, an offset by %z, and a date only when they have no hour."""
    assert Moment(WALL) == parse_pattern("17.05.2025 14:30", "%d.%m.%Y %H:%M")
    assert Moment(WALL, timedelta(hours=2)) == parse_pattern(" 2025-05-17T14:30+02:00 ", "%Y-%m-%dT%H:%M%z")
    assert Moment(NOON, date_only=True) == parse_pattern("17.05.2025", "%d.%m.%Y")
    assert Moment(WALL) == parse_pattern("05/17/2025 02:30 PM", "%m/%d/%Y %I:%M %p")


def test_a_pattern_that_does_not_fit_is_named() -> None:
    """The error shows the value and the pattern; %Z is refused because strptime forgets it."""
    with pytest.raises(ValueError, match=r"'17-05-2025'.*'%d\.%m\.%Y'"):
        parse_pattern("17-05-2025", "%d.%m.%Y")
    with pytest.raises(ValueError, match="%Z"):
        parse_pattern("17.05.2025 14:30 UTC", "%d.%m.%Y %H:%M %Z")


@pytest.mark.parametrize(
    ("moment", "place", "partner", "expected", "basis"),
    [
        (Moment(WALL, timedelta(hours=-5)), BERLIN, NEW_YORK, "2025-05-17T14:30:00-05:00", TimeBasis.OFFSET),
        (Moment(WALL), BERLIN, NEW_YORK, "2025-05-17T14:30:00+02:00", TimeBasis.LOCATION),
        (Moment(WALL), None, NEW_YORK, "2025-05-17T14:30:00-04:00", TimeBasis.PARTNER),
        (Moment(NOON, date_only=True), BERLIN, None, "2025-05-17T12:00:00+02:00", TimeBasis.LOCATION),
    ],
)
def test_text_before_place_before_partner(
    moment: Moment, place: str | None, partner: str | None, expected: str, basis: TimeBasis
) -> None:
    """An offset in the text wins, then the zone of the place, then that of the partner."""
    assert (expected, basis, "") == (
        resolve(moment, place, partner)[0].isoformat(),
        *resolve(moment, place, partner)[1:],
    )


def test_with_no_zone_at_all_utc_is_assumed_aloud() -> None:
    """Without any zone the wall time counts as UTC, marked as assumed, with a warning."""
    when, basis, warning = resolve(Moment(WALL), None, "")
    assert (WALL.replace(tzinfo=UTC), TimeBasis.ASSUMED) == (when, basis)
    assert "UTC" in warning


def test_the_hour_that_comes_twice_is_the_first() -> None:
    """When clocks go back the first occurrence is taken, still in summer time, with a warning."""
    when, basis, warning = resolve(parse_edifact("202510260230", "203"), BERLIN, None)
    assert ("2025-10-26T02:30:00+02:00", TimeBasis.LOCATION) == (when.isoformat(), basis)
    assert "ambiguous" in warning


def test_the_hour_that_is_skipped_moves_forward() -> None:
    """When clocks go forward a time that never was moves past the gap, with a warning."""
    when, basis, warning = resolve(parse_edifact("202503300230", "203"), None, BERLIN)
    assert ("2025-03-30T03:30:00+02:00", TimeBasis.PARTNER) == (when.isoformat(), basis)
    assert "does not exist" in warning


def test_an_unknown_zone_is_an_error() -> None:
    """A zone nobody knows is a KeyError, not a silent UTC."""
    with pytest.raises(KeyError):
        resolve(Moment(WALL), "Europe/Atlantis", None)


NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "when",
    [
        datetime(2000, 1, 1, tzinfo=UTC),
        NOW,
        NOW + timedelta(hours=48),
        (NOW + timedelta(hours=48)).astimezone(timezone(timedelta(hours=9))),
    ],
)
def test_a_possible_time_is_plausible(when: datetime) -> None:
    """From the year 2000 to 48 hours ahead, in any offset, nothing is said."""
    assert "" == check_plausible(when, NOW)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (datetime(1999, 12, 31, 23, 59, tzinfo=UTC), "before 2000"),
        (NOW + timedelta(hours=48, seconds=1), "future"),
        (datetime(2099, 4, 1, tzinfo=UTC), "future"),
    ],
)
def test_an_impossible_time_says_why(when: datetime, said: str) -> None:
    """Before 2000 and more than 48 hours ahead nothing can have happened."""
    assert said in check_plausible(when, NOW)
