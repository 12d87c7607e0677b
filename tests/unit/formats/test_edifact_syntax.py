"""Delimiters, release characters, line breaks and elements."""

from __future__ import annotations

import pytest

from edi_gateway.formats.edifact.format import Edifact
from tests.unit.formats.edi import (
    BODY,
    body_of,
    codes,
    elements_of,
    flat,
    interchange,
    message,
    outline,
    read_all,
    read_one,
    sample,
    the_message,
)

NESTED = "UNH(BGM CNI(STS(DTM)))"


def ftx(content: bytes) -> list[str]:
    """The components of FTX, element 4, below the header."""
    header = body_of(the_message(content))
    return next(segment for segment in flat(header) if segment.tag == "FTX").components(4)


@pytest.mark.parametrize("after", ["'", "'\r\n", "'\n", "' \t\r\n\n"])
def test_line_breaks_after_terminators_are_nothing(after: str) -> None:
    """Line breaks and blanks between segments neither count nor are remarked upon."""
    found = read_one(sample(after))
    assert (found.interchange.findings, found.messages[0].findings) == ((), ())
    assert outline(body_of(found.messages[0])) == NESTED


def test_a_line_break_after_some_terminators_only() -> None:
    """Breaks may come and go within a message."""
    content = sample().replace(b"'CNI", b"'\r\nCNI").replace(b"'DTM", b"'\nDTM")
    found = the_message(content)
    assert found.findings == ()
    assert outline(body_of(found)) == NESTED


@pytest.mark.parametrize("after", ["\n", "\r\n", "\r"])
def test_a_line_break_as_terminator(after: str) -> None:
    """UNA may declare the line break itself as the terminator; blank lines then mean nothing."""
    content = interchange(message(*BODY), una=f"UNA:+.? {after[-1]}", after=after)
    found = read_one(content.replace(b"STS", after.encode() + b"STS"))
    assert (found.interchange.findings, found.messages[0].findings) == ((), ())
    header = body_of(found.messages[0])
    assert [segment.get(1) for segment in flat(header)] == ["M1", "23", "1", "1", "334"]
    assert header.get(2, 4) == "UN"


def test_hard_wrapped_lines_are_joined_with_a_remark() -> None:
    """A file wrapped every 17 columns reads as if it were not, and says so once per message and once for UNB."""
    plain = interchange(message(*BODY, "FTX+AAI+++LEFT AT DOOR?'S SIDE"))
    wrapped = b"\r\n".join(plain[at : at + 17] for at in range(0, len(plain), 17))
    found = read_one(wrapped)
    assert codes(found.warnings) == [("warning", "21")]
    assert codes(found.messages[0].findings) == [("warning", "21")]
    expected = [(segment.tag, elements_of(segment)) for segment in flat(body_of(the_message(plain)))]
    assert [(segment.tag, elements_of(segment)) for segment in flat(body_of(found.messages[0]))] == expected


@pytest.mark.parametrize("width", range(1, 12))
def test_wrapping_at_any_width_loses_nothing(width: int) -> None:
    """Tags, references and released characters may be cut in two by a wrap."""
    plain = interchange(message(*BODY, "FTX+AAI+++A?+B??C?'D"))
    found = the_message(b"UNB+" + b"\n".join(plain[at : at + width] for at in range(4, len(plain), width)))
    assert [segment.get(4) for segment in flat(body_of(found)) if segment.tag == "FTX"] == ["A+B?C'D"]


def test_released_characters_are_data() -> None:
    """The release character makes the next one data, itself included."""
    content = interchange(message("FTX+AAI+++A?+B:C?:D:E?'F:G??:?H"))
    assert ftx(content) == ["A+B", "C:D", "E'F", "G?", "H"]


def test_a_released_terminator_does_not_hide_service_segments() -> None:
    """An even run of release characters ends a segment, an odd one does not."""
    content = interchange(message("FTX+AAI+++NOT ?'UNT+3+M1", "FTX+AAI+++WHY??"))
    header = body_of(the_message(content))
    assert [segment.get(4) for segment in header.children] == ["NOT 'UNT", "WHY?"]


def test_una_in_text_is_text() -> None:
    """A released apostrophe before UNABLE is no service string, nor is a segment that begins with UNA."""
    content = interchange(message("FTX+AAI+++?'UNABLE TO DELIVER", "UNA+X"))
    header = body_of(the_message(content))
    assert [(segment.tag, segment.get(4)) for segment in header.children] == [
        ("FTX", "'UNABLE TO DELIVER"),
        ("UNA", ""),
    ]


