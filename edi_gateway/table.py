"""Rows of tables as segments: what delimited files, fixed width files and spreadsheets are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from edi_gateway.segment import Segment

ROW: Final = "ROW"  # the tag of rows that have no type of their own
_MARKS: Final = re.compile(r"[\W_]+")


class Columns:
    """The names of a table's columns. Capitals, blanks and marks do not count; a column may go by other names, too."""

    __slots__ = ("_places", "names")

    def __init__(self, names: Sequence[str], aliases: Mapping[str, Sequence[str]] | None = None) -> None:
        self.names = tuple(names)
        self._places: dict[str, int | None] = {}
        for place, name in enumerate(names):
            self._places.setdefault(name, place)
            self._places.setdefault(folded(name), place)
        for name, others in (aliases or {}).items():
            found = (self._places.get(folded(each)) for each in (name, *others))
            self._places[name] = next((place for place in found if place is not None), None)

    def index(self, name: str) -> int | None:
        """Where the column stands, from 0; None when there is none of that name."""
        if name not in self._places:
            self._places[name] = self._places.get(folded(name))
        return self._places[name]

    def label(self, place: int) -> str:
        """What the column is called, or its number from 1."""
        return (self.names[place] if place < len(self.names) else "") or str(place + 1)


def folded(name: str) -> str:
    """The name as it is compared."""
    return _MARKS.sub("", name).casefold() or name


class Row(Segment):
    """One row. Its number is the line it begins on."""

    __slots__ = ("cells", "columns")
    planned: ClassVar[bool] = False

    def __init__(self, tag: str, line: int, start: int, end: int, cells: Sequence[str], columns: Columns) -> None:
        super().__init__(tag, line, start, end)
        self.cells = cells
        self.columns = columns

    @property
    def line(self) -> int:
        """See Segment.line."""
        return self.number

    def get(self, element: int, component: int = 1) -> str:
        """See Segment.get: an element is a column."""
        if not element:
            return self.tag
        return self.cells[element - 1] if component == 1 and element <= len(self.cells) else ""

    def components(self, element: int) -> list[str]:
        """See Segment.components."""
        return [self.get(element)]

    def named(self, name: str) -> str:
        """See Segment.named."""
        place = self.columns.index(name)
        return self.cells[place].strip() if place is not None and place < len(self.cells) else ""


class Rows(Segment):
    """Rows with others below them: the body of a message of record types."""

    __slots__ = ()
    planned: ClassVar[bool] = False

    def __init__(self, start: int = 0, end: int = 0) -> None:
        super().__init__("", 0, start, end)

    def get(self, element: int, component: int = 1) -> str:  # noqa: ARG002  it says nothing itself
        """See Segment.get."""
        return ""


class Table(Rows):
    """Rows of one kind in the order of the document; each is a segment only when somebody looks at it.

    ``lines``, ``starts`` and ``ends`` say where each row stands.
    """

    __slots__ = ("cells", "columns", "ends", "lines", "starts")

    def __init__(
        self,
        columns: Columns,
        cells: Sequence[Sequence[str]],
        lines: Sequence[int],
        starts: Sequence[int],
        ends: Sequence[int],
    ) -> None:
        super().__init__(starts[0] if starts else 0, ends[-1] if ends else 0)
        self.columns = columns
        self.cells = cells
        self.lines = lines
        self.starts = starts
        self.ends = ends

    def row(self, index: int) -> Row:
        """The row as a segment."""
        place = self.lines[index], self.starts[index], self.ends[index]
        row = Row(ROW, *place, self.cells[index], self.columns)
        row.parent = self
        return row

    @property
    def children(self) -> Sequence[Segment]:
        """The rows."""
        return [self.row(index) for index in range(len(self.cells))]

    @children.setter
    def children(self, rows: Sequence[Segment]) -> None:
        """They are what the cells are."""
