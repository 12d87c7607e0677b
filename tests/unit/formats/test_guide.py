"""The guide of IFTSTA: what nests below what, in which directory, and in what order it is written."""

from __future__ import annotations

import pytest

from edi_gateway.formats.guide import guide_names, load_guide
from edi_gateway.model import Message
from tests.unit.formats.edi import body_of, interchange, message, outline, the_message

IFTSTA = load_guide("IFTSTA")


def nested(tags: str, directory: str = "D.96A") -> str:
    """The outline of a message made of these tags."""
    return outline(body_of(made_of(tags, directory)))


def odd(tags: str, directory: str = "D.96A") -> list[tuple[str, str]]:
    """The tags that are remarked upon, and what they were put below."""
    remarks = (finding.found.partition(" below ") for finding in made_of(tags, directory).findings)
    return [(tag, path) for tag, _, path in remarks]


def made_of(tags: str, directory: str) -> Message:
    """A message of these tags, the header first, and nothing else."""
    return the_message(interchange(message(*tags.split()[1:], kind=f"IFTSTA:{directory.replace('.', ':')}:UN")))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("UNH BGM DTM NAD CTA COM NAD RFF DTM LOC", "UNH(BGM DTM NAD(CTA(COM)) NAD RFF(DTM) LOC)"),
        ("UNH CNI LOC STS RFF DTM CNI STS DTM", "UNH(CNI(LOC STS(RFF DTM)) CNI(STS(DTM)))"),
        ("UNH CNI STS DTM STS DTM STS", "UNH(CNI(STS(DTM) STS(DTM) STS))"),
        ("UNH CNI STS GID MEA EQN PCI GIN GID PCI GIN", "UNH(CNI(STS(GID(MEA(EQN) PCI(GIN)) GID(PCI(GIN)))))"),
        ("UNH CNI STS TDT LOC EQD SEL EQA SEL NAD", "UNH(CNI(STS(TDT(LOC) EQD(SEL EQA(SEL)) NAD)))"),
        ("UNH CNI STS LOC GID DTM RFF LOC", "UNH(CNI(STS(LOC GID DTM RFF LOC)))"),
        ("UNH EQD LOC DTM STS CNI STS", "UNH(EQD(LOC(DTM) STS) CNI(STS))"),
        ("UNH RFF UNS CNI STS UNS CNT", "UNH(RFF UNS CNI(STS) UNS CNT)"),
    ],
)
def test_segments_nest_by_tag(tags: str, expected: str) -> None:
    """A segment goes to the innermost open group that holds it; a new CNI or STS closes the former."""
    assert nested(tags) == expected
    assert odd(tags) == []


@pytest.mark.parametrize(
    ("tags", "directory", "expected"),
    [
        ("UNH NAD RFF DTM", "D.96A", "UNH(NAD RFF(DTM))"),
        ("UNH NAD RFF DTM", "D.19B", "UNH(NAD RFF(DTM))"),
        ("UNH NAD RFF DTM", "D.20B", "UNH(NAD(RFF(DTM)))"),
        ("UNH CNI STS TDT LOC DTM", "D.96A", "UNH(CNI(STS(TDT(LOC DTM))))"),
        ("UNH CNI STS TDT LOC DTM", "D.99B", "UNH(CNI(STS(TDT(LOC(DTM)))))"),
        ("UNH CNI STS GID PCI GIN RFF", "D.96A", "UNH(CNI(STS(GID(PCI(GIN)) RFF)))"),
        ("UNH CNI STS GID PCI GIN RFF DTM", "D.04A", "UNH(CNI(STS(GID(PCI(GIN) RFF(DTM)))))"),
        ("UNH EQD STS DTM", "D.16A", "UNH(EQD(STS(DTM)))"),
        ("UNH EQD STS", "D.08B", "UNH(EQD(STS))"),
        ("UNH CNI STS EQD RFF", "D.99B", "UNH(CNI(STS(EQD(RFF))))"),
    ],
)
def test_directories_differ(tags: str, directory: str, expected: str) -> None:
    """Where directories disagree on what a tag belongs to, the message's own directory decides."""
    assert nested(tags, directory) == expected


@pytest.mark.parametrize("directory", ["D.95B", "D.96A", "D.07B", "D.24A"])
def test_what_only_another_directory_holds_is_understood(directory: str) -> None:
    """Carriers write segments of later directories in earlier ones; they nest as if they belonged."""
    tags = "UNH EQD STS LOC CNI STS NAD CTA COM MOA GID QTY"
    expected = "UNH(EQD(STS(LOC)) CNI(STS(NAD(CTA(COM)) MOA GID(QTY))))"
    assert (nested(tags, directory), odd(tags, directory)) == (expected, [])


