"""Delimited text → rows, some at a time, with the lines and bytes each stands on.

The csv module cuts. Where a line cannot be cut (a quote that is never closed), that line alone is set aside, and
reading goes on with the next.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import accumulate, chain, islice, repeat
from typing import Any, Final

from edi_gateway.formats.text import Decoding
from edi_gateway.model import Finding, Level, Position, Severity
from edi_gateway.table import ROW

AT_ONCE: Final = 1_000  # rows of one message: what fails together
_BYTES: Final = 1 << 16  # lines decoded at once
_SHOWN: Final = 60


@dataclass(slots=True)
class Piece:
    """Some rows, and what was noticed. ``lines`` are those the rows begin on."""

    cells: list[list[str]] = field(default_factory=list)
    lines: Sequence[int] = ()
    starts: Sequence[int] = ()
    ends: Sequence[int] = ()
    findings: list[Finding] = field(default_factory=list)
    over: bool = False  # there is nothing behind it

    def keep(self, indices: Sequence[int]) -> None:
        """Let go of all other rows."""
        self.cells = [self.cells[index] for index in indices]
        self.lines = [self.lines[index] for index in indices]
        self.starts = [self.starts[index] for index in indices]
        self.ends = [self.ends[index] for index in indices]


@dataclass(slots=True)
class RowReader:
    """Where reading has come to in one document: ``at`` is an offset, ``line`` the number of lines before it."""

    decoding: Decoding
    delimiter: str
    quote: str
    at: int
    line: int = 0
    _going: tuple[Any, list[int]] | None = None  # the reader of the piece before, and the ends of lines it has seen

    def pieces(self) -> Iterator[Piece]:
        """All that is left, some rows at a time."""
        over = False
        while not over:
            piece = self.take(AT_ONCE)
            over = piece.over
            yield piece

    def take(self, most: int) -> Piece:
        """So many rows, blank ones left out. Most files have a row a line, so that is tried first."""
        return self._by_lines(most) or self._by_rows(most)

    def _by_lines(self, most: int) -> Piece | None:
        reader, ends = self._going or self._from_here()
        self._going = None
        rows: list[list[str]] = []
        before = reader.line_num
        try:
            rows.extend(islice(reader, most))
        except csv.Error:
            return None
        count, begin, line = len(rows), self.at, self.line
        if reader.line_num - before != count:
            return None
        if not count:
            return Piece(over=True)
        own = ends[:count]
        del ends[:count]
        self._going = reader, ends
        self.at, self.line = own[-1], line + count
        over = self.at >= len(self.decoding.content)
        piece = Piece(rows, range(line + 1, line + count + 1), [begin, *own[:-1]], own, over=over)
        if False in map(any, rows):
            piece.keep([index for index, row in enumerate(rows) if any(row)])
        return piece

    def _by_rows(self, most: int) -> Piece:
        piece, lines, starts, ends = Piece(), list[int](), list[int](), list[int]()
        while len(piece.cells) + len(piece.findings) < most and not piece.over:
            known: list[int] = []
            reader, first, before = self._reader(known), self.line, 0
            try:
                for row in reader:
                    start, end = known[before - 1] if before else self.at, known[reader.line_num - 1]
                    if any(row):
                        piece.cells.append(row)
                        lines.append(first + before + 1)
                        starts.append(start)
                        ends.append(end)
                    before = reader.line_num
                    if len(piece.cells) + len(piece.findings) >= most:
                        break
                else:
                    piece.over = True
            except csv.Error as error:
                if before:
                    self.at = known[before - 1]
                piece.findings.append(self._uncut(first + before + 1, error))
                self.line = first + before + 1
                piece.over = self.at >= len(self.decoding.content)
                continue
            if before:
                self.at, self.line = known[before - 1], first + before
        piece.lines, piece.starts, piece.ends = lines, starts, ends
        return piece

    def _uncut(self, line: int, error: csv.Error) -> Finding:
        """The remark on a line that cannot be cut; moves on behind it."""
        content, start = self.decoding.content, self.at
        end = content.find(b"\n", start) + 1 or len(content)
        self.at = end
        place = Position(line=line, tag=ROW, start=start, end=end)
        found = content[start : min(end, start + _SHOWN)].decode(self.decoding.codec, "replace").strip()
        expected = f"cells between {self.delimiter!r}, quotes closed and doubled inside text ({error})"
        return Finding(Severity.QUARANTINE, Level.EVENT, place, found, expected, "ask the sender to mend the row", "12")

    def _reader(self, ends: list[int]) -> Any:
        lines = chain.from_iterable(self._lines(ends))
        if not self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)

    def _from_here(self) -> tuple[Any, list[int]]:
        ends: list[int] = []
        return self._reader(ends), ends

    def _lines(self, ends: list[int]) -> Iterator[Iterable[str]]:
        """Lines from here on, some at a time; ``ends`` learns where each of them ends."""
        stream, codec, at = BytesIO(self.decoding.content), self.decoding.codec, self.at
        stream.seek(at)
        while raw := stream.readlines(_BYTES):
            ends += islice(accumulate(map(len, raw), initial=at), 1, None)
            at = ends[-1]
            yield map(str, raw, repeat(codec), repeat("replace"))
