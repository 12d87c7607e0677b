"""Times of ANSI X12: date (373), time (337) and time code (623) in three places of a segment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from edi_gateway.mapping.times import Moment
from edi_gateway.mapping.zones import ZoneText

_DAY: Final = re.compile(r"(\d\d)?(\d\d)(\d\d)(\d\d)", re.ASCII)
_CLOCK: Final = re.compile(r"(\d\d)(\d\d)(?:(\d\d)(\d{1,2})?)?", re.ASCII)
_UNKNOWN: Final = re.compile(r"(?:00|24)0{2,6}", re.ASCII)  # a whole midnight: written where the time is not known
_UTC: Final = frozenset({"UT", "GM"})
_NAMED: Final[Mapping[str, str]] = {  # letter of a North American zone → the zone, whose summer time it keeps
    "E": "America/New_York",
    "C": "America/Chicago",
    "M": "America/Denver",
    "P": "America/Los_Angeles",
    "A": "America/Anchorage",
    "H": "Pacific/Honolulu",
    "T": "America/Halifax",
    "N": "America/St_Johns",
}
_STANDARD: Final[Mapping[str, float]] = {"E": -5, "C": -6, "M": -7, "P": -8, "A": -9, "H": -10, "T": -4, "N": -3.5}
_ODD: Final[Mapping[str, float]] = {"25": -2.5, "26": -3.5, "27": 5.5, "28": 9.5, "29": 10.5}


@lru_cache(maxsize=256)
def read_time_code(code: str) -> ZoneText:
    """Meaning of a time code (623): ES is UTC-5 and ED UTC-4 all the year, ET what New York keeps, 13 is UTC-12.

    LT, a blank or nothing is local time; a code that is in no list counts as that, with a warning.
    """
    if code in {"", "LT"}:
        return ZoneText()
    if code in _UTC:
        return ZoneText(timedelta(0))
    hours = _ODD.get(code)
    if hours is None and code.isascii() and code.isdigit() and 1 <= int(code) <= 24:
        hours = int(code) if int(code) <= 12 else int(code) - 25
    if hours is None and len(code) == 2 and code[0] in _NAMED:
        if code[1] == "T":
            return ZoneText(zone=_NAMED[code[0]])
        hours = {"S": _STANDARD[code[0]], "D": _STANDARD[code[0]] + 1}.get(code[1])
    if hours is None:
        return ZoneText(warning=f"time code {code!r} is in no list (623): taken as local time")
    return ZoneText(timedelta(hours=hours))


def with_time_code(when: datetime) -> tuple[datetime, str]:
    """The same instant with the time code (623) of its offset; in UTC (UT) where there is no code for that."""
    hours = (when.utcoffset() or timedelta(0)) / timedelta(hours=1)
    for code in ("UT", *(f"{number:02}" for number in range(1, 25)), *_ODD):
        if read_time_code(code).offset == timedelta(hours=hours):
            return when, code
    return when.astimezone(UTC), "UT"


def parse_x12(day: str, clock: str, code: str) -> Moment:
    """Read CCYYMMDD (or YYMMDD), HHMM[SS[D[D]]] and a time code; each blank-padded, the last two may be absent.

    0000 and 2400 stand for a time that is not known: the day counts, with a warning. Raises ValueError, naming the
    part at fault, for what is no date or no time.
    """
    day, clock, code = day.strip(), clock.strip(), code.strip().upper()
    local = _usual(day, clock)
    if local is None:
        on = _date(day)
        if not clock or _UNKNOWN.fullmatch(clock):
            warning = f"{clock} is written where the time of day is not known: the day is taken" if clock else ""
            return Moment(datetime.combine(on, time(12)), date_only=True, warning=warning)
        local = datetime.combine(on, _time(clock))
    offset, zone, warning = read_time_code(code)
    standard = _NAMED[code[0]] if offset is not None and code[1:] == "S" else ""
    return Moment(local, offset, zone, False, warning, standard)


def _usual(day: str, clock: str) -> datetime | None:
    """CCYYMMDD and HHMM at once, which is how most write it; None for anything else."""
    digits = day + clock
    if len(day) != 8 or len(clock) != 4 or clock in {"0000", "2400"} or not (digits.isdigit() and digits.isascii()):
        return None
    try:
        return datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        return None  # the careful way says which part is at fault


def _date(text: str) -> date:
    parts = _DAY.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no CCYYMMDD date")
    try:
        return date(int(parts[1] or 20) * 100 + int(parts[2]), int(parts[3]), int(parts[4]))
    except ValueError as error:
        raise ValueError(f"{text} is no CCYYMMDD date: {error}") from None


def _time(text: str) -> time:
    parts = _CLOCK.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no HHMM[SS[DD]] time")
    try:
        return time(int(parts[1]), int(parts[2]), int(parts[3] or 0), int((parts[4] or "").ljust(6, "0")))
    except ValueError as error:
        raise ValueError(f"{text} is no HHMM[SS[DD]] time: {error}") from None
