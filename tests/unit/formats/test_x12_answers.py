"""997, 999 and TA1: what is said of an interchange, read back by an independent reader and by our own."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Final

import pytest

from edi_gateway.acknowledgements import Kind, Receipt, ReceivedMessage, Statement
from edi_gateway.formats.x12 import statements
from edi_gateway.formats.x12.answers import X12Answers
from edi_gateway.formats.x12.format import X12

NOW: Final = datetime(2026, 10, 12, 9, tzinfo=UTC)
ISA: Final = (
    "ISA*00*          *00*          *ZZ*CARRIER        *01*HUB            *261012*0900*U*00401*000000017*1*P*>~"
)
BODY: Final = ("B10*K1*S1*SCAC", "LX*1", "AT7*X6*NS***20261012*0800*LT")


def a_set(reference: str, *body: str, se: str = "") -> str:
    lines = [f"ST*214*{reference}", *body, se or f"SE*{len(body) + 2}*{reference}"]
    return "".join(f"{line}~" for line in lines)


def group(*sets: str, number: int = 17, ge: str = "", version: str = "004010") -> str:
    opening = f"GS*QM*CARR*HUBAPP*20261012*0900*{number}*X*{version}~"
    return opening + "".join(sets) + (f"{ge}~" if ge else f"GE*{len(sets)}*{number}~")


def whole(*groups: str, iea: str = "") -> bytes:
    return (ISA + "".join(groups) + (iea or f"IEA*{len(groups)}*000000017~")).encode()


def receipt(content: bytes, *, repeated: bool = False) -> Receipt:
    [(interchange, messages)] = [(each, list(each.messages)) for each in X12().decode(content)]
    received = [ReceivedMessage(each, 1, each.findings) for each in messages]
    return Receipt(interchange, received, len(received), repeated, memoryview(content))


def written(kind: Kind, what: Receipt) -> bytes:
    return X12Answers().write(kind, what, 5, NOW)


def lines(content: bytes) -> list[str]:
    """Between ST and SE, or the TA1."""
    found = content.decode().split("~")
    return [line for line in found if line[:3] in {"TA1", "AK1", "AK2", "AK3", "AK4", "AK5", "AK9", "IK3", "IK5"}]


GOOD: Final = a_set("0001", *BODY)
SITUATIONS: Final = {
    "clean": (whole(group(GOOD)), ["AK1*QM*17", "AK2*214*0001", "AK5*A", "AK9*A*1*1*1"], "A*000"),
    "one set of two is bad": (
        whole(group(GOOD, a_set("0002", *BODY, se="SE*5*0009"))),
        ["AK1*QM*17", "AK2*214*0001", "AK5*A", "AK2*214*0002", "AK5*R*3", "AK9*P*2*2*1"],
        "A*000",
    ),
    "a segment count that is wrong": (
        whole(group(a_set("0001", *BODY, se="SE*9*0001"))),
        ["AK1*QM*17", "AK2*214*0001", "AK5*E*4", "AK9*E*1*1*1"],
        "A*000",
    ),
    "a segment that does not belong there": (
        whole(group(a_set("0001", *BODY, "ZZZ*1"))),
        ["AK1*QM*17", "AK2*214*0001", "AK3*ZZZ*5**2", "AK5*E*5", "AK9*E*1*1*1"],
        "A*000",
    ),
    "a set of another type": (
        whole(group("ST*850*0001~BEG*00*SA*1**20261012~SE*3*0001~")),
        ["AK1*QM*17", "AK2*850*0001", "AK5*R*1", "AK9*R*1*1*0"],
        "A*000",
    ),
    "GE counts otherwise": (
        whole(group(GOOD, ge="GE*9*17")),
        ["AK1*QM*17", "AK2*214*0001", "AK5*A", "AK9*E*9*1*1*5"],
        "A*000",
    ),
    "GE names another group": (whole(group(GOOD, ge="GE*1*18")), ["AK1*QM*17", "AK9*R*1*0*0*4"], "R*024"),
    "IEA names another interchange": (
        whole(group(GOOD), iea="IEA*1*000000099~"),
        ["AK1*QM*17", "AK9*R*1*0*0"],
        "R*001",
    ),
    "two groups": (
        whole(group(GOOD), group(GOOD, number=18)),
        ["AK1*QM*17", "AK2*214*0001", "AK5*A", "AK9*A*1*1*1", "AK1*QM*18", "AK2*214*0001", "AK5*A", "AK9*A*1*1*1"],
        "A*000",
    ),
    "a newer version": (
        whole(group(GOOD, version="005010")),
        ["AK1*QM*17*005010", "AK2*214*0001", "AK5*A", "AK9*A*1*1*1"],
        "A*000",
    ),
}


@pytest.mark.parametrize(("content", "expected", "note"), SITUATIONS.values(), ids=SITUATIONS)
def test_each_situation_has_its_reports(content: bytes, expected: list[str], note: str) -> None:
    """Sets, groups and the interchange are accepted, accepted with errors, or rejected with a code."""
    what = receipt(content)
    assert lines(written(Kind.FUNCTIONAL, what)) == expected
    assert lines(written(Kind.TA1, what)) == [f"TA1*000000017*261012*0900*{note}"]
    implementation = [line.replace("AK3", "IK3").replace("AK5", "IK5") for line in expected]
    assert [line[:6] for line in lines(written(Kind.IMPLEMENTATION, what))] == [line[:6] for line in implementation]


def test_a_truncated_group_gets_no_997() -> None:
    """Only the interchange is spoken of: rejected, since its end is missing."""
    what = receipt((ISA + "GS*QM*CARR*HUBAPP*20261012*0900*17*X*004010~" + GOOD).encode())
    assert not X12Answers.speaks(Kind.FUNCTIONAL, what)
    assert lines(written(Kind.TA1, what)) == ["TA1*000000017*261012*0900*R*023"]


def test_a_control_number_that_came_before_is_reported_as_a_duplicate() -> None:
    """By note 025; and nothing of its groups is accepted."""
    what = receipt(whole(group(GOOD)), repeated=True)
    assert lines(written(Kind.TA1, what)) == ["TA1*000000017*261012*0900*R*025"]
    assert lines(written(Kind.FUNCTIONAL, what)) == ["AK1*QM*17", "AK9*R*1*0*0"]


def test_the_envelope_is_turned_round() -> None:
    """Identities of interchange and group change sides; the version stays, for 999 it is the guide's."""
    content = written(Kind.FUNCTIONAL, receipt(whole(group(GOOD)))).decode()
    assert "*01*HUB            *ZZ*CARRIER        *261012*0900*U*00401*000000005*0*P*:~" in content
    assert "~GS*FA*HUBAPP*CARR*20261012*0900*5*X*004010~ST*997*0001~" in content
    assert (
        "*X*005010X231A1~ST*999*0001*005010X231A1~"
        in written(Kind.IMPLEMENTATION, receipt(whole(group(GOOD)))).decode()
    )


