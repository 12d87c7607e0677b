"""Rows of record types → messages: each row below the one it belongs to, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from edi_gateway.formats.tables.options import ANY, Kind
from edi_gateway.formats.tables.rows import AT_ONCE
from edi_gateway.model import Finding, Level, Message, Position, Severity
from edi_gateway.segment import Segment
from edi_gateway.table import Row, Rows

MOST_BELOW = 20_000  # rows of one record at the top; what goes on longer is read in several messages


@dataclass(slots=True)
class Nesting:
    """Hangs rows below each other; hands out a message whenever enough of them have come."""

    records: Mapping[str, Kind]
    interchange: str
    number: int = 0
    _rows: int = 0
    _top: list[Row] = field(default_factory=list)
    _open: dict[str, Row] = field(default_factory=dict)
    _findings: list[Finding] = field(default_factory=list)

    def messages(self, rows: Iterable[Row | Finding]) -> Iterator[Message]:
        """The messages of the rows, whose tags are names of record types; findings go with their neighbours."""
        for row in rows:
            if isinstance(row, Finding):
                self._findings.append(row)
                continue
            top = not self.records[row.tag].below
            full = top and self._rows >= AT_ONCE and any(each.tag == row.tag for each in self._top)
            if full or self._rows >= MOST_BELOW or len(self._findings) >= AT_ONCE:
                yield self._message(before=row)
            self._add(row)
        if self._top or self._findings:
            yield self._message()

    def _add(self, row: Row) -> None:
        above = self.records[row.tag].below
        holder = self._open.get(above)
        if above and holder is None:
            place = Position(self.interchange, line=row.line, tag=row.tag, start=row.start, end=row.end)
            found, expected = f"{row.tag} without {above}", f"{above} before it"
            self._findings.append(Finding(Severity.QUARANTINE, Level.EVENT, place, found, expected, "", "35"))
            return
        self._rows += 1
        self._close_below(row.tag)
        self._open[row.tag] = row
        if holder is None:
            self._top.append(row)
        else:
            hang(row, holder)

    def _close_below(self, tag: str) -> None:
        for name, kind in self.records.items():
            if kind.below == tag and name in self._open:
                del self._open[name]
                self._close_below(name)

    def _message(self, before: Row | None = None) -> Message:
        """What has come so far; a row that comes next finds again what it belongs to, without what that held."""
        body = Rows(self._top[0].start if self._top else 0)
        for row in self._top:
            hang(row, body)
        self.number += 1
        findings = tuple(self._findings)
        message = message_of(self.interchange, self.number, body if self._top else None, findings)
        self._top, self._findings, self._rows = [], [], 0
        self._open = self._reopened(self.records[before.tag].below) if before else {}
        return message

    def _reopened(self, name: str) -> dict[str, Row]:
        """The open row of that type once more, below what it belongs to."""
        if name not in self._open:
            return {}
        above, row = self.records[name].below, self._open[name]
        again = self._reopened(above)
        bare = Row(row.tag, row.number, row.start, row.end, row.cells, row.columns)
        hang(bare, again[above]) if above in again else self._top.append(bare)
        return {**again, name: bare}


def hang(row: Segment, holder: Segment) -> None:
    """Put a row below another."""
    row.parent = holder
    if isinstance(holder.children, list):
        holder.children.append(row)
    else:
        holder.children = [row]


def message_of(interchange: str, number: int, body: Segment | None, findings: tuple[Finding, ...]) -> Message:
    """A message of rows; its reference is its number."""
    reference = str(number)
    start = body.start if body else 0
    return Message("", "", reference, body, Position(interchange, reference, start=start), findings=findings)


def tag_of(code: str, codes: Mapping[str, str]) -> str:
    """The record type of a code as it stands in the file; "" when it is of none."""
    return codes.get(code.strip()) or codes.get(ANY, "")
