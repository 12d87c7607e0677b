"""What holds for any input: nothing raises but DocumentError, nothing is lost, and what we write we read."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyx12.x12file import X12Reader

from edi_gateway.errors import DocumentError
from edi_gateway.formats.x12.format import X12
from edi_gateway.formats.x12.output import X12Output
from edi_gateway.model import OutboundMessage, OutboundSegment
from tests.unit.formats.edi import Read, body_of, flat
from tests.unit.formats.x12 import BODY, elements_of, group, interchange, read_all, read_one, sample, transaction

NOW = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
PADDING = " \t\r\n\x00\x1a\ufeff"
SHARED = Path(__file__).parents[4] / "shared" / "domain" / "samples"


def written(tree: list[tuple[str, list[str]]]) -> OutboundMessage:
    """A set of these segments, in a tree that a 214 has a place for."""
    root = OutboundSegment("ST")
    loop = OutboundSegment("LX", [["1"]])
    for tag, elements in tree:
        loop.children.append(OutboundSegment(tag, [[each] for each in elements]))
    root.children = [OutboundSegment("B10", [["K77"], ["L1"], ["SPDY"]]), loop]
    return OutboundMessage("1", root)


SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from(["L11", "Q7", "AT8", "K1"]),
        st.lists(st.text("AB 1-.:'|^*~>é\t", max_size=8), max_size=5).map(lambda rest: ["A", *rest]),
    ),
    max_size=6,
)
FORMS = [
    ("004010", "none", "ascii", "*~>"),
    ("005010", "lf", "ascii", "|~:"),
    ("007040", "crlf", "utf-8", "*'>"),
    ("004010VICS", "none", "ascii", "\x1d\x05\x1f"),
]


@pytest.mark.parametrize(("version", "line_breaks", "charset", "marks"), FORMS)
@given(sets=st.lists(SEGMENTS, min_size=1, max_size=2), control=st.integers(0, 999_999_999))
def test_what_is_written_is_read(
    version: str, line_breaks: str, charset: str, marks: str, sets: list[list[tuple[str, list[str]]]], control: int
) -> None:
    """Decoding gives back the very elements that were written; an independent reader sees the same."""
    output = X12Output.model_validate(
        {
            "version": version, "line_breaks": line_breaks, "charset": charset, "sender": "HUB:12",
            "recipient": "CUSTOMER", "element": marks[0], "terminator": marks[1], "component": marks[2],
        }
    )  # fmt: skip
    cleaned = [[(tag, [output.replace(each) for each in elements]) for tag, elements in each] for each in sets]
    content = output.encode(str(control), NOW, [written(each) for each in cleaned])
    found = read_one(content)
    assert found.interchange.findings == ()
    assert int(found.interchange.control_ref) == control
    assert [one.version for one in found.messages] == [version] * len(sets)
    for one, expected in zip(found.messages, cleaned, strict=True):
        assert not [finding for finding in one.findings if "qualifier" not in finding.expected]
        said = sorted((each.tag, plain(elements_of(each))) for each in list(flat(body_of(one)))[3:])
        assert said == sorted((tag, trimmed(elements)) for tag, elements in expected)
    if version.startswith("007"):
        return  # which the independent reader does not know
    reader = X12Reader(StringIO(content.decode(charset)))
    assert sum(1 for _ in reader) == content.decode(charset).count(marks[1])
    assert not [error for error in reader.pop_errors() if error[1] != "SEG1"]


def plain(elements: list[list[str]]) -> list[str]:
    """Elements without components, empty ones at the end cut."""
    return trimmed([each[0] for each in elements])


def trimmed(elements: list[str]) -> list[str]:
    cut = list(elements)
    while cut and not cut[-1]:
        cut.pop()
    return cut


def survey(content: bytes, reader: X12 | None = None) -> list[Read]:
    """Read everything, down to each element; nothing when there is no X12."""
    try:
        found = read_all(content, reader)
    except DocumentError:
        return []
    for each in found:
        for one in each.messages:
            if one.body:
                assert all(isinstance(segment.components(1), list) for segment in flat(one.body))
    return found


def assert_accounted_for(content: bytes, found: list[Read]) -> None:
    """Interchanges follow each other without a gap, and each ST lies in a message or in an interchange set aside."""
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
        at = content.find(b"~ST*", place.start + 105, place.end)  # what looks like one within ISA is none
        while at >= 0:
            owner = bisect_right(starts, at + 1) - 1
            assert owner >= 0
            assert at + 1 < ends[owner]
            at = content.find(b"~ST*", at + 1, place.end)
    assert content[end:].decode("latin-1").replace("ï»¿", "").strip(PADDING) == ""


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_behind_a_header_are_survived(tail: bytes, salvage: bool) -> None:
    """Arbitrary bytes raise DocumentError or nothing, and none of them disappear."""
    reader = X12(salvage=salvage)
    survey(tail, reader)
    X12().is_complete(tail)
    for head in (b"ISA*", b"ISA", sample()[:80], sample()[:106], sample()):
        X12().is_complete(head + tail)
        found = survey(head + tail, reader)
        if found:
            assert_accounted_for(head + tail, found)


CHUNKS = st.sampled_from(
    [
        b"~", b"*", b">", b"\n", b"\r\n", b"~ST*", b"ISA", sample()[:106], b"~ISA*00*", b"SE*7*0001~",
        b"IEA*1*000000042~", b"GS*",
        b"~GE*1*17~", b"TA1*", b"\xff", "ü".encode(), b" ", b"\x00", b"UNB+UNOC:3+", b"~IEA*", b"|",
    ]
)  # fmt: skip
EDITS = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 12), CHUNKS), max_size=5)


@given(EDITS, st.sampled_from(["~", "~\r\n"]), st.integers(0, 4), st.booleans())
def test_damaged_files_lose_nothing_in_silence(
    edits: list[tuple[int, int, bytes]], after: str, copies: int, salvage: bool
) -> None:
    """Whatever is cut out of or put into a file, every set is read or reported."""
    sets = [transaction(*BODY, ref=f"{number:04}") for number in range(copies)]
    content = interchange(group(*sets), after=after) * 2
    for at, length, chunk in edits:
        content = content[:at] + chunk + content[at + length :]
    found = survey(content, X12(salvage=salvage))
    if found:
        assert_accounted_for(content, found)


def test_any_cut_is_quarantined() -> None:
    """Not a byte of a file that lost its end is taken for more than it is."""
    content = interchange(group(*(transaction(*BODY, ref=f"{number:04}") for number in range(2))))
    for at in range(1, content.rfind(b"000000042") + 8):
        for each in survey(content[:at]):
            assert each.refusals
            assert each.messages == []


@pytest.mark.parametrize(
    "content",
    [
        b"ISA*" * 75_000,
        sample()[:106] * 3_000,
        b"ISA*00*" * 50_000,
        sample()[:106] + b"*" * 300_000 + b"~",
        sample()[:106] + b"~\n" * 150_000,
        sample()[:106] + b"~ " * 150_000 + b"ST",
        sample()[:106] + b"~ST*" * 20_000 + b"~IEA*1*000000042~",
        sample()[:106] + b"GS*" * 100_000,
        sample()[:106] + b"GS*QM*A*B*1*1*1*X*004010~" + b"ST*214*1~SE*2*1~X*1~" * 8_000 + b"GE*8000*1~IEA*1*42~",
        sample()[:106].replace(b"~", b"\n") + b"\n" * 300_000,
        sample()[:105] + "…".encode() + b"GS*QM" + b"\xe2\x80" * 150_000,
        b"GS*" * 100_000,
    ],
)
def test_hostile_files_take_no_time(content: bytes) -> None:
    """Reading stays linear: a third of a megabyte of the worst is done in a moment."""
    for reader in (X12(), X12(salvage=True)):
        found = survey(content, reader)
        assert found
        assert_accounted_for(content, found)
        reader.is_complete(content)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collected samples are not on this machine")
@pytest.mark.parametrize("folder", ["x12_214", "x12_315", "ugly_x12"])
def test_collected_samples(folder: str) -> None:
    """Each collected file is read: 214 and 315 nest or are refused for their envelope, other sets are named."""
    wanted = "315" if folder == "x12_315" else "214"
    for path in sorted((SHARED / folder).iterdir()):
        content = path.read_bytes()
        found = survey(content, X12(message=wanted))
        assert_accounted_for(content, found)
        for one in (one for each in found for one in each.messages):
            named = {finding.found for finding in one.findings if finding.code == "1"}
            assert named == (set() if one.type in {wanted, ""} else {one.type})
