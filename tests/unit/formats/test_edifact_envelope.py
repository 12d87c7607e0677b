"""The envelope: several interchanges, groups, counts, references, and what stands where nothing belongs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from edi_gateway.errors import DocumentError
from edi_gateway.formats.edifact.format import Edifact
from edi_gateway.model import Level, Party, Position, Severity
from tests.unit.formats import x12
from tests.unit.formats.edi import BODY, UNB, codes, interchange, message, read_all, read_one, sample

GROUP = "UNG+IFTSTA+A+B+260102:0930+G1+UN+D:96A"


def grouped(*messages: list[str], header: str = GROUP, trailer: str = "") -> list[str]:
    """A functional group as a run of segments."""
    inside = [segment for each in messages for segment in each]
    return [header, *inside, trailer or f"UNE+{len(messages)}+G1"]


def test_a_sound_interchange() -> None:
    """Parties, references, time and test indicator come from UNB."""
    found = read_one(interchange(message(*BODY), header=UNB + "++++1"))
    read = found.interchange
    assert (read.sender, read.recipient) == (Party("CARRIER", "ZZZ", "DEPOT"), Party("HUB", "14"))
    assert (read.control_ref, read.test, read.findings) == ("REF1", True, ())
    assert read.prepared_at == datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
    (one,) = found.messages
    assert (one.type, one.version, one.control_ref, one.group_ref) == ("IFTSTA", "D:96A:UN", "M1", "")


def test_several_interchanges_in_one_file() -> None:
    """Interchanges follow each other, with or without line breaks between them."""
    found = read_all(sample() + sample("'\r\n") + b"\r\n\x1a")
    assert [(len(each.messages), each.interchange.findings) for each in found] == [(1, ()), (1, ())]


@pytest.mark.parametrize("length", [(1 << 20) + off for off in (-13, -9, -2, -1, 0, 1)])
def test_an_interchange_is_found_behind_much_that_is_none(length: int) -> None:
    """Wherever it begins behind a megabyte of other text, it is read from its UNA on."""
    second = b"UNA:+.? '" + sample()
    found = read_all(sample() + b"x" * length + second)
    assert [len(each.messages) for each in found] == [1, 0, 1]
    assert found[-1].interchange.position.start == len(sample()) + length


@pytest.mark.parametrize(
    "around", [(b"\xef\xbb\xbf", b""), (b"\r\n  ", b" \r\n\x1a"), (b"\xef\xbb\xbf\n", b"\x00\x00")]
)
def test_what_editors_and_transports_add_is_nothing(around: tuple[bytes, bytes]) -> None:
    """Byte order marks, blanks, Ctrl-Z and NUL around an interchange are tolerated in silence."""
    before, after = around
    found = read_one(before + sample() + after)
    assert found.interchange.findings == ()
    assert found.interchange.position.start == len(before)


def test_a_banner_is_passed_over_with_a_remark() -> None:
    """Up to a kilobyte of other text may precede the interchange."""
    found = read_one(b"MAILBOX 17 SUNBEAM LTD\n" + sample())
    (finding,) = found.interchange.findings
    assert (finding.severity, finding.found) == (Severity.WARNING, "'MAILBOX 17 SUNBEAM L'")
    assert len(found.messages) == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"Sendungsnr;Status;Zeit\n4711;ZUG;", "'Sendungsnr;Status;Ze'"),
        (b"x" * 2000 + sample(), "'xxxxxxxxxxxxxxxxxxxx'"),
        (sample().decode().encode("utf-16"), "'ÿþU\\x00N\\x00B\\x00+\\x00U\\x00N\\x00O\\x00C\\x00:\\x00'"),
    ],
)
def test_what_is_no_edifact_is_an_error(content: bytes, found: str) -> None:
    """A document without any interchange or message is quarantined as a whole, with its first characters."""
    with pytest.raises(DocumentError) as caught:
        list(Edifact().decode(content))
    finding = caught.value.finding
    assert (finding.level, finding.severity, finding.found) == (Level.DOCUMENT, Severity.QUARANTINE, found)


def test_another_standard_is_named() -> None:
    """X12 under an EDIFACT channel is a matter of configuration, and the advice says so."""
    with pytest.raises(DocumentError) as caught:
        list(Edifact().decode(b"ISA*00*          *00*"))
    assert "X12" in caught.value.finding.advice


def test_a_message_without_interchange_header() -> None:
    """UNH where UNB belongs: set aside as an interchange without reference."""
    found = read_one("".join(segment + "'" for segment in message(*BODY)).encode())
    (finding,) = found.refusals
    assert (finding.level, finding.at.start, finding.found, finding.expected) == (Level.INTERCHANGE, 0, "UNH", "UNB")
    assert (found.interchange.control_ref, found.messages) == ("", [])


def test_una_without_interchange_header() -> None:
    """UNA has to be followed by UNB; the next interchange is read all the same."""
    headless = b"UNA:+.? '" + "".join(segment + "'" for segment in message(*BODY)).encode()
    found = read_all(headless + sample())
    assert [codes(each.refusals) for each in found] == [[("quarantine", "13")], []]
    assert found[0].refusals[0].found == "UNH"
    assert len(found[1].messages) == 1


def test_text_between_interchanges_is_not_lost() -> None:
    """What stands between two interchanges, or behind the last, is reported with its place."""
    found = read_all(sample() + b"END OF DAY 1" + sample() + b"\r\nEND OF DAY 2")
    assert [len(each.messages) for each in found] == [1, 0, 1, 0]
    finding = found[1].refusals[0]
    assert (finding.found, finding.at.start, finding.at.end) == ("'END OF DAY 1'", len(sample()), len(sample()) + 12)
    assert found[3].refusals[0].found == "'END OF DAY 2'"


def test_another_standard_in_the_same_file_is_set_aside() -> None:
    """X12 behind or before it is named; what is EDIFACT is read."""
    foreign = x12.sample() + b"\r\n"
    found = read_all(sample() + foreign + sample())
    assert [len(each.messages) for each in found] == [1, 0, 1]
    assert "X12" in found[1].refusals[0].advice
    assert "X12" not in read_all(sample() + b"END OF DAY")[1].refusals[0].advice


@pytest.mark.parametrize("lost", [1, 5, 20, 60, 100, 140])
def test_a_truncated_interchange_is_set_aside_before_any_message(lost: int) -> None:
    """Without UNZ no message is handed out, however far the file went."""
    content = sample()[: -len(b"UNZ+1+REF1'") - lost + 1]
    found = read_one(content)
    (finding,) = found.refusals
    assert (finding.found, finding.code, found.messages) == ("end of file", "13", [])


def test_whole_messages_are_salvaged_where_the_partner_allows_it() -> None:
    """What was closed by its UNT is read, what was not is set aside, and everybody hears of it."""
    whole = interchange(message(*BODY), message(*BODY, ref="M2"))
    found = read_one(whole[: whole.rfind(b"STS")], Edifact(salvage=True))
    assert codes(found.warnings) == [("warning", "13")]
    assert [each.body is not None for each in found.messages] == [True, False]
    assert codes(found.messages[1].findings) == [("quarantine", "13")]
    after_unt = whole[: whole.rfind(b"UNZ")]
    for cut in (after_unt, after_unt[:-1]):
        salvaged = read_one(cut, Edifact(salvage=True))
        assert [(each.body is not None, each.findings) for each in salvaged.messages] == [(True, ()), (True, ())]
    within_unt = read_one(after_unt[:-2], Edifact(salvage=True))
    assert codes(within_unt.messages[1].findings) == [("quarantine", "28")]
    group = ["UNG+IFTSTA+A+B+260102:0930+7+UN+D:96A", *message(*BODY)]
    in_group = read_one(interchange(group, trailer="UNZ+1+REF1"), Edifact(salvage=True))
    assert (codes(in_group.warnings), len(in_group.messages)) == ([("warning", "13")], 1)


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({}, None),
        ({"senders": "CARRIER", "recipients": ["OTHER", "hub:14"]}, None),
        ({"senders": "CARRIER:ZZZ:DEPOT"}, None),
        ({"senders": ["CARRIER:14"]}, ("23", "UNB", 2)),
        ({"senders": ["STRANGER"]}, ("23", "UNB", 2)),
        ({"recipients": "OTHER"}, ("7", "UNB", 3)),
    ],
)
def test_who_may_send_and_to_whom(options: dict[str, object], finding: tuple[str, str, int] | None) -> None:
    """A stranger's interchange, or one for somebody else, is set aside whole; nobody named is anybody."""
    found = read_one(sample(), Edifact(**options))  # type: ignore[arg-type]
    assert [(each.code, each.at.tag, each.at.element) for each in found.refusals] == ([finding] if finding else [])
    assert len(found.messages) == (0 if finding else 1)