@pytest.mark.parametrize(
    ("content", "silent"),
    [
        (b"ISA...GS*FA*A*B~ST*997*0001~", True),
        (b"ISA...TA1*000000001*261012*0900*A*000~IEA", True),
        (b"ISA...GS*FA*A*B~ST*997*1~SE~GE~GS*QM*A*B~", False),
        (b"ISA...GS*QM*A*B~ST*214*1~", False),
    ],
)
def test_what_acknowledges_is_told_from_what_does_not(content: bytes, silent: bool) -> None:
    """By the groups, where no set could be read."""
    assert X12Answers.acknowledges(memoryview(content)) is silent


def read(content: bytes) -> list[Statement]:
    """What our own reader takes it for."""
    [interchange] = X12().decode(content)
    assert interchange.findings == ()
    return [
        said
        for message in interchange.messages
        if message.body
        for said in (statements.of_interchange if message.type == "TA1" else statements.of_group)(message.body)
    ]


def test_what_we_write_is_what_we_read() -> None:
    """Group, sets and reasons come back as they were meant."""
    what = receipt(SITUATIONS["one set of two is bad"][0])
    for kind in (Kind.FUNCTIONAL, Kind.IMPLEMENTATION):
        told, part = read(written(kind, what))
        assert (told.kind, told.verdict, told.number, told.group) == (kind, "partly_rejected", 17, "QM")
        assert (part.part, part.verdict, part.reasons) == (
            "0002",
            "rejected",
            ["set 0002: 3 control numbers do not match"],
        )
    [note] = read(written(Kind.TA1, receipt(SITUATIONS["IEA names another interchange"][0])))
    assert (note.kind, note.verdict, note.number, note.reasons) == (Kind.TA1, "rejected", 17, ["TA1 note 001"])