def test_una_is_read_again_at_every_interchange() -> None:
    """Each interchange brings its own delimiters, or none and then has the usual ones."""
    first = sample().replace(b"'", b"~").replace(b"+", b"|").replace(b":", b"*")
    content = b"UNA*|.? ~" + first + b"\r\n" + sample() + b"UNA:+,! '" + sample().replace(b"RPT7", b"A!+B?")
    found = read_all(content)
    assert [outline(body_of(each.messages[0])) for each in found] == [NESTED] * 3
    assert body_of(found[2].messages[0]).children[0].get(2) == "A+B?"


def test_una_without_release_character() -> None:
    """A blank in its place means that nothing is released: a question mark is text and a blank stays."""
    content = interchange(message("FTX+AAI+++WHY? NOT HERE:THERE?"), una="UNA:+.  '")
    assert ftx(content) == ["WHY? NOT HERE", "THERE?"]


@pytest.mark.parametrize("una", ["UNA::.? '", "UNA:+.?  ", "UNAA+.? '", "UNA:+.+ '"])
def test_una_that_cannot_serve_sets_the_interchange_aside(una: str) -> None:
    """Service characters that are equal, blank or letters cannot be told from data."""
    found = read_one(interchange(message(*BODY), una=una))
    assert codes(found.refusals) == [("quarantine", "22")]
    assert found.messages == []


def test_syntax_4_repetition_gives_the_first() -> None:
    """In syntax 4 an asterisk repeats an element; before, it is an ordinary character."""
    content = interchange(
        message("RFF+CN:A*CN:B", "RFF+CN:A?*B*CN:C"), header="UNB+UNOC:4+A+B+20260102:0930+REF1", una="UNA:+.?*'"
    )
    assert [elements_of(segment) for segment in body_of(the_message(content)).children] == [
        [["CN", "A"]],
        [["CN", "A*B"]],
    ]
    third = interchange(message("RFF+CN:A*B"))
    assert body_of(the_message(third)).children[0].get(1, 2) == "A*B"


def test_absent_elements_are_empty() -> None:
    """What is not there is an empty text, and no components."""
    status = body_of(the_message(interchange(message("CNI+1", "STS++21::87")))).children[0].children[0]
    assert (status.get(1), status.get(2, 2), status.get(2, 3), status.get(2, 9), status.get(7)) == (
        "",
        "",
        "87",
        "",
        "",
    )
    assert (status.components(2), status.components(7), status.get(0)) == (["21", "", "87"], [], "STS")


def test_blanks_in_data_are_kept() -> None:
    """Whether a blank means nothing is for the mapping to say."""
    content = interchange(message("RFF+CN:  4711  "))
    assert body_of(the_message(content)).children[0].get(1, 2) == "  4711  "


def test_empty_segments_are_nothing() -> None:
    """A doubled terminator neither counts nor disturbs."""
    found = the_message(sample().replace(b"'CNI", b"''\r\n'CNI"))
    assert found.findings == ()
    assert outline(body_of(found)) == NESTED


def test_offsets_are_those_of_the_raw_document() -> None:
    """Start and end cut the very segment out of the file, whatever its character set and line breaks."""
    text = "NAD+CN+++MÜLLER ?'N SÖHNE"
    content = b"\xef\xbb\xbf" + interchange(message(text, *BODY), after="'\r\n").decode("latin-1").encode()
    segments = list(flat(body_of(the_message(content, Edifact(charset="UNOY")))))
    cut = [content[segment.start : segment.end].decode() for segment in segments]
    assert cut == ["UNH+M1+IFTSTA:D:96A:UN", text, *BODY]
    assert [segment.number for segment in segments] == [1, 2, 3, 4, 5, 6]


def test_a_tag_that_is_none_sets_its_message_aside() -> None:
    """An apostrophe nobody released tears a segment apart; the report names the place."""
    broken = message("FTX+AAI+++DON'T RING", *BODY, ref="M2")
    found = read_one(interchange(message(*BODY), broken, message(*BODY, ref="M3")))
    assert [each.body is not None for each in found.messages] == [True, False, True]
    (finding,) = [each for each in found.messages[1].findings if each.code == "12"]
    assert (finding.at.message, finding.at.segment, finding.found) == ("M2", 3, "'T RING'")
    assert "released (?')" in finding.advice