@pytest.mark.parametrize(
    ("tags", "expected", "remarks"),
    [
        ("UNH BGM LOC STS RFF DTM STS GID PCI", "UNH(BGM LOC STS(RFF DTM) STS(GID(PCI)))", [("STS", "UNH")]),
        ("UNH CNI NAD STS DTM", "UNH(CNI(NAD STS(DTM)))", [("NAD", "UNH/CNI")]),
        ("UNH CNI EQD RFF STS", "UNH(CNI(EQD RFF STS))", [("EQD", "UNH/CNI"), ("RFF", "UNH/CNI")]),
        ("UNH CNI STS TDT XXX LOC XXX", "UNH(CNI(STS(TDT XXX LOC XXX)))", [("XXX", "UNH/CNI/STS")]),
        ("UNH XXX CNI XXX", "UNH(XXX CNI(XXX))", [("XXX", "UNH"), ("XXX", "UNH/CNI")]),
        ("UNH GIN CNI STS", "UNH(GIN CNI(STS))", [("GIN", "UNH")]),
    ],
)
def test_what_no_group_knows_is_kept_and_reported(tags: str, expected: str, remarks: list[tuple[str, str]]) -> None:
    """A stranger stays with the consignment or status it was sent with; each kind is reported once."""
    assert (nested(tags), odd(tags)) == (expected, remarks)


def test_strangers_are_warnings_of_their_message() -> None:
    """A status without CNI is read, and its message says so before anybody looks inside."""
    found = the_message(interchange(message("BGM+23", "STS+1+OK", "STS+1+OK", "QQQ+1")))
    said = [(finding.severity.value, finding.at.segment, finding.found) for finding in found.findings]
    assert said == [("warning", 3, "STS below UNH"), ("warning", 5, "QQQ below UNH/STS")]
    assert outline(body_of(found)) == "UNH(BGM STS STS(QQQ))"


@pytest.mark.parametrize(
    ("directory", "path", "order"),
    [
        ("D.96A", "UNH", "BGM DTM TSR NAD RFF LOC FTX CNT CNI"),
        ("D.20A", "UNH", "BGM DTM TSR NAD RFF LOC FTX CNT EQD CNI"),
        ("D.24A", "UNH", "BGM DTM TSR LOC FTX CNT RFF NAD EQD CNI"),
        ("D.95B", "UNH/CNI/STS", "RFF DTM FTX NAD LOC PCI TDT EQD GID"),
        ("D.01B", "UNH/CNI/STS", "RFF DTM DOC FTX NAD LOC PCI TDT EQD GID"),
        ("D.96A", "UNH/CNI/STS/TDT", "RFF LOC DTM"),
        ("D.96A", "UNH/CNI/STS/NAD", ""),
        ("D.16A", "UNH/CNI/STS/EFI", "CED COM RFF DTM QTY"),
        ("D.22A", "UNH/CNI/STS/EFI", ""),
    ],
)
def test_the_order_of_writing(directory: str, path: str, order: str) -> None:
    """Each directory has its own order below each group."""
    assert IFTSTA.order(directory, path) == order.split()


@pytest.mark.parametrize(
    ("directory", "path", "said"),
    [
        ("D.96A", "UNH/CNI/STS/DTM", ""),
        ("D.08B", "UNH/EQD/STS", ""),
        ("D.96A", "UNH/EQD/STS", "no EQD below UNH"),
        ("D.19B", "UNH/NAD/RFF", "no RFF below UNH/NAD"),
        ("D.20B", "UNH/NAD/RFF/DTM", ""),
        ("D.96A", "UNH/STS", "no STS below UNH"),
        ("D.96A", "UNH/BGM/RFF", "it holds nothing"),
        ("D.96A", "BGM", "begins with UNH"),
    ],
)
def test_what_a_directory_allows(directory: str, path: str, said: str) -> None:
    """A path that the directory does not know is refused in a sentence; what is tolerated on reading is not written."""
    problem = IFTSTA.check(directory, path)
    assert said in problem
    assert bool(problem) == bool(said)


def test_there_is_one_guide_per_message_type() -> None:
    """Guides are found by message type."""
    assert guide_names("UNH") == ["APERAK", "CONTRL", "IFTSTA"]
    assert guide_names("ST") == ["214", "315", "997", "999"]
    with pytest.raises(KeyError):
        load_guide("ORDERS")
