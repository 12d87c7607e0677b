"""The delimited and fixed width encoders: a customer's layout as rows or lines."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from io import StringIO
from itertools import pairwise
from typing import Final, Literal

from pydantic import Field, model_validator

from edi_gateway.errors import RefusedError
from edi_gateway.formats.tables.delimited import Delimiter
from edi_gateway.formats.tables.fixed_width import Place
from edi_gateway.formats.tables.options import Encoding, Options, RecordName
from edi_gateway.formats.text import encoded, replaced
from edi_gateway.located import did_you_mean
from edi_gateway.model import OutboundMessage, OutboundSegment
from edi_gateway.plugins import Plugin
from edi_gateway.table import ROW

_BREAKS: Final = {"lf": "\n", "crlf": "\r\n"}


class WrittenTrailer(Options):
    """The record that ends a file."""

    record: RecordName = Field(description="its record type")
    count: str = Field("", description="the column or field for the number of records before it")


class _Rows(Plugin):
    """What both encoders have in common."""

    recipient: str = Field(description="whose files these are: destinations of one recipient share control numbers")
    encoding: Encoding = Field("utf-8", description="such as utf-8, cp1252 or latin-1")
    line_break: Literal["crlf", "lf"] = Field("crlf", description="what ends a row")
    trailer: WrittenTrailer | None = Field(None, description="the record that ends the file")

    @property
    def partnership(self) -> str:
        """The recipient: within it, control numbers are unique."""
        return f"rows for {self.recipient}"

    @property
    def largest_control(self) -> int:
        """As many digits as other syntaxes have, so that a partner may change to one of them."""
        return 99_999_999_999_999

    def replace(self, text: str) -> str:
        """The text with what the encoding cannot carry written by the nearest characters, at last a blank."""
        return replaced(text, self.encoding)

    def _records(self, messages: Sequence[OutboundMessage]) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Tag and texts of each record in writing order; the trailer last, with its count."""
        counts, last = Counter[str](), dict[str, str]()
        for message in messages:
            for segment in _flat(message.body.children):
                if self.trailer and segment.tag == self.trailer.record:
                    last |= segment.names
                    continue
                counts[segment.tag] += 1
                yield segment.tag, _named(segment)
        if self.trailer:
            counted = {self.trailer.count: str(counts.total())} if self.trailer.count else {}
            yield self.trailer.record, {**last, **counted}


class DelimitedOutput(_Rows):
    """Writes rows whose cells are delimited, quoted exactly where they have to be (RFC 4180)."""

    delimiter: Delimiter = Field(",", description="what is between cells: a character, comma, semicolon, tab or pipe")
    quote: Literal['"', "'", ""] = Field(
        '"', description='what quotes cells; "": nothing, and what needs it is refused'
    )
    quote_all: bool = Field(default=False, strict=True, description="quote every cell")
    byte_order_mark: bool = Field(default=False, strict=True, description="begin with one, as Excel wants UTF-8")
    header: bool = Field(default=True, strict=True, description="begin with the names of the columns")
    columns: tuple[str, ...] = Field((), description="the columns in order, by the names the mapping writes to")
    records: dict[RecordName, tuple[str, ...]] = Field(
        default_factory=dict, description="record type → its columns in order, instead of columns; there is no header"
    )

    @model_validator(mode="after")
    def _agree(self) -> DelimitedOutput:
        if bool(self.columns) == bool(self.records):
            raise ValueError("expected either columns or records")
        if self.delimiter == "auto":
            raise ValueError("delimiter: auto is for reading, expected a character")
        if self.trailer and self.trailer.record not in self.records:
            raise ValueError(f"trailer: there is no record type {self.trailer.record!r} among records")
        return self

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:  # noqa: ARG002
        """The file; raises RefusedError for a text without a column, and for what the encoding cannot hold."""
        text = StringIO()
        writer = csv.writer(
            text,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_NONE if not self.quote else csv.QUOTE_ALL if self.quote_all else csv.QUOTE_MINIMAL,
            lineterminator=_BREAKS[self.line_break],
        )
        records = self.records or {ROW: self.columns}
        if self.columns and self.header:
            writer.writerow(self.columns)
        for tag, names in self._records(messages):
            try:
                writer.writerow(_in_order(tag, names, records))
            except csv.Error as error:
                raise RefusedError(
                    f"{tag}: {names}: {error}: without a quote, no text may hold the delimiter"
                ) from error
        mark = "\ufeff" if self.byte_order_mark else ""
        return encoded(mark + text.getvalue(), self.encoding)


