"""The X12 envelope: delimiters by their bytes, several interchanges and groups, counts, control numbers, damage."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from edi_gateway.errors import DocumentError
from edi_gateway.formats.x12.format import X12
from edi_gateway.model import Level, Party, Severity
from tests.unit.formats.edi import body_of, codes, outline
from tests.unit.formats.x12 import BODY, GS, group, interchange, isa, read_all, read_one, sample, transaction

SHAPE = "ST(B10 L11 LX(AT7(MS1)))"
SECOND = GS.replace("*17*", "*18*")


def test_a_sound_interchange() -> None:
    """Parties, control number, time and usage come from ISA; version and group from GS."""
    found = read_one(interchange(group(transaction(*BODY)), header=isa(usage="T")))
    read = found.interchange
    assert (read.sender, read.recipient) == (Party("SPDY", "02"), Party("HUB", "ZZ"))
    assert (read.control_ref, read.test, read.findings) == ("000000042", True, ())
    assert read.prepared_at == datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
    (one,) = found.messages
    assert (one.type, one.version, one.control_ref, one.group_ref) == ("214", "004010", "0001", "17")
    assert outline(body_of(one)) == SHAPE


@pytest.mark.parametrize("after", ["~", "\n", "\r", "\r\n", "\x05", "\x1d", "'", "~\n", "~\r\n", "\x05\n", "|", "\x85"])
def test_the_terminator_is_whatever_follows_isa(after: str) -> None:
    """Line feeds, control characters and others end segments in silence, with or without a line break behind them."""
    found = read_one(sample(after))
    assert found.interchange.findings == ()
    assert outline(body_of(found.messages[0])) == SHAPE
    assert not found.messages[0].findings


@pytest.mark.parametrize("mark", ["|", "\x1d", "^", "+", ","])
def test_the_separator_is_the_fourth_byte(mark: str) -> None:
    """Any byte that is no letter, digit or blank."""
    found = read_one(sample().replace(b"*", mark.encode()))
    assert (found.interchange.findings, len(found.messages)) == ((), 1)


def test_a_terminator_of_several_bytes_is_a_remark() -> None:
    """An ellipsis or another character that an editor wrote as UTF-8; nothing is lost."""
    for mark in ("\u2026", "\u00a7", "\U0001f69a"):
        content = sample("~").replace(b"~", mark.encode())
        found = read_one(content)
        assert codes(found.warnings) == [("warning", "004")]
        (one,) = found.messages
        assert outline(body_of(one)) == SHAPE
        assert content[one.position.start : one.position.end].startswith(b"ST*214")


def test_an_isa_that_lost_its_width_is_read_by_its_separators() -> None:
    """With a remark, and the zeros of its control number put back."""
    header = "ISA*00* *00* *02*SPDY *02*HUB *260102*0930*U*00401*42*0*P*>"
    found = read_one(interchange(group(transaction(*BODY)), header=header))
    assert codes(found.warnings) == [("warning", "022")]
    assert (found.interchange.control_ref, found.interchange.sender) == ("000000042", Party("SPDY", "02"))
    assert len(found.messages) == 1


@pytest.mark.parametrize("after", ["~", "~\n"])
def test_a_missing_component_separator_does_not_swallow_the_terminator(after: str) -> None:
    """``*P*~``: the terminator stands where ISA16 belongs."""
    found = read_one(interchange(group(transaction(*BODY)), header=isa(inner=""), after=after))
    assert len(found.messages) == 1
    assert found.messages[0].body is not None


@pytest.mark.parametrize(
    ("version", "repeats", "remarks"),
    [("00401", "U", []), ("00501", "^", []), ("00604", "U", [("warning", "032")]), ("00501", "\xff", [])],
)
def test_elements_repeat_from_00402(version: str, repeats: str, remarks: list[tuple[str, str]]) -> None:
    """ISA11 is a separator there; a letter in its place is a remark, and elements do not repeat."""
    body = (BODY[0], f"L11*A{repeats}B*PO", *BODY[2:])
    found = read_one(interchange(group(transaction(*body)), header=isa(version, repeats)))
    assert codes(found.warnings) == remarks
    value = body_of(found.messages[0]).children[1].get(1)
    assert value == ("A" if version == "00501" else f"A{repeats}B")


def test_gs08_is_the_version_whatever_isa_says() -> None:
    """ST03 refines it."""
    refined = transaction(*BODY)
    refined[0] += "*004010VICS"
    found = read_one(interchange(group(transaction(*BODY), refined), header=isa("00204", "U")))
    assert [each.version for each in found.messages] == ["004010", "004010VICS"]


def test_several_interchanges_and_groups() -> None:
    """Each counted for itself; the same set number may come again in another group."""
    content = interchange(group(transaction(*BODY)), group(transaction(*BODY), header=SECOND), groups=2)
    found = read_all(content + b"\r\n" + sample("\n") + b"\x1a")
    assert [len(each.messages) for each in found] == [2, 1]
    assert all(not each.interchange.findings for each in found)
    assert [one.group_ref for one in found[0].messages] == ["17", "18"]
    assert not any(one.findings for one in found[0].messages)


def test_ta1_stands_before_the_first_group_or_after_the_last() -> None:
    """It is a message of one segment."""
    ta1 = ["TA1*000000007*260101*1200*A*000"]
    for parts in ((ta1, group(transaction(*BODY))), (group(transaction(*BODY)), ta1)):
        found = read_one(interchange(*parts))
        assert found.interchange.findings == ()
        (one,) = [each for each in found.messages if each.type == "TA1"]
        assert [body_of(one).get(number) for number in (1, 4, 5)] == ["000000007", "A", "000"]
        assert len(found.messages) == 2


def test_acknowledgements_are_read_whatever_the_channel_is_for() -> None:
    """997 and 999 nest by their own guides."""
    ak = ["AK1*QM*17", "AK2*214*0001", "AK3*AT7*5**8", "AK4*5*373*8*20261301", "AK5*R*5", "AK9*R*1*1*0"]
    header = GS.replace("QM", "FA")
    (one,) = read_one(interchange(group(transaction(*ak, kind="997"), header=header))).messages
    assert outline(body_of(one)) == "ST(AK1 AK2(AK3(AK4) AK5) AK9)"
    ik = [each.replace("AK3", "IK3").replace("AK4", "IK4").replace("AK5", "IK5") for each in ak]
    (one,) = read_one(interchange(group(transaction(*ik, kind="999"), header=header))).messages
    assert outline(body_of(one)) == "ST(AK1 AK2(IK3(IK4) IK5) AK9)"


@pytest.mark.parametrize("around", [(b"\xef\xbb\xbf", b""), (b"\r\n  ", b" \r\n\x1a"), (b"\xef\xbb\xbf\n", b"\0\0")])
def test_what_editors_and_transports_add_is_nothing(around: tuple[bytes, bytes]) -> None:
    """Byte order marks, blanks, Ctrl-Z and NUL around an interchange are tolerated in silence."""
    found = read_one(around[0] + sample() + around[1])
    assert found.interchange.findings == ()
    assert found.interchange.position.start == len(around[0])


def test_a_banner_is_passed_over_with_a_remark() -> None:
    """Up to a kilobyte of other text may precede the interchange; a word that ends like ISA is none."""
    found = read_one(b"MAILBOX 17 VISA*00 ISA* SUNBEAM LTD\n" + sample())
    (finding,) = found.interchange.findings
    assert (finding.severity, finding.found) == (Severity.WARNING, "'MAILBOX 17 VISA*00 I'")
    assert len(found.messages) == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"Sendungsnr;Status;Zeit\n4711;ZUG;", "'Sendungsnr;Status;Ze'"),
        (b"x" * 2000 + sample(), "'xxxxxxxxxxxxxxxxxxxx'"),
        (b"UNB+UNOC:3+A+B+260102:0930+1'", "'UNB+UNOC:3+A+B+26010'"),
    ],
)
def test_what_is_no_x12_is_an_error(content: bytes, found: str) -> None:
    """A document without any interchange or group is quarantined as a whole, with its first characters."""
    with pytest.raises(DocumentError) as caught:
        list(X12().decode(content))
    finding = caught.value.finding
    assert (finding.level, finding.severity, finding.found) == (Level.DOCUMENT, Severity.QUARANTINE, found)
    assert ("EDIFACT" in finding.advice) == content.startswith(b"UNB")


def test_a_group_without_interchange_header_is_set_aside() -> None:
    """GS where ISA belongs: an interchange without a number, up to the next ISA."""
    headless = "".join(segment + "~" for segment in group(transaction(*BODY))).encode()
    first, second = read_all(headless + sample())
    (finding,) = first.refusals
    assert (finding.level, finding.expected, finding.code, first.messages) == (Level.INTERCHANGE, "ISA", "022", [])
    assert len(second.messages) == 1


def test_another_standard_in_the_same_file_is_set_aside() -> None:
    """What is EDIFACT is named, and the X12 around it is read."""
    edifact = b"UNA:+.? 'UNB+UNOC:3+A+B+260102:0930+1'UNZ+0+1'"
    found = read_all(sample() + edifact + sample())
    assert [len(each.messages) for each in found] == [1, 0, 1]
    assert "EDIFACT" in found[1].refusals[0].advice
    assert found[1].interchange.position.start == len(sample())


@pytest.mark.parametrize(
    ("trailer", "finding"),
    [
        ("IEA*1*000000043", ("quarantine", "001")),
        ("IEA*1*000000000", ("quarantine", "001")),
        ("IEA*1*42", None),
        ("IEA*3*000000042", ("warning", "021")),
    ],
)
def test_iea_has_to_agree_with_isa(trailer: str, finding: tuple[str, str] | None) -> None:
    """Another control number sets the interchange aside, another count is a remark; leading zeros are nothing."""
    content = interchange(group(transaction(*BODY)), trailer=trailer)
    found = read_one(content)
    assert codes(found.interchange.findings) == ([finding] if finding else [])
    assert len(found.messages) == (0 if found.refusals else 1)
    lenient = read_one(content, X12(control_references="warn"))
    assert (lenient.refusals, len(lenient.messages)) == ([], 1)


@pytest.mark.parametrize(
    ("part", "finding"),
    [
        (group(transaction(*BODY), trailer="GE*1*99"), ("quarantine", "4")),
        (group(transaction(*BODY), trailer="GE*4*17"), ("warning", "5")),
        (group(transaction(*BODY))[:-1], ("quarantine", "3")),
        ([*group(transaction(*BODY)), "GE*1*17"], ("quarantine", "3")),
        (transaction(*BODY), ("warning", "024")),
    ],
)
def test_faults_of_groups(part: list[str], finding: tuple[str, str]) -> None:
    """Control numbers and missing trailers break the envelope; counts and sets outside groups are remarks."""
    groups = 0 if part[0].startswith("ST") else 1
    found = read_one(interchange(part, groups=groups))
    assert codes(found.interchange.findings) == [finding]
    if finding[1] == "024":
        assert [each.version for each in found.messages] == ["004010"]


def test_a_group_number_that_comes_twice_is_a_remark() -> None:
    """Both groups are read."""
    found = read_one(interchange(group(transaction(*BODY)), group(transaction(*BODY)), groups=2))
    assert (codes(found.warnings), len(found.messages)) == ([("warning", "6")], 2)


@pytest.mark.parametrize("lost", [1, 5, 17, 30, 60, 100, 140])
def test_a_truncated_interchange_is_set_aside_before_any_set(lost: int) -> None:
    """Without IEA nothing is handed out, however far the file went."""
    content = sample()[: -len(b"IEA*1*000000042~") - lost + 1]
    found = read_one(content)
    assert found.refusals[-1].code == "023"
    assert (found.refusals[-1].found, found.messages) == ("end of file", [])


def test_whole_sets_are_salvaged_where_the_partner_allows_it() -> None:
    """What was closed by its SE is read, what was not is set aside, and everybody hears of it."""
    whole = interchange(group(transaction(*BODY), transaction(*BODY, ref="0002")))
    cut = whole[: whole.rfind(b"AT7")]
    found = read_one(cut, X12(salvage=True))
    assert codes(found.warnings) == [("warning", "023")]
    assert [each.body is not None for each in found.messages] == [True, False]
    assert found.messages[1].findings[0].code == "2"
    after_se = whole[: whole.rfind(b"GE*")]
    assert [each.body is not None for each in read_one(after_se, X12(salvage=True)).messages] == [True, True]
    unterminated = after_se[:-1]
    assert [each.body is not None for each in read_one(unterminated, X12(salvage=True)).messages] == [True, True]


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({}, None),
        ({"senders": ["spdy", "OTHER"], "recipients": "HUB:ZZ"}, None),
        ({"senders": "SPDY:ZZ"}, ("006", "ISA", 6)),
        ({"recipients": "OTHER"}, ("009", "ISA", 8)),
    ],
)
def test_who_may_send_and_to_whom(options: dict[str, object], finding: tuple[str, str, int] | None) -> None:
    """A stranger's interchange, or one for somebody else, is set aside whole; nobody named is anybody."""
    found = read_one(sample(), X12(**options))  # type: ignore[arg-type]
    assert [(each.code, each.at.tag, each.at.element) for each in found.refusals] == ([finding] if finding else [])
    assert len(found.messages) == (0 if finding else 1)


