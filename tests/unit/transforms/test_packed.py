"""gzip and zip: what is read of them, what is refused with its place, and that nothing expands without bound."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.model import Finding, Level, Severity
from edi_gateway.transforms.opening import AS_IT_COMES, Opening, is_closed, is_whole, pieces
from edi_gateway.transforms.options import Unpack

TEXT = b"UNB+UNOC:3+A+B+261012:0900+1'UNZ+0+1'"


def zipped(content: bytes) -> bytes:
    """Without the time, so that the names of tests stay the same."""
    return gzip.compress(content, mtime=0)


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return held.getvalue()


def read(content: bytes, opening: Opening = AS_IT_COMES) -> list[tuple[str, bytes]]:
    return [(piece.name, piece.content) for piece in pieces(content, opening) if not isinstance(piece, Finding)]


def refused(content: bytes, opening: Opening = AS_IT_COMES) -> list[Finding]:
    return [piece for piece in pieces(content, opening) if isinstance(piece, Finding)]


def damaged(content: bytes, name: str) -> bytes:
    """The archive with one byte changed in what that member holds."""
    at = content.index(name.encode()) + len(name) + 1
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


@pytest.mark.parametrize(
    "packed",
    [
        zipped(TEXT),
        zipped(TEXT[:9]) + zipped(TEXT[9:]) + b"\0\0",
        archive(("a.edi", TEXT)),
        TEXT,
    ],
)
def test_what_is_packed_is_unpacked_and_what_is_not_is_left(packed: bytes) -> None:
    """A carrier that sometimes zips its files needs no switch."""
    assert [content for _, content in read(packed)] == [TEXT]
    assert refused(packed) == []


def test_the_members_of_a_zip_are_read_in_turn() -> None:
    """In their order, with their names; folders and what a Mac adds are no files."""
    content = archive(("out/", b""), ("out/b.edi", b"1"), ("__MACOSX/._b.edi", b"x"), ("a.edi", b"2"))
    assert read(content) == [("out/b.edi", b"1"), ("a.edi", b"2")]
    assert refused(content) == []


def test_a_workbook_is_no_archive() -> None:
    """An xlsx is a zip by its bytes; it is read as it is, alone and within an archive."""
    workbook = archive(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>"))
    assert read(workbook) == [("", workbook)]
    assert read(archive(("a.xlsx", workbook))) == [("a.xlsx", workbook)]


@pytest.mark.parametrize(
    ("member", "content", "found"),
    [
        ("../a.edi", TEXT, "leads out"),
        ("/etc/a.edi", TEXT, "leads out"),
        ("C:\\a.edi", TEXT, "leads out"),
        ("inner.zip", archive(("a", TEXT)), "packed file within"),
        ("a.edi.gz", zipped(TEXT), "packed file within"),
        ("bomb", bytes(3_000_000), "more than max_size"),
    ],
)
def test_a_member_that_cannot_be_had_is_set_aside_alone(member: str, content: bytes, found: str) -> None:
    """With its name and the reason; those before and behind it are read."""
    packed = archive(("first", b"1"), (member, content), ("last", b"2"))
    opening = Opening(Unpack(max_size=2_000_000))
    assert read(packed, opening) == [("first", b"1"), ("last", b"2")]
    (finding,) = refused(packed, opening)
    assert (finding.at.name, finding.level, finding.severity) == (member, Level.DOCUMENT, Severity.QUARANTINE)
    assert found in finding.found


def test_a_damaged_member_is_set_aside_alone() -> None:
    """A checksum that does not fit names its member."""
    packed = damaged(archive(("first", b"1"), ("second", TEXT), method=zipfile.ZIP_STORED), "second")
    assert read(packed) == [("first", b"1")]
    assert ["second"] == [finding.at.name for finding in refused(packed)]


def test_an_encrypted_member_is_set_aside_alone() -> None:
    """The flag that says so is in the directory and before the member."""
    packed = bytearray(archive(("first", b"1"), ("second", TEXT)))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.rindex(mark) + flags] |= 1
    assert read(bytes(packed)) == [("first", b"1")]
    assert "encrypted" in refused(bytes(packed))[0].found


@pytest.mark.parametrize("packed", [zipped(TEXT * 99), archive(("a", TEXT * 99))])
def test_a_packed_file_that_breaks_off_lacks_its_end(packed: bytes) -> None:
    """It waits, and is set aside when it stays so; nothing of it is read."""
    for end in range(4, len(packed)):
        assert is_closed(packed[:end], AS_IT_COMES)
        assert not is_whole(packed[:end], AS_IT_COMES)
    assert is_whole(packed, AS_IT_COMES)
    assert read(packed[:-3]) == []
    assert len(refused(packed[:-3])) == 1


def test_what_stands_behind_a_gzip_file_is_not_passed_over() -> None:
    """It might be somebody's events."""
    assert "behind the end" in refused(zipped(TEXT) + TEXT)[0].found


@pytest.mark.parametrize("accept", ["gzip", "zip"])
def test_a_channel_can_insist_on_a_packing(accept: str) -> None:
    """Anything else is set aside."""
    opening = Opening(Unpack.model_validate({"accept": accept}))
    assert f"a {accept} file" in refused(TEXT, opening)[0].expected


def test_a_channel_can_forbid_unpacking() -> None:
    """The format then sees the bytes as they are."""
    packed = zipped(TEXT)
    assert read(packed, Opening(Unpack(accept="plain"))) == [("", packed)]


@pytest.mark.parametrize("kind", ["gzip", "zip", "many gzip members"])
def test_a_bomb_costs_little_memory_and_time(kind: str) -> None:
    """Half a gigabyte in half a megabyte, or a hundred thousand members, are refused before they are there."""
    layer = zipped(bytes(10_000_000))
    bomb = {
        "gzip": lambda: layer * 50,
        "zip": lambda: archive(*((f"{n}", bytes(10_000_000)) for n in range(20))),
        "many gzip members": lambda: zipped(b"") * 100_000,
    }[kind]()
    opening = Opening(Unpack(max_size=15_000_000, max_ratio=10_000))
    tracemalloc.start()
    began = time.process_time()
    try:
        assert refused(bomb, opening)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 5
    assert peak < 70_000_000


def test_a_file_that_expands_too_far_is_refused_by_its_ratio() -> None:
    """Even below the greatest size; a small file may be as repetitive as it likes."""
    assert "max_ratio" in refused(zipped(bytes(5_000_000)))[0].found
    assert refused(zipped(bytes(900_000))) == []


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\x03\x04", b"\x85\x01\x0c\x03", b"\xc1\xff"])
)
def test_any_bytes_are_a_piece_or_a_finding(tail: bytes, head: bytes) -> None:
    """Nothing makes the opening fail, or looking whether the end is there."""
    is_closed(head + tail, AS_IT_COMES)
    is_whole(head + tail, AS_IT_COMES)
    assert list(pieces(head + tail, AS_IT_COMES))


@given(st.data())
def test_any_damage_to_an_archive_is_a_piece_or_a_finding(data: st.DataObject) -> None:
    """Bytes changed or cut anywhere in a real gzip or zip."""
    packed = data.draw(st.sampled_from([zipped(TEXT), archive(("a", TEXT), ("b", TEXT))]))
    changed = bytearray(packed)
    for at in data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=4)):
        changed[at] = data.draw(st.integers(0, 255))
    content = bytes(changed[: data.draw(st.integers(0, len(packed)))])
    is_whole(content, AS_IT_COMES)
    assert list(pieces(content, AS_IT_COMES))
