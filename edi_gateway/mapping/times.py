"""Times as carriers write them: EDIFACT formats (data element 2379) and strptime patterns, made into instants.

Reading has two steps. ``parse_*`` says what the text says: a wall time and, if it was written, an offset or a
zone. ``resolve`` then places that wall time on the earth, with the zone of the place or of the partner where
the text has none.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from edi_gateway.frozen import quick
from edi_gateway.mapping.zones import ZoneText, read_zone
from edi_gateway.model import TimeBasis


@quick
@dataclass(frozen=True, slots=True)
class Moment:
    """What a text says about time: a naive wall time, and an offset or an IANA zone if the text carried one.

    A date without a time stands at its noon, so that it falls on the same day in nearly every zone.
    ``warning`` tells what had to be put right to read the text; ``standard`` is the zone of which the text named the
    standard time, whatever the season.
    """

    local: datetime
    offset: timedelta | None = None
    zone: str = ""
    date_only: bool = False
    warning: str = ""
    standard: str = ""


# Data element 2379: the layout of the digits (a zone may follow, _ZONED; or a second value, _RANGES).
_LAYOUTS: Final[Mapping[str, str]] = {
    "2": "DDMMYY",
    "3": "MMDDYY",
    "4": "DDMMCCYY",
    "101": "YYMMDD",
    "102": "CCYYMMDD",
    "201": "YYMMDDHHMM",
    "202": "YYMMDDHHMMSS",
    "203": "CCYYMMDDHHMM",
    "204": "CCYYMMDDHHMMSS",
    "205": "CCYYMMDDHHMM",
    "206": "YYMMDDHHMM",
    "207": "YYMMDDHHMMSS",
    "208": "CCYYMMDDHHMMSS",
    "301": "YYMMDDHHMM",
    "302": "YYMMDDHHMMSS",
    "303": "CCYYMMDDHHMM",
    "304": "CCYYMMDDHHMMSS",
    "307": "CCYYMMDDHHMMSSFFF",
    "713": "YYMMDDHHMM",
    "717": "YYMMDD",
    "718": "CCYYMMDD",
    "719": "CCYYMMDDHHMM",
}
_ZONED: Final = frozenset({"205", "206", "207", "208", "301", "302", "303", "304"})
_RANGES: Final = frozenset({"713", "717", "718", "719"})
# Formats that name no single day: nothing can be said to have happened "in week 14".
_NO_DAY: Final[Mapping[str, str]] = {
    "401": "HHMM",
    "402": "HHMMSS",
    "404": "HHMMSS",
    "406": "ZHHMM",
    "602": "CCYY",
    "610": "CCYYMM",
    "616": "CCYYWW",
}
# What so many digits mean when the format says otherwise or nothing; day-first formats stay day-first.
_BY_LENGTH: Final[Mapping[int, str]] = {
    6: "YYMMDD",
    8: "CCYYMMDD",
    10: "YYMMDDHHMM",
    12: "CCYYMMDDHHMM",
    14: "CCYYMMDDHHMMSS",
    17: "CCYYMMDDHHMMSSFFF",
}
_DAY_FIRST: Final[Mapping[tuple[str, int], str]] = {("2", 8): "DDMMCCYY", ("4", 6): "DDMMYY"}
_TWO_VALUES: Final = frozenset({16, 20, 24})  # digits of a range without its hyphen, as the directory writes it
_PLAIN: Final[Mapping[str, int]] = {"102": 8, "201": 10, "203": 12, "204": 14}

_RANGE: Final = re.compile(r"(\d{6,14})-(\d{6,14})", re.ASCII)
_SINGLE: Final = re.compile(r"(\d+) ?([+-]\d\d(?::?\d\d)?|[A-Za-z]{1,5})?", re.ASCII)

_USUAL: Final[Mapping[int, str]] = {6: "101", 8: "102", 10: "201", 12: "203", 14: "204"}  # by digits
_HOUR: Final = re.compile(r"%[-#]?[HIXc]")  # where the time of day begins in a pattern
_ZONE_TEXT: Final = re.compile(r"(?:[+-]\d\d(?::?\d\d)?|[A-Za-z]{1,5})?", re.ASCII)

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(hours=48)
_DAY: Final = timedelta(days=1)
_NOTHING: Final = timedelta(0)


def parse_edifact(value: str, format_code: str) -> Moment:
    """Read a date/time of EDIFACT composite C507: ``value`` is 2380, ``format_code`` is 2379 ("" if absent).

    Where the number of digits contradicts the format, the digits decide and a warning says so. Of a range
    (713, 717, 718, 719) the start is taken, with a warning. Two-digit years are 2000 to 2099.

    Raises ValueError, naming the part at fault, for a value that is no date, and for formats that name no day
    (401, 402, 404, 406, 602, 610, 616).
    """
    if len(value) == _PLAIN.get(format_code) and value.isdigit() and value.isascii():
        digits = f"20{value}" if format_code == "201" else value
        if digits[8:10] != "24":
            try:
                local = datetime.fromisoformat(f"{digits[:8]}T{digits[8:] or '12'}")
            except ValueError:
                return _read(value, format_code)
            return Moment(local, None, "", format_code == "102")
    return _read(value.strip(), format_code)


def parse_pattern(value: str, strptime_pattern: str) -> Moment:
    """Read ``value`` by a strptime pattern; ``%z`` gives the offset, a pattern without an hour a date only.

    Raises ValueError with what was found and the pattern expected. ``%Z`` is refused: strptime reads a zone's
    name and then forgets it.
    """
    if "%Z" in strptime_pattern:
        message = f"pattern {strptime_pattern!r}: %Z cannot be read, use %z or leave the zone to the partner"
        raise ValueError(message)
    plain = _plain(strptime_pattern)
    found = plain and plain[0].fullmatch(value)
    if plain and found:
        try:
            return Moment(datetime(*map(int, found.group(*plain[1]))), date_only=False)  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError:
            pass  # strptime says which part is at fault
    try:
        read = datetime.strptime(value.strip(), strptime_pattern)  # noqa: DTZ007 - resolve() adds the zone
    except ValueError as error:
        message = f"{value!r} does not match the pattern {strptime_pattern!r}"
        raise ValueError(message) from error
    date_only = not any(hour in strptime_pattern for hour in ("%H", "%I", "%X", "%c"))
    local = read.replace(tzinfo=None, hour=12) if date_only else read.replace(tzinfo=None)
    return Moment(local, offset=read.utcoffset(), date_only=date_only)


@lru_cache(maxsize=256)
def _plain(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]] | None:
    """A pattern of date and time in plain digits as an expression: a tenth of the time strptime takes."""
    said = dict.fromkeys(re.findall(r"%(.)", pattern))
    if not {*"YmdHM"} <= said.keys() <= {*"YmdHMS"} or pattern.count("%") != len(said):
        return None
    widths = {"Y": 4}
    text = re.sub(r"%(.)", lambda part: rf"(?P<{part[1]}>\d{{{widths.get(part[1], 2)}}})", re.escape(pattern))
    return re.compile(text, re.ASCII), tuple(part for part in "YmdHMS" if part in said)


def parse_iso(value: str) -> Moment:
    """Read ISO 8601; a date without a time stays a date. Raises ValueError for anything else."""
    text = value.strip()
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no ISO 8601 date such as 2026-03-25T08:15:00+01:00") from error
    date_only = "T" not in text.upper() and len(text) <= len("2026-03-25")
    local = read.replace(tzinfo=None, hour=12) if date_only else read.replace(tzinfo=None)
    return Moment(local, offset=read.utcoffset(), date_only=date_only)


def parse_epoch(value: str) -> Moment:
    """Read seconds since 1970, or milliseconds where they are so many. Raises ValueError for anything else."""
    text = value.strip()
    if not text.isdecimal() or not 9 <= len(text) <= 13:
        raise ValueError(f"{text!r} is no number of seconds or milliseconds since 1970")
    seconds = int(text) / 1000 if len(text) > 10 else int(text)
    return Moment(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None), offset=_NOTHING)


def resolve(moment: Moment, zone_of_place: str | None, zone_of_partner: str | None) -> tuple[datetime, TimeBasis, str]:
    """Place ``moment`` on the earth: the aware instant in its own offset, what that rests on, and a warning.

    An offset or zone in the text wins, then the IANA zone of the place, then that of the partner; with none of
    them the wall time is taken as UTC and the warning says so. A wall time that summer time skips moves
    forward; one that comes twice is taken as the first; both with a warning. Standard time while the place keeps
    summer time is taken at its word, with a warning. ``moment.warning`` is not repeated. Raises
    zoneinfo.ZoneInfoNotFoundError (a KeyError) for a zone nobody knows.
    """
    if moment.offset is not None:
        when = moment.local.replace(tzinfo=_fixed(moment.offset))
        warning = _out_of_season(when, zone_of_place or moment.standard) if moment.standard else ""
        return when, TimeBasis.OFFSET, warning
    if moment.zone:
        return _in_zone(moment.local, moment.zone, TimeBasis.OFFSET)
    if zone_of_place:
        return _in_zone(moment.local, zone_of_place, TimeBasis.LOCATION)
    if zone_of_partner:
        return _in_zone(moment.local, zone_of_partner, TimeBasis.PARTNER)
    warning = "no time zone in the value, of the place or of the partner: taken as UTC"
    return moment.local.replace(tzinfo=UTC), TimeBasis.ASSUMED, warning


def _out_of_season(when: datetime, place: str) -> str:
    if not when.astimezone(_zone_info(place)).dst():
        return ""
    return f"standard time ({when:%z}) is written, while {place} keeps summer time then: taken at its word"


def check_plausible(when: datetime, now: datetime) -> str:
    """Why ``when`` cannot be the time of something that has happened, or "". Both are aware.

    Not before the year 2000, not more than 48 hours ahead of ``now`` (clocks and zones go wrong by less).
    """
    if when < _EARLIEST:
        return f"{when.isoformat()} is before 2000-01-01"
    if when - now > _AHEAD:
        return f"{when.isoformat()} is more than 48 hours in the future"
    return ""


def _read(value: str, code: str) -> Moment:
    """Every format, step by step: take zone and range apart, choose the layout, read the digits."""
    digits, zone_text, warnings = _split(value, code)
    if code in _NO_DAY and len(digits) == len(_NO_DAY[code]):
        message = f"{value!r} in format {code} ({_NO_DAY[code]}) names no day: expected a date, such as format 203"
        raise ValueError(message)
    layout = _LAYOUTS.get(code, "")
    if len(digits) != len(layout):
        layout = _DAY_FIRST.get((code, len(digits))) or _BY_LENGTH.get(len(digits), "")
        if not layout:
            raise ValueError(_wrong_length(value, code))
        said = f"format {code}" if code else "no format"
        warnings.append(f"{said} given, but {value!r} has {len(digits)} digits: read as {layout}")
    elif code in _ZONED and not zone_text:
        warnings.append(f"format {code} needs a zone, {value!r} has none")
    local, late = _wall(digits, layout)
    offset, zone, unknown = read_zone(zone_text)
    warning = "; ".join(filter(None, (*warnings, late, unknown)))
    return Moment(local, offset, zone, "HH" not in layout, warning)


def _split(value: str, code: str) -> tuple[str, str, list[str]]:
    """Digits, zone text, warnings."""
    pair = _RANGE.fullmatch(value)
    if pair and len(pair[1]) == len(pair[2]):
        return pair[1], "", [f"{value!r} is a range: its start is taken"]
    single = _SINGLE.fullmatch(value)
    if not single:
        raise ValueError(_wrong_length(value, code))
    digits, zone_text = single[1], single[2] or ""
    two = len(digits) in _TWO_VALUES or (code in _RANGES and len(digits) == 2 * len(_LAYOUTS[code]))
    if two and not zone_text:
        return digits[: len(digits) // 2], "", [f"{value!r} is a range: its start is taken"]
    return digits, zone_text, []


def _wrong_length(value: str, code: str) -> str:
    expected = _LAYOUTS.get(code, "CCYYMMDDHHMM")
    found = f"{len(value)} characters" if value else "nothing"
    return f"{value!r} is no {expected} date: found {found}, expected digits in the layout {expected}"


def _wall(digits: str, layout: str) -> tuple[datetime, str]:
    """The wall time and, for 24:00, a warning."""
    parts = {name: int(digits[start:end]) for name, start, end in _slices(layout)}
    year = parts["CCYY"] if "CCYY" in parts else 2000 + parts["YY"]
    clock = (parts.get("HH", 12), parts.get("mm", 0), parts.get("SS", 0), parts.get("FFF", 0) * 1000)
    try:
        day = date(year, parts["MM"], parts["DD"])
        if clock == (24, 0, 0, 0):
            return datetime.combine(day + _DAY, time()), "24:00 is taken as 00:00 of the next day"
        return datetime.combine(day, time(*clock)), ""
    except (ValueError, OverflowError):
        message = f"{digits} is no {layout} date: {_fault(year, parts)}"
        raise ValueError(message) from None


def parse_parts(day: str, clock: str, zone: str, wanted: str) -> Moment:
    """Read a date, a time of day and a zone that stand apart; ``wanted`` is a strptime pattern, a 2379 code or "".

    The pattern is that of date and time with one blank between them; without a time it counts up to its hour. A zone
    within date or time goes before ``zone``. Raises ValueError as the functions that read the parts.
    """
    if "%" in wanted:
        text, pattern = (f"{day} {clock}", wanted) if clock else (day, _HOUR.split(wanted)[0].strip())
        moment = parse_pattern(text, pattern)
    else:
        digits = day + clock.replace(":", "")
        moment = parse_edifact(digits, wanted if wanted and clock else _USUAL.get(len(digits), wanted))
    return zoned(moment, zone)


def zoned(moment: Moment, zone: str) -> Moment:
    """The moment with a zone that stands apart, unless it has one already, or is a date."""
    if moment.offset is not None or moment.zone or moment.date_only:
        return moment
    offset, name, unknown = read_zone(zone) if _ZONE_TEXT.fullmatch(zone) else ZoneText(warning=_no_zone(zone))
    return replace(moment, offset=offset, zone=name, warning="; ".join(filter(None, (moment.warning, unknown))))


def _no_zone(text: str) -> str:
    return f"{text!r} is no time zone: taken as local time"


@lru_cache
def _slices(layout: str) -> tuple[tuple[str, int, int], ...]:
    """Name, start and end of each part; ``mm`` is the minute, ``MM`` the month."""
    named = layout.replace("HHMM", "HHmm")
    return tuple((part[0], *part.span()) for part in re.finditer(r"CCYY|FFF|YY|MM|DD|HH|mm|SS", named))


def _fault(year: int, parts: Mapping[str, int]) -> str:
    """The first part that no calendar or clock has."""
    month, day = parts["MM"], parts["DD"]
    if not year:
        return "year 0"
    if not 1 <= month <= 12:
        return f"month {month}"
    if not 1 <= day <= monthrange(year, month)[1]:
        return f"day {day}"
    if parts["HH"] > 23:
        return f"hour {parts['HH']}"
    return f"minute {parts['mm']}" if parts["mm"] > 59 else f"second {parts['SS']}"


def _in_zone(local: datetime, name: str, basis: TimeBasis) -> tuple[datetime, TimeBasis, str]:
    all_day = _all_day(name, local.date())
    if all_day is not None:
        return local.replace(tzinfo=all_day), basis, ""
    there = local.replace(tzinfo=_zone_info(name))
    first, second = there.utcoffset() or _NOTHING, there.replace(fold=1).utcoffset() or _NOTHING
    if first == second:
        return local.replace(tzinfo=_fixed(first)), basis, ""
    if first > second:  # clocks went back: this wall time came twice
        warning = f"{local.isoformat(' ')} is ambiguous in {name}: taken as the first of the two"
        return local.replace(tzinfo=_fixed(first)), basis, warning
    shifted = local + (second - first)
    warning = f"{local.isoformat(' ')} does not exist in {name} (clocks go forward): taken as {shifted:%H:%M}"
    return shifted.replace(tzinfo=_fixed(second)), basis, warning


@lru_cache(maxsize=4096)
def _all_day(name: str, day: date) -> timezone | None:
    """The offset a zone keeps throughout a day; None when its clocks change."""
    ends = (datetime.combine(day, end, _zone_info(name)) for end in (time.min, time.max))
    offsets = {end.replace(fold=fold).utcoffset() or _NOTHING for end in ends for fold in (0, 1)}
    return _fixed(offsets.pop()) if len(offsets) == 1 else None


@lru_cache
def _fixed(offset: timedelta) -> timezone:
    return timezone(offset)


@lru_cache
def _zone_info(name: str) -> ZoneInfo:
    return ZoneInfo(name)
