"""Delimited files as carriers send them: what is tolerated, what is remarked on, and which row alone is set aside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edi_gateway.formats.tables.delimited import Delimited
from edi_gateway.model import Level, Status
from tests.unit.formats.records import ROWS, Said, bodies, rows, said

HEADER = "Parcel;Status;When;Text"
GOOD = "P1;10;03.03.2026 08:15;collected"
READ = Callable[..., Said]


@pytest.fixture
def read(tmp_path: Path) -> READ:
    def reading(*lines: str, options: str = "header: true", encoding: str = "utf-8", ends: str = "\n") -> Said:
        return said(tmp_path, ROWS % options, (ends.join(lines) + ends).encode(encoding))

    return reading


def test_rows_are_events(read: READ) -> None:
    """Each with the line it stands on and the bytes it is made of."""
    found = read(HEADER, GOOD, "P2;90;2026-03-03T09:00;")
    assert [(event.tracking_number, event.status) for event in found.events] == [
        ("P1", Status.PICKED_UP),
        ("P2", Status.DELIVERED),
    ]
    places = [event.provenance for event in found.events]
    assert [(place.segment, place.start, place.end) for place in places] == [(2, 24, 57), (3, 57, 81)]
    assert found.events[0].occurred_at.isoformat() == "2026-03-03T08:15:00+01:00"
    assert found.findings == []


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_told_by_the_first_line(read: READ, delimiter: str) -> None:
    """A carrier that changes from ";" to "," is still read."""
    assert read(*(line.replace(";", delimiter) for line in (HEADER, GOOD))).numbers == ["P1"]


def test_another_delimiter_than_the_one_set_is_said_so(read: READ) -> None:
    """The whole document waits, with the delimiter that would fit."""
    (aside,) = read(HEADER, GOOD, options="delimiter: comma").aside
    assert aside.level is Level.DOCUMENT
    assert "';'" in aside.advice


def test_columns_go_by_other_names_in_any_order(read: READ) -> None:
    """Capitals, blanks and marks do not count, and further columns do no harm."""
    options = "columns: {Parcel: [Paketnummer], When: [Zeitpunkt]}"
    found = read("Zeit-punkt;NEW;status;paket_nummer;Text", "03.03.2026 08:15;x;10;P1;", options=options)
    assert found.numbers == ["P1"]
    assert found.findings == []


def test_a_column_that_is_gone_is_said_once(read: READ) -> None:
    """Not once a row; and no row is guessed at."""
    found = read("Parzel;Status;When;Text", *[GOOD] * 50, options="columns: {Parcel: [Paket]}")
    (warned,) = found.warned
    assert "did you mean 'Parzel'" in warned.expected
    (aside,) = found.aside
    assert (aside.level, aside.expected) == (Level.MESSAGE, "a column for a tracking number: @Parcel")
    assert found.events == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("P2;10;03.03.2026 08:15;one;more", "5 cells"),
        ("P2;10;03.03.2026", "3 cells"),
        ('P2;10;03.03.2026 08:15;"never closed', '"never closed'),
        ('P2;10;03.03.2026 08:15;"closed"early', '"closed"early'),
        ("P2;10;31.02.2026 08:15;no such day", "31.02.2026 08:15"),
        ("4,3436E+15;10;03.03.2026 08:15;mangled by a spreadsheet", "4,3436E+15"),
        ("4.3436E+15;10;03.03.2026 08:15;mangled by a spreadsheet", "4.3436E+15"),
        (";10;03.03.2026 08:15;nobody", ""),
        ("P2;;03.03.2026 08:15;nothing", ""),
    ],
)
def test_a_row_that_cannot_be_read_is_set_aside_alone(read: READ, row: str, what: str) -> None:
    """By its line; the rows before and behind it are events."""
    found = read(HEADER, GOOD, row, "P3;90;03.03.2026 10:00;delivered")
    assert found.numbers == ["P1", "P3"]
    (aside,) = found.aside
    assert aside.at.line == 3
    assert what in aside.found
    assert aside.level is Level.EVENT


def test_a_rounded_number_is_no_tracking_number(read: READ) -> None:
    """The place is told by the name of its column, with what to do."""
    (aside,) = read(HEADER, "4.3436E+15;10;03.03.2026 08:15;").aside
    assert str(aside.at) == "line 2 ROW, Parcel"
    assert "precision lost" in aside.expected
    assert "as text" in aside.advice


def test_text_may_hold_delimiters_quotes_and_lines(read: READ) -> None:
    """The row behind it knows its own line."""
    found = read(HEADER, 'P1;10;03.03.2026 08:15;"left; ""at"" the\ndoor"', GOOD.replace("P1", "P2"))
    assert [event.text for event in found.events] == ['left; "at" the\ndoor', "collected"]
    assert [event.provenance.segment for event in found.events] == [2, 4]
    assert found.events[1].provenance.start == len(HEADER) + 1 + len(
        'P1;10;03.03.2026 08:15;"left; ""at"" the\ndoor"\n'
    )


def test_rows_behind_a_quote_that_is_never_closed_are_read(read: READ) -> None:
    """It costs its own line, wherever in the file it is."""
    many = [GOOD.replace("P1", f"P{number}") for number in range(2_500)]
    many[1_700] = 'P1700;10;03.03.2026 08:15;"open'
    found = read(HEADER, *many)
    assert len(found.events) == 2_499
    assert [aside.at.line for aside in found.aside] == [1_702]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_break_ends_a_row(read: READ, ends: str) -> None:
    """Those of old machines, too."""
    assert read(HEADER, GOOD, ends=ends).numbers == ["P1"]


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    """And blank lines and rows of nothing but delimiters are no rows."""
    content = f"\n{HEADER}\n\n{GOOD}\n;;;\n{GOOD.replace('P1', 'P2')}".encode()
    found = said(tmp_path, ROWS % "header: true", content)
    assert (found.numbers, found.findings) == (["P1", "P2"], [])


@pytest.mark.parametrize(
    ("encoding", "warned"), [("utf-8", 0), ("utf-8-sig", 0), ("utf-16", 0), ("latin-1", 1), ("cp1252", 1)]
)
def test_text_is_read_in_the_encoding_it_is_in(read: READ, encoding: str, warned: int) -> None:
    """What is no UTF-8 is read as cp1252, and said so once."""
    found = read(HEADER, "P1;10;03.03.2026 08:15;Köln", encoding=encoding)
    assert [event.text for event in found.events] == ["Köln"]
    assert len(found.findings) == warned


def test_a_wanted_encoding_is_taken_without_a_word(read: READ) -> None:
    """The carrier's own."""
    found = read(HEADER, "P1;10;03.03.2026 08:15;Köln €", encoding="cp1252", options="encoding: cp1252")
    assert [event.text for event in found.events] == ["Köln €"]
    assert found.findings == []