def test_truncation_within_unz() -> None:
    """A UNZ that only lacks its terminator is complete; one with half a reference is not."""
    assert codes(list(read_one(sample()[:-1]).interchange.findings)) == [("warning", "13")]
    assert codes(read_one(sample()[:-2]).refusals) == [("quarantine", "28")]


def test_a_missing_unz_before_the_next_interchange() -> None:
    """The interchange that was cut is set aside; the one behind it is read, with or without UNA."""
    cut = sample()[: -len(b"UNZ+1+REF1'")]
    for following in (sample(), b"UNA:+.? '" + sample()):
        first, second = read_all(cut + following)
        assert (first.refusals[0].found, first.refusals[0].expected) == (following[:3].decode(), "UNZ")
        assert (first.messages, len(second.messages)) == ([], 1)
        assert second.interchange.position.start == len(cut)


def test_control_references_have_to_agree() -> None:
    """UNZ has to repeat UNB's reference; the channel may make that a remark."""
    content = interchange(message(*BODY), trailer="UNZ+1+REF2")
    strict, lenient = read_one(content), read_one(content, Edifact(control_references="warn"))
    (finding,) = strict.refusals
    assert (finding.code, finding.found, finding.expected, strict.messages) == ("28", "REF2", "reference REF1", [])
    assert finding.at == Position("REF1", tag="UNZ", element=2, start=finding.at.start, end=finding.at.end)
    assert content[finding.at.start : finding.at.end] == b"UNZ+1+REF2"
    assert (codes(lenient.warnings), len(lenient.messages)) == ([("warning", "28")], 1)