def test_an_interchange_that_was_cut_ends_where_the_next_begins() -> None:
    """Even where its last segment has no end, and whatever delimiters the next one has."""
    cut = sample()[:-40]
    for following in (sample(), sample("\n").replace(b"*", b"|"), sample("~\n")):
        first, second = read_all(cut + following)
        assert (first.refusals[-1].code, first.messages, len(second.messages)) == ("023", [], 1)
        assert second.interchange.position.start == len(cut)


def test_a_date_of_preparation_that_is_none_is_a_remark() -> None:
    """The sets are read."""
    header = isa().replace("*260102*0930*", "*261302*0930*")
    found = read_one(interchange(group(transaction(*BODY)), header=header))
    assert (codes(found.warnings), found.interchange.prepared_at, len(found.messages)) == (
        [("warning", "014")],
        None,
        1,
    )


def test_a_file_wrapped_every_80_columns_is_read_with_a_remark() -> None:
    """Line breaks in ISA, in tags and in data are deleted when they end no segment."""
    plain = interchange(group(transaction(*BODY, *(f"L11*REFERENCE{n}*PO" for n in range(20)))))
    for width in (80, 77, 13, 7):
        wrapped = b"\r\n".join(plain[at : at + width] for at in range(0, len(plain), width))
        if not wrapped.startswith(b"ISA"):
            continue
        found = read_one(wrapped)
        assert {code for _, code in codes(found.warnings)} <= {"022"}, width
        (one,) = found.messages
        segments = list(body_of(one).below())
        assert [each.get(1) for each in segments[4:]][-1] == "REFERENCE19"
        assert ("warning", "5") in codes(one.findings)


def test_options_are_checked_when_they_are_read() -> None:
    """A set without a guide, an acknowledgement, and a charset nobody knows are refused."""
    with pytest.raises(ValidationError, match="there are: 214, 315"):
        X12(message="850")
    with pytest.raises(ValidationError, match="there are: 214, 315"):
        X12(message="997")
    with pytest.raises(ValidationError, match="no Python codec"):
        X12(charset="EBCDIC-17")


def test_interchanges_accepted_as_a_whole() -> None:
    """With accept: interchange one set put aside sets aside all, for its reason and at its place."""
    content = interchange(group(transaction(*BODY), transaction("BEG*00", kind="850", ref="0002")))
    partly, whole = read_one(content), read_one(content, X12(accept="interchange"))
    assert [each.body is not None for each in partly.messages] == [True, False]
    (finding,) = whole.refusals
    assert (finding.level, finding.at.message, whole.messages) == (Level.INTERCHANGE, "0002", [])
