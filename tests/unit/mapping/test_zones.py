"""Which time zone a place keeps."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

import pytest
import yaml

from edi_gateway.mapping.zones import ZoneText, read_zone, zone_of

TABLE = yaml.safe_load(files("edi_gateway.mapping").joinpath("zones.yaml").read_text("utf-8"))
PLACES = [(place, zone) for zone, places in TABLE["places"].items() for place in places.split()]
# Countries whose zones really differ: a place nobody listed must stay without a zone.
SPLIT = ["US", "CA", "AU", "BR", "MX", "RU", "ID", "CD", "FM"]


@pytest.mark.parametrize(
    ("unlocode", "country", "expected"),
    [
        ("DEHAM", "", "Europe/Berlin"),
        ("DE HAM", "DE", "Europe/Berlin"),
        ("deham", "", "Europe/Berlin"),
        ("", "NO", "Europe/Oslo"),
        ("", "nl", "Europe/Amsterdam"),
        ("VNSGN", "", "Asia/Ho_Chi_Minh"),
        ("ESBCN", "ES", "Europe/Madrid"),
        ("ESLPA", "ES", "Atlantic/Canary"),
        ("PTLIS", "", "Europe/Lisbon"),
        ("PTPDL", "", "Atlantic/Azores"),
        ("CNSHA", "", "Asia/Shanghai"),
        ("NZAKL", "", "Pacific/Auckland"),
        ("CLIPC", "", "Pacific/Easter"),
        ("USNYC", "US", "America/New_York"),
        ("USLAX", "", "America/Los_Angeles"),
        ("USPHX", "", "America/Phoenix"),
        ("CAVAN", "", "America/Vancouver"),
        ("BRSSZ", "", "America/Sao_Paulo"),
        ("MXTIJ", "", "America/Tijuana"),
        ("AUDRW", "", "Australia/Darwin"),
        ("RUVVO", "", "Asia/Vladivostok"),
        ("HAM", "DE", "Europe/Berlin"),
        ("USHNL", "DE", "Pacific/Honolulu"),
    ],
)
def test_places_and_countries_have_their_zone(unlocode: str, country: str, expected: str) -> None:
    """A UN/LOCODE, however written, goes before its country; an exception goes before the main zone."""
    assert expected == zone_of(unlocode, country)


@pytest.mark.parametrize("country", SPLIT)
def test_a_split_country_has_no_zone_of_its_own(country: str) -> None:
    """Where the zones of a country really differ, neither it nor an unlisted place of it is guessed."""
    assert zone_of("", country) is None
    assert zone_of(f"{country}999", country) is None


@pytest.mark.parametrize(("unlocode", "country"), [("", ""), ("XX", ""), ("XXHAM", ""), ("", "ZZ"), ("HAM", "")])
def test_what_is_no_place_has_no_zone(unlocode: str, country: str) -> None:
    """Nothing known, nothing said."""
    assert zone_of(unlocode, country) is None


def test_every_zone_of_the_table_exists() -> None:
    """Each zone named in zones.yaml is in the IANA database."""
    assert set() == {*TABLE["places"], *TABLE["main"].values()} - available_timezones()


def test_no_place_stands_twice() -> None:
    """A UN/LOCODE has five characters and one zone."""
    codes = [place for place, _ in PLACES]
    assert len(codes) == len(set(codes))
    assert [] == [code for code in codes if len(code) != 5 or not code.isalnum() or code != code.upper()]


def test_every_place_lies_in_a_zone_of_its_country() -> None:
    """The IANA database lists the zone of each place, or its equal, under the place's country."""
    lines = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines()
    known = {(line.split("\t")[0], line.split("\t")[2]) for line in lines if not line.startswith("#")}
    crimea = {("UA", "Europe/Simferopol")}  # listed under two countries
    assert set() == {(place[:2], zone) for place, zone in PLACES} - known - crimea


def test_the_split_countries_are_covered_by_their_ports() -> None:
    """Enough places are listed for the countries where the country alone says nothing."""
    counts = {country: sum(place.startswith(country) for place, _ in PLACES) for country in SPLIT}
    assert {"US": 128, "CA": 38, "AU": 25, "BR": 34, "MX": 29, "RU": 27, "ID": 23, "CD": 11, "FM": 4} == counts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ZoneText()),
        ("LT", ZoneText()),
        ("+01", ZoneText(timedelta(hours=1))),
        ("-0330", ZoneText(-timedelta(hours=3, minutes=30))),
        ("+05:30", ZoneText(timedelta(hours=5, minutes=30))),
        ("gmt", ZoneText(timedelta(0))),
        ("MEZ", ZoneText(timedelta(hours=1))),
        ("CEST", ZoneText(timedelta(hours=2))),
        ("PT", ZoneText(zone="America/Los_Angeles")),
    ],
)
def test_zone_texts_are_read(text: str, expected: ZoneText) -> None:
    """Signs and abbreviations give an offset, zones without a season a zone, "local" nothing."""
    assert expected == read_zone(text)


@pytest.mark.parametrize(
    ("text", "zone", "day"),
    [
        ("CET", "Europe/Berlin", "2025-01-15"),
        ("CEST", "Europe/Berlin", "2025-07-15"),
        ("EST", "America/New_York", "2025-01-15"),
        ("PDT", "America/Los_Angeles", "2025-07-15"),
        ("NST", "America/St_Johns", "2025-01-15"),
        ("AEDT", "Australia/Sydney", "2025-01-15"),
        ("ACST", "Australia/Adelaide", "2025-07-15"),
        ("NZST", "Pacific/Auckland", "2025-07-15"),
        ("MSK", "Europe/Moscow", "2025-07-15"),
        ("JST", "Asia/Tokyo", "2025-07-15"),
    ],
)
def test_abbreviations_agree_with_the_zones_they_come_from(text: str, zone: str, day: str) -> None:
    """The IANA database calls that offset by that abbreviation on that day."""
    there = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    assert (text, there.utcoffset()) == (there.tzname(), read_zone(text).offset)
