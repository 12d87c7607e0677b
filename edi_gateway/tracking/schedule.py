"""When a shipment of a polled carrier is checked, as data: phases by age, pauses while nothing changes, and an end."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from edi_gateway.quantities import Duration

_NONE: Final = timedelta(0)
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


_Pause = Annotated[Duration, Field(ge=timedelta(seconds=1))]
_Pauses = Annotated[tuple[_Pause, ...], BeforeValidator(_as_list), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Phase(_Part):
    """How often a shipment of a certain age is checked."""

    until: Annotated[Duration, Field(gt=_NONE)] | None = Field(
        None, description="age since tracking began at which the phase ends; left out: it never does"
    )
    every: _Pauses = Field(
        description="pause between two checks; a list: the next one of it after each check that brought no news,"
        " and the first again at once on news"
    )
    at_most: Duration | None = Field(
        None, description="each pause is drawn between every and this; left out: no longer than every"
    )
    only: Annotated[str, Field(pattern="^collected$")] | None = Field(
        None, description="collected: ends the tracking of what the carrier has not collected yet"
    )

    @model_validator(mode="after")
    def _widens(self) -> Phase:
        if self.at_most is not None and self.at_most < max(self.every):
            raise ValueError(f"at_most is {self.at_most}, expected no less than every")
        return self


class Tail(_Part):
    """So many last checks, and then no more."""

    checks: int = Field(ge=0, le=1000, description="how many checks are still made")
    every: _Pause = Field(_DAY, description="pause between them")


_AFTER_DELIVERY: Final = Tail(checks=7)
_UNKNOWN: Final = Tail(checks=14)


class Schedule(_Part):
    """When a shipment is checked; the phases are gone through by its age, the last one's end is the end of tracking."""

    phases: tuple[Phase, ...] = Field(min_length=1, description="how often, by age; the youngest first")
    after_delivery: Tail = Field(_AFTER_DELIVERY, description="checks of what was delivered, returned or cancelled")
    unknown: Tail = Field(_UNKNOWN, description="checks of a number that the carrier says it does not know, in a row")
    silence: Annotated[Duration, Field(gt=_NONE)] = Field(
        90 * _DAY, description="without any news for longer than this, tracking ends"
    )

    @model_validator(mode="after")
    def _gets_older(self) -> Schedule:
        ends = [phase.until for phase in self.phases]
        limited = [end for end in ends[:-1] if end is not None]
        if len(limited) < len(ends) - 1:
            raise ValueError("phases: a phase without until is not the last, expected an end of every other")
        every = [*limited, *(end for end in ends[-1:] if end is not None)]
        if any(later <= earlier for earlier, later in pairwise(every)):
            raise ValueError("phases: each has to end later than the one before it")
        return self

    def phase(self, age: timedelta) -> Phase | None:
        """The phase of that age; None: tracking is over."""
        return next((phase for phase in self.phases if phase.until is None or age < phase.until), None)


BUILT_IN: Final = {
    "frequent": Schedule(phases=(Phase(every=(5 * _MINUTE,), at_most=15 * _MINUTE),)),
    # A day is over when the next begins: days 0 to 7 end with an age of eight days.
    "age_based": Schedule(
        phases=(
            Phase(until=8 * _DAY, every=(_HOUR,)),
            Phase(until=15 * _DAY, every=(_DAY,)),
            Phase(until=61 * _DAY, every=(_DAY,), only="collected"),
        )
    ),
    "safety_net": Schedule(phases=(Phase(every=(2 * _HOUR,)),)),
    "quiet_backoff": Schedule(phases=(Phase(every=(10 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 6 * _HOUR, 24 * _HOUR)),)),
}


def _named(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in BUILT_IN:
        raise ValueError(f"found {value!r}, expected one of {', '.join(BUILT_IN)}, or phases of its own")
    return BUILT_IN[value]


_Name = Literal["frequent", "age_based", "safety_net", "quiet_backoff"]
ScheduleOption = Annotated[Schedule, BeforeValidator(_named, json_schema_input_type=_Name | Schedule)]
"""A schedule by its name, or one written out."""