def test_a_header_in_the_middle_is_passed_over(read: READ) -> None:
    """Several files put together."""
    found = read(HEADER, GOOD, HEADER, GOOD.replace("P1", "P2"))
    assert found.numbers == ["P1", "P2"]
    assert [warned.found for warned in found.warned] == ["the header again"]


def test_a_header_without_rows_is_said(read: READ) -> None:
    """Never silently nothing."""
    found = read(HEADER)
    assert [warned.found for warned in found.warned] == ["no row"]


def test_short_rows_may_be_filled(read: READ) -> None:
    """Where a partner's program leaves out what is empty at the end."""
    found = read(HEADER, "P1;10;03.03.2026 08:15", GOOD, options="short_rows: fill")
    assert [event.text for event in found.events] == ["", "collected"]


def test_a_code_nobody_mapped_is_remarked_at_its_line(read: READ) -> None:
    """Though the codes around it are looked up by their column."""
    found = read(HEADER, GOOD, "P2;77;03.03.2026 08:15;", GOOD)
    (warned,) = found.warned
    assert (warned.at.line, warned.at.name, warned.found) == (3, "Status", "77")
    assert [event.mapped for event in found.events] == [True, False, True]


def test_memory_stays_flat() -> None:
    """Rows come in messages of a thousand."""
    content = (HEADER + "\n" + (GOOD + "\n") * 3_500).encode()
    assert [len(body.children) for body in bodies(Delimited(), content)] == [1_000, 1_000, 1_000, 500]


