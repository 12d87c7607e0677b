"""Messages: one that cannot be read is set aside, and its neighbours go on."""

from __future__ import annotations

import pytest

from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.model import Level, Severity
from tests.unit.formats.edi import BODY, UNB, body_of, codes, flat, interchange, message, read_one, the_message


def three(middle: list[str], trailer: str = "") -> bytes:
    """A doubtful message between two sound ones."""
    return interchange(message(*BODY), middle, message(*BODY, ref="M3"), trailer=trailer)


def test_another_type_is_set_aside() -> None:
    """A message the channel does not read is named with what was expected."""
    middle = three(message("BGM+220", ref="M2", kind="ORDERS:D:96A:UN")), ("14", "ORDERS", "IFTSTA")
    found = read_one(middle[0]).messages
    (finding,) = found[1].findings
    assert (finding.code, finding.found, finding.expected) == middle[1]
    assert (finding.level, finding.severity) == (Level.MESSAGE, Severity.QUARANTINE)
    assert (finding.at.segment, finding.at.tag, finding.at.element, finding.at.component) == (1, "UNH", 2, 1)
    assert [each.body is not None for each in found] == [True, False, True]
    assert found[1].type == "ORDERS"


def test_unt_has_to_repeat_the_reference() -> None:
    """UNT of another message: code 28, and only this message is lost."""
    middle = message(*BODY, ref="M2")
    middle[-1] = "UNT+6+M9"
    found = read_one(three(middle)).messages
    assert [codes(each.findings) for each in found] == [[], [("quarantine", "28")], []]
    assert (found[1].findings[0].found, found[1].findings[0].expected) == ("M9", "reference M2")


@pytest.mark.parametrize(
    ("segment", "element"),
    [
        ("FTX+AAI+++left with A+B Ltd+EN+1+GATE 2", 7),
        ("LOC+14+DEHAM:139:6+++YARD+7", 6),
        ("NAD+CN+4711::87++A:B+HOF+1+ULM++89073+DE+X", 10),
        ("NAD+CN+4711::87++A?'B?+C+HOF+1+ULM++89073+DE+X", 10),
        ("CNI+1+K77+2+REST", 4),
        ("FTX+AAI++++++:GATE 2", 7),
    ],
)
def test_more_elements_than_a_segment_has_are_a_remark(segment: str, element: int) -> None:
    """A separator in text was not released: the message is read, with the place and what is suspected."""
    [sound, doubtful, _] = read_one(three(message("BGM+23+RPT+9", segment, ref="M2"))).messages
    [finding] = doubtful.findings
    assert (finding.severity, finding.code, finding.at.segment) == (Severity.WARNING, "16", 3)
    assert (finding.at.tag, finding.at.element) == (segment[:3], element)
    assert "unescaped + in text is suspected" in finding.advice
    assert "?+" in finding.advice
    assert doubtful.body is not None
    assert sound.findings == ()


@pytest.mark.parametrize("segment", ["RFF+CN:SP47+11", "DTM+334:202601020815+01:205"])
@pytest.mark.parametrize("after", ["'", "'\r\n", "'\n  "])
def test_a_number_or_time_that_is_cut_in_two_sets_its_message_aside(segment: str, after: str) -> None:
    """It would be another shipment's, or another hour: what was cut off is named."""
    middle = message("BGM+23+RPT+9", segment, ref="M2")
    content = interchange(message(*BODY), middle, message(*BODY, ref="M3"), after=after)
    found = read_one(content).messages
    assert [codes(each.findings) for each in found] == [[], [("quarantine", "16")], []]
    [finding] = found[1].findings
    assert (finding.found, finding.at.element) == (repr(segment.rpartition("+")[2]), 2)
    assert repr(segment.partition("+")[2].rpartition("+")[0]) in finding.advice


@pytest.mark.parametrize(
    "segment",
    ["RFF+CN:SP47?+1", "RFF+CN:SP47++ +", "FTX+AAI+++A?+B?+C?+D?+E?+F", "CNI+1+K77+++++", "XYZ+1+2+3+4+5+6+7+8+9+1+2"],
)  # fmt: skip
def test_released_separators_and_blank_elements_are_no_excess(segment: str) -> None:
    """Neither are the elements of a segment that is not known."""
    found = the_message(interchange(message("BGM+23+RPT+9", segment)))
    assert [each for each in found.findings if each.code == "16"] == []


def test_an_acknowledgement_is_not_measured() -> None:
    """It answers for our own interchange, and must be understood as long as it can be."""
    found = the_message(interchange(message("BGM+312+1", "RFF+ACW:7+1", kind="APERAK:D:96A:UN")))
    assert found.body is not None


@pytest.mark.parametrize("position", ["middle", "last"])
def test_a_missing_unt(position: str) -> None:
    """What follows instead of UNT is named; the messages around are read."""
    lacking, sound = message(*BODY, ref="M2")[:-1], message(*BODY, ref="M3")
    parts = [lacking, sound] if position == "middle" else [sound, lacking]
    found = {each.control_ref: each for each in read_one(interchange(*parts)).messages}
    (finding,) = found["M2"].findings
    assert (finding.code, finding.found, finding.expected) == ("13", "UNH" if position == "middle" else "UNZ", "UNT")
    assert found["M2"].body is None
    assert found["M3"].body is not None


def test_a_repeated_reference_is_a_remark() -> None:
    """The second message of a reference is taken, and reported."""
    found = read_one(interchange(message(*BODY), message(*BODY))).messages
    assert [codes(each.findings) for each in found] == [[], [("warning", "26")]]
    assert found[1].body is not None


