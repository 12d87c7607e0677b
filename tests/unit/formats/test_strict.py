"""Strict mode: what is taken with a remark from others is set aside, with the same remark, and rejected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from edi_gateway.acknowledgements import Kind, Receipt, ReceivedMessage
from edi_gateway.errors import DocumentError
from edi_gateway.formats.edifact.answers import EdifactAnswers
from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.formats.tables.delimited import Delimited
from edi_gateway.formats.tables.fixed_width import FixedWidth
from edi_gateway.formats.tables.xlsx import Xlsx
from edi_gateway.formats.trees.form import Form
from edi_gateway.formats.trees.json_text import Json, JsonLines
from edi_gateway.formats.trees.xml_text import Xml
from edi_gateway.formats.x12.answers import X12Answers
from edi_gateway.formats.x12.format import X12
from edi_gateway.model import Finding, Interchange, Message, Severity
from edi_gateway.plugins import Format
from tests.unit.formats import edi, x12

NOW: Final = datetime(2026, 10, 12, 9, tzinfo=UTC)
SOUND: Final = edi.interchange(edi.message(*edi.BODY, ref="M1"), edi.message(*edi.BODY, ref="M2"))
MISCOUNTED: Final = edi.interchange(edi.message(*edi.BODY, ref="M1"), edi.message(*edi.BODY, ref="M2", count=99))
MISCOUNTED_SET: Final = x12.interchange(
    x12.group(x12.transaction(*x12.BODY), x12.transaction(*x12.BODY, ref="0002", count=99))
)
FIXED: Final = {"records": {"E": {"code": "E", "fields": {"number": {"start": 2, "length": 3}}}}}
FIXED_WITH_TRAILER: Final = {
    "records": {**FIXED["records"], "T": {"code": "T", "fields": {"count": {"start": 2, "length": 1}}}},
    "trailer": {"record": "T", "count": "count"},
}

Read = tuple[Interchange, list[Message]]


def read(syntax: Format, content: bytes) -> Read:
    """The one interchange and its messages."""
    [found] = [(each, list(each.messages)) for each in syntax.decode(content)]
    return found


def findings(found: Read) -> Iterator[Finding]:
    interchange, messages = found
    yield from interchange.findings
    for message in messages:
        yield from message.findings


def told(found: Read) -> list[tuple[object, ...]]:
    """Everything about its findings but what becomes of them."""
    return [(each.level, each.at, each.found, each.expected, each.code) for each in findings(found)]


def taken(found: Read) -> int:
    """How many messages have something to be read."""
    return sum(message.body is not None for message in found[1])


def workbook() -> bytes:
    book = Workbook()
    book.active.append(["Parcel", "Status"])  # type: ignore[union-attr]
    book.active.append(["P1", "10"])  # type: ignore[union-attr]
    file = BytesIO()
    book.save(file)
    return file.getvalue()


REMARKED: Final[dict[str, tuple[type[Any], dict[str, Any], bytes, int]]] = {  # … and what strict mode takes of it
    "EDIFACT, a segment count": (Edifact, {}, MISCOUNTED, 1),
    "EDIFACT, the count in UNZ": (Edifact, {}, SOUND.replace(b"UNZ+2", b"UNZ+3"), 0),
    "EDIFACT, a banner": (Edifact, {}, b"MAILBOX 17\n" + SOUND, 0),
    "EDIFACT, a charset": (Edifact, {}, SOUND.replace(b"UNOC", b"UNOA").replace(b"RPT7", b"R\xf8"), 0),
    "EDIFACT, wrapped lines": (Edifact, {}, SOUND.replace(b"CNI+1+K77", b"CNI+1\n+K77", 1), 1),
    "EDIFACT, a segment out of place": (Edifact, {}, SOUND.replace(b"CNI+1+K77'", b"XYZ+1'CNI+1+K77'", 1), 1),
    "EDIFACT, an unreleased separator": (Edifact, {}, SOUND.replace(b"CNI+1+K77", b"CNI+1+K77+2+X", 1), 1),
    "X12, a segment count": (X12, {}, MISCOUNTED_SET, 1),
    "X12, the count in GE": (X12, {}, x12.sample().replace(b"GE*1*", b"GE*4*"), 0),
    "X12, an ISA without its width": (X12, {}, x12.sample().replace(b"          *", b" *"), 0),
    "X12, cut short": (X12, {"salvage": True}, x12.sample().partition(b"GE*")[0], 0),
    "CSV, bytes that are not UTF-8": (Delimited, {}, b"Parcel;Town\nP1;K\xf8ge\n", 0),
    "CSV, a column that is gone": (Delimited, {"columns": {"Weight": []}}, b"Parcel;Town\nP1;Ulm\n", 0),
    "fixed width, a trailer that counts otherwise": (FixedWidth, FIXED_WITH_TRAILER, b"E001\nT7\n", 0),
    "Excel, a column that is gone": (Xlsx, {"columns": {"Weight": []}}, workbook(), 0),
    "JSON, a key twice": (Json, {}, b'[{"a": 1, "a": 2}]', 0),
    "form, a key twice in its JSON": (Form, {"field": "said"}, b"said=[{%22a%22:1,%22a%22:2}]", 0),
    "JSON Lines, a key twice": (JsonLines, {}, b'{"a": 1}\n{"a": 1, "a": 2}\n', 1),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "content", "left"), REMARKED.values(), ids=REMARKED)
def test_what_would_be_a_remark_sets_its_part_aside(
    kind: type[Any], options: dict[str, Any], content: bytes, left: int
) -> None:
    """A message, or all of the interchange; the place, the words and the code are those of the remark."""
    tolerant, strict = read(kind(**options), content), read(kind(**options, strict=True), content)
    remarked = [each for each in findings(tolerant) if each.severity is Severity.WARNING]
    assert remarked
    assert taken(tolerant) > left
    assert taken(strict) == left
    assert {each.severity for each in findings(strict)} == {Severity.QUARANTINE}
    assert set(told(strict)) <= set(told(tolerant))
    assert all("strict" in each.advice for each in findings(strict))


SOUND_FILES: Final[dict[str, tuple[type[Any], dict[str, Any], bytes]]] = {
    "EDIFACT": (Edifact, {}, SOUND),
    "EDIFACT with what is nothing": (Edifact, {}, b"\xef\xbb\xbf\r\n" + SOUND.replace(b"'", b"'\r\n") + b"\x1a"),
    "X12": (X12, {}, x12.sample()),
    "X12 with what is nothing": (X12, {}, b"\xef\xbb\xbf" + x12.sample("~\r\n") + b"\x1a"),
    "CSV": (Delimited, {}, b"\xef\xbb\xbfParcel;Town\r\nP1;Ulm\r\n"),
    "fixed width": (FixedWidth, FIXED, b"E001\n"),
    "Excel": (Xlsx, {}, workbook()),
    "JSON": (Json, {}, b'[{"a": 1}]'),
    "JSON Lines": (JsonLines, {}, b'{"a": 1}\n'),
    "XML": (Xml, {}, b"<a><b/></a>"),
    "form": (Form, {}, b"a=1&b=2"),
}


@pytest.mark.parametrize(("kind", "options", "content"), SOUND_FILES.values(), ids=SOUND_FILES)
def test_what_is_sound_is_read_like_any_other(kind: type[Any], options: dict[str, Any], content: bytes) -> None:
    """What nobody remarks on (line breaks behind terminators, byte order marks, padding) does no harm here either."""
    found = read(kind(**options, strict=True), content)
    assert list(findings(found)) == []
    assert taken(found) == taken(read(kind(**options), content)) > 0


def test_a_row_that_is_passed_over_costs_no_other() -> None:
    """The header once more in the middle is about itself alone."""
    found = read(Delimited(strict=True), b"Parcel;Town\nP1;Ulm\nParcel;Town\nP2;Bonn\n")
    [finding] = findings(found)
    assert (finding.severity, finding.at.line) == (Severity.QUARANTINE, 3)
    [message] = found[1]
    assert message.body is not None
    assert [row.get(1) for row in message.body.below()] == ["P1", "P2"]


@pytest.mark.parametrize("syntax", [Edifact(strict=True, accept="interchange"), X12(strict=True, accept="interchange")])
def test_interchanges_accepted_as_a_whole_stay_so(syntax: Format) -> None:
    """One remark in one message then refuses all of them."""
    interchange, messages = read(syntax, MISCOUNTED if isinstance(syntax, Edifact) else MISCOUNTED_SET)
    assert [(each.severity, each.code) for each in interchange.findings] in (
        [(Severity.QUARANTINE, "29")],
        [(Severity.QUARANTINE, "4")],
    )
    assert messages == []


EMPTY: Final[dict[str, tuple[type[Any], dict[str, Any]]]] = {name: row[:2] for name, row in SOUND_FILES.items()}


@pytest.mark.parametrize(("kind", "options"), EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("content", [b"", b" \r\n", b"\r\n\x1a"])
def test_an_empty_file_is_a_remark(kind: type[Any], options: dict[str, Any], content: bytes) -> None:
    """Some partners send one to show they are alive, no strict one does; NUL bytes are a file that was lost."""

    def severity(content: bytes, **more: Any) -> Severity:
        with pytest.raises(DocumentError) as caught:
            list(kind(**options, **more).decode(content))
        return caught.value.finding.severity

    assert severity(content) is Severity.WARNING
    assert severity(content, strict=True) is Severity.QUARANTINE
    assert severity(content + b"\x00" * 100) is Severity.QUARANTINE


def receipt(syntax: Format, content: bytes) -> Receipt:
    interchange, messages = read(syntax, content)
    received = [ReceivedMessage(each, 1, each.findings) for each in messages]
    return Receipt(interchange, received, len(received), content=memoryview(content))


def edifact(content: bytes, *, strict: bool) -> list[str]:
    answer = EdifactAnswers().write(Kind.CONTRL, receipt(Edifact(strict=strict), content), 7, NOW).decode()
    return answer.partition("UNH+")[2].split("'")[1:-3]


def x12_lines(kind: Kind, content: bytes, *, strict: bool) -> list[str]:
    answer = X12Answers().write(kind, receipt(X12(strict=strict), content), 7, NOW).decode()
    return [line for line in answer.split("~") if line.startswith(("TA1", "AK5", "AK9", "IK5"))]


def test_contrl_rejects_what_strict_mode_sets_aside() -> None:
    """With the same code at the same place; without strict mode it is acknowledged."""
    about = "UCI+REF1+CARRIER:ZZZ:DEPOT+HUB:14"
    assert edifact(MISCOUNTED, strict=False) == [f"{about}+7"]
    assert edifact(MISCOUNTED, strict=True) == [f"{about}+7", "UCM+M2+IFTSTA:D:96A:UN+4+29+UNT+2"]
    assert edifact(SOUND.replace(b"UNZ+2", b"UNZ+3"), strict=True) == [f"{about}+4+29+UNZ+2"]


def test_997_and_ta1_reject_what_strict_mode_sets_aside() -> None:
    """A set by AK5, an envelope by AK9 and TA1, with the codes they are accepted with otherwise."""
    assert x12_lines(Kind.FUNCTIONAL, MISCOUNTED_SET, strict=False) == ["AK5*A", "AK5*E*4", "AK9*E*2*2*2"]
    assert x12_lines(Kind.FUNCTIONAL, MISCOUNTED_SET, strict=True) == ["AK5*A", "AK5*R*4", "AK9*P*2*2*1"]
    assert x12_lines(Kind.IMPLEMENTATION, MISCOUNTED_SET, strict=True)[1] == "IK5*R*4"
    collapsed = x12.sample().replace(b"          *", b" *")
    assert x12_lines(Kind.TA1, collapsed, strict=False) == ["TA1*000000042*260102*0930*E*022"]
    assert x12_lines(Kind.TA1, collapsed, strict=True) == ["TA1*000000042*260102*0930*R*022"]
    assert x12_lines(Kind.FUNCTIONAL, collapsed, strict=True) == ["AK9*R*1*0*0"]


def test_strict_mode_is_a_yes_or_no() -> None:
    """Written as anything else it is a mistake in the configuration."""
    with pytest.raises(ValidationError):
        Edifact(strict="yes")
