"""Points in time of a message, by the places of a mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Final

from edi_gateway.mapping.notes import Notes, refused
from edi_gateway.mapping.path import Path
from edi_gateway.mapping.schema import Instant
from edi_gateway.mapping.times import (
    Moment,
    check_plausible,
    parse_edifact,
    parse_epoch,
    parse_iso,
    parse_parts,
    parse_pattern,
    resolve,
    zoned,
)
from edi_gateway.mapping.x12_times import parse_x12
from edi_gateway.model import Segment, TimeBasis

_FORESEEABLE: Final = timedelta(days=3650)  # an estimate or a plan further ahead is a slip of the pen
_X12: Final = ("x12",)
_PLAIN: Final = {"iso": parse_iso, "epoch": parse_epoch}
_DAY: Final = timedelta(days=1)  # no zone is further from UTC
_AFTER_ALL_DOUBT: Final = datetime(2000, 1, 2)  # noqa: DTZ001 - a wall time, in whatever zone


@dataclass(slots=True)
class Clock:
    """The present, and the zone of times that name none."""

    now: datetime
    timezone: str | None
    _past: datetime = field(init=False)  # a wall time before which it is past everywhere, or soon

    def __post_init__(self) -> None:
        self._past = self.now.astimezone(UTC).replace(tzinfo=None) + _DAY

    def beyond_doubt(self, moment: Moment) -> bool:
        """Whether it lies behind us wherever it was, and not too long ago: then it need not be checked."""
        return _AFTER_ALL_DOUBT <= moment.local < self._past

    def check(self, when: datetime, instant: Instant, segment: Segment, notes: Notes, *, happened: bool) -> None:
        """Raise DocumentError for a time that cannot be true; what has not happened yet may lie further ahead."""
        why = check_plausible(when, self.now if happened else self.now + _FORESEEABLE)
        if why:
            path = instant.path
            holder = path.find(segment) or segment
            raise refused(
                notes.at(holder, path),
                path.read(holder),
                f"a time that can be true ({why})",
                "check the carrier's clock",
                _code(instant),
            )


def instant_at(
    instant: Instant, holder: Segment, zone_of_place: str | None, zone_of_partner: str | None, notes: Notes
) -> tuple[Moment, datetime, TimeBasis, str]:
    """What the segment says of time, and what that is on earth (see ``times.resolve``).

    Raises DocumentError when it is no date.
    """
    path = instant.path
    text = path.read(holder).strip()
    try:
        if not in_parts(instant):
            beside = holder.get(path.element, path.component + 1).strip() if path.element else ""
            return read_whole(instant.formats, text, beside, zone_of_place, zone_of_partner)
        clock, zone = _said(instant.time, holder), _said(instant.zone, holder)
        return read_parts(instant.formats, text, clock, zone, zone_of_place, zone_of_partner)
    except ValueError as error:
        at = notes.at(holder, path)
        advice = "ask the partner for a corrected report"
        raise refused(at, text, f"a date or time ({error})", advice, _code(instant)) from error


def in_parts(instant: Instant) -> bool:
    """Whether day, time and zone stand in places of their own, for ``read_parts``."""
    return instant.time is not None or instant.zone is not None or instant.formats == _X12


def _code(instant: Instant) -> str:
    """What a time at fault is called in an acknowledgement: 0085 of EDIFACT, 723 of X12."""
    return "8" if instant.formats == _X12 else "12"


When = tuple[Moment, datetime, TimeBasis, str]
"""What is written, the instant that is, what that rests on, and a warning."""


@lru_cache(maxsize=8192)  # scans are reported in the order of their time: many share a minute with their neighbours
def read_whole(
    formats: tuple[str, ...], text: str, beside: str, zone_of_place: str | None, zone_of_partner: str | None
) -> When:
    """What a text means at a place, with what stands beside it (2379); raises ValueError when it is no date."""
    moment = _one_of(formats, text, beside)
    return moment, *resolve(moment, zone_of_place, zone_of_partner)


@lru_cache(maxsize=8192)
def read_parts(
    formats: tuple[str, ...], day: str, clock: str, zone: str, zone_of_place: str | None, zone_of_partner: str | None
) -> When:
    """What the texts of day, time and zone mean at a place; raises ValueError when they are no date."""
    moment = _joined_of(formats, day, clock, zone)
    return moment, *resolve(moment, zone_of_place, zone_of_partner)


def moments(instant: Instant) -> Callable[[str, str, str], Moment]:
    """What makes a moment of the texts of day, time and zone at the places of an instant, or raises ValueError."""
    formats = instant.formats
    if in_parts(instant):
        return partial(_joined_of, formats)
    if len(formats) == 1 and "%" in formats[0]:
        pattern = formats[0]
        return lambda day, _clock, _zone: parse_pattern(day, pattern)
    return lambda day, _clock, _zone: _one_of(formats, day, "")


def _one_of(formats: tuple[str, ...], text: str, beside: str) -> Moment:
    if len(formats) == 1:
        return _moment(formats[0], text, beside)
    return _first_fit(formats, lambda wanted: _moment(wanted, text, beside))


def _joined_of(formats: tuple[str, ...], day: str, clock: str, zone: str) -> Moment:
    return _first_fit(formats, lambda wanted: _joined(wanted, day, clock, zone))


def _first_fit(formats: tuple[str, ...], read: Callable[[str], Moment]) -> Moment:
    """What the first of the formats makes of it; raises ValueError when none of them fits."""
    said = []
    for wanted in formats:
        try:
            return read(wanted)
        except ValueError as error:
            said.append(str(error))
    raise ValueError("; ".join(said))


def _moment(wanted: str, text: str, beside: str) -> Moment:
    if wanted in _PLAIN:
        return _PLAIN[wanted](text)
    if wanted == "edifact":
        return parse_edifact(text, beside)
    return parse_pattern(text, wanted) if "%" in wanted else parse_edifact(text, wanted)


def _joined(wanted: str, day: str, clock: str, zone: str) -> Moment:
    if wanted == "x12":
        return parse_x12(day, clock, zone)
    if wanted in _PLAIN:
        return zoned(_PLAIN[wanted](f"{day}T{clock}" if clock else day), zone)
    return parse_parts(day, clock, zone, "" if wanted == "edifact" else wanted)


def _said(place: Path | None, holder: Segment) -> str:
    return place.read(holder).strip() if place else ""
