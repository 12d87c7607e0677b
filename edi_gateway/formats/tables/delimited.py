"""The delimited format: CSV and its kin, with or without a header, with or without record types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edi_gateway.errors import DocumentError
from edi_gateway.formats.strictness import Strict, empty_file, strictly
from edi_gateway.formats.tables.messages import Nesting, message_of, tag_of
from edi_gateway.formats.tables.options import (
    ANY,
    Encoding,
    Kind,
    Names,
    RecordName,
    Trailer,
    check_records,
    kind_by_code,
)
from edi_gateway.formats.tables.rows import Piece, RowReader
from edi_gateway.formats.tables.trailers import count_remarks, missing_trailer
from edi_gateway.formats.text import PADDING, Decoding, settle
from edi_gateway.located import did_you_mean
from edi_gateway.model import Finding, Interchange, Level, Message, Party, Position, Severity
from edi_gateway.plugins import Plugin
from edi_gateway.table import ROW, Columns, Row, Table

_DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_USUAL: Final = (",", ";", "\t", "|")
_FIRST_LINE: Final = 1 << 16


def _delimiter(text: object) -> object:
    return _DELIMITERS.get(text, text) if isinstance(text, str) else text


def _one_character(text: str) -> str:
    if text != "auto" and (len(text) != 1 or text in '\r\n"'):
        known = ", ".join(_DELIMITERS)
        raise ValueError(f"found {text!r}, expected one character, auto, or one of {known}")
    return text


Delimiter = Annotated[str, BeforeValidator(_delimiter), AfterValidator(_one_character)]


class Record(Kind):
    """The columns of one record type."""

    columns: tuple[str, ...] = Field(description='names of its columns in order, its code included; "" for no name')


class Delimited(Plugin):
    """Reads text of rows whose cells are delimited (RFC 4180 and what is sent in its stead)."""

    delimiter: Delimiter = Field(
        "auto", description="what is between cells: a character, comma, semicolon, tab, pipe; auto: what line 1 says"
    )
    quote: Literal['"', "'", ""] = Field('"', description='what text with a delimiter in it is quoted by; "": nothing')
    encoding: Encoding = Field("", description="such as cp1252; left out: UTF-8, or cp1252 where it is none")
    skip: int = Field(0, ge=0, description="lines before the header or the first row that are passed over")
    header: bool = Field(default=True, strict=True, description="whether the first row names the columns")
    columns: dict[str, Names] | tuple[str, ...] = Field(
        (), description="with a header, name → other names of the column; without one, the names in order"
    )
    records: dict[RecordName, Record] = Field(default_factory=dict, description="record types, when there are several")
    record_type: int = Field(1, ge=1, description="the column that tells the record type")
    control_reference: str = Field(
        "", description="RECORD@COLUMN in which the sender numbers its files: each number comes once"
    )
    trailer: Trailer | None = Field(
        None, description="the record that ends the file: without it, the file is cut short"
    )
    short_rows: Literal["refuse", "fill"] = Field(
        "refuse", description="a row with fewer cells than columns: set it aside, or take what is missing as empty"
    )
    strict: Strict = False

    @model_validator(mode="after")
    def _agree(self) -> Delimited:
        check_records(self.records, self.trailer)
        if self.header and self.columns and not isinstance(self.columns, dict):
            raise ValueError("columns: with a header, expected name: [other names]; a list is for files without one")
        if not self.header and isinstance(self.columns, dict) and self.columns:
            raise ValueError("columns: without a header, expected a list of names in the order of the columns")
        if self.records and (self.header or self.columns) and ANY not in kind_by_code(self.records):
            raise ValueError(
                'records: with record types, set header: false and name columns there, or add one of code "*"'
            )
        return self

    @property
    def names(self) -> Sequence[str] | None:
        """Every name a mapping may use; None when only the file's header says."""
        if self.header:
            return None
        own = () if isinstance(self.columns, dict) else self.columns
        return [name for names in (own, *(each.columns for each in self.records.values())) for name in names if name]

    def is_complete(self, content: bytes) -> bool:
        """Whether there is something, and the trailer at its end if there has to be one."""
        last = content.rstrip(PADDING).rpartition(b"\n")[2]
        if self.trailer is None or not last:
            return bool(last)
        decoding = settle(content[:_FIRST_LINE], self.encoding)
        rows = RowReader(Decoding(last, decoding.codec, 0), self._delimiter_of(decoding), self.quote, 0).take(1)
        return bool(rows.cells) and self._tag(rows.cells[0]) == self.trailer.record

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """One interchange for the document; raises DocumentError when it is empty, or has another delimiter."""
        if not content.strip(PADDING):
            raise empty_file(content, "rows", strict=self.strict)
        interchanges = self._read(content)
        yield from strictly(interchanges) if self.strict else interchanges

    def _read(self, content: bytes) -> Iterator[Interchange]:
        decoding = settle(content, self.encoding)
        delimiter = self._delimiter_of(decoding)
        reader = _behind(RowReader(decoding, delimiter, self.quote, decoding.begin), self.skip)
        findings = [decoding.remark] if decoding.remark else []
        columns, shown = self._columns(reader)
        findings += shown
        reference = ""
        if self.trailer or self.control_reference:
            reference, remarks = self._survey(RowReader(decoding, delimiter, self.quote, reader.at, reader.line))
            findings += remarks
        broken = any(finding.severity is Severity.QUARANTINE for finding in findings)
        yield Interchange(
            sender=Party(""),
            recipient=Party(""),
            control_ref=reference,
            messages=iter(()) if broken else self._messages(reader, columns, reference),
            position=Position(interchange=reference, start=0, end=len(content)),
            findings=tuple(findings),
        )

    def _delimiter_of(self, decoding: Decoding) -> str:
        if self.delimiter != "auto":
            return self.delimiter
        lines = decoding.content[decoding.begin : decoding.begin + _FIRST_LINE].split(b"\n")
        line = next((line for line in lines[self.skip :] if line.strip()), b"").decode(decoding.codec, "replace")
        wanted = self.columns if isinstance(self.columns, dict) else {}

        def fits(delimiter: str) -> tuple[int, int]:
            rows = RowReader(Decoding(line.encode(), "utf-8", 0), delimiter, self.quote, 0).take(1).cells
            cells = rows[0] if rows else []
            found = Columns(cells, wanted)
            return sum(found.index(name) is not None for name in wanted), len(cells)

        return max(_USUAL, key=fits)

    def _columns(self, reader: RowReader) -> tuple[Columns, list[Finding]]:
        """The names of the columns, and what is odd about them; moves on behind the header."""
        if not self.header:
            return Columns(self.columns if not isinstance(self.columns, dict) else ()), []
        wanted = self.columns if isinstance(self.columns, dict) else {}
        piece = reader.take(1)
        while not piece.cells and not piece.findings and not piece.over:
            piece = reader.take(1)
        header = [cell.strip() for cell in piece.cells[0]] if piece.cells else []
        columns = Columns(header, wanted)
        place = Position(line=piece.lines[0] if piece.lines else 1, tag="header", end=reader.at)
        other = next(
            (each for each in _USUAL if len(header) == 1 and each in header[0] and each != reader.delimiter), ""
        )
        if other:
            advice = f"set delimiter: {other!r} if that is what this partner sends now"
            raise _unreadable(f"one column, {header[0]!r}", f"columns between {reader.delimiter!r}", advice, place)
        missing = [name for name in wanted if columns.index(name) is None]
        return columns, [*piece.findings, *(_missing_column(name, header, place) for name in missing)]

    def _messages(self, reader: RowReader, columns: Columns, reference: str) -> Iterator[Message]:
        if self.records:
            nesting = Nesting({name: kind for name, kind in self.records.items()}, reference)  # noqa: C416  wider type
            yield from nesting.messages(self._records(reader, columns, reference))
            return
        number, said = 0, False
        for piece in reader.pieces():
            self._check_widths(piece, columns, reference)
            if piece.cells or piece.findings:
                number, said = number + 1, True
                table = Table(columns, piece.cells, piece.lines, piece.starts, piece.ends) if piece.cells else None
                yield message_of(reference, number, table, tuple(piece.findings))
        if not said:
            place = Position(reference, line=reader.line, tag="header")
            advice = "nothing happened, says the sender; or the file was cut short"
            none = Finding(Severity.WARNING, Level.INTERCHANGE, place, "no row", "rows below the header", advice)
            yield message_of(reference, 1, None, (none,))

    def _check_widths(self, piece: Piece, columns: Columns, reference: str) -> None:
        """Set rows of another width aside; what repeats the header is passed over."""
        width = len(columns.names)
        if not width or ({width}.issuperset(map(len, piece.cells)) and list(columns.names) not in piece.cells):
            return
        good = []
        for index, cells in enumerate(piece.cells):
            place = Position(
                reference, line=piece.lines[index], tag=ROW, start=piece.starts[index], end=piece.ends[index]
            )
            if self.header and [cell.strip() for cell in cells] == list(columns.names):
                advice = "several files may have been put together: the line is passed over"
                piece.findings.append(Finding(Severity.WARNING, Level.EVENT, place, "the header again", "rows", advice))
                continue
            odd = self._odd_width(cells, columns.names, place)
            if odd is None:
                good.append(index)
            else:
                piece.findings.append(odd)
        if len(good) < len(piece.cells):
            piece.keep(good)

    def _odd_width(self, cells: Sequence[str], names: Sequence[str], place: Position) -> Finding | None:
        width = len(names)
        if len(cells) == width or (len(cells) < width and self.short_rows == "fill"):
            return None
        if len(cells) > width and not any(map(str.strip, cells[width:])):
            return None
        advice = "a delimiter inside text has to be quoted" if len(cells) > width else "the row may be cut short"
        found = f"{len(cells)} cells, the last {cells[-1]!r}" if cells else "no cell"
        expected = f"{width} cells, {names[0] or 'column 1'} to {names[-1] or f'column {width}'}"
        return Finding(Severity.QUARANTINE, Level.EVENT, place, found, expected, advice, "12")

    def _records(self, reader: RowReader, header: Columns, reference: str) -> Iterator[Row | Finding]:
        columns = {
            name: Columns(kind.columns) if kind.columns or kind.code != ANY else header
            for name, kind in self.records.items()
        }
        for piece in reader.pieces():
            yield from piece.findings
            for cells, line, start, end in zip(piece.cells, piece.lines, piece.starts, piece.ends, strict=True):
                tag = self._tag(cells)
                place = Position(reference, line=line, tag=tag, start=start, end=end)
                if not tag:
                    yield self._no_type(cells, place)
                    continue
                odd = self._odd_width(cells, columns[tag].names, place) if columns[tag].names else None
                if odd is not None:
                    yield odd
                elif self.trailer is None or tag != self.trailer.record:
                    yield Row(tag, line, start, end, cells, columns[tag])

    def _no_type(self, cells: Sequence[str], place: Position) -> Finding:
        found = cells[self.record_type - 1] if len(cells) >= self.record_type else ""
        known = ", ".join(kind_by_code(self.records))
        advice = "name it under records if it belongs to the file"
        return Finding(Severity.QUARANTINE, Level.EVENT, place, found, f"a record type: {known}", advice, "15")

    def _tag(self, cells: Sequence[str]) -> str:
        return tag_of(cells[self.record_type - 1], self._codes) if len(cells) >= self.record_type else ""

    @property
    def _codes(self) -> Mapping[str, str]:
        return kind_by_code(self.records)

    def _survey(self, reader: RowReader) -> tuple[str, list[Finding]]:
        """The file's own number, and what its trailer says of it: known before the first row is handed out."""
        record, _, column = self.control_reference.rpartition("@")
        found, reference, last = Counter[str](), "", Row(ROW, 0, 0, 0, [], Columns(()))
        for piece in reader.pieces():
            for index, cells in enumerate(piece.cells):
                tag = self._tag(cells)
                found[tag] += 1
                mine = (not reference and tag == record) or (self.trailer and tag == self.trailer.record)
                if mine:
                    place = piece.lines[index], piece.starts[index], piece.ends[index]
                    last = Row(tag, *place, cells, Columns(self.records[tag].columns))
                    reference = reference or (last.named(column) if tag == record else "")
        if self.trailer is None:
            return reference, []
        if last.tag != self.trailer.record:
            return reference, [missing_trailer(self.trailer, reader.line)]
        return reference, count_remarks(self.trailer, last, found, list(self.records))


def _behind(reader: RowReader, lines: int) -> RowReader:
    content = reader.decoding.content
    for _ in range(lines):
        reader.at = content.find(b"\n", reader.at) + 1 or len(content)
        reader.line += 1
    return reader


def _missing_column(name: str, header: Sequence[str], place: Position) -> Finding:
    expected = f"a column {name}{did_you_mean(name, header)}"
    found = f"columns {', '.join(header)}"
    advice = "if it has another name now, add that under columns"
    return Finding(Severity.WARNING, Level.INTERCHANGE, place, found[:200], expected, advice)


def _unreadable(found: str, expected: str, advice: str = "", place: Position | None = None) -> DocumentError:
    at = place or Position()
    return DocumentError(Finding(Severity.QUARANTINE, Level.DOCUMENT, at, found, expected, advice))
