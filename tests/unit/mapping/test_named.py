"""Elements with names, and trees: what mappings say of them, and what is said of mappings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edi_gateway.errors import ConfigError
from edi_gateway.formats.tables.output import DelimitedOutput, FixedWidthOutput
from edi_gateway.formats.trees.output import JsonLinesOutput, JsonOutput, XmlOutput
from edi_gateway.mapping.load import Library
from edi_gateway.mapping.path import parse_expression, parse_path, parse_place
from edi_gateway.mapping.render import Header
from edi_gateway.model import Location, OutboundMessage, Status, TrackingEvent
from edi_gateway.plugins import Encoder
from edi_gateway.table import ROW, Columns, Row, Rows

STATUSES = "statuses: {" + ", ".join(f"{status}: {status.value[:3]}" for status in Status) + "}\n"
AT = datetime(2026, 3, 3, 7, 15, 30, tzinfo=UTC)
EVENT = TrackingEvent("speedy", "P1", Status.DELIVERED, AT, text="left; at door", location=Location("KÖLN", "", "DE"))
EVENTS = [EVENT, replace(EVENT, status=Status.IN_TRANSIT, date_only=True), replace(EVENT, tracking_number="P2")]
HEADER = Header("17", "1", "17-1", "9", "speedy", "globex", AT)


def _row() -> Row:
    head = Row("H", 1, 0, 9, ["H", "20260303"], Columns(["type", "Datum"]))
    row = Row(ROW, 2, 9, 30, ["ZU", "P1", " 2 "], Columns(["Art", "Sendungs-Nr.", "2nd date"]))
    row.parent, head.parent = head, Rows()
    return row


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("@Art", "ZU"),
        ("@sendungsnr", "P1"),
        ('@"2nd date"', "2"),
        ("@2", "P1"),
        ("^H@Datum", "20260303"),
        ("^^H@2", "20260303"),
        ("ROW[Art=AB|ZU]@Sendungsnr", "P1"),
        ("ROW[Art!=ZU]@Sendungsnr", ""),
        ("@Gone", ""),
    ],
)
def test_an_element_has_a_name(path: str, value: str) -> None:
    """However the carrier writes it."""
    assert parse_place(path).value(_row()) == value


@pytest.mark.parametrize("path", ["@", "@1st", "ROW[=x]@a", 'ROW["a]@b', "row@a"])
def test_a_name_that_cannot_be_read_is_refused(path: str) -> None:
    """With an example."""
    with pytest.raises(ValueError, match="such as"):
        parse_path(path)


@pytest.mark.parametrize(("syntax", "text"), [("json", "a["), ("json", "^"), ("xml", "a["), ("xml", "^b/@")])
def test_an_expression_that_is_none_is_refused(syntax: Any, text: str) -> None:
    """In the words of its own language."""
    with pytest.raises(ValueError, match=r"JMESPath|XPath"):
        parse_expression(text, syntax)


READS = """\
format:
  type: delimited
  header: false
  columns: [parcel, status, day]
for_each: ROW
event:
  tracking_number: "@parcel"
  code: "@status"
  occurred_at: "@day"
codes: {D: DELIVERED}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        (
            "@status",
            "@statuz",
            8,
            "no column or field 'statuz', expected one of parcel, status, day, did you mean 'status'",
        ),
        ("type: delimited", "type: delimitted", 2, "did you mean 'delimited'"),
        ("header: false", "headr: false", 3, "did you mean 'header'"),
        ("for_each: ROW", "for_each: row", 5, "is no segment"),
        ("for_each: ROW", "syntax: json\nfor_each: 'a['", 6, "no JMESPath expression"),
        ("for_each: ROW", "syntax: yaml\nfor_each: a", 5, "'segments', 'json' or 'xml'"),
        ('"@day"', '{path: "@day", time: ROW@x}', 9, 'write only "@"'),
    ],
)
def test_a_mistake_is_told_by_file_and_line(tmp_path: Path, old: str, new: str, line: int, why: str) -> None:
    """With what was expected and what may have been meant."""
    (tmp_path / "rows.yaml").write_text(READS.replace(old, new), encoding="utf-8")
    library = Library([tmp_path])
    with pytest.raises(ConfigError) as caught:
        library.reader("rows"), library.format("rows")
    assert any(f"rows.yaml:{line}: " in problem and why in problem for problem in caught.value.problems), caught.value


def test_what_builds_on_a_tree_is_written_like_it(tmp_path: Path) -> None:
    """The syntax and the format are inherited."""
    tree = READS.replace("for_each: ROW", "for_each: events").replace("@", "")
    (tmp_path / "tree.yaml").write_text(f"syntax: json\n{tree[tree.index('for_each') :]}format: {{type: json}}\n")
    (tmp_path / "own.yaml").write_text("extends: tree\nevent: {tracking_number: ^number}\n")
    library = Library([tmp_path])
    assert str(library.reader("own").event.tracking_number[0].path) == "^number"
    assert library.format("own") == library.format("tree")


