"""CONTRL and APERAK: what is said of an interchange, read back by an independent reader and by our own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pytest
from pydifact.segmentcollection import Interchange as PydifactInterchange

from edi_gateway.acknowledgements import Kind, Receipt, ReceivedMessage, Statement, Verdict
from edi_gateway.formats.edifact import aperak, contrl
from edi_gateway.formats.edifact.answers import EdifactAnswers
from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.model import Finding, Level, Position, Severity
from tests.unit.formats.edi import BODY, interchange, message, read_one

# pydifact looks for tables of its directories, which it does not bring along.
pytestmark = pytest.mark.filterwarnings("ignore::pydifact.exceptions.MissingImplementationWarning")
NOW: Final = datetime(2026, 10, 12, 9, tzinfo=UTC)
ABOUT: Final = "UCI+REF1+CARRIER:ZZZ:DEPOT+HUB:14"


def receipt(content: bytes, *, repeated: bool = False, sense: tuple[Finding, ...] = ()) -> Receipt:
    """What was found in the one interchange of a file."""
    found = read_one(content)
    messages = [ReceivedMessage(each, 1, each.findings, sense) for each in found.messages]
    place = found.interchange.position
    return Receipt(found.interchange, messages, len(messages), repeated, memoryview(content)[place.start : place.end])


def written(what: Receipt, kind: Kind = Kind.CONTRL, number: int = 7, **options: str) -> bytes:
    return EdifactAnswers(**options).write(kind, what, number, NOW)  # type: ignore[arg-type]


def segments(content: bytes) -> list[str]:
    """The segments below the message header, as they stand there."""
    text = content.decode("latin-1")
    return text.partition("UNH+")[2].split("'")[1:-3]


def bad(*body: str, ref: str = "M1", **more: object) -> list[str]:
    return message(*body, ref=ref, **more)  # type: ignore[arg-type]


SITUATIONS: Final = {
    "clean": (interchange(message(*BODY)), [f"{ABOUT}+7"]),
    "warnings only": (interchange(message(*BODY, count=99)), [f"{ABOUT}+7"]),
    "an impossible tag in one message of two": (
        interchange(message(*BODY, ref="A"), message("BGM+23+RPT+9", "C?I+1", ref="B")),
        [f"{ABOUT}+7", "UCM+B+IFTSTA:D:96A:UN+4+18", "UCS+3+12"],
    ),
    "another type of message": (
        interchange(message(*BODY, kind="ORDERS:D:96A:UN")),
        [f"{ABOUT}+7", "UCM+M1+ORDERS:D:96A:UN+4+14+UNH+3:1"],
    ),
    "UNT names another message": (
        interchange([*message(*BODY)[:-1], "UNT+6+M2"]),
        [f"{ABOUT}+7", "UCM+M1+IFTSTA:D:96A:UN+4+28+UNT+3"],
    ),
    "no UNT": (
        interchange(message(*BODY)[:-1], message(*BODY, ref="M2")),
        [f"{ABOUT}+7", "UCM+M1+IFTSTA:D:96A:UN+4+13+UNT"],
    ),
    "UNZ names another interchange": (interchange(message(*BODY), trailer="UNZ+1+REF2"), [f"{ABOUT}+4+28+UNZ+3"]),
    "cut short": (interchange(message(*BODY))[:-12], [f"{ABOUT}+4+13+UNZ"]),
    "bad messages of one reference in two of three groups": (
        interchange(
            *(
                [f"UNG+IFTSTA+APP:92+OURS+260102:0930+{n}+UN+D:96A", *message(*body), f"UNE+1+{n}"]
                for n, body in ((7, ("C?I+1",)), (8, BODY), (9, ("BGM+23", "C?I+1")))
            ),
            trailer="UNZ+3+REF1",
        ),
        [
            f"{ABOUT}+7",
            *("UCF+7+APP:92+OURS+7", "UCM+M1+IFTSTA:D:96A:UN+4+18", "UCS+2+12"),
            *("UCF+9+APP:92+OURS+7", "UCM+M1+IFTSTA:D:96A:UN+4+18", "UCS+3+12"),
        ],
    ),
    "text outside every message": (
        interchange(["XYZ+1"], message(*BODY), trailer="UNZ+1+REF1"),
        [f"{ABOUT}+7+33"],
    ),
}


@pytest.mark.parametrize(("content", "expected"), SITUATIONS.values(), ids=SITUATIONS)
def test_each_situation_has_its_report(content: bytes, expected: list[str]) -> None:
    """What is acknowledged, what is rejected, at which level and with which code follows from what was found."""
    assert segments(written(receipt(content))) == expected


def test_groups_are_found_wherever_the_interchange_stands() -> None:
    """Behind a banner the same is said."""
    content, expected = SITUATIONS["bad messages of one reference in two of three groups"]
    assert segments(written(receipt(b"MAILBOX 17\n" * 80 + content))) == expected


def test_a_reference_that_came_before_is_reported_as_a_duplicate() -> None:
    """Nothing of it is processed, and the sender hears why."""
    assert segments(written(receipt(interchange(message(*BODY)), repeated=True))) == [f"{ABOUT}+4+26+UNB+6"]


def test_segments_and_elements_are_named_where_the_error_is() -> None:
    """UCS counts segments with UNH as the first, UCD counts elements with the tag as the first."""
    what = receipt(interchange(message(*BODY)))
    places = [(4, (4, 1), "12"), (4, (2, 0), "13"), (3, (0, 0), "15")]
    found = tuple(
        Finding(Severity.QUARANTINE, Level.MESSAGE, Position("REF1", "M1", segment, "XYZ", *place), "x", "y", code=code)
        for segment, place, code in places
    )
    refused = Receipt(what.interchange, [ReceivedMessage(what.messages[0].message, 0, found)], 1)
    expected = [
        f"{ABOUT}+7", "UCM+M1+IFTSTA:D:96A:UN+4+18", "UCS+3+15", "UCS+4+12", "UCD+12+5:1", "UCD+13+3",
    ]  # fmt: skip
    content = written(refused)
    assert segments(content) == expected
    [whole, part] = statements(content)
    assert whole.reasons == [
        "message M1: 18 unspecified error",
        "message M1, segment 3: 15 not supported in this position",
        "message M1, segment 4, element 4 component 1: 12 invalid value",
        "message M1, segment 4, element 2: 13 missing",
    ]
    assert (part.part, part.verdict) == ("M1", Verdict.REJECTED)


@pytest.mark.parametrize(
    ("layout", "kind", "syntax"),
    [("D:3", "CONTRL:D:3:UN", "3"), ("2:2", "CONTRL:2:2:UN", "3"), ("4:1", "CONTRL:4:1:UN", "4")],
)
def test_the_envelope_is_turned_round_and_says_which_layout(layout: str, kind: str, syntax: str) -> None:
    """From whom it came it goes to; a test is answered as a test; the subject's parties stay as they were."""
    subject = interchange(message(*BODY), header="UNB+UNOC:3+CARRIER:ZZZ:DEPOT+HUB:14+260102:0930+REF1++++++1")
    content = written(receipt(subject), layout=layout, association="EDIEL2")
    read = read_one(content)
    assert (str(read.interchange.sender), str(read.interchange.recipient)) == ("HUB:14", "CARRIER:ZZZ")
    assert (read.interchange.control_ref, read.interchange.test, read.warnings) == ("7", True, [])
    assert f"UNOC:{syntax}+".encode() in content
    assert f"UNH+1+{kind}:EDIEL2'".encode() in content


