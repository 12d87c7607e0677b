"""What holds for any input: nothing raises but DocumentError, nothing is lost, and what we write we read."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydifact.parser import Parser

from edi_gateway.errors import DocumentError
from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.formats.edifact.writer import Envelope, OutgoingMessage, write_interchange
from edi_gateway.model import OutboundSegment, Party
from tests.unit.formats.edi import (
    BODY,
    Read,
    body_of,
    elements_of,
    flat,
    interchange,
    message,
    outbound,
    read_all,
    read_one,
    sample,
)

ENVELOPE = Envelope(Party("HUB"), Party("CUSTOMER"), "7", datetime(2026, 1, 2, 9, 30, tzinfo=UTC))
PADDING = " \t\r\n\x00\x1a\ufeff"
SHARED = Path(__file__).parents[4] / "shared" / "domain" / "samples"


ALPHABETS = {
    "UNOA": st.sampled_from("ABC 019.,-()/='+:?!%&*;<>"),
    "UNOC": st.characters(codec="latin-1", exclude_categories=["Cc"]),
    "UNOX": st.sampled_from("A9+:'?*かАずた東京"),
    "UNOY": st.characters(exclude_categories=["Cc", "Cs"]),
}


def segments(charset: str, fewest: int = 0) -> st.SearchStrategy[list[OutboundSegment]]:
    """Segments of any tag with elements and composites, rich in delimiters."""
    text = st.one_of(st.text("+:'?* AB1", max_size=8), st.text(ALPHABETS[charset], max_size=6))
    composite = st.lists(text, min_size=1, max_size=4)
    tag = st.from_regex(r"[A-TV-Z][A-Z0-9]{2}", fullmatch=True)
    segment = st.tuples(tag, st.lists(composite, min_size=fewest, max_size=5))
    return st.lists(segment.map(lambda parts: outbound(*parts)), max_size=6)


def trimmed(elements: list[list[str]]) -> list[list[str]]:
    """Without what a writer may cut: empty components and elements at the end."""
    cut = [list(element) for element in elements]
    for element in cut:
        while len(element) > 1 and not element[-1]:
            element.pop()
    while cut and cut[-1] in ([""], []):
        cut.pop()
    return cut


@pytest.mark.parametrize(
    ("syntax", "version", "line_breaks"),
    [("UNOC", "3", ""), ("UNOY", "4", "\r\n"), ("UNOX", "3", "\n"), ("UNOA", "2", "")],
)
@given(data=st.data())
def test_what_is_written_is_read(syntax: str, version: str, line_breaks: str, data: st.DataObject) -> None:
    """Decoding gives back the very elements that were written, whatever they hold."""
    written = data.draw(segments(syntax))
    envelope = replace(ENVELOPE, syntax=syntax, version=version, line_breaks=line_breaks)
    content = write_interchange(envelope, [OutgoingMessage("M1", written)])
    found = read_one(content, Edifact(charset=syntax))
    assert found.interchange.findings == ()
    read = list(flat(body_of(found.messages[0])))[1:]
    assert [segment.tag for segment in read] == [segment.tag for segment in written]
    expected = [trimmed([list(element) for element in segment.elements]) for segment in written]
    assert [trimmed(elements_of(segment)) for segment in read] == expected


@pytest.mark.filterwarnings("ignore::pydifact.exceptions.MissingImplementationWarning", "ignore::SyntaxWarning")
@given(written=segments("UNOC", fewest=1))
def test_clean_input_reads_as_pydifact_reads_it(written: list[OutboundSegment]) -> None:
    """On clean input our segments are those of an independent parser."""
    content = write_interchange(ENVELOPE, [OutgoingMessage("M1", written)])
    (found,) = read_one(content, Edifact(charset="UNOC")).messages
    ours = [(segment.tag, trimmed(elements_of(segment))) for segment in flat(body_of(found))]
    theirs = [
        (segment.tag, trimmed([element if isinstance(element, list) else [element] for element in segment.elements]))
        for segment in Parser().parse(content.decode("latin-1"))
        if segment.tag not in {"UNA", "UNB", "UNT", "UNZ"}
    ]
    assert ours == theirs


def survey(content: bytes) -> list[Read]:
    """Read everything, down to each element; nothing when there is no EDIFACT."""
    try:
        found = read_all(content)
    except DocumentError:
        return []
    for each in found:
        for one in each.messages:
            if one.body:
                assert all(isinstance(segment.components(1), list) for segment in flat(one.body))
    return found


def assert_accounted_for(content: bytes, found: list[Read]) -> None:
    """Interchanges follow each other without a gap, and each UNH lies in a message or in an interchange set aside."""
    end = found[0].interchange.position.start
    for each in found:
        place = each.interchange.position
        assert content[end : place.start].decode("latin-1").replace("ï»¿", "").strip(PADDING) == ""
        assert place.start < place.end
        end = place.end
        if each.refusals:
            continue
        starts = [one.position.start for one in each.messages]
        ends = [one.position.end for one in each.messages]
        at = content.find(b"'UNH+", place.start, place.end)
        while at >= 0:
            owner = bisect_right(starts, at + 1) - 1
            assert content[at - 1 : at] == b"?" or (owner >= 0 and at + 1 < ends[owner])
            at = content.find(b"'UNH+", at + 1, place.end)
    assert content[end:].decode("latin-1").replace("ï»¿", "").strip(PADDING) == ""


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_header_are_survived(tail: bytes) -> None:
    """Arbitrary bytes raise DocumentError or nothing, and none of them disappear."""
    survey(tail)
    for head in (b"UNB+", b"UNA", sample()[:80], sample()):
        found = survey(head + tail)
        if found:
            assert_accounted_for(head + tail, found)


CHUNKS = st.sampled_from(
    [
        b"'", b"+", b":", b"?", b"\n", b"\r\n", b"'UNH+", b"UNA:+.? '", b"UNA", b"'UNB+UNOY:4+", b"UNT+4+M1'",
        b"UNZ+1+REF1'", b"UNG+", b"UNE+1+G1'", b"\x1b$B", b"\xff", "ü".encode(), b" ", b"'UNS+D",
        b"UNOX", b"\x00", b"*",
    ]
)  # fmt: skip
EDITS = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 12), CHUNKS), max_size=5)


@given(EDITS, st.sampled_from(["'", "'\r\n"]), st.integers(0, 4))
def test_damaged_files_lose_nothing_in_silence(edits: list[tuple[int, int, bytes]], after: str, copies: int) -> None:
    """Whatever is cut out of or put into a file, every message is read or reported."""
    messages = [message(*BODY, "FTX+AAI+++A?'B", ref=f"M{number}") for number in range(copies)]
    content = interchange(*messages, una="UNA:+.? '", after=after) * 2
    for at, length, chunk in edits:
        content = content[:at] + chunk + content[at + length :]
    found = survey(content)
    if found:
        assert_accounted_for(content, found)


@pytest.mark.parametrize(
    "content",
    [
        b"UNB+" * 50_000,
        b"UNA:+.? 'UNB+UNOX:3'" * 10_000 + b"\x1b$B",
        sample()[:70] + b"?" * 300_000 + b"'",
        sample()[:70] + b"'\n" * 150_000,
        sample()[:70] + b"' " * 150_000 + b"UN",
        sample()[:70] + b"'UNH+" * 50_000 + b"'UNZ+1+REF1'",
        b"UNA:+.?  \n" + b"UNH+1\n" + b"\n" * 300_000,
    ],
)
def test_hostile_files_take_no_time(content: bytes) -> None:
    """Reading stays linear: a third of a megabyte of the worst is done in a moment."""
    found = survey(content)
    assert found
    assert_accounted_for(content, found)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collected samples are not on this machine")
@pytest.mark.parametrize("folder", ["iftsta", "ugly_edifact"])
def test_collected_samples(folder: str) -> None:
    """Each collected file is read: IFTSTA nests or is refused for its envelope, other types are named."""
    for path in sorted((SHARED / folder).iterdir()):
        content = path.read_bytes()
        found = survey(content)
        assert_accounted_for(content, found)
        for one in (one for each in found for one in each.messages):
            named = {finding.found for finding in one.findings if finding.code == "14"}
            assert named == (set() if one.type == "IFTSTA" else {one.type})
            assert (one.body is not None) == (one.type == "IFTSTA")
