"""How points in time are written: in one place, or date, time of day and zone each in a place of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from edi_gateway.mapping.path import Path
from edi_gateway.mapping.schema import Instant
from edi_gateway.mapping.x12_times import with_time_code

WRITTEN_FORMATS: Final = {  # DE 2379
    "102": "%Y%m%d",
    "203": "%Y%m%d%H%M",
    "204": "%Y%m%d%H%M%S",
    "205": "%Y%m%d%H%M%z",
}
DATE_FORMATS: Final = frozenset({"edifact", "iso", "x12"})
_HOUR: Final = re.compile(r"%[-#]?[HIXc].*")


def format_edifact(when: datetime, code: str) -> str:
    """The instant in a date/time format of DE 2379 (102, 203, 204 or 205), in its own offset."""
    return when.strftime(WRITTEN_FORMATS[code])


def apart(instant: Instant, when: datetime, *, date_only: bool) -> Iterator[tuple[Path, str]]:
    """The places of date, time of day and zone, with what is written there.

    Where the zone has a place, X12's time code says it (a time that none fits is written in UTC), else the offset.
    """
    zone, wanted = f"{when:%z}", instant.formats[0]
    if wanted == "x12" and instant.zone and not date_only:
        when, zone = with_time_code(when)
    pattern = wanted if "%" in wanted else WRITTEN_FORMATS.get(wanted, "%Y%m%d%H%M")
    clock = _HOUR.search(pattern)
    yield instant.path, when.strftime(pattern[: clock.start()].strip() if clock else pattern)
    if instant.time and clock and not date_only:
        yield instant.time, when.strftime(clock[0])
        if instant.zone:
            yield instant.zone, zone
