"""Events made of a table by its columns are those that following every path would give."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.formats.tables.delimited import Delimited
from edi_gateway.mapping.harmonize import Harmonized, Mapping, Partner
from edi_gateway.mapping.load import Library

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
MAPPING = """\
for_each: ROW
require:
  - {path: "@Kind", values: ["", E], expected: an event, advice: none}
event:
  tracking_number: ["@Parcel", {path: "@Other", convert: digits}]
  piece: "@Piece"
  code: "@Status"
  code_list: {const: SPEEDY}
  reason: ["@Reason", "@Gone"]
  text: [{path: "@Text", convert: upper}, "@Piece"]
  occurred_at:
    - {path: "@Day", time: "@Time", zone: "@Zone", format: ["%d.%m.%Y %H:%M", iso]}
    - {path: "@Plan", format: "%Y%m%d%H%M", classifier: PLN}
    - {path: "@Last", derived: true}
  location: {name: "@Town", unlocode: {path: "@Code", convert: unlocode}, country: "@Country"}
  signatory: "@Gone"
  references:
    - {CU: ["@Ref", "@Other"]}
    - {ON: "@Order"}
codes:
  "10": {status: PICKED_UP}
  "30": {status: ATTEMPT_FAILURE, reasons: {"2": {status: ATTEMPT_FAILURE, reason: attempt.not_home}}}
  "40": {status: IN_TRANSIT, classifier: EST}
"""
CELLS = {
    "Kind": ["", "E", "X"],
    "Parcel": ["P1", " p 2 ", "", "4.3E+15", "x" * 300],
    "Other": ["", "no 17"],
    "Piece": ["", "1"],
    "Status": ["10", "30", "40", "99", "", "9" * 300],
    "Reason": ["", "2", "7"],
    "Text": ["", "left"],
    "Day": ["28.03.2026", "29.03.2026", "2026-03-28", "", "31.02.2026", "01.01.1990", "01.01.2031"],
    "Time": ["08:15", "02:30", "", "8:15"],
    "Zone": ["", "CET", "Mars"],
    "Plan": ["", "202603281200", "203603281200"],
    "Last": ["", "2026-03-28T08:00:00Z"],
    "Town": ["", "KÖLN"],
    "Code": ["", "DEHAM", "nowhere at all"],
    "Country": ["", "NL", "US"],
    "Ref": ["", "R1", "no 17"],
    "Order": ["", "O1"],
}
ROW = st.fixed_dictionaries({name: st.sampled_from(said) for name, said in CELLS.items()})


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Mapping:
    folder = tmp_path_factory.mktemp("mappings")
    (folder / "rows.yaml").write_text(MAPPING, encoding="utf-8")
    return Library([folder]).reader("rows")


def _read(mapping: Mapping, content: bytes, zone: str) -> list[Harmonized]:
    (interchange,) = Delimited(delimiter=";").decode(content)
    bodies = [message for message in interchange.messages if message.body is not None]
    return [mapping.harmonize(message, Partner("speedy", zone), NOW) for message in bodies]


@given(st.lists(ROW, min_size=1, max_size=12), st.sampled_from(["", "Europe/Berlin"]))
def test_columns_say_what_paths_say(mapping: Mapping, records: list[dict[str, str]], zone: str) -> None:
    """Events, provenance and findings, in the same order."""
    lines = [";".join(CELLS), *(";".join(record.values()) for record in records)]
    content = "\n".join(lines).encode()
    quick = _read(mapping, content, zone)
    object.__setattr__(mapping, "_flat", False)
    try:
        slow = _read(mapping, content, zone)
    finally:
        object.__setattr__(mapping, "_flat", True)
    assert quick == slow


def test_a_mapping_that_looks_elsewhere_follows_its_paths(tmp_path: Path) -> None:
    """Conditions, and rows of other kinds, are nothing columns can tell."""
    for changed in ('"@Parcel"', '"ROW[Kind=E]@Parcel"'), ("for_each: ROW", "for_each: ROW[Kind=E]"):
        (tmp_path / "rows.yaml").write_text(MAPPING.replace(*changed), encoding="utf-8")
        (said,) = _read(
            Library([tmp_path]).reader("rows"), b"Kind;Parcel;Status;Last\nE;P1;10;2026-03-28T08:00:00Z\n", ""
        )
        assert [event.tracking_number for event in said.events] == ["P1"]


def test_a_document_is_read_by_its_own_columns(mapping: Mapping) -> None:
    """What was learnt of one file's columns does not hold for the next one's."""
    (one,) = _read(mapping, b"Parcel;Status;Last\nP1;10;2026-03-28T08:00:00Z\n", "")
    (other,) = _read(mapping, b"Status;Last;Parcel\n10;2026-03-28T08:00:00Z;P2\n", "")
    assert [each.events[0].tracking_number for each in (one, other)] == ["P1", "P2"]