class WrittenPlace(Place):
    """Where a field is written, and how."""

    align: Literal["left", "right"] = Field("left", description="where the text stands in the field")
    fill: str = Field(" ", min_length=1, max_length=1, description="what fills the rest")


class FixedWidthOutput(_Rows):
    """Writes lines whose fields stand at fixed places; what is too long for its field is refused."""

    records: dict[RecordName, dict[str, WrittenPlace]] = Field(
        min_length=1, description="record type → its fields, each with start and length; ROW where there are no types"
    )

    @model_validator(mode="after")
    def _agree(self) -> FixedWidthOutput:
        if self.trailer and self.trailer.record not in self.records:
            raise ValueError(f"trailer: there is no record type {self.trailer.record!r} among records")
        for tag, fields in self.records.items():
            places = sorted((place.start, place.start + place.length, name) for name, place in fields.items())
            for (_, end, name), (start, _, other) in pairwise(places):
                if start < end:
                    raise ValueError(f"records.{tag}: {name} and {other} overlap")
        return self

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:  # noqa: ARG002
        """The file; raises RefusedError for a text without a field or too long for it, or that cannot be encoded."""
        ends = _BREAKS[self.line_break]
        return encoded("".join(self._line(*record) + ends for record in self._records(messages)), self.encoding)

    def _line(self, tag: str, names: Mapping[str, str]) -> str:
        fields = self.records.get(tag)
        if fields is None:
            raise _no_record(tag, self.records)
        line = ""
        cells = _in_order(tag, names, {tag: tuple(fields)})
        for cell, (name, place) in sorted(zip(cells, fields.items(), strict=True), key=lambda each: each[1][1].start):
            if len(cell) > place.length or "\n" in cell or "\r" in cell:
                raise RefusedError(
                    f"{tag}@{name}: found {cell!r}, expected at most {place.length} characters on one line;"
                    " max_length in the mapping cuts"
                )
            fill = cell.rjust if place.align == "right" else cell.ljust
            line = line.ljust(place.start - 1) + fill(place.length, place.fill)
        return line


def _flat(segments: Sequence[OutboundSegment]) -> Iterator[OutboundSegment]:
    for segment in segments:
        yield segment
        yield from _flat(segment.children)


def _named(segment: OutboundSegment) -> Mapping[str, str]:
    """The texts by name; those that are placed by number go by it."""
    if any(len(components) > 1 for components in segment.elements):
        raise RefusedError(f"{segment.tag}: a cell has no components, expected places such as @2 or @Column")
    numbered = {str(number): texts[0] for number, texts in enumerate(segment.elements, 1) if texts and texts[0]}
    return {**numbered, **segment.names} if numbered else segment.names


def _in_order(tag: str, names: Mapping[str, str], records: Mapping[str, Sequence[str]]) -> list[str]:
    columns = records.get(tag)
    if columns is None:
        raise _no_record(tag, records)
    places = {str(number): name for number, name in enumerate(columns, 1)}
    known = {places.get(name, name): text for name, text in names.items()}
    for name in known:
        if name not in columns:
            near = did_you_mean(name, columns)
            raise RefusedError(f"{tag} has no column {name!r}, expected one of {', '.join(columns)}{near}")
    return [known.get(name, "") for name in columns]


def _no_record(tag: str, records: Mapping[str, object]) -> RefusedError:
    return RefusedError(f"there is no record type {tag}, expected one of {', '.join(records)}")