@pytest.mark.parametrize("stray", [["STS+1+21", "DTM+334:2026"], ["UNT+3+M9"], ["RFF+CN:1", "UNT+3+M9"]])
def test_segments_outside_every_message_are_set_aside(stray: list[str]) -> None:
    """What belongs to no message is handed out as one without a reference, so that nobody misses it."""
    content = three(stray, trailer="UNZ+2+REF1")
    found = read_one(content).messages
    assert [each.control_ref for each in found] == ["M1", "", "M3"]
    (finding,) = found[1].findings
    assert (finding.severity, finding.code, finding.expected) == (Severity.QUARANTINE, "33", "UNH")
    assert content[finding.at.start : finding.at.end].decode() == "".join(segment + "'" for segment in stray)


@pytest.mark.parametrize(
    ("header", "raw", "text", "remark"),
    [
        ("UNOC:3", b"G\xf6teborg", "Göteborg", ""),
        ("UNOD:3", b"\xa3\xf3d\xbc", "Łódź", ""),
        ("UNOE:3", b"\xbc\xde\xe1\xda\xd2\xd0", "Москва", ""),
        ("UNOY:4", "Łódź".encode(), "Łódź", ""),
        ("UNOW:4", "Łódź".encode(), "Łódź", ""),
        ("UNOC:4::2", b"G\xf6teborg", "Göteborg", ""),
        ("UNOC:4::7", "Łódź".encode(), "Łódź", ""),
        ("UNOC:4::4", b"G\x94teborg", "Göteborg", ""),
        ("KECA:1", "서울".encode("cp949"), "서울", ""),
        ("UNOX:3", "東京都".encode("iso2022_jp"), "東京都", ""),
        ("UNOA:2", "Gent Ø".encode(), "Gent Ø", "UNOA, as declared"),
        ("UNOA:2", b"Gent \xd8", "Gent Ø", "UNOA, as declared"),
        ("UNOC:3", "Łódź".encode(), "Łódź", "UNOC, as declared"),
        ("UNOY:4", b"G\xf6teborg", "Göteborg", "UNOY, as declared"),
    ],
)
def test_character_sets(header: str, raw: bytes, text: str, remark: str) -> None:
    """Text is decoded as UNB declares, and when the bytes disagree the report says how it was read."""
    date = "20260102" if ":4" in header else "260102"
    content = interchange(message("LOC+14+:::@"), header=f"UNB+{header}+A+B+{date}:0930+REF1").replace(b"@", raw)
    found = the_message(content)
    location = body_of(found).children[0]
    assert location.get(2, 4) == text
    assert content[location.start : location.end] == b"LOC+14+:::" + raw
    assert [finding.expected for finding in found.findings] == [remark][: bool(remark)]


def test_delimiters_hidden_in_shifted_text() -> None:
    """In ISO 2022 a two-byte character may hold the bytes of delimiters; they do not delimit."""
    word = "かАずた"
    raw = word.encode("iso2022_jp")
    assert all(character in raw for character in b"+':?")
    content = interchange(message("FTX+AAI+++@", *BODY), header=UNB.replace("UNOC", "UNOX")).replace(b"@", raw)
    found = the_message(content)
    assert found.findings == ()
    assert body_of(found).children[0].get(4) == word


def test_unknown_character_sets_are_remarked_upon() -> None:
    """An identifier nobody knows is read as Latin-1."""
    found = read_one(interchange(message("LOC+14+:::Gö"), header=UNB.replace("UNOC", "XYZQ")))
    assert codes(found.warnings) == [("warning", "2")]
    assert body_of(found.messages[0]).children[0].get(2, 4) == "Gö"


@pytest.mark.parametrize("charset", ["UNOD", "iso8859-2", "latin2"])
def test_a_configured_character_set_is_not_second_guessed(charset: str) -> None:
    """What the operator says holds, even where the bytes would pass as UTF-8."""
    content = interchange(message("LOC+14+:::@")).replace(b"@", "ü".encode())
    assert body_of(the_message(content)).children[0].get(2, 4) == "ü"
    found = the_message(content, Edifact(charset=charset))
    assert (body_of(found).children[0].get(2, 4), found.findings) == ("Ăź", ())


def test_the_remark_on_text_names_its_segment() -> None:
    """The first foreign character is found by segment number and offset."""
    content = interchange(message("BGM+23", "LOC+14+:::@", "LOC+14+:::@")).replace(b"@", "ü".encode())
    (finding,) = the_message(content).findings
    assert (finding.at.segment, finding.at.tag, finding.code) == (3, "LOC", "21")
    assert content[finding.at.start : finding.at.end] == "LOC+14+:::ü".encode()


def test_messages_are_read_lazily() -> None:
    """A document of many messages is handed out one by one: taking the first does not read the rest."""
    content = interchange(*(message(*BODY, ref=f"M{number}") for number in range(500)))
    (found,) = Edifact().decode(content)
    assert next(found.messages).control_ref == "M0"
    assert sum(1 for _ in found.messages) == 499


def test_a_body_may_be_looked_at_late() -> None:
    """A message kept for later nests as it would have at once."""
    content = interchange(*(message(*BODY, ref=f"M{number}") for number in range(3)))
    bodies = [body_of(each) for each in read_one(content).messages]
    assert [len(list(flat(body))) for body in bodies] == [5, 5, 5]
    assert bodies[0].children[1].parent is bodies[0]