def test_a_mapping_without_a_format_says_so(tmp_path: Path) -> None:
    """To whoever asks for it."""
    (tmp_path / "rows.yaml").write_text(READS[READS.index("for_each") :], encoding="utf-8")
    with pytest.raises(ConfigError, match="names no format"):
        Library([tmp_path]).format("rows")


FLAT = """\
for_each: ROW
timezone: Europe/Berlin
constants: {"@Typ": STATUS}
event:
  tracking_number: "@Nummer"
  code: "@Status"
  occurred_at: {path: "@Datum", time: "@Zeit", format: "%d.%m.%Y %H:%M"}
  text: "@Text"
  location: {name: "@Ort"}
"""
NESTED = """\
for_each: S/E
timezone: UTC
header: {H@Nr: "{control}", H@Datum: "{created:%Y%m%d}"}
event:
  tracking_number: ^S@Nummer
  code: "@Status"
  occurred_at: {path: "@Wann", format: "%Y%m%d%H%M"}
"""
TREE = """\
syntax: {syntax}
for_each: [{outer}, {inner}]
timezone: UTC
header: {{{control}: "{{control}}", {created}: "{{created:iso}}"}}
event:
  tracking_number: ^{number}
  code: "{code}"
  occurred_at: at
  location: {{name: {place}}}
"""
JSON = TREE.format(
    syntax="json", outer="shipments", inner="events", control="file.number", created="file.created",
    number="number", code="code", place="place.name",
)  # fmt: skip
XML = TREE.format(
    syntax="xml", outer="Shipments/Shipment", inner="Event", control='"@number"', created="Created",
    number='"@number"', code="Status/@code", place="Place",
).replace('^"@number"', '"^@number"')  # fmt: skip


def _written(folder: Path, layout: str, encoder: Encoder) -> str:
    (folder / "layout.yaml").write_text(layout + STATUSES, encoding="utf-8")
    body = Library([folder]).writer("layout").message(HEADER, EVENTS)
    return encoder.encode("17", AT, [OutboundMessage("1", body)]).decode()


def test_events_are_written_as_rows(tmp_path: Path) -> None:
    """In the customer's columns, order and zone; a day without a time is a day."""
    columns = ("Typ", "Nummer", "Status", "Datum", "Zeit", "Ort", "Text")
    encoder = DelimitedOutput(recipient="X", delimiter=";", columns=columns)
    assert _written(tmp_path, FLAT, encoder).splitlines() == [
        "Typ;Nummer;Status;Datum;Zeit;Ort;Text",
        'STATUS;P1;DEL;03.03.2026;08:15;KÖLN;"left; at door"',
        'STATUS;P1;IN_;03.03.2026;;KÖLN;"left; at door"',
        'STATUS;P2;DEL;03.03.2026;08:15;KÖLN;"left; at door"',
    ]


def test_events_are_written_as_records_below_others(tmp_path: Path) -> None:
    """What consecutive events share is written once."""
    fields = {
        "H": {"Nr": {"start": 2, "length": 4, "align": "right", "fill": "0"}, "Datum": {"start": 6, "length": 8}},
        "S": {"Nummer": {"start": 2, "length": 3}},
        "E": {"Status": {"start": 2, "length": 3}, "Wann": {"start": 5, "length": 12}},
    }
    encoder = FixedWidthOutput.model_validate({"recipient": "X", "records": fields, "line_break": "lf"})
    assert _written(tmp_path, NESTED, encoder).splitlines() == [
        " 001720260303",
        " P1 ",
        " DEL202603030715",
        " IN_20260303    ",
        " P2 ",
        " DEL202603030715",
    ]


def test_events_are_written_as_json(tmp_path: Path) -> None:
    """Levels are lists, dots are objects."""
    written = _written(tmp_path, JSON, JsonOutput(recipient="X"))
    event = '{"code": "DEL", "place": {"name": "KÖLN"}, "at": "2026-03-03T07:15:30+00:00"}'
    day = event.replace("DEL", "IN_").replace("T07:15:30+00:00", "")
    head = '{"file": {"number": "17", "created": "2026-03-03T07:15:30+00:00"}, "shipments": ['
    first = f'{{"number": "P1", "events": [{event}, {day}]}}'
    assert written == f'{head}{first}, {{"number": "P2", "events": [{event}]}}]}}'
    lines = _written(tmp_path, JSON, JsonLinesOutput(recipient="X")).splitlines()
    assert [line.count('"file"') for line in lines] == [1, 1]


def test_events_are_written_as_xml(tmp_path: Path) -> None:
    """Steps are elements, @ is an attribute; elements come in the order the customer wants."""
    encoder = XmlOutput(recipient="X", root="Tracking", order=("Created", "at", "Place", "Status"))
    written = _written(tmp_path, XML, encoder)
    event = '<Event><at>2026-03-03T07:15:30+00:00</at><Place>KÖLN</Place><Status code="DEL"/></Event>'
    assert written.endswith(
        f'<Tracking number="17"><Created>2026-03-03T07:15:30+00:00</Created><Shipments><Shipment number="P1">{event}'
        f"{event.replace('DEL', 'IN_').replace('T07:15:30+00:00', '')}</Shipment>"
        f'<Shipment number="P2">{event}</Shipment></Shipments></Tracking>'
    )
