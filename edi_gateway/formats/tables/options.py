"""What files of rows have in common: record types, which stand below others, and trailers that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from edi_gateway.formats.text import codec_named
from edi_gateway.table import ROW

ANY: Final = "*"

RecordName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,30}$")]
Encoding = Annotated[str, AfterValidator(lambda name: name and codec_named(name))]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Options(BaseModel):
    """Base of what stands inside a format's options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Trailer(Options):
    """The record that ends a file."""

    record: RecordName = Field(description="its record type")
    count: str = Field("", description="the column or field in which it counts records")
    counts: Names = Field((), description="record types that are counted; all but the trailer's when left out")


class Kind(Options):
    """What is known of a record type, whatever its columns or fields."""

    code: str = Field("", description='what the file calls it, "*" for every other; its name when left out')
    below: str = Field("", description="the record type it belongs to: the last of that type before it")


def kind_by_code(records: Mapping[str, Kind]) -> Mapping[str, str]:
    """Code in the file → name of the record type."""
    return {kind.code or name: name for name, kind in records.items()}


def check_records(records: Mapping[str, Kind], trailer: Trailer | None) -> None:
    """Raise ValueError for names that name nothing, and for types that lie below themselves."""
    known = ", ".join(records) or "none"
    for name, kind in records.items():
        if kind.below and kind.below not in records:
            raise ValueError(f"records.{name}.below: there is no record type {kind.below!r}; there are: {known}")
        above, seen = kind.below, [name]
        while above:
            if above in seen:
                raise ValueError(f"records.{name}.below: {' → '.join([*seen, above])} goes in a circle")
            seen.append(above)
            above = records[above].below if above in records else ""
    if trailer is None:
        return
    strangers = [each for each in (trailer.record, *trailer.counts) if each not in records]
    if strangers:
        raise ValueError(f"trailer: there is no record type {strangers[0]!r}; there are: {known}")


def counted(trailer: Trailer, found: Mapping[str, int], records: Sequence[str]) -> int:
    """How many records the trailer should have counted."""
    kinds = trailer.counts or [name for name in records if name != trailer.record]
    return sum(found.get(kind, 0) for kind in kinds)


def only_row(records: Mapping[str, Kind]) -> bool:
    """Whether there are no record types at all."""
    return not records or list(records) == [ROW]
