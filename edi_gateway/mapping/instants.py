"""Points in time of a message, by the places of a mapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from edi_gateway.mapping.notes import Notes, refused
from edi_gateway.mapping.path import Path
from edi_gateway.mapping.schema import Instant
from edi_gateway.mapping.times import (
    Moment,
    check_plausible,
    parse_edifact,
    parse_parts,
    parse_pattern,
    resolve,
)
from edi_gateway.mapping.x12_times import parse_x12
from edi_gateway.model import Segment, TimeBasis

_FORESEEABLE: Final = timedelta(days=3650)  # an estimate or a plan further ahead is a slip of the pen
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

    def check(
        self, when: datetime, moment: Moment, instant: Instant, segment: Segment, notes: Notes, *, happened: bool
    ) -> None:
        """Raise DocumentError for a time that cannot be true; what has not happened yet may lie further ahead."""
        if _AFTER_ALL_DOUBT <= moment.local < self._past:
            return
        why = check_plausible(when, self.now if happened else self.now + _FORESEEABLE)
        if why:
            path = instant.path
            holder = path.find(segment) or segment
            raise refused(
                notes.at(holder, path),
                path.read(holder),
                f"a time that can be true ({why})",
                "check the carrier's clock",
                "12",
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
        if instant.time is None and instant.zone is None and instant.format != "x12":
            beside = holder.get(path.element, path.component + 1).strip() if path.element else ""
            return _read(instant.format, text, beside, zone_of_place, zone_of_partner)
        clock, zone = _said(instant.time, holder), _said(instant.zone, holder)
        return _read_parts(instant.format, text, clock, zone, zone_of_place, zone_of_partner)
    except ValueError as error:
        at = notes.at(holder, path)
        advice = "ask the partner for a corrected report"
        raise refused(at, text, f"a date or time ({error})", advice, "12") from error


@lru_cache(maxsize=8192)  # scans are reported in the order of their time: many share a minute with their neighbours
def _read(
    wanted: str, text: str, beside: str, zone_of_place: str | None, zone_of_partner: str | None
) -> tuple[Moment, datetime, TimeBasis, str]:
    if wanted == "edifact":
        moment = parse_edifact(text, beside)
    else:
        moment = parse_pattern(text, wanted) if "%" in wanted else parse_edifact(text, wanted)
    return moment, *resolve(moment, zone_of_place, zone_of_partner)


@lru_cache(maxsize=8192)
def _read_parts(
    wanted: str, day: str, clock: str, zone: str, zone_of_place: str | None, zone_of_partner: str | None
) -> tuple[Moment, datetime, TimeBasis, str]:
    if wanted == "x12":
        moment = parse_x12(day, clock, zone)
    else:
        moment = parse_parts(day, clock, zone, "" if wanted == "edifact" else wanted)
    return moment, *resolve(moment, zone_of_place, zone_of_partner)


def _said(place: Path | None, holder: Segment) -> str:
    return place.read(holder).strip() if place else ""
