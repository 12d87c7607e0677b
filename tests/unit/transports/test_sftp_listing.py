"""Which files of a listing may be taken."""

from __future__ import annotations

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.transports.sftp.listing import UNFINISHED, Entry, Look, batches, chooser, entry, inside, settled

SIZES = st.lists(st.one_of(st.none(), st.integers(0, 50)), max_size=40)


@given(SIZES, st.integers(1, 5), st.integers(1, 100))
def test_batches_keep_every_file_in_order_and_both_limits(sizes: list[int | None], files: int, size: int) -> None:
    """No file is lost or moved; only a file that is too large by itself exceeds the size."""
    entries = [Entry(str(number), size, 0) for number, size in enumerate(sizes)]
    made = list(batches(entries, files, size))
    assert [each for batch in made for each in batch] == entries
    for batch in made:
        assert 1 <= len(batch) <= files
        assert len(batch) == 1 or sum(each.size or 0 for each in batch) <= size


def test_a_file_settles_when_two_looks_agree() -> None:
    """A file is settled as soon as it looks as before; files that went are forgotten."""
    looks: dict[str, str] = {}
    assert settled([Entry("a", 1, 5), Entry("b", 1, 5)], looks) == set()
    assert settled([Entry("a", 1, 5), Entry("b", 2, 5)], looks) == {"a"}
    assert settled([Entry("a", 1, 6), Entry("b", 2, 5)], looks) == {"b"}
    assert settled([Entry("b", 2, 5)], looks) == {"b"}
    assert looks == {"b": "2|5"}


def test_a_copy_is_told_from_every_other_one() -> None:
    """Folder, name, size and time make the key."""
    keys = {
        Entry(name, size, mtime).key(folder)
        for folder in ("/a", "/b")
        for name in ("x", "y")
        for size in (None, 0, 1)
        for mtime in (None, 0, 1)
    }
    assert len(keys) == 36


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a.edi", True),
        ("a.EDI", False),
        ("a.edi.part", False),
        ("a.edi.filepart", False),
        (".a.edi", False),
        ("~a.edi", True),
        ("a.edi~", False),
        ("a.edi.ocTransferId123", False),
    ],
)
def test_names_of_unfinished_uploads_are_passed_over(name: str, taken: bool) -> None:
    """What upload programs write before they rename is not taken, even when the pattern fits."""
    assert chooser(["*.edi", "*.edi.*", "*.edi~", ".*"], UNFINISHED)(name) is taken


@pytest.mark.parametrize("name", [".", "..", "../etc/passwd", "a/b", "/etc/passwd"])
def test_a_listing_cannot_lead_elsewhere(name: str) -> None:
    """A name with a path in it, which only a broken or hostile server sends, is no file of the folder."""
    assert entry(asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(size=1, mtime=1))) is None


@pytest.mark.parametrize(
    ("listed", "now", "same"),
    [
        (Entry("a", 1, 5), (1, 5), True),
        (Entry("a", 1, 5), (2, 5), False),
        (Entry("a", 1, 5), (1, 6), False),
        (Entry("a", 0, 5), (9, 5), True),
        (Entry("a", None, None), (9, 5), True),
        (Entry("a", 1, 5), (None, None), True),
    ],
)
def test_a_file_is_the_same_unless_the_server_says_otherwise(
    listed: Entry, now: tuple[int | None, int | None], same: bool
) -> None:
    """A size of 0 and attributes that are not told prove nothing."""
    assert listed.same(*now) is same


def test_a_look_takes_what_is_finished_and_clears_what_is_committed_and_unchanged() -> None:
    """What changed since the last look is neither read nor cleared, whether it is committed or not."""
    looks = {"a": "1|5", "b": "1|5", "c": "9|9", "d": "1|5"}
    entries = [Entry("d", 1, 5), Entry("c", 1, 5), Entry("b", 1, 5), Entry("a", 1, 5)]
    seen = Look.at("/out", entries, looks)
    keys = list(seen.files)
    assert keys == [f"/out/{name}|1|5" for name in "abcd"]
    committed, fresh = seen.split({keys[0], keys[2]})
    assert [each.name for each in committed] == ["a"]
    assert [each.name for each in fresh] == ["b", "d"]


def test_a_done_file_finishes_its_file_alone() -> None:
    """With done-files two equal looks do not finish a file; an unchanged committed one may still be cleared."""
    looks = {"a": "1|5", "b": "1|5", "c": "1|5"}
    seen = Look.at("/out", [Entry(name, 1, 5) for name in "abc"], looks).vouched("{name}.done", {"b.done", "x.done"})
    committed, fresh = seen.split({"/out/c|1|5"})
    assert [each.name for each in committed] == ["c"]
    assert [each.name for each in fresh] == ["b"]


def test_no_glob_fits_nothing_and_ignores_nothing() -> None:
    """An empty list of names to pass over passes over none."""
    assert chooser(["*"], [])("a.tmp")
    assert not chooser(["a", "b"], ["a"])("a")
    assert chooser(["a", "b"], ["a"])("b")
    assert not chooser(["a", "b"], [])("ab")


@pytest.mark.parametrize(
    ("folder", "name", "path"),
    [("/out", "a", "/out/a"), ("/out", "/done", "/done"), (".", "a", "a"), ("/out/", "../x/a", "/x/a")],
)
def test_paths_are_seen_from_the_folder(folder: str, name: str, path: str) -> None:
    """Relative ones lead from the folder, absolute ones stay."""
    assert inside(folder, name) == path