@pytest.mark.parametrize("kind", [Kind.FUNCTIONAL, Kind.IMPLEMENTATION, Kind.TA1])
@pytest.mark.parametrize("name", SITUATIONS)
def test_an_independent_reader_accepts_our_reports(kind: Kind, name: str) -> None:
    """pyx12 walks its own maps of 997 and 999 over them and finds nothing wrong."""
    from pyx12.params import ParamsBase
    from pyx12.x12file import X12Reader
    from pyx12.x12n_document import x12n_document

    content = written(kind, receipt(SITUATIONS[name][0])).decode()
    reader = X12Reader(io.StringIO(content))
    assert [segment.get_seg_id() for segment in reader] == [line.split("*")[0] for line in content.split("~") if line]
    reader.cleanup()
    assert reader.pop_errors() == []
    if kind is Kind.TA1 or (kind is Kind.FUNCTIONAL and name == "a newer version"):
        return  # it has no map of these
    # Its code lists are those of health care, which knows neither QM nor 214.
    foreign = content.replace("*QM*", "*HC*").replace("*214*", "*837*").replace("*850*", "*837*")
    assert x12n_document(ParamsBase(), io.StringIO(foreign), None, None)


@pytest.mark.parametrize(
    ("version", "standard", "kind"),
    [("00401", "004010X098A1", Kind.FUNCTIONAL), ("00501", "005010X222A1", Kind.IMPLEMENTATION)],
)
def test_our_reader_accepts_the_reports_of_an_independent_writer(version: str, standard: str, kind: Kind) -> None:
    """What pyx12 answers to a claim that lacks nearly everything is a rejection of its group, with reasons."""
    from pyx12.params import ParamsBase
    from pyx12.x12n_document import x12n_document

    claim = f"ST*837*0001{f'*{standard}' if version > '00401' else ''}~BHT*0019*00*1*20261012*0900*CH~SE*3*0001~"
    opening = ISA.replace("00401", version).replace("*U*", "*^*" if version > "00401" else "*U*")
    subject = f"{opening}GS*HC*CARR*HUBAPP*20261012*0900*17*X*{standard}~{claim}GE*1*17~IEA*1*000000017~"
    answer = io.StringIO()
    assert not x12n_document(ParamsBase(), io.StringIO(subject), answer, None)
    told, part, *rest = read(answer.getvalue().encode())
    assert (told.kind, told.verdict, told.number) == (kind, "rejected", 17)
    assert (part.part, part.verdict, bool(part.reasons)) == ("0001", "rejected", True)
    assert [(one.kind, one.number) for one in rest] == [(Kind.TA1, 17)]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ((), "no AK1"),
        (("AK1*QM*17",), "no AK9"),
        (("AK1*QM*17", "AK9*Q*1*1*1"), "code Q in AK9"),
        (("AK1*QM*17", "AK2*214*0001", "AK9*A*1*1*1"), "no AK5"),
    ],
)
def test_a_report_that_says_nothing_is_refused(body: tuple[str, ...], problem: str) -> None:
    """The error names what is missing or not known."""
    text = "".join(f"{line}~" for line in ["ST*997*0001", *body, f"SE*{len(body) + 2}*0001"])
    content = whole(f"GS*FA*A*B*20261012*0900*1*X*004010~{text}GE*1*1~")
    with pytest.raises(ValueError, match=problem):
        read(content)
