"""What is written is read back, for every format of rows and trees; and no bytes whatever make a reader fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edi_gateway.errors import DocumentError, RefusedError
from edi_gateway.formats.tables.delimited import Delimited
from edi_gateway.formats.tables.fixed_width import FixedWidth
from edi_gateway.formats.tables.output import DelimitedOutput, FixedWidthOutput
from edi_gateway.formats.tables.xlsx import Xlsx
from edi_gateway.formats.trees.json_text import Json, JsonLines
from edi_gateway.formats.trees.output import JsonLinesOutput, JsonOutput, XmlOutput
from edi_gateway.formats.trees.xml_text import Xml
from edi_gateway.model import OutboundMessage, OutboundSegment
from edi_gateway.plugins import Encoder, Format
from tests.unit.formats.records import bodies, rows

NOW = datetime(2026, 3, 3, tzinfo=UTC)
NAMES = ("number", "status", "text")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1a"), max_size=12)
FIELD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8).map(str.strip)
XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
Record = Mapping[str, str]


def _of(text: st.SearchStrategy[str]) -> st.SearchStrategy[list[Record]]:
    """Records that say something, so that they are no blank lines."""
    record = st.fixed_dictionaries(dict.fromkeys(NAMES, text))
    return st.lists(record.filter(lambda each: any(map(str.strip, each.values()))), min_size=1, max_size=5)


def _message(records: Sequence[Record], tag: str = "ROW") -> list[OutboundMessage]:
    children = [OutboundSegment(tag, names=dict(record)) for record in records]
    return [OutboundMessage("1", OutboundSegment("", children=children))]


def _back(syntax: Format, content: bytes) -> list[Record]:
    return [{name: row.named(name) for name in NAMES} for row in rows(syntax, content)]


def _trimmed(records: Sequence[Record]) -> list[Record]:
    return [{name: text.strip() for name, text in record.items()} for record in records]


@given(_of(CELL), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(['"', "'"]), st.booleans(), st.booleans())
def test_delimited(records: list[Record], delimiter: str, quote: str, every: bool, mark: bool) -> None:
    """Whatever the cells hold."""
    options = {"delimiter": delimiter, "quote": quote}
    written = {"recipient": "X", "columns": NAMES, "quote_all": every, "byte_order_mark": mark, **options}
    content = DelimitedOutput.model_validate(written).encode("1", NOW, _message(records))
    assert _back(Delimited.model_validate(options), content) == _trimmed(records)


@given(_of(FIELD))
def test_fixed_width(records: list[Record]) -> None:
    """As long as it fits."""
    fields = {name: {"start": 1 + 10 * index, "length": 8} for index, name in enumerate(NAMES)}
    writer = FixedWidthOutput.model_validate({"recipient": "X", "records": {"ROW": fields}})
    reader = FixedWidth.model_validate({"records": {"ROW": {"code": "*", "fields": fields}}})
    assert _back(reader, writer.encode("1", NOW, _message(records))) == records


@given(_of(ANY_TEXT))
def test_json(records: list[Record]) -> None:
    """Every text there is."""
    content = JsonOutput(recipient="X").encode("1", NOW, _message(records, "shipment.events"))
    (body,) = bodies(Json(), content)
    found = body.each("shipment.events")
    assert [{name: node.named(name) for name in NAMES} for node in found] == _trimmed(records)


@given(_of(ANY_TEXT))
def test_json_lines(records: list[Record]) -> None:
    """A record a line."""
    content = JsonLinesOutput(recipient="X").encode("1", NOW, _message(records, "events"))
    found = [{name: body.named(name) for name in NAMES} for body in bodies(JsonLines(), content)]
    assert found == _trimmed(records)


@given(_of(XML_TEXT))
def test_xml(records: list[Record]) -> None:
    """Elements and attributes; blanks are one."""
    places = {"number": "@number", "status": "Status/Code", "text": "Text"}
    renamed = [{places[name]: text for name, text in record.items()} for record in records]
    writer = XmlOutput(recipient="X", root="Events", namespace="urn:x", indent=True)
    (body,) = bodies(Xml(), writer.encode("1", NOW, _message(renamed, "Event")))
    found = [{name: node.named(place) for name, place in places.items()} for node in body.each("Event")]
    assert found == [{name: " ".join(text.split()) for name, text in record.items()} for record in records]


READERS = [
    Delimited(),
    Delimited.model_validate({"header": False, "delimiter": ",", "columns": ["a", "b"]}),
    Delimited.model_validate(
        {
            "header": False,
            "records": {
                "H": {"columns": ["t", "n"]},
                "D": {"columns": ["t"], "below": "H"},
                "T": {"columns": ["t", "n"]},
            },
            "trailer": {"record": "T", "count": "n"},
            "control_reference": "H@n",
        }
    ),
    FixedWidth.model_validate(
        {
            "records": {
                "H": {"fields": {"a": {"start": 2, "length": 3}}},
                "T": {"fields": {"n": {"start": 2, "length": 2}}},
            },
            "trailer": {"record": "T", "count": "n"},
        }
    ),
    Json(),
    Json(records="a[].b"),
    JsonLines(),
    Xml(),
    Xml(records="//a"),
    Xlsx(),
]
PIECES = st.sampled_from(
    [
        *(b"H,1\n", b"D\n", b"T,1", b'"', b"\r", b"\n", b";", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"),
        *(b"{", b"}", b"[", b"]", b'"a":', b"1e999", b"NaN", b"9" * 5_000, b"[" * 2_000),
        *(b"<a>", b"</a>", b"<!DOCTYPE a>", b"&x;", b"<a b='1'>", b"PK\x03\x04"),
        *(b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 500 No\r\n"),
    ]
)


@pytest.mark.parametrize("syntax", READERS, ids=lambda each: type(each).__name__)
@given(st.binary(max_size=60) | st.lists(PIECES, max_size=12).map(b"".join))
@example(b"PK\x05\x06" + b"\x00" * 18)
def test_no_bytes_make_a_reader_fail(syntax: Format, content: bytes) -> None:
    """They are rows, findings, or a document set aside; and asking whether they are all there is answered."""
    assert syntax.is_complete(content) in {True, False}
    try:
        for interchange in syntax.decode(content):
            for message in interchange.messages:
                for row in message.body.below() if message.body else ():
                    row.named("a")
                assert message.body is not None or message.findings
    except DocumentError as error:
        refusal = error.finding
    else:
        return
    assert refusal.expected


@pytest.mark.parametrize(
    ("writer", "names", "why"),
    [
        (DelimitedOutput(recipient="X", columns=("Number",)), {"Numbr": "1"}, "did you mean 'Number'"),
        (DelimitedOutput(recipient="X", columns=("A",), encoding="latin-1"), {"A": "Łódź"}, r"U\+0141"),
        (DelimitedOutput(recipient="X", columns=("A",), quote=""), {"A": "1,2"}, "without a quote"),
        (JsonOutput(recipient="X"), {"a[0]": "1"}, "can be read but not written"),
        (JsonOutput(recipient="X"), {"a": "1", "a.b": "2"}, "lies within a text"),
        (XmlOutput(recipient="X", root="R"), {"a[1]": "1"}, "can be read but not written"),
        (XmlOutput(recipient="X", root="R"), {"a": "\x01"}, "cannot hold"),
    ],
)
def test_what_cannot_be_written_is_refused(writer: Encoder, names: Record, why: str) -> None:
    """By name, with what was expected; nothing is replaced or left out in silence."""
    with pytest.raises(RefusedError, match=why):
        writer.encode("1", NOW, _message([names]))


def test_what_does_not_fit_its_field_is_refused() -> None:
    """Never cut in silence."""
    writer = FixedWidthOutput.model_validate({"recipient": "X", "records": {"ROW": {"a": {"start": 1, "length": 3}}}})
    with pytest.raises(RefusedError, match="at most 3 characters"):
        writer.encode("1", NOW, _message([{"a": "1234"}]))


def test_nearest_characters_are_written_where_that_is_wanted() -> None:
    """unencodable: replace."""
    assert DelimitedOutput(recipient="X", columns=("A",), encoding="latin-1").replace("Łódź ß 漢") == "Lódz ß  "
    assert XmlOutput(recipient="X", root="R").replace("a\x01b") == "a b"


def test_a_trailer_counts_the_records_before_it() -> None:
    """Whatever the layout writes into it besides."""
    fields = {"DET": {"number": {"start": 1, "length": 4}}}
    fields["END"] = {"count": {"start": 1, "length": 3, "align": "right", "fill": "0"}}  # type: ignore[dict-item]
    options = {"recipient": "X", "records": fields, "trailer": {"record": "END", "count": "count"}, "line_break": "lf"}
    content = FixedWidthOutput.model_validate(options).encode("1", NOW, _message([{"number": "A"}] * 3, "DET"))
    assert content == b"A   \nA   \nA   \n003\n"