RECORDS = Delimited.model_validate(
    {
        "header": False,
        "delimiter": ",",
        "records": {
            "H": {"columns": ["type", "batch", "day"]},
            "D": {"columns": ["type", "number"], "below": "H"},
            "T": {"columns": ["type", "count"]},
        },
        "trailer": {"record": "T", "count": "count", "counts": ["D"]},
        "control_reference": "H@batch",
    }
)


def test_records_stand_below_others() -> None:
    """Each detail below the last header before it."""
    content = b"H,7,20260303\nD,P1\nD,P2\nH,8,20260304\nD,P3\nT,3\n"
    found = {row.named("number"): row.parent.named("day") for row in rows(RECORDS, content) if row.tag == "D"}  # type: ignore[union-attr]
    assert found == {"P1": "20260303", "P2": "20260303", "P3": "20260304"}
    (interchange,) = RECORDS.decode(content)
    assert (interchange.control_ref, interchange.findings) == ("7", ())


def test_a_detail_without_its_header_is_set_aside() -> None:
    """As is a record of a type nobody named."""
    (interchange,) = RECORDS.decode(b"D,P0\nH,7,20260303\nD,P1\nX,?\nT,2\n")
    found = [str(finding.at.line) + finding.found for message in interchange.messages for finding in message.findings]
    assert found == ["1D without H", "4X"]


def test_a_trailer_that_counts_otherwise_is_remarked() -> None:
    """Claimed and counted, known before the first row."""
    (interchange,) = RECORDS.decode(b"H,7,20260303\nD,P1\nT,85\n")
    (warned,) = interchange.findings
    assert warned.found == "claims 85, counted 1"
    assert len(rows(RECORDS, b"H,7,20260303\nD,P1\nT,85\n")) == 2


def test_a_file_without_its_trailer_is_cut_short() -> None:
    """Not complete while it may still grow; taken as it is, nothing of it counts."""
    whole = b"H,7,20260303\nD,P1\nT,1\n"
    assert RECORDS.is_complete(whole)
    assert not RECORDS.is_complete(whole[:-4])
    (interchange,) = RECORDS.decode(whole[:-4])
    assert (len(interchange.findings), list(interchange.messages)) == (1, [])


def test_one_header_with_very_many_details_is_read_in_pieces() -> None:
    """Each piece knows the header."""
    content = b"H,7,20260303\n" + b"D,P1\n" * 45_000 + b"T,45000\n"
    found = list(bodies(RECORDS, content))
    assert [sum(row.tag == "D" for row in body.below()) for body in found] == [19_999, 20_000, 5_001]
    assert {body.children[0].named("batch") for body in found} == {"7"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"delimiter": ";;"}, "one character"),
        ({"encoding": "utf-17"}, "no encoding"),
        ({"columns": ["a"]}, "a list is for files without one"),
        ({"header": False, "columns": {"a": []}}, "expected a list of names"),
        ({"header": False, "records": {"D": {"columns": [], "below": "H"}}}, "no record type 'H'"),
        ({"header": False, "records": {"D": {"columns": []}}, "trailer": {"record": "T"}}, "no record type 'T'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], why: str) -> None:
    """With what was expected."""
    with pytest.raises(ValueError, match=why):
        Delimited.model_validate(options)
