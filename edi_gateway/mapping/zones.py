"""Time zones: which one a place keeps, and what the zone texts mean that carriers write behind a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

import yaml

# Texts that name one fixed offset, in minutes. Abbreviations that several parts of the world use for different
# offsets (CST, IST, AST ...) are left out on purpose: the place of the event knows better.
_ABBREVIATIONS: Final = (
    (-600, "HST"),
    (-540, "AKST"),
    (-480, "AKDT PST"),
    (-420, "PDT MST"),
    (-360, "MDT"),
    (-300, "CDT EST"),
    (-240, "EDT"),
    (-210, "NST"),
    (-180, "ADT BRT"),
    (-150, "NDT"),
    (0, "Z UTC GMT UT GM WET WEZ"),
    (60, "CET MEZ MET BST WEST WESZ"),
    (120, "CEST CES MESZ MES EET OEZ SAST"),
    (180, "EEST OESZ MSK TRT"),
    (480, "SGT HKT AWST"),
    (540, "JST KST"),
    (570, "ACST"),
    (600, "AEST"),
    (630, "ACDT"),
    (660, "AEDT"),
    (720, "NZST"),
    (780, "NZDT"),
)
_OFFSETS: Final = {name: timedelta(minutes=minutes) for minutes, names in _ABBREVIATIONS for name in names.split()}
# Texts that name a zone with summer time, so that the day decides the offset.
_ZONES: Final[Mapping[str, str]] = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}
_DIVIDED: Final = ("US", "CA")  # countries whose subdivisions are written without them; no code is of both
_LOCAL: Final = frozenset({"LT", "LOC", "LCL"})  # "local time": no more than writing nothing
_LONGEST_OFFSET: Final = timedelta(hours=14)


class ZoneText(NamedTuple):
    """What a zone text means: a fixed offset from UTC, or an IANA zone, or neither and perhaps a warning."""

    offset: timedelta | None = None
    zone: str = ""
    warning: str = ""


@lru_cache(maxsize=8192)
def zone_of(unlocode: str, country: str, subdivision: str = "") -> str | None:
    """IANA zone kept at a UN/LOCODE ("DEHAM", "DE HAM") or, without one, in a country (ISO 3166-1 alpha-2).

    In a country with several zones, its ``subdivision`` (TX, QC) may have a single one; without a country, those of the
    United States and Canada are meant. None when nothing is known well enough to say.
    """
    place = unlocode.replace(" ", "").upper()
    if len(place) != 5:
        return _zones_of_countries().get(country.strip().upper()) or _zone_of_subdivision(country, subdivision)
    return _zones_of_places().get(place) or _zones_of_countries().get(place[:2])


@lru_cache(maxsize=1024)
def read_zone(text: str) -> ZoneText:
    """Meaning of the zone written behind a time: ``+01``, ``-0530``, ``+02:00``, ``CET``, ``ET``, ``LT``, "".

    An abbreviation is taken at its word: CET is UTC+1 in July, too. One that names no single offset gives a
    warning and counts as local time. Raises ValueError for an offset beyond 14 hours.
    """
    name = text.upper()
    if not name or name in _LOCAL:
        return ZoneText()
    if name[0] in "+-":
        return ZoneText(_offset(name))
    if name in _OFFSETS:
        return ZoneText(_OFFSETS[name])
    if name in _ZONES:
        return ZoneText(zone=_ZONES[name])
    return ZoneText(warning=f"zone {text!r} names no single offset: taken as local time")


def _offset(text: str) -> timedelta:
    """Of ``+HH``, ``+HHMM`` or ``+HH:MM``."""
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or offset > _LONGEST_OFFSET:
        message = f"{text!r} is no offset from UTC: expected -1400 to +1400"
        raise ValueError(message)
    return -offset if text[0] == "-" else offset


def _zone_of_subdivision(country: str, subdivision: str) -> str | None:
    zones, code = _zones_of_subdivisions(), subdivision.strip().upper()
    countries = (country.strip().upper(),) if country.strip() else _DIVIDED
    return next((zones[name] for name in (f"{each}-{code}" for each in countries) if name in zones), None)


@cache
def _zones_of_countries() -> Mapping[str, str]:
    """Country → zone: those with one zone in the IANA database, then the main zones of zones.yaml."""
    zones: dict[str, list[str]] = {}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones.setdefault(country, []).append(zone)
    single = {country: names[0] for country, names in zones.items() if len(names) == 1}
    return {**single, **_table()["main"]}


@cache
def _zones_of_places() -> Mapping[str, str]:
    """UN/LOCODE → zone."""
    return {place: zone for zone, places in _table()["places"].items() for place in places.split()}


@cache
def _zones_of_subdivisions() -> Mapping[str, str]:
    """ISO 3166-2 code → zone."""
    return {code: zone for zone, codes in _table()["subdivisions"].items() for code in codes.split()}


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    text = files("edi_gateway.mapping").joinpath("zones.yaml").read_text("utf-8")
    table: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    return table
