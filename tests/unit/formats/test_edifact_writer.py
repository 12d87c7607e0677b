"""The writer: envelope, counts, release characters, order and honest encoding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edi_gateway.errors import RefusedError
from edi_gateway.formats.edifact.charsets import encodable
from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.formats.edifact.output import EdifactOutput
from edi_gateway.formats.edifact.writer import (
    Envelope,
    OutgoingMessage,
    UnencodableError,
    arrange,
    write_interchange,
)
from edi_gateway.formats.guide import load_guide
from edi_gateway.formats.party import parse_party
from edi_gateway.model import Party
from tests.unit.formats.edi import body_of, outbound, outline, read_one

ENVELOPE = Envelope(
    sender=Party("HUB", "14"),
    recipient=Party("CUSTOMER", "ZZZ", "DEPOT"),
    control_ref="7",
    prepared_at=datetime(2026, 1, 2, 9, 30, tzinfo=UTC),
)
STATUS = outbound("STS", ["1", "21"], [outbound("DTM", [["334", "202601020815", "203"]])])
MESSAGE = OutgoingMessage("M1", [outbound("BGM", ["23", "RPT7", "9"]), outbound("CNI", ["1", "K77"], [STATUS])])


def text(*elements: str) -> OutgoingMessage:
    """A message with one free text."""
    return OutgoingMessage("M1", [outbound("FTX", ["AAI", "", "", elements])])


def test_an_interchange_to_the_letter() -> None:
    """UNA, UNB, counted messages and segments, UNZ; trailing empty elements and components are cut."""
    assert write_interchange(ENVELOPE, [MESSAGE]).decode() == (
        "UNA:+.? '"
        "UNB+UNOC:3+HUB:14+CUSTOMER:ZZZ:DEPOT+260102:0930+7'"
        "UNH+M1+IFTSTA:D:96A:UN'"
        "BGM+23+RPT7+9'"
        "CNI+1+K77'"
        "STS+1+21'"
        "DTM+334:202601020815:203'"
        "UNT+6+M1'"
        "UNZ+1+7'"
    )


def test_every_option_of_the_envelope() -> None:
    """Application reference, acknowledgement request, test indicator, line breaks, no UNA."""
    envelope = replace(
        ENVELOPE, application_ref="IFTSTA", ack_request=True, test=True, line_breaks="\r\n", una=False, syntax="UNOA"
    )
    written = write_interchange(envelope, [replace(MESSAGE, association="EAN004", release="01B")]).decode()
    assert written.startswith(
        "UNB+UNOA:3+HUB:14+CUSTOMER:ZZZ:DEPOT+260102:0930+7++IFTSTA++1++1'\r\nUNH+M1+IFTSTA:D:01B:UN:EAN004'\r\nBGM"
    )
    assert written.endswith("'\r\nUNZ+1+7'\r\n")


def test_a_destination_says_what_its_envelopes_ask_for() -> None:
    """The test indicator and the request for an acknowledgement, each only where it is wanted."""
    for test in (False, True):
        for asked in (False, True):
            output = EdifactOutput(
                sender=parse_party("HUB:ZZZ"), recipient=parse_party("GLOBEX:14"), test=test, request_contrl=asked
            )
            [found] = Edifact().decode(output.encode("7", ENVELOPE.prepared_at, []))
            assert (found.test, found.acknowledgement_request) == (test, "1" if asked else "")


def test_syntax_4_has_its_own_date_and_repetition_separator() -> None:
    """Eight digits of date, an asterisk in UNA, and asterisks in text released."""
    written = write_interchange(replace(ENVELOPE, version="4", syntax="UNOY"), [text("5*3")]).decode()
    assert written.startswith("UNA:+.?*'UNB+UNOY:4+HUB:14+CUSTOMER:ZZZ:DEPOT+20260102:0930+7'")
    assert "FTX+AAI+++5?*3'" in written
    assert "FTX+AAI+++5*3'" in write_interchange(ENVELOPE, [text("5*3")]).decode()


def test_delimiters_in_text_are_released() -> None:
    """Every service character in data is preceded by the release character."""
    written = write_interchange(ENVELOPE, [text("a+b", "c:d", "e'f", "g?h")]).decode()
    assert "FTX+AAI+++a?+b:c?:d:e?'f:g??h'" in written


def test_empty_elements_are_cut_at_the_end_only() -> None:
    """An empty element between two stays; empty texts and composites behind the last are nothing."""
    segments = [
        outbound("NAD", ["CN", "", ["", "9"], "", ["", ""]]),
        outbound("CNI"),
        outbound("LOC", [""]),
    ]
    written = write_interchange(ENVELOPE, [OutgoingMessage("M1", segments)]).decode()
    assert "'NAD+CN++:9'CNI'LOC'UNT+5+M1'" in written


@pytest.mark.parametrize(
    ("syntax", "word", "raw"),
    [
        ("UNOC", "Göteborg", b"G\xf6teborg"),
        ("UNOD", "Łódź", b"\xa3\xf3d\xbc"),
        ("UNOY", "Łódź", "Łódź".encode()),
        ("UNOW", "東京", "東京".encode()),
        ("UNOX", "東京", "東京".encode("iso2022_jp")),
        ("UNOA", "GENT 4", b"GENT 4"),
        ("UNOB", "Gent 4", b"Gent 4"),
    ],
)
def test_text_is_encoded_as_declared(syntax: str, word: str, raw: bytes) -> None:
    """The bytes are those of the character set that UNB names."""
    envelope = replace(ENVELOPE, syntax=syntax)
    assert b"FTX+AAI+++" + raw + b"'" in write_interchange(envelope, [text(word)])


@pytest.mark.parametrize(
    ("syntax", "word", "character"),
    [
        ("UNOA", "Gent", "e"),
        ("UNOA", "A@B", "@"),
        ("UNOB", "a_b", "_"),
        ("UNOB", "Göteborg", "ö"),
        ("UNOC", "Łódź", "Ł"),
        ("UNOC", "5 €", "€"),
        ("UNOC", "two\nlines", "\n"),
        ("UNOY", "tab\there", "\t"),
        ("UNOY", "half \ud83d", "\ud83d"),
        ("UNOC", "Łine\n", "Ł"),
        ("UNOC", "\nŁine", "\n"),
    ],
)
def test_a_character_that_cannot_be_carried_is_refused(syntax: str, word: str, character: str) -> None:
    """Nothing is replaced in silence: the error names segment, element and character."""
    assert encodable(word, syntax) == character
    with pytest.raises(UnencodableError) as caught:
        write_interchange(replace(ENVELOPE, syntax=syntax), [text("OK", word)])
    error = caught.value
    assert (error.tag, error.element, error.character, error.charset) == ("FTX", 4, character, syntax)
    assert isinstance(error, RefusedError)
    assert f"FTX, element 4: found {character!r}" in str(error)


def test_text_that_can_be_carried() -> None:
    """None says that there is no offending character."""
    assert [encodable("A-Z 0-9", "UNOA"), encodable("a-z", "UNOB"), encodable("ÿ", "UNOC")] == [None] * 3


@pytest.mark.parametrize(
    ("envelope", "tag"),
    [
        (replace(ENVELOPE, syntax="UNOQ"), "FTX"),
        (replace(ENVELOPE, line_breaks=" "), "FTX"),
        (ENVELOPE, "ft"),
        (ENVELOPE, "F+X"),
        (ENVELOPE, "ÄÖÜ"),
    ],
)
def test_what_has_no_place_in_edifact_is_refused(envelope: Envelope, tag: str) -> None:
    """An unknown character set, an odd line break and an unsound tag make no document."""
    with pytest.raises(RefusedError, match="found"):
        write_interchange(envelope, [OutgoingMessage("M1", [outbound(tag, ["X"])])])


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("96A", "UNH(BGM DTM NAD(CTA) RFF LOC CNI(LOC STS(RFF DTM LOC)))"),
        ("24A", "UNH(BGM DTM LOC RFF NAD(CTA) CNI(LOC STS(RFF DTM LOC)))"),
    ],
)
def test_arranging_follows_the_directory(release: str, expected: str) -> None:
    """A tree in any order is written as its directory wants it, and reads back the same."""
    status = outbound("STS", ["1", "21"], [outbound(tag, ["1"]) for tag in ("LOC", "DTM", "RFF")])
    consignment = outbound("CNI", ["1"], [status, outbound("LOC", ["1"])])
    party = outbound("NAD", ["CA"], [outbound("CTA", ["IC"])])
    loose = [outbound(tag, ["1"]) for tag in ("LOC", "RFF", "DTM", "BGM")]
    arranged = arrange(OutgoingMessage("M1", [consignment, party, *loose], release=release), load_guide("IFTSTA"))
    (found,) = read_one(write_interchange(ENVELOPE, [arranged])).messages
    assert outline(body_of(found)) == expected
    assert found.findings == ()


def test_arranging_refuses_what_the_directory_does_not_have() -> None:
    """Equipment without a consignment is unknown before D.08B."""
    message = OutgoingMessage("M1", [outbound("EQD", ["CN"])], release="96A")
    with pytest.raises(RefusedError, match=r"IFTSTA D\.96A has no EQD below UNH"):
        arrange(message, load_guide("IFTSTA"))


def test_an_interchange_without_messages() -> None:
    """UNZ says 0, for partners that want a sign of life."""
    assert write_interchange(ENVELOPE, []).endswith(b"+7'UNZ+0+7'")
