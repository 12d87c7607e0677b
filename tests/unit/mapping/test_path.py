"""The path language: which place a path leads to, and what is said of one that leads nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edi_gateway.mapping.path import parse_path, parse_place
from tests.unit.mapping.segments import segment


def sample() -> tuple[object, ...]:
    """A message with one consignment, and its STS."""
    sts = segment(
        "STS+1+21",
        segment("RFF+BM:B1"),
        segment("RFF+CN:C1"),
        segment("DTM+334:202610010800:203"),
        segment("TDT+20", segment("LOC+9+DEHAM")),
        segment("GID+1", segment("PCI+33E", segment("GIN+BJ+340123450000000018"))),
    )
    cni = segment("CNI+1+K77", segment("LOC+14+:::GENT"), sts)
    root = segment("UNH+1", segment("RFF+CW:P9"), segment("NAD+CA", segment("RFF+CW:INNER")), cni)
    return root, cni, sts


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("@2.1", "21"),
        ("@2", "21"),
        ("STS@2.1", "21"),
        ("RFF@1.2", "B1"),
        ("RFF[1.1=CN]@1.2", "C1"),
        ("RFF[1.1=AAM|CN]@1.2", "C1"),
        ("RFF[1.1!=BM]@1.2", "C1"),
        ("RFF[1.1=ZZ]@1.2", ""),
        ("DTM[1.1=334,1.3=203]@1.2", "202610010800"),
        ("GID/PCI[1=33E]/GIN[1=BJ]@2.1", "340123450000000018"),
        ("LOC@2.1", ""),
        ("//LOC@2.1", "DEHAM"),
        ("^CNI@2.1", "K77"),
        ("^LOC[1=14]@2.4", "GENT"),
        ("^RFF[1.1=CW]@1.2", "P9"),
        ("^NAD/RFF@1.2", "INNER"),
        ("^EQD@2.1", ""),
        ("RFF@9.9", ""),
    ],
)
def test_a_path_leads_to_its_place(path: str, value: str) -> None:
    """Each form of path finds the text it is documented to find, seen from STS."""
    _, _, sts = sample()
    assert value == parse_place(path).value(sts)  # type: ignore[arg-type]


def test_every_matching_segment_is_found_in_document_order() -> None:
    """A path without a place names all its segments."""
    root, _, sts = sample()
    assert [segment.get(1, 2) for segment in parse_path("RFF").segments(sts)] == ["B1", "C1"]  # type: ignore[arg-type]
    assert list(parse_path("//STS").segments(root)) == [sts]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("RFF[1.1=CN@1.2", "is no segment"),
        ("rff@1.2", "is no segment"),
        ("RFF@", "is no place"),
        ("RFF@0", "is no place"),
        ("RFF@1st", "is no place"),
        ("RFF[CN]@1.2", "is no condition"),
        ("", "is no segment"),
        ("^@2.1", "is no segment"),
    ],
)
def test_a_path_that_cannot_be_read_says_why(path: str, said: str) -> None:
    """The message quotes the path, and shows what one looks like."""
    with pytest.raises(ValueError, match=said):
        parse_place(path)


def test_a_value_needs_a_place() -> None:
    """A path that only names segments is refused where a text is wanted."""
    with pytest.raises(ValueError, match="names no place"):
        parse_place("RFF[1.1=CN]")


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    """Whatever stands in the YAML, the parser answers with a path or with a ValueError."""
    try:
        path = parse_path(text)
    except ValueError:
        return
    assert path.steps or path.is_place