@pytest.mark.parametrize(("content", "expected"), SITUATIONS.values(), ids=SITUATIONS)
def test_an_independent_reader_accepts_our_reports(content: bytes, expected: list[str]) -> None:
    """Pydifact finds the same segments, and envelopes that agree with themselves."""
    [read] = PydifactInterchange.from_str(written(receipt(content)).decode("latin-1")).get_messages()
    assert read.type == "CONTRL"
    assert [segment.tag for segment in read.segments] == [line[:3] for line in expected]


def statements(content: bytes) -> list[Statement]:
    """What our own reader takes a CONTRL or APERAK for."""
    readers = {"CONTRL": contrl.statements, "APERAK": aperak.statements}
    found = read_one(content, Edifact())
    assert not [*found.interchange.findings, *(one for each in found.messages for one in each.findings)]
    return [one for each in found.messages if each.body for one in readers[each.type](each.body)]


@pytest.mark.parametrize(
    ("name", "verdict", "parts"),
    [
        ("clean", Verdict.ACCEPTED, []),
        ("an impossible tag in one message of two", Verdict.PARTLY_REJECTED, ["B"]),
        ("bad messages of one reference in two of three groups", Verdict.PARTLY_REJECTED, ["M1", "M1"]),
        ("UNZ names another interchange", Verdict.REJECTED, []),
        ("text outside every message", Verdict.ACCEPTED, []),
    ],
)
def test_what_we_write_is_what_we_read(name: str, verdict: Verdict, parts: list[str]) -> None:
    """Our reader hears of our reports what was found."""
    [whole, *rest] = statements(written(receipt(SITUATIONS[name][0])))
    assert (whole.verdict, whole.reference, whole.sender, whole.recipient) == (verdict, "REF1", "CARRIER", "HUB")
    assert [one.part for one in rest] == parts