def test_references_that_are_numbers_compare_as_numbers() -> None:
    """Leading zeros and blanks do not make another reference."""
    content = interchange(message(*BODY), header=UNB.replace("REF1", "00042 "), trailer="UNZ+01+42")
    assert read_one(content).interchange.findings == ()


def test_wrong_counts_are_remarks() -> None:
    """A count that is wrong under a right reference is reported with both numbers, and taken."""
    found = read_one(interchange(message(*BODY, count=18), trailer="UNZ+3+REF1"))
    assert [finding.found for finding in found.warnings] == ["claims 3, counted 1"]
    (finding,) = found.messages[0].findings
    assert (finding.found, finding.code, finding.at.segment, finding.at.tag) == ("claims 18, counted 6", "29", 6, "UNT")
    assert found.messages[0].body is not None


def test_groups_carry_their_reference_to_their_messages() -> None:
    """UNZ counts groups when there are any, UNE counts messages."""
    second = GROUP.replace("G1", "G2")
    groups = [
        grouped(message(*BODY), message(*BODY, ref="M2")),
        grouped(message(*BODY, ref="M3"), header=second, trailer="UNE+1+G2"),
    ]
    found = read_one(interchange(*groups))
    assert found.interchange.findings == ()
    assert [(each.control_ref, each.group_ref) for each in found.messages] == [("M1", "G1"), ("M2", "G1"), ("M3", "G2")]


@pytest.mark.parametrize(
    ("group", "finding"),
    [
        (grouped(message(*BODY), trailer="UNE+1+G9"), ("quarantine", "28")),
        (grouped(message(*BODY), trailer="UNE+4+G1"), ("warning", "29")),
        (grouped(message(*BODY))[:-1], ("quarantine", "13")),
        (message(*BODY), None),
        ([*message(*BODY), "UNE+1+G1"], ("quarantine", "13")),
        (grouped(), ("warning", "32")),
        (message(*BODY, ref="M0") + grouped(message(*BODY)), ("warning", "30")),
    ],
)
def test_faults_of_groups(group: list[str], finding: tuple[str, str] | None) -> None:
    """References and missing trailers break the envelope; counts, emptiness and a mixture are remarks."""
    trailer = "UNZ+2+REF1" if finding == ("warning", "30") else ""
    found = read_one(interchange(group, trailer=trailer))
    assert codes(list(found.interchange.findings)) == ([finding] if finding else [])


def test_an_empty_interchange_is_a_remark() -> None:
    """UNZ+0 is how some carriers say that there is nothing to say."""
    assert codes(read_one(interchange()).warnings) == [("warning", "32")]


@pytest.mark.parametrize(
    ("header", "remark", "moment"),
    [
        ("UNB+UNOC:3+A+B+20260102:0930+REF1", "8 under syntax 3", datetime(2026, 1, 2, 9, 30, tzinfo=UTC)),
        ("UNB+UNOC:4+A+B+260102:0930+REF1", "6 under syntax 4", datetime(2026, 1, 2, 9, 30, tzinfo=UTC)),
        ("UNB+UNOC:4+A+B+20260102:0930+REF1", "", datetime(2026, 1, 2, 9, 30, tzinfo=UTC)),
        ("UNB+UNOC:3+A+B+202502:1715+REF1", "no such month", None),
        ("UNB+UNOC:3+A+B+999818:999+REF1", "no such time", None),
        ("UNB+UNOC:3+A+B++REF1", "nothing", None),
    ],
)
def test_the_date_of_preparation(header: str, remark: str, moment: datetime | None) -> None:
    """Six or eight digits are read in any syntax version; what contradicts it or is no date is a remark."""
    found = read_one(interchange(message(*BODY), header=header))
    assert found.interchange.prepared_at == moment
    assert codes(list(found.interchange.findings)) == ([("warning", "12")] if remark else [])
    assert len(found.messages) == 1


def test_options_are_checked_when_they_are_read() -> None:
    """A message type without a guide and a charset nobody knows are refused with what there is instead."""
    with pytest.raises(ValidationError, match="there are: IFTSTA"):
        Edifact(message="ORDERS")
    with pytest.raises(ValidationError, match="UNOQ"):
        Edifact(charset="UNOQ")


def test_interchanges_accepted_as_a_whole() -> None:
    """With accept: interchange one message set aside sets aside all, for its reason and at its place."""
    content = interchange(message(*BODY), message(*BODY, ref="M2", kind="ORDERS:D:96A:UN"))
    partly, whole = read_one(content), read_one(content, Edifact(accept="interchange"))
    assert [each.body is not None for each in partly.messages] == [True, False]
    (finding,) = whole.refusals
    assert (finding.level, finding.at.message, finding.at.element) == (Level.INTERCHANGE, "M2", 2)
    assert "ORDERS" in finding.found
    assert whole.messages == []
    sound = read_one(sample(), Edifact(accept="interchange"))
    assert (sound.interchange.findings, len(sound.messages)) == ((), 1)
