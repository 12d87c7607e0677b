"""How times are written: the patterns that fit a column's values, and whether more than one reading does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from edi_gateway.mapping.times import Moment, parse_edifact, parse_epoch, parse_iso, parse_pattern

_TRIED: Final = 60  # distinct values each pattern is tried on
_ENOUGH: Final = 0.8
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_EPOCH: Final = re.compile(r"1[0-9]{9}(?:\d{3})?")
_DIGITS: Final = {"102": 8, "203": 12, "204": 14}
_DAYS: Final = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y"),
    *("%m/%d/%y", "%d-%m-%y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%b %d, %Y", "%B %d, %Y"),
    *("%a, %d %b %Y", "%a %d %b %Y", "%Y-%m-%d"),
)
_CLOCKS: Final = ("%H:%M:%S", "%H:%M", "%H.%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%I:%M%p")
_GLUES: Final = (" ", ", ", "T", " - ", "-")
_OTHER: Final = {"%d/%m": "%m/%d", "%d-%m": "%m-%d", "%m/%d": "%d/%m", "%m-%d": "%d-%m"}
_DIGIT_CLOCKS: Final = {
    "%H%M": re.compile(r"(?:[01]\d|2[0-3])[0-5]\d"),
    "%H%M%S": re.compile(r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"),
}
_YEARS: Final = range(2000, 2040)


@dataclass(frozen=True, slots=True)
class Writing:
    """How a column writes times. ``format`` is what a mapping says; "iso" is the default of named places."""

    format: str
    date_only: bool = False
    other: str = ""  # the pattern with day and month the other way round that fits as well
    zoned: bool = False  # every value brings its offset
    misfits: tuple[str, ...] = ()  # values that are no time in this writing


@lru_cache(maxsize=4096)
def writing(values: tuple[str, ...]) -> Writing | None:
    """How these values write dates or times, or None when most of them are none."""
    tried = values[:_TRIED]
    if not tried or not any(any(map(str.isdigit, value)) for value in tried):
        return None
    for name, read in _readers():
        fits = [(value, moment) for value in tried if (moment := _read(read, value))]
        if len(fits) < _ENOUGH * len(tried):
            continue
        good = {value for value, _ in fits}
        return Writing(
            name,
            date_only=all(moment.date_only for _, moment in fits),
            other=_other(name, tuple(good)),
            zoned=all(moment.offset is not None for _, moment in fits),
            misfits=tuple(value for value in tried if value not in good)[:3],
        )
    return None


def clock(values: tuple[str, ...], *, named: bool) -> str:
    """The pattern of times of day these values are, or ""; plain digits are only taken for it when ``named`` so."""
    tried = values[:_TRIED]
    if not tried:
        return ""
    for pattern in _CLOCKS:
        if sum(_read(_with_day(pattern), value) is not None for value in tried) >= _ENOUGH * len(tried):
            return pattern
    for pattern, digits in _DIGIT_CLOCKS.items() if named else ():
        if all(digits.fullmatch(value) for value in tried):
            return pattern
    return ""


def _with_day(pattern: str) -> Callable[[str], Moment]:
    return lambda value: parse_pattern(f"2020-01-01 {value}", f"%Y-%m-%d {pattern}")


def strptime(format_name: str) -> str:
    """The strptime pattern of a date's writing, to be joined with a time of day."""
    return {"iso": "%Y-%m-%d", "102": "%Y%m%d"}.get(format_name, format_name)


def _readers() -> Iterator[tuple[str, Callable[[str], Moment]]]:
    yield "iso", _iso
    yield "epoch", _epoch
    for code, length in _DIGITS.items():
        yield code, _digits(code, length)
    for pattern in _patterns():
        yield pattern, _by(pattern)


@lru_cache
def _patterns() -> Sequence[str]:
    clocked = [f"{day}{glue}{time}" for day in _DAYS for glue in _GLUES for time in _CLOCKS]
    zoned = [f"{day} {time} %z" for day in _DAYS for time in ("%H:%M:%S", "%H:%M")]
    return (*_DAYS, *clocked, *zoned)


def _by(pattern: str) -> Callable[[str], Moment]:
    shape = _shape(pattern)

    def read(value: str) -> Moment:
        if not shape.fullmatch(value):
            raise ValueError(value)
        return parse_pattern(value, pattern)

    return read


@lru_cache(maxsize=1024)
def _shape(pattern: str) -> re.Pattern[str]:
    """A quick first look, since most patterns do not fit."""
    parts = {"Y": r"\d{4}", "y": r"\d\d", "f": r"\d{1,6}", "b": "[A-Za-z]{3}", "B": "[A-Za-z]{3,9}", "a": "[A-Za-z]{3}"}
    parts |= {"p": "[AaPp][Mm]", "z": r"(?:Z|[+-]\d\d:?\d\d)"}
    return re.compile(
        re.sub(r"%(.)", lambda part: parts.get(part[1], r"\d{1,2}"), pattern.replace(".", r"\.")), re.ASCII
    )


def _iso(value: str) -> Moment:
    if not _ISO.fullmatch(value):
        raise ValueError(value)
    return parse_iso(value)


def _epoch(value: str) -> Moment:
    if not _EPOCH.fullmatch(value):
        raise ValueError(value)
    return parse_epoch(value)


def _digits(code: str, length: int) -> Callable[[str], Moment]:
    def read(value: str) -> Moment:
        if len(value) != length or not (value.isascii() and value.isdigit()):
            raise ValueError(value)
        return parse_edifact(value, code)

    return read


def _read(read: Callable[[str], Moment], value: str) -> Moment | None:
    try:
        moment = read(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.local.year in _YEARS else None


def _other(pattern: str, values: Sequence[str]) -> str:
    """The same pattern with day and month the other way round, if it fits all values as well."""
    swapped = next((pattern.replace(one, two) for one, two in _OTHER.items() if one in pattern), "")
    return swapped if swapped and all(_read(_by(swapped), value) for value in values) else ""
