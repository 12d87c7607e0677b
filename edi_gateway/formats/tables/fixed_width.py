"""The fixed width format: lines whose fields stand at places counted in characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Final

from pydantic import Field, model_validator

from edi_gateway.formats.strictness import Strict, empty_file, strictly
from edi_gateway.formats.tables.messages import Nesting, tag_of
from edi_gateway.formats.tables.options import Encoding, Kind, Options, RecordName, Trailer, check_records, kind_by_code
from edi_gateway.formats.tables.trailers import count_remarks, missing_trailer
from edi_gateway.formats.text import PADDING, Decoding, settle
from edi_gateway.model import Finding, Interchange, Level, Party, Position, Severity
from edi_gateway.plugins import Plugin
from edi_gateway.table import Columns, Row

_SHOWN: Final = 40


class Place(Options):
    """Where a field stands on its line."""

    start: int = Field(ge=1, description="its first character, counted from 1")
    length: int = Field(ge=1, description="how many characters it has")

    @property
    def cut(self) -> slice:
        """Its part of a line."""
        return slice(self.start - 1, self.start - 1 + self.length)


class Lines(Kind):
    """The fields of one record type."""

    fields: dict[str, Place] = Field(min_length=1, description="name → start and length")


class FixedWidth(Plugin):
    """Reads lines of fields that stand at fixed places."""

    records: dict[RecordName, Lines] = Field(
        min_length=1, description='record types; a file of one kind of line has one of code "*"'
    )
    tag: Place = Field(Place(start=1, length=1), description="where the record type stands on its line")
    encoding: Encoding = Field("", description="such as cp1252; left out: UTF-8, or cp1252 where it is none")
    skip: int = Field(0, ge=0, description="lines at the top that are passed over")
    control_reference: str = Field(
        "", description="RECORD@FIELD in which the sender numbers its files: each number comes once"
    )
    trailer: Trailer | None = Field(
        None, description="the record that ends the file: without it, the file is cut short"
    )
    strict: Strict = False

    @model_validator(mode="after")
    def _agree(self) -> FixedWidth:
        check_records(self.records, self.trailer)
        return self

    @property
    def names(self) -> Sequence[str] | None:
        """Every name a mapping may use."""
        return [name for kind in self.records.values() for name in kind.fields]

    def is_complete(self, content: bytes) -> bool:
        """Whether there is something, and the trailer at its end if there has to be one."""
        last = content.rstrip(PADDING).rpartition(b"\n")[2]
        if self.trailer is None or not last:
            return bool(last)
        return self._tag(last.decode("latin-1")) == self.trailer.record

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """One interchange for the document; raises DocumentError when it is empty."""
        if not content.strip(PADDING):
            raise empty_file(content, "lines of fields", strict=self.strict)
        interchanges = self._read(content)
        yield from strictly(interchanges) if self.strict else interchanges

    def _read(self, content: bytes) -> Iterator[Interchange]:
        decoding = settle(content, self.encoding)
        findings = [decoding.remark] if decoding.remark else []
        reference = ""
        if self.trailer or self.control_reference:
            reference, remarks = self._survey(decoding)
            findings += remarks
        broken = any(finding.severity is Severity.QUARANTINE for finding in findings)
        rows = () if broken else self._without_trailer(decoding, reference)
        yield Interchange(
            sender=Party(""),
            recipient=Party(""),
            control_ref=reference,
            messages=Nesting({**self.records}, reference).messages(rows),
            position=Position(interchange=reference, start=0, end=len(content)),
            findings=tuple(findings),
        )

    def _without_trailer(self, decoding: Decoding, reference: str) -> Iterator[Row | Finding]:
        trailer = self.trailer.record if self.trailer else ""
        return (row for row in self._rows(decoding, reference) if isinstance(row, Finding) or row.tag != trailer)

    def _rows(self, decoding: Decoding, reference: str) -> Iterator[Row | Finding]:
        codes = kind_by_code(self.records)
        kinds = {
            name: (Columns(list(kind.fields)), [place.cut for place in kind.fields.values()])
            for name, kind in self.records.items()
        }
        for line, start, end, text in self._lines(decoding):
            tag = tag_of(text[self.tag.cut], codes)
            if not tag:
                place = Position(reference, line=line, start=start, end=end)
                advice = "name it under records if it belongs to the file"
                expected = f"a record type: {', '.join(codes)}"
                yield Finding(Severity.QUARANTINE, Level.EVENT, place, text[:_SHOWN], expected, advice, "15")
                continue
            columns, cuts = kinds[tag]
            yield Row(tag, line, start, end, [text[cut].strip() for cut in cuts], columns)

    def _lines(self, decoding: Decoding) -> Iterator[tuple[int, int, int, str]]:
        """Number, start, end and text of each line that is not blank."""
        stream, start = BytesIO(decoding.content), decoding.begin
        stream.seek(start)
        for line, raw in enumerate(stream, 1):
            end = start + len(raw)
            text = raw.decode(decoding.codec, "replace").rstrip("\r\n\x00\x1a")
            if line > self.skip and text.strip():
                yield line, start, end, text
            start = end

    def _tag(self, text: str) -> str:
        return tag_of(text[self.tag.cut], kind_by_code(self.records))

    def _survey(self, decoding: Decoding) -> tuple[str, list[Finding]]:
        """The file's own number, and what its trailer says of it: known before the first line is handed out."""
        record, _, field = self.control_reference.rpartition("@")
        found, reference, last = Counter[str](), "", None
        for row in self._rows(decoding, ""):
            if isinstance(row, Row):
                found[row.tag] += 1
                reference = reference or (row.named(field) if row.tag == record else "")
                last = row
        if self.trailer is None:
            return reference, []
        if last is None or last.tag != self.trailer.record:
            return reference, [missing_trailer(self.trailer, last.line if last else 0)]
        return reference, count_remarks(self.trailer, last, found, list(self.records))
