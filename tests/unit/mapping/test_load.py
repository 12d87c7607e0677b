"""Loading mappings: what extends what, which table is asked first, and where a mistake is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from edi_gateway.errors import ConfigError
from edi_gateway.mapping.codebook import Decision, within
from edi_gateway.mapping.load import Library
from edi_gateway.model import Status

MAPPINGS = Path(__file__).parents[3] / "mappings"


def library(tmp_path: Path, **files: str) -> Library:
    """A folder with these mappings, before the shipped ones."""
    for name, text in files.items():
        path = tmp_path / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Library([tmp_path, MAPPINGS])


def decide(tmp_path: Path, text: str, code: str, *reasons: str, agency: str = "", code_list: str = "") -> Decision:
    """What a mapping that builds on the standard makes of a code."""
    book = library(tmp_path, own=f"extends: standard/iftsta\n{text}").reader("own").codebook
    return book.decide(code, reasons, code_list=code_list, agency=agency, directory="01B")


@pytest.mark.parametrize("name", Library([MAPPINGS]).names())
def test_every_shipped_mapping_can_be_used(name: str) -> None:
    """Each one compiles for the direction it is made for."""
    shipped = Library([MAPPINGS])
    compiled = shipped.writer(name) if name.endswith(("tracking_events", "-out")) else shipped.reader(name)
    assert compiled.name == name


def test_the_carriers_own_code_is_asked_before_the_standard(tmp_path: Path) -> None:
    """A number of Rec. 24 that this carrier uses otherwise is read its way."""
    found = decide(tmp_path, "codes: {'21': {status: EXCEPTION, reason: x.speedy.odd}}\n", "21")
    assert found.entry
    assert (found.entry.status, found.reason, found.rule.rpartition("/")[2]) == (
        Status.EXCEPTION,
        "x.speedy.odd",
        "own.yaml:2",
    )


def test_the_table_with_more_conditions_is_asked_first(tmp_path: Path) -> None:
    """List and agency beat agency, agency beats none."""
    text = (
        "codes: {A: PENDING}\n"
        "code_lists:\n"
        "  - {agency: '87', codes: {A: IN_TRANSIT}}\n"
        "  - {list: D2, agency: '87', codes: {A: DELIVERED}}\n"
    )
    statuses = [
        decide(tmp_path, text, "A", agency=agency, code_list=code_list).entry
        for agency, code_list in (("87", "D2"), ("87", ""), ("", ""))
    ]
    assert [entry and entry.status for entry in statuses] == [Status.DELIVERED, Status.IN_TRANSIT, Status.PENDING]


def test_a_reason_code_refines_a_status_code(tmp_path: Path) -> None:
    """The entry for code and reason beats the entry for the code."""
    text = "codes: {N1: {status: EXCEPTION, reasons: {'7': {status: ATTEMPT_FAILURE, reason: attempt.closed}}}}\n"
    refined, plain = decide(tmp_path, text, "N1", "5", "7"), decide(tmp_path, text, "N1")
    assert refined.entry
    assert plain.entry
    assert (refined.entry.status, refined.reason) == (Status.ATTEMPT_FAILURE, "attempt.closed")
    assert plain.entry.status is Status.EXCEPTION


def test_codes_are_found_whatever_their_case(tmp_path: Path) -> None:
    """Carriers are not careful with capitals."""
    assert decide(tmp_path, "codes: {Ab: DELIVERED}\n", "aB").entry


def test_keys_stay_what_was_written(tmp_path: Path) -> None:
    """NO, ON and 07 are codes, not switches and numbers."""
    text = "codes: {NO: PENDING, ON: DELIVERED, 07: LOST}\n"
    found = [decide(tmp_path, text, code).entry for code in ("NO", "ON", "07", "7")]
    assert [entry and entry.status for entry in found] == [
        Status.PENDING,
        Status.DELIVERED,
        Status.LOST,
        Status.CANCELLED,
    ]


def test_the_version_changes_with_any_file_it_is_made_of(tmp_path: Path) -> None:
    """A change in what a mapping builds on is another version of it."""
    before = library(tmp_path, base="extends: standard/iftsta\n", own="extends: base\n").reader("own").version
    after = library(tmp_path, base="extends: standard/iftsta\n# x\n", own="extends: base\n").reader("own").version
    assert before != after


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("extends: standard/iftsta\nevnt: {}\n", 2, "did you mean 'event'"),
        ("extends: standard/iftsat\n", 1, "did you mean 'standard/iftsta'"),
        ("extends: standard/iftsta\n\ncodes:\n  A: DELIVERD\n", 4, "did you mean 'DELIVERED'"),
        ("extends: standard/iftsta\nevent:\n  code: STS@\n", 3, "is no place"),
        ("extends: standard/iftsta\nevent:\n  code: {path: '@2.1', convert: uper}\n", 3, "is no converter"),
        ("extends: standard/iftsta\ncodes:\n  A: {status: LOST, reason: lost}\n", 3, "is no reason"),
        ("extends: standard/iftsta\ncode_lists:\n  - {directory: 1998, codes: {}}\n", 3, "directory"),
        ("extends: standard/iftsta\ncode_lists:\n  - {table: standard/codes/rec42}\n", 3, "there is no mapping"),
        ("extends: own\n", 1, "in a circle"),
        ("message: IFTSTA\n", 1, "for_each"),
        ("extends: [standard/iftsta\n", 2, "expected"),
    ],
)
def test_a_mistake_is_said_at_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    """File, line, what is wrong, and what was perhaps meant."""
    with pytest.raises(ConfigError, match=f"own.yaml:{line}: ") as raised:
        library(tmp_path, own=text).reader("own")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("directory", "wanted", "inside"),
    [
        ("96A", "..98A", True),
        ("98A", "..98A", True),
        ("98B", "..98A", False),
        ("01B", "98B..", True),
        ("24A", "98B..", True),
        ("97A", "98B..", False),
        ("01B", "01B", True),
        ("01C", "01B", False),
        ("99B", "96A..01B", True),
        ("", "98B..", True),
    ],
)
def test_directories_are_ordered_by_age(directory: str, wanted: str, inside: bool) -> None:
    """D.99B is older than D.00B; a directory nobody named is taken for a new one."""
    assert within(directory, wanted) is inside
