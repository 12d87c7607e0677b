"""Sequences of control numbers in the configuration."""

from __future__ import annotations

from typing import Final

from pydantic import Field, model_validator

from edi_gateway.config.fields import Section
from edi_gateway.pipeline import partners

_MAX_CONTROL: Final = 99_999_999_999_999  # EDIFACT 0020 holds fourteen characters


class ControlNumbers(Section):
    """The sequence of interchange control references (UNB 0020, ISA13)."""

    start: int = Field(1, ge=0, le=_MAX_CONTROL, description="the first number")
    maximum: int = Field(
        _MAX_CONTROL, ge=1, le=_MAX_CONTROL, description="the last number; at most what the syntax has room for"
    )
    roll_over: bool = Field(
        default=True, strict=True, description="begin again at start after the last; false: stop and say so"
    )

    @model_validator(mode="after")
    def _ascending(self) -> ControlNumbers:
        if self.maximum < self.start:
            raise ValueError(f"maximum {self.maximum} is below start {self.start}, expected start first")
        return self

    def wired(self, key: str, largest: int) -> partners.ControlNumbers:
        """The sequence as the pipeline knows it; ``key`` says whose it is, ``largest`` what the syntax has room for."""
        return partners.ControlNumbers(key, self.start, min(self.maximum, largest), self.roll_over)
