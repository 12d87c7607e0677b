"""What may stand between the bytes that arrive and a format: the options, as people write them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edi_gateway.quantities import Size


class Unpack(BaseModel):
    """How packed files are unpacked, and how far they may expand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accept: Literal["auto", "gzip", "zip", "plain"] = Field(
        "auto",
        description="auto: what begins as gzip or zip does is unpacked; gzip, zip: nothing else is taken; plain: never",
    )
    max_size: Size = Field(
        256_000_000, ge=1, description="what one file may unpack to, all of a zip's members together"
    )
    max_ratio: int = Field(
        200, ge=1, description="how many times its packed size a file may unpack to; not looked at below 1 MB"
    )
