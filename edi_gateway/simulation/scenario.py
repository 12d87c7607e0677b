"""Scripted histories of shipments: YAML files beside this one, told step by step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edi_gateway.located import did_you_mean, load, validate
from edi_gateway.quantities import Duration

FOLDER: Final = Path(__file__).parent / "scenarios"
_NOW: Final = timedelta(0)

Span = Annotated[Duration, Field(ge=_NOW)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(_Strict):
    """Where something happens, and by which clock it is told."""

    name: str
    unlocode: str
    country: str
    zone: str

    @model_validator(mode="after")
    def _is_zone(self) -> Place:
        ZoneInfo(self.zone)
        return self


class Step(_Strict):
    """One report of the carrier: what it says, and how long after the report before it comes."""

    after: Span = Field(_NOW, description="since the report before")
    code: str = Field("", description="what happened, as mappings/simulated/events.yaml has it; none in a cancellation")
    text: str = ""
    place: str = Field("", description="one of the scenario's places")
    late: Span = Field(_NOW, description="how long before the report it happened")
    expected: Span | None = Field(None, description="delivery is expected so long after this report")
    again: bool = Field(default=False, description="the report before once more, in a document of its own")
    name: str = Field("", description="by which a later step cancels or replaces the report")
    cancels: str = ""
    replaces: str = ""
    piece: str = ""
    signatory: str = ""

    @property
    def function(self) -> Literal["original", "cancellation", "replacement"]:
        """What the report does to one that came before."""
        return "cancellation" if self.cancels else "replacement" if self.replaces else "original"


class Scenario(_Strict):
    """What happens to one shipment."""

    title: str
    tracking_code: str = Field("", description="the test tracking code that tells this history")
    places: Mapping[str, Place]
    references: Mapping[str, str] = Field(default_factory=dict)
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _hangs_together(self) -> Scenario:
        named: set[str] = set()
        for number, step in enumerate(self.steps, 1):
            about = step.cancels or step.replaces
            if about and about not in named:
                raise ValueError(f"step {number}: there is no report {about!r} before it")
            if step.place and step.place not in self.places:
                raise ValueError(f"step {number}: there is no place {step.place!r}")
            if not (step.code or step.expected is not None or step.cancels or step.again):
                raise ValueError(f"step {number} says nothing: expected code, expected, cancels or again")
            named.add(step.name)
        return self

    @property
    def lasts(self) -> timedelta:
        """From its first report to its last."""
        return sum((step.after for step in self.steps), _NOW)


def names() -> list[str]:
    """The names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def scenario(name: str) -> Scenario:
    """The scenario of that name. Raises LookupError when there is none."""
    if name not in names():
        raise LookupError(f"there is no scenario {name}{did_you_mean(name, names())}; see edi-gateway simulate --list")
    return validate(Scenario, load(FOLDER / f"{name}.yaml"))


@cache
def tracking_codes() -> Mapping[str, str]:
    """Test tracking code → name of the scenario that it tells."""
    told = ((scenario(name).tracking_code, name) for name in names())
    return {code: name for code, name in told if code}