@pytest.mark.parametrize(
    ("action", "verdict"),
    [("1", "accepted"), ("2", "accepted_with_errors"), ("3", "partly_rejected"), ("4", "rejected"), ("5", "accepted"),
     ("6", "rejected"), ("7", "accepted"), ("8", "received")],
)  # fmt: skip
def test_every_action_code_ever_listed_is_understood(action: str, verdict: str) -> None:
    """The withdrawn ones are still sent; codes of the partner's own are kept as text."""
    body = [f"UCI+19+HUB:14+GLOBEX:14+{action}+ZZ9+UNB"]
    content = interchange(message(*body, kind="CONTRL:2:2:UN:EDIEL2"))
    [said] = statements(content)
    assert said.verdict == verdict
    assert said.reasons == ([] if action == "8" else ["UNB: ZZ9 (a code of the partner's own)"])


def test_groups_and_their_messages_count() -> None:
    """A message that is rejected within a group makes the whole partly rejected."""
    body = ["UCI+19+HUB:14+GLOBEX:14+7", "UCF+5+HUB+GLOBEX+7", "UCM+3+IFTSTA:D:01B:UN+4+12", "UCS+4+12", "UCD+12+2:1"]
    [whole, part] = statements(interchange(message(*body, kind="CONTRL:D:3:UN")))
    assert (whole.verdict, part.part, part.verdict) == (Verdict.PARTLY_REJECTED, "3", Verdict.REJECTED)


@pytest.mark.parametrize("body", [["UCM+1+IFTSTA:D:96A:UN+4"], ["UCI+1+A+B+9"], ["UCI+1+A+B"]])
def test_a_report_that_says_nothing_is_refused(body: list[str]) -> None:
    """No subject, or an action nobody knows: the error names the segment."""
    found = read_one(interchange(message(*body, kind="CONTRL:D:3:UN")))
    [only] = found.messages
    assert only.body is not None
    with pytest.raises(ValueError, match=r"UCI"):
        list(contrl.statements(only.body))


def test_what_was_not_understood_is_told_by_aperak() -> None:
    """A message of errors names the message and each problem with its place; advice meant for us stays here."""
    at = Position("REF1", "M1", 3, "CNI", 2, 1)
    problem = Finding(Severity.QUARANTINE, Level.EVENT, at, "nothing", "a tracking number", "look at the mapping")
    remark = Finding(Severity.WARNING, Level.EVENT, at, "code ZZ", "a code of the table")
    content = written(receipt(interchange(message(*BODY)), sense=(problem, remark)), Kind.APERAK)
    lines = segments(content)
    assert lines[:3] == ["BGM+313+7-1+9", "DTM+137:202610120900:203", "RFF+ACW:M1"]
    assert [line for line in lines if line.startswith("ERC")] == ["ERC+E1", "ERC+W1"]
    assert "a tracking number" in content.decode().replace("':", "")
    assert b"look at the mapping" not in content
    [said] = statements(content)
    assert (said.verdict, said.reference, len(said.reasons)) == (Verdict.REJECTED, "M1", 2)
    PydifactInterchange.from_str(content.decode("latin-1"))


def test_a_clean_interchange_is_acknowledged_by_aperak_as_a_whole() -> None:
    """There is nothing to say of single messages."""
    content = written(receipt(interchange(message(*BODY))), Kind.APERAK)
    assert segments(content) == ["BGM+312+7-1+9", "DTM+137:202610120900:203", "RFF+ACW:REF1"]
    [said] = statements(content)
    assert said.verdict is Verdict.ACCEPTED


def test_parties_in_letters_latin_1_lacks_are_answered_in_utf_8() -> None:
    """The answer can always name whom it is for."""
    header = "UNB+UNOW:3+PŘEPRAVA:ZZZ+HUB:14+260102:0930+REF1"
    text = (
        interchange(message(*BODY))
        .decode("latin-1")
        .replace("UNB+UNOC:3+CARRIER:ZZZ:DEPOT+HUB:14+260102:0930+REF1++IFTSTA", header)
    )
    content = written(receipt(text.encode()))
    assert b"UNB+UNOY:3+HUB:14+" in content
    assert "UCI+REF1+PŘEPRAVA:ZZZ+HUB:14+7'".encode() in content
