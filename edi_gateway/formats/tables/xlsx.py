"""The xlsx format: a sheet of an Excel workbook as rows. Needs the extra ``excel`` (openpyxl)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from importlib.util import find_spec
from io import BytesIO
from itertools import islice
from typing import Any, Final

from pydantic import Field, model_validator

from edi_gateway.errors import DocumentError
from edi_gateway.formats.strictness import Strict, empty_file, strictly
from edi_gateway.formats.tables.messages import message_of
from edi_gateway.formats.tables.options import Names
from edi_gateway.formats.tables.rows import AT_ONCE
from edi_gateway.formats.text import PADDING
from edi_gateway.model import Finding, Interchange, Level, Message, Party, Position, Severity
from edi_gateway.plugins import Plugin
from edi_gateway.quantities import Size
from edi_gateway.table import Columns, Table

_END: Final = b"PK\x05\x06"  # how the directory at the end of a zip file begins
_END_SIZE: Final = 22 + 65_535
_HEAD: Final = 4_096
_EXACT: Final = 15  # digits of a number that a spreadsheet keeps
_Cells = tuple[int, list[str]]


class Xlsx(Plugin):
    """Reads a sheet of an Excel workbook (.xlsx): values as they were kept, never formulas."""

    sheet: str = Field("", description="name of the sheet; the first when left out")
    skip: int = Field(0, ge=0, description="rows before the header that are passed over")
    columns: dict[str, Names] = Field(default_factory=dict, description="name → other names of the column")
    max_expanded: Size = Field(256_000_000, ge=1, description="a workbook that expands to more is set aside")
    max_rows: int = Field(1_048_576, ge=1, description="rows read; those behind are set aside")
    strict: Strict = False

    @model_validator(mode="after")
    def _has_reader(self) -> Xlsx:
        if find_spec("openpyxl") is None:
            raise ValueError("Excel workbooks need openpyxl: install edi-gateway[excel]")
        return self

    def is_complete(self, content: bytes) -> bool:
        """Whether the directory of the zip file is there, which is written last."""
        return _END in content[-_END_SIZE:]

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """One interchange for the sheet; raises DocumentError when it is no workbook, or expands to too much."""
        if not content.strip(PADDING):
            raise empty_file(content, "a workbook", strict=self.strict)
        self._check(content)
        interchanges = self._read(content)
        yield from strictly(interchanges) if self.strict else interchanges

    def _read(self, content: bytes) -> Iterator[Interchange]:
        rows = self._rows(content)
        header = next(rows, (1, []))
        columns = Columns([name.strip() for name in header[1]], self.columns)
        place = Position(line=header[0], tag="header")
        missing = [
            Finding(Severity.WARNING, Level.INTERCHANGE, place, ", ".join(columns.names)[:200], f"a column {name}")
            for name in self.columns
            if columns.index(name) is None
        ]
        yield Interchange(
            sender=Party(""),
            recipient=Party(""),
            control_ref="",
            messages=self._messages(rows, columns),
            position=Position(start=0, end=len(content)),
            findings=tuple(missing),
        )

    def _messages(self, rows: Iterator[_Cells], columns: Columns) -> Iterator[Message]:
        number = 0
        while some := list(islice(rows, AT_ONCE)):
            number += 1
            lines = [line for line, _ in some]
            nowhere = [0] * len(some)
            yield message_of("", number, Table(columns, [cells for _, cells in some], lines, nowhere, nowhere), ())
        if not number:
            place = Position(tag="header")
            none = Finding(Severity.WARNING, Level.INTERCHANGE, place, "no row", "rows below the header")
            yield message_of("", 1, None, (none,))

    def _check(self, content: bytes) -> None:
        """Before anything is expanded: what it would come to, and that no part has a document type."""
        try:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                expanded = sum(part.file_size for part in archive.infolist())
                if expanded > self.max_expanded:
                    raise _refused(
                        f"a workbook of {expanded} bytes", f"at most {self.max_expanded}; raise max_expanded"
                    )
                for part in archive.infolist():
                    with archive.open(part) as opened:
                        if b"<!DOCTYPE" in opened.read(_HEAD).upper():
                            raise _refused(f"a document type in {part.filename}", "a workbook as Excel writes it")
        except (
            zipfile.BadZipFile,
            RuntimeError,
            OSError,
            EOFError,
            ValueError,
            KeyError,
        ) as error:
            raise _refused(f"no workbook ({error})", "an .xlsx file") from error

    def _sheet_of(self, book: Any) -> Any:
        if self.sheet and self.sheet not in book.sheetnames:
            raise _refused(f"sheets {', '.join(book.sheetnames)}", f"a sheet {self.sheet}")
        return book[self.sheet] if self.sheet else book.worksheets[0]

    def _rows(self, content: bytes) -> Iterator[_Cells]:
        """Row number and texts of each row that is not blank, as wide as the first."""
        import openpyxl  # noqa: PLC0415  an extra: only who reads workbooks needs it

        try:
            book = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True, keep_links=False)
            sheet = self._sheet_of(book)
            width = 0
            for number, values in enumerate(sheet.iter_rows(values_only=True, max_row=self.max_rows), 1):
                cells = [text_of(value) for value in values]
                if number > self.skip and any(cells):
                    width = width or max(index for index, cell in enumerate(cells, 1) if cell)
                    yield number, _fitted(cells, width)
        except DocumentError:
            raise
        except Exception as error:
            # openpyxl raises whatever its parts do: what it cannot read is no workbook.
            raise _refused(f"no workbook ({type(error).__name__}: {error})", "an .xlsx file") from error


def _fitted(cells: Sequence[str], width: int) -> list[str]:
    return [*cells[:width], *[""] * (width - len(cells))]


def text_of(value: Any) -> str:
    """A cell as text: days in ISO 8601, numbers with all digits, or as rounded as the spreadsheet has them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int | float) and abs(value) >= 10**_EXACT:
        return f"{value:.{_EXACT - 1}E}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value).strip()


def _refused(found: str, expected: str) -> DocumentError:
    return DocumentError(Finding(Severity.QUARANTINE, Level.DOCUMENT, Position(), found, expected))
