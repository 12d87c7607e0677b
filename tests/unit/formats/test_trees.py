"""JSON and XML as carriers send them, and what nobody should send."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from edi_gateway.errors import DocumentError
from edi_gateway.formats.trees.json_text import Json, JsonLines
from edi_gateway.formats.trees.xml_text import Xml
from edi_gateway.model import Level, Severity
from edi_gateway.plugins import Format
from tests.unit.formats.records import bodies, said

JSON = """\
syntax: json
format: {type: json, records: shipments}
for_each: [pieces, events]
report: {problem: error}
event:
  tracking_number: [^number]
  code: code
  occurred_at: at
  text: "^^text || note"
codes: {D: DELIVERED}
"""
JSON = JSON.replace('  text: "^^text || note"\n', "  account: ^account\n")


def _refusal(syntax: Format, content: bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        list(bodies(syntax, content))
    assert caught.value.finding.level is Level.DOCUMENT
    return str(caught.value.finding)


def test_levels_lead_to_events_and_outward(tmp_path: Path) -> None:
    """The nearest level that gives something counts; lists and single objects are the same."""
    event = {"code": "D", "at": "2026-03-03T08:00:00+01:00"}
    content = json.dumps(
        {
            "account": "A1",
            "shipments": [
                {"number": 4711, "pieces": [{"events": event}, {"number": "P2", "account": "A2", "events": [event]}]},
                {"number": "S3", "error": "unknown number"},
            ],
        }
    )
    found = said(tmp_path, JSON, content.encode())
    assert [(event.tracking_number, event.account) for event in found.events] == [("4711", "A1"), ("P2", "A2")]
    (aside,) = found.aside
    assert (aside.found, aside.at.message) == ("unknown number", "2")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *(("12345678901234567890123", "12345678901234567890123"), ("1.50", "1.50"), ("true", "true"), ('" x "', "x")),
        *(("null", ""), ("{}", ""), ("[null, 7]", "7"), ("4.3436E+15", "4.3436E+15")),
    ],
)
def test_values_are_texts_as_they_were_written(written: str, read: str) -> None:
    """No digit is lost."""
    (body,) = bodies(Json(), f'{{"id": {written}}}'.encode())
    assert body.named("id") == read


def test_a_rounded_number_in_json_is_no_tracking_number(tmp_path: Path) -> None:
    """The event is set aside at its expression."""
    event = '{"code": "D", "at": "2026-03-03T08:00:00Z"}'
    (aside,) = said(
        tmp_path, JSON, f'{{"shipments": {{"number": 4.3E+15, "pieces": {{"events": {event}}}}}}}'.encode()
    ).aside
    assert "precision lost" in aside.expected
    assert aside.at.name == "number"


@pytest.mark.parametrize(("content", "what"), [('{"a": 1, "a": 2}', "'a' twice"), ('{"a": NaN}', "NaN")])
def test_what_json_does_not_know_is_remarked(content: str, what: str) -> None:
    """And read as everybody does."""
    (interchange,) = Json().decode(content.encode())
    (warned,) = interchange.findings
    assert warned.severity is Severity.WARNING
    assert what in warned.found


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": [1, 2', "line 1"),
        (b'{\n"a": tru}', "line 2"),
        (b"[" * 100_000, "nested less deeply"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n{}", "HTTP/1.1 404 Not Found"),
        (b'"' + b"a" * 1_000 + b'"', "at most 500 bytes"),
    ],
)
def test_json_that_cannot_be_read_is_set_aside_whole(content: bytes, why: str) -> None:
    """With the place."""
    most = 500 if content.startswith(b'"') else 1_000_000
    assert why in _refusal(Json(max_size=most), content)


def test_records_that_are_not_there_are_missed() -> None:
    """Never silently nothing."""
    (interchange,) = Json(records="shipments").decode(b"{}")
    (message,) = interchange.messages
    assert [finding.severity for finding in message.findings] == [Severity.QUARANTINE]
    (interchange,) = Json(records="shipments").decode(b'{"shipments": []}')
    (message,) = interchange.messages
    assert [finding.severity for finding in message.findings] == [Severity.WARNING]


def test_a_line_that_is_no_json_costs_itself() -> None:
    """Lines before and behind it are read, and know theirs."""
    (interchange,) = JsonLines().decode(b'{"a": 1}\n{"a": \n\n{"a": 3}')
    messages = list(interchange.messages)
    assert [message.body.named("a") if message.body else "" for message in messages] == ["1", "", "3"]
    assert [message.position.line for message in messages] == [1, 2, 4]
    (aside,) = messages[1].findings
    assert (aside.at.start, aside.at.end) == (9, 16)


@pytest.mark.parametrize("syntax", [Json(), JsonLines()])
def test_json_is_complete_when_its_last_bracket_is_there(syntax: Format) -> None:
    """Blanks behind it do not count."""
    assert syntax.is_complete(b'{"a": 1}\n')
    assert not syntax.is_complete(b'{"a": 1')


SOAP = b"""<?xml version="1.0"?>
<s:Envelope xmlns:s="urn:soap"><s:Body><r:Answer xmlns:r="urn:r">
<r:Parcel r:id="P1"><r:Scan>A  B
 C</r:Scan><!-- remark --></r:Parcel></r:Answer></s:Body></s:Envelope>"""


def test_names_are_matched_without_their_namespaces() -> None:
    """Unless prefixes are given; line breaks within text are blanks."""
    (body,) = bodies(Xml(records="//Parcel"), SOAP)
    assert (body.named("@id"), body.named("Scan"), body.line) == ("P1", "A B C", 3)
    (body,) = bodies(Xml(records="//x:Parcel", namespaces={"x": "urn:r"}), SOAP)
    assert (body.named("@x:id"), body.named("x:Scan"), body.named("Scan")) == ("P1", "A B C", "")


BOMB = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BOMB, "document type"),
        (BOMB.decode().encode("utf-16"), "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b" " * 70_000 + b"<!-- " + b"x" * 70_000 + b" --><!DOCTYPE a><a/>", "document type"),
        (b"<a><b></a>", "line 1"),
        (b"<a>\n<b>&unknown;</b></a>", "line 2"),
        (b"<a>" * 300 + b"</a>" * 300, "XML"),
        (b"<a>" + b"x" * 1_000 + b"</a>", "at most 500 bytes"),
        (b"plain text", "XML"),
    ],
)
def test_xml_that_may_do_harm_is_set_aside_whole(content: bytes, why: str) -> None:
    """No document type, no entity, no depth, and no size beyond what was agreed."""
    most = 500 if b"x" * 1_000 in content and b"<!--" not in content else 1_000_000
    begun = time.monotonic()
    assert why in _refusal(Xml(max_size=most), content)
    assert time.monotonic() - begun < 5


def test_an_external_file_is_never_read(tmp_path: Path) -> None:
    """Not by an XInclude either, which is but an element."""
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    content = f'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="{tmp_path}/secret.txt"/></a>'
    (body,) = bodies(Xml(), content.encode())
    assert body.named(".") == ""
    assert body.named("document('secret.txt')") == ""


@pytest.mark.parametrize("options", [{"records": "//["}, {"max_size": "0B"}, {"recrods": "//a"}])
def test_options_of_xml_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    """At start, not when the first file comes."""
    with pytest.raises(ValueError, match=r"records|max_size|recrods"):
        Xml.model_validate(options)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("syntax", "text"), [(Json(), '{"a": "1"}'), (Xml(records="/a"), "<a>1</a>")])
def test_utf_16_is_read_to_its_last_byte(syntax: Format, text: str, codec: str) -> None:
    """Half of its bytes look like padding, which is cut off elsewhere."""
    content = f"\ufeff{text}".encode(codec)
    assert syntax.is_complete(content)
    assert not syntax.is_complete(content[:-2])
    assert len([*bodies(syntax, content)]) == 1
