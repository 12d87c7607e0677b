"""X12 sets: one that cannot be read is set aside, and its neighbours go on."""

from __future__ import annotations

import pytest

from edi_gateway.formats.x12.format import X12
from edi_gateway.model import Level, Severity
from tests.unit.formats.edi import body_of, codes, flat, outline
from tests.unit.formats.x12 import BODY, group, interchange, read_one, sample, transaction


def three(middle: list[str]) -> bytes:
    """A doubtful set between two sound ones."""
    sets = (transaction(*BODY), middle, transaction(*BODY, ref="0003"))
    return interchange(group(*sets))


@pytest.mark.parametrize(
    ("middle", "finding"),
    [
        (transaction("BEG*00", kind="850", ref="0002"), ("quarantine", "1")),
        (transaction(*BODY, ref="0002", se="SE*7*0009"), ("quarantine", "3")),
        (transaction(*BODY, ref="0002", count=99), ("warning", "4")),
        (transaction(*BODY, ref="0002", se="SE*007*2"), None),
        (transaction(*BODY, ref="0001"), ("warning", "7")),
        (transaction(*BODY, "l11*x", ref="0002"), ("quarantine", "1")),
        (transaction(*BODY, "ZZZZ*x", ref="0002"), ("quarantine", "1")),
        (transaction(*BODY, "BHT*0", ref="0002"), ("warning", "2")),
        (transaction(*BODY, "L11**BM", ref="0002"), ("warning", "2")),
        (transaction(*BODY, ref="0002")[:-1], ("quarantine", "2")),
    ],
)
def test_faults_of_a_set(middle: list[str], finding: tuple[str, str] | None) -> None:
    """Each is told with its code (718 at ST and SE, 720 elsewhere); the sets around it are read."""
    found = read_one(three(middle))
    assert [codes(each.findings) for each in found.messages] == [[], [finding] if finding else [], []]
    severity = finding[0] if finding else "warning"
    assert [each.body is not None for each in found.messages] == [True, severity == "warning", True]


@pytest.mark.parametrize(
    "stray", [["AT7*X6*NS"], ["SE*3*0009"], ["L11*1*PO", "SE*3*0009"], ["T*214*0002", *BODY, "SE*7*0002"]]
)
def test_segments_outside_every_set_are_set_aside(stray: list[str]) -> None:
    """What belongs to no set is handed out as one without a number, so that nobody misses it."""
    content = three(transaction(*BODY, ref="0002"))
    text = "".join(f"{each}~" for each in stray).encode()
    at = content.index(b"ST*214*0002")
    found = read_one(content[:at] + text + content[at:])
    (odd,) = [each for each in found.messages if each.body is None]
    assert (odd.type, odd.control_ref, odd.position.start, odd.position.end) == ("", "", at, at + len(text))
    assert (odd.findings[0].level, odd.findings[0].severity) == (Level.MESSAGE, Severity.QUARANTINE)
    assert len(found.messages) == 4


@pytest.mark.parametrize(
    ("body", "nesting"),
    [
        (("B10*1", "L11*2*PO", "N1*SH*A", "N3*B", "LX*1", "AT7*X6", "MS1*C", "MS2*D", "AT8*G"),
         "ST(B10 L11 N1(N3) LX(AT7(MS1 MS2) AT8))"),
        (("B10*1", "LX*1", "L11*2*PO", "AT7*X6", "MS1*C", "N1*SH*A", "N4*B", "LX*2", "AT7*D1"),
         "ST(B10 LX(L11 AT7(MS1) N1(N4)) LX(AT7))"),
        (("B10*1", "LX*1", "AT7*X6", "MS1*C", "L11*2*PO", "AT8*G", "AT7*D1", "AT8*G"),
         "ST(B10 LX(AT7(MS1) L11 AT8 AT7 AT8))"),
        (("B10*1", "N1*SH*A", "N3*B", "AT7*AF", "MS1*C", "AT7*D1", "MS1*E"),
         "ST(B10 N1(N3) AT7(MS1) AT7(MS1))"),
        (("B10*1", "L11*2*PO", "LX*1", "K1*TEXT", "AT7*X6", "MS1*C", "Q7*D", "LX*2", "AT7*D1"),
         "ST(B10 L11 LX(K1 AT7(MS1) Q7) LX(AT7))"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["004010", "005010", "007040", "004010VICS"])
def test_one_guide_reads_either_layout_in_any_version(body: tuple[str, ...], nesting: str, version: str) -> None:
    """References in the heading or in the loop of LX, with and without LX, whatever comes first."""
    header = f"GS*QM*A*B*20260102*0930*17*X*{version}"
    (one,) = read_one(interchange(group(transaction(*body), header=header))).messages
    assert outline(body_of(one)) == nesting
    assert codes(one.findings) in ([], [("warning", "2")])
    assert bool(one.findings) == ("LX" not in nesting)


@pytest.mark.parametrize("after", ["~", "~\r\n", "\n"])
def test_every_segment_knows_its_bytes(after: str) -> None:
    """Offsets are of the document, whatever ends a segment."""
    content = b"\n" + sample(after)
    (one,) = read_one(content).messages
    expected = ["ST*214*0001", *BODY]
    assert [content[each.start : each.end].decode() for each in flat(body_of(one))] == expected


def test_text_is_utf_8_else_latin_1_with_a_remark() -> None:
    """X12 declares no character set; one that is configured is not second-guessed."""
    content = interchange(group(transaction(BODY[0], "K1*@", *BODY[2:])))
    utf8, latin = content.replace(b"@", "é".encode()), content.replace(b"@", "é".encode("latin-1"))
    for data, remark in ((utf8, []), (latin, [("warning", "6")])):
        (one,) = read_one(data).messages
        assert body_of(one).children[1].get(1) == "é"
        assert codes(one.findings) == remark
    (one,) = read_one(utf8, X12(charset="latin-1")).messages
    assert (body_of(one).children[1].get(1), one.findings) == ("Ã©", ())


def test_sets_are_read_lazily() -> None:
    """A document of many sets is handed out one by one: taking the first does not read the rest."""
    content = interchange(group(*(transaction(*BODY, ref=f"{number:04}") for number in range(500))))
    (found,) = X12().decode(content)
    assert next(found.messages).control_ref == "0000"
    assert sum(1 for _ in found.messages) == 499


def test_sets_that_are_cut_together_are_those_that_are_cut_alone() -> None:
    """Hundreds of small sets, an unusual and a large one among them, and line breaks: nobody can tell."""
    odd = transaction(*BODY, "L11**BM", ref="odd")
    large = transaction(*BODY, *(f"L11*{number}*PO" for number in range(9_000)), ref="large")
    sets = [transaction(*BODY, f"L11*{number}*QN", ref=f"{number:04}") for number in range(1_500)]
    for at, each in ((700, odd), (900, large), (905, odd)):
        sets.insert(at, each)
    for after in ("~", "~\r\n", "\n"):
        content = interchange(group(*sets), after=after)
        found = read_one(content).messages
        assert len(found) == len(sets)
        for one, expected in zip(found, sets, strict=True):
            assert [content[s.start : s.end].decode() for s in flat(body_of(one))] == expected[:-1]
            whole = content[one.position.start : one.position.end].decode()
            assert whole.startswith(after.join(expected))
            assert len(whole) - len(after.join(expected)) == 1
        assert [one.control_ref for one in found if one.findings] == ["odd", "odd"]
