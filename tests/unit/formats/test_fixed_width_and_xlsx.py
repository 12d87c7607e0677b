"""Lines of fixed width, and workbooks."""

from __future__ import annotations

import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest

from edi_gateway.errors import DocumentError
from edi_gateway.formats.tables.fixed_width import FixedWidth
from edi_gateway.formats.tables.xlsx import Xlsx
from edi_gateway.model import Level
from tests.unit.formats.records import ROWS, bodies, rows, said

LINES = FixedWidth.model_validate(
    {
        "tag": {"start": 1, "length": 2},
        "records": {
            "EVENT": {"code": "01", "fields": {"number": {"start": 3, "length": 5}, "town": {"start": 8, "length": 6}}},
            "REF": {
                "code": "02",
                "below": "EVENT",
                "fields": {"kind": {"start": 3, "length": 2}, "value": {"start": 5, "length": 9}},
            },
            "END": {"code": "99", "fields": {"count": {"start": 3, "length": 4}}},
        },
        "trailer": {"record": "END", "count": "count"},
    }
)
FILE = "01P1   KÖLN\n02CUREF-1\n01P2\n990003\n"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_fields_stand_at_their_places(encoding: str) -> None:
    """Counted in characters, whatever their bytes; short lines end early."""
    events = [row for row in rows(LINES, FILE.encode(encoding)) if row.tag == "EVENT"]
    assert [(row.named("number"), row.named("town"), row.line) for row in events] == [("P1", "KÖLN", 1), ("P2", "", 3)]
    assert [row.named("value") for row in events[0].children] == ["REF-1"]
    assert events[1].start == FILE.encode(encoding).index(b"01P2")


def test_lines_of_another_kind_and_short_files_are_set_aside() -> None:
    """A line for itself; a file without its trailer as a whole."""
    (interchange,) = LINES.decode(b"01P1\n07??\n990001\n")
    assert [finding.at.line for message in interchange.messages for finding in message.findings] == [2]
    assert not LINES.is_complete(b"01P1\n")
    (interchange,) = LINES.decode(b"01P1\n")
    assert [finding.level for finding in interchange.findings] == [Level.INTERCHANGE]
    assert list(interchange.messages) == []


def _workbook(*lines: tuple[str | int | datetime | None, ...]) -> bytes:
    book = openpyxl.Workbook()
    for line in lines:
        book.worksheets[0].append(line)
    book.create_sheet("Other").append(("Parcel",))
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def test_a_sheet_is_rows(tmp_path: Path) -> None:
    """Numbers without a point, days in ISO 8601; what the spreadsheet has rounded is set aside."""
    at = datetime(2026, 3, 3, 8, 15)  # noqa: DTZ001  a spreadsheet knows no zones
    content = _workbook(
        ("Parcel", "Status", "When", "Text"),
        (4711001, 10, at, None),
        (None, None, None, None),
        (4343600000000012345, 10, at, "rounded"),
        ("0007", "90", at, "x"),
    )
    found = said(tmp_path, ROWS.replace("type: delimited, %s", "type: xlsx").replace("%%", "%"), content)
    assert found.numbers == ["4711001", "0007"]
    assert [event.occurred_at.isoformat() for event in found.events] == ["2026-03-03T08:15:00+01:00"] * 2
    (aside,) = found.aside
    assert (aside.at.line, aside.at.name) == (4, "Parcel")
    assert [body.children[0].named("Parcel") for body in bodies(Xlsx(), content)] == ["4711001"]


def test_a_workbook_that_is_none_or_too_big_is_set_aside() -> None:
    """Known before anything is expanded."""
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 50_000_000)
    typed = BytesIO()
    with zipfile.ZipFile(typed, "w") as archive:
        archive.writestr("xl/workbook.xml", b"<!DOCTYPE a><a/>")
    cases = ((bomb.getvalue(), "at most 1000000"), (typed.getvalue(), "document type"), (b"PK\x03\x04", "no workbook"))
    for content, why in cases:
        with pytest.raises(DocumentError, match=why):
            list(bodies(Xlsx(max_expanded=1_000_000), content))
    assert Xlsx().is_complete(_workbook(("Parcel",)))
    assert not Xlsx().is_complete(_workbook(("Parcel",))[:-40])


def test_a_sheet_is_asked_for_by_name() -> None:
    """One that is not there is named with those that are."""
    content = _workbook(("Parcel",), ("P1",))
    with pytest.raises(DocumentError, match="Sheet, Other"):
        list(bodies(Xlsx(sheet="Third"), content))
