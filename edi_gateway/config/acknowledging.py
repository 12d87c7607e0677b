"""Acknowledgements in the configuration: those a carrier gets of us, and those we await of a customer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from edi_gateway.acknowledgements import Kind
from edi_gateway.config.fields import Section, as_list
from edi_gateway.config.file_names import AnswerNameText, parse_answer_name
from edi_gateway.config.numbers import ControlNumbers
from edi_gateway.quantities import Duration

PositiveDuration = Annotated[Duration, Field(gt=timedelta(0))]
Retry = Annotated[tuple[Annotated[Duration, Field(ge=timedelta(0))], ...], Field(min_length=1)]
_EDIFACT: Final = frozenset({Kind.CONTRL, Kind.APERAK})


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value  # 997 and 999 are numbers in YAML


def _one_syntax(kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    if len({kind in _EDIFACT for kind in kinds}) > 1:
        found = ", ".join(kinds)
        raise ValueError(f"found {found}, expected those of one syntax: contrl and aperak, or 997, 999 and ta1")
    if {Kind.FUNCTIONAL, Kind.IMPLEMENTATION} <= set(kinds):
        raise ValueError("found 997 and 999, expected one of them: a partner would be told the same twice")
    return tuple(dict.fromkeys(kinds))


KindText = Annotated[Kind, BeforeValidator(_as_text)]
Kinds = Annotated[tuple[KindText, ...], Field(min_length=1), BeforeValidator(as_list), AfterValidator(_one_syntax)]


class AcknowledgeOptions(Section):
    """What a carrier is told of what it sent through a channel."""

    send: Kinds = Field(description="contrl, aperak, 997, 999, ta1: one or a list")
    sink: dict[str, Any] = Field(description="where they go: a type and its options")
    when: Literal["always", "requested", "errors"] = Field(
        "always", description="always; if the interchange asks for it (UNB 0031, ISA14); or if anything was found in it"
    )
    within: PositiveDuration = Field(
        timedelta(seconds=60), description="how long an acknowledgement may take to be delivered; later is an alarm"
    )
    file_name: AnswerNameText = Field(
        parse_answer_name("{kind}_{partner}_{control:09}.edi"),
        description="name of each file; {control} in it, {kind}, {partner}, {date:%Y%m%d} if wanted",
    )
    layout: Literal["D:3", "2:2", "4:1"] = Field(
        "D:3", description="version of CONTRL: D:3 (syntax 3), 2:2 (older agreements) or 4:1 (syntax 4)"
    )
    association: str = Field("", max_length=6, description="association assigned code of CONTRL and APERAK (UNH 0057)")
    line_breaks: Literal["none", "lf", "crlf"] = Field("none", description="what follows each segment terminator")
    control_numbers: ControlNumbers = Field(ControlNumbers(), description="bounds of the control numbers")
    retry: Retry | None = Field(None, description="pauses after each failed attempt; as gateway.yaml when left out")

    @property
    def edifact(self) -> bool:
        """Whether they are EDIFACT; else they are X12."""
        return self.send[0] in _EDIFACT


class AwaitedOptions(Section):
    """The acknowledgement a customer owes for each file."""

    expect: KindText = Field(description="contrl, aperak, 997, 999 or ta1")
    within: PositiveDuration = Field(
        timedelta(hours=4), description="how long after delivery it may take; later is an alarm"
    )


class CustomerChannelOptions(Section):
    """How a customer's acknowledgements come."""

    source: dict[str, Any] = Field(description="where files come from: a type and its options")
    format: dict[str, Any] = Field(description="the syntax of the files: a type and its options")
    every: PositiveDuration | None = Field(
        None, description="how often to look for files; as gateway.yaml when left out"
    )
    unique_references: bool = Field(
        default=True,
        strict=True,
        description="false: this partner uses interchange references again, so another content under one is no mistake",
    )
    patience: Annotated[Duration, Field(ge=timedelta(0))] = Field(
        timedelta(minutes=10),
        description="how long a file without its end may stay unchanged before it is taken as it is; 0s: not at all",
    )
    enabled: bool = Field(
        default=True, strict=True, description="false: not polled, its plugins and secrets not even looked at"
    )
