"""CONTRL, the syntax and service report (ISO 9735 part 4): what we say of an interchange, and what is said of ours."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from edi_gateway.acknowledgements import Kind, Receipt, ReceivedMessage, Statement, Verdict
from edi_gateway.formats.edifact.charsets import mask_shifted
from edi_gateway.formats.edifact.survey import read_envelope
from edi_gateway.formats.syntax import CutSegment
from edi_gateway.model import Finding, OutboundSegment, Party, Position, Segment, Severity

_REJECTED: Final = "4"  # 0083: this level and all lower ones
_ACKNOWLEDGED: Final = "7"  # and all lower levels, unless they are rejected by name
_UNSPECIFIED: Final = "18"  # 0085
_DUPLICATE: Final = "26"
_ENVELOPE: Final = frozenset({"UNA", "UNB", "UNG", "UNE", "UNZ"})
_FRAME: Final = frozenset({"UNH", "UNT"})
_DETAILS: Final = (999, 99)  # segments of a message, elements of a segment that may be named

VERDICTS: Final[Mapping[str, Verdict]] = {  # 0083; 1, 2, 3, 5 and 6 were withdrawn in 2001 and are still sent
    "1": Verdict.ACCEPTED,
    "2": Verdict.ACCEPTED_WITH_ERRORS,
    "3": Verdict.PARTLY_REJECTED,
    "4": Verdict.REJECTED,
    "5": Verdict.ACCEPTED,
    "6": Verdict.REJECTED,
    "7": Verdict.ACCEPTED,
    "8": Verdict.RECEIVED,
}
_MEANINGS: Final[Mapping[str, str]] = {  # 0085
    "2": "syntax version or level not supported",
    "7": "recipient is not the actual recipient",
    "12": "invalid value",
    "13": "missing",
    "14": "value not supported in this position",
    "15": "not supported in this position",
    "16": "too many constituents",
    "17": "no agreement",
    "18": "unspecified error",
    "20": "character invalid as a service character",
    "21": "invalid character",
    "22": "invalid service character",
    "23": "unknown sender",
    "24": "too old",
    "25": "test indicator not supported",
    "26": "duplicate detected",
    "28": "references do not match",
    "29": "control count does not match",
    "30": "groups and messages mixed",
    "32": "lower level empty",
    "33": "invalid occurrence outside message or group",
    "35": "too many repetitions",
    "36": "too many repetitions of a group",
    "37": "wrong type of characters",
    "38": "digit missing before the decimal sign",
    "39": "too long",
    "40": "too short",
    "45": "trailing separator",
    "46": "character set not supported",
    "47": "envelope functionality not supported",
    "48": "dependency condition violated",
}


def report(receipt: Receipt) -> list[OutboundSegment]:
    """The segments below UNH that say what became of an interchange: all of it, and each message that was refused.

    Warnings have no place in CONTRL: what was taken with a remark is acknowledged.
    """
    interchange = receipt.interchange
    about = [[interchange.control_ref], _party(interchange.sender), _party(interchange.recipient)]
    if receipt.repeated:
        return [OutboundSegment("UCI", [*about, [_REJECTED], [_DUPLICATE], ["UNB"], ["6"]])]
    refusal = receipt.refusal
    if refusal:
        return [OutboundSegment("UCI", [*about, [_REJECTED], *_error(refusal, _ENVELOPE)])]
    refused = [message for message in receipt.messages if message.refused]
    nameless = next((one for message in refused for one in message.syntax if not message.message.control_ref), None)
    named = [message for message in refused if message.message.control_ref]
    bare = [_message(message) for message in named if not message.message.group_ref]
    stray = [[nameless.code or _UNSPECIFIED]] if nameless else []
    return [OutboundSegment("UCI", [*about, [_ACKNOWLEDGED], *stray]), *bare, *_groups(receipt, named)]


def _groups(receipt: Receipt, refused: Sequence[ReceivedMessage]) -> Iterator[OutboundSegment]:
    """UCF of each group with refused messages: a reference tells a message from others within its group only."""
    grouped = [message for message in refused if message.message.group_ref]
    headers = _group_headers(receipt) if grouped else []
    starts = [header.start for header in headers]

    def group_of(message: ReceivedMessage) -> int:
        return bisect_right(starts, message.message.position.start - receipt.interchange.position.start) - 1

    for index, messages in groupby(grouped, group_of):
        header = headers[index]
        sides = [[header.get(element), header.get(element, 2)] for element in (2, 3)]
        yield OutboundSegment("UCF", [[header.get(5)], *sides, [_ACKNOWLEDGED]], [*map(_message, messages)])


def _group_headers(receipt: Receipt) -> list[CutSegment]:
    """Every UNG of the interchange, once more from its bytes."""
    content = bytes(receipt.content)
    envelope = read_envelope(content, 0, masked=mask_shifted(content), references="warn", salvage=True)
    return [envelope.segment(tag, start) for tag, start in envelope.service_segments() if tag == "UNG"]


def _message(received: ReceivedMessage) -> OutboundSegment:
    message = received.message
    identifier = [message.type, *message.version.split(":")]
    reasons = [one for one in received.syntax if one.severity is Severity.QUARANTINE]
    inside = [one for one in reasons if one.at.segment and one.at.tag not in _FRAME]
    frame = next((one for one in reasons if one not in inside), None)
    error = _error(frame, _FRAME) if frame else [[_UNSPECIFIED]]
    segments = sorted(inside, key=lambda one: one.at.segment)
    below = [_segment(number, list(found)) for number, found in groupby(segments, lambda one: one.at.segment)]
    return OutboundSegment("UCM", [[message.control_ref], identifier, [_REJECTED], *error], below[: _DETAILS[0]])


def _segment(number: int, found: Sequence[Finding]) -> OutboundSegment:
    elements = [one for one in found if one.at.element]
    below = [OutboundSegment("UCD", [[one.code or _UNSPECIFIED], _place(one.at)]) for one in elements]
    return OutboundSegment("UCS", [[str(number)], [found[0].code or _UNSPECIFIED]], below[: _DETAILS[1]])


def _error(finding: Finding, tags: frozenset[str]) -> list[list[str]]:
    """0085, 0013 and S011 as UCI and UCM have them."""
    said = [[finding.code or _UNSPECIFIED]]
    if finding.at.tag in tags:
        said.append([finding.at.tag])
        if finding.at.element:
            said.append(_place(finding.at))
    return said


def _place(at: Position) -> list[str]:
    """S011: the tag counts as element 1."""
    return [str(at.element + 1), *([str(at.component)] if at.component else [])]


def _party(party: Party) -> list[str]:
    return [party.id, party.qualifier, party.routing]


def statements(body: Segment) -> Iterator[Statement]:
    """What a CONTRL says: of the interchange as a whole first, then of each message it names.

    Raises ValueError that says what is missing or not known.
    """
    subject = next(iter(body.held("UCI")), None)
    if subject is None:
        raise ValueError("no UCI, which says what interchange it is about")
    messages = [*body.held("UCM"), *(message for group in body.held("UCF") for message in group.held("UCM"))]
    groups = [Said(group, 4, f"group {group.get(1)}") for group in body.held("UCF")]
    named = [Said(message, 3, f"message {message.get(1)}") for message in messages]
    whole = Said(subject, 4, "")
    reasons = [reason for said in (whole, *groups, *named) for reason in said.reasons]
    worst = any(said.verdict in {Verdict.REJECTED, Verdict.PARTLY_REJECTED} for said in (*groups, *named))
    verdict = whole.verdict
    if worst and verdict is not Verdict.REJECTED:
        verdict = Verdict.PARTLY_REJECTED
    about = (subject.get(1), subject.get(2), subject.get(3))
    yield Statement(Kind.CONTRL, verdict, *about, reasons=reasons)
    for said in named:
        yield Statement(Kind.CONTRL, said.verdict, *about, part=said.segment.get(1), reasons=said.reasons)


class Said:
    """One level of a CONTRL: action 0083 at that element, and what stands behind and below it."""

    def __init__(self, segment: Segment, action: int, what: str) -> None:
        self.segment = segment
        code = segment.get(action).strip()
        if code not in VERDICTS:
            raise ValueError(
                f"action {code or 'nothing'} (0083) in {segment.tag}, expected one of {', '.join(VERDICTS)}"
            )
        self.verdict = VERDICTS[code]
        self.reasons = list(_reasons(segment, action, what)) if self.verdict is not Verdict.RECEIVED else []


def _reasons(segment: Segment, action: int, what: str) -> Iterator[str]:
    code, tag = segment.get(action + 1), segment.get(action + 2)
    if code:
        place = f"{tag}{_element(segment, action + 3)}" if tag else ""
        yield _reason(what, place, code)
    for below in segment.held("UCS"):
        number = f"segment {below.get(1)}"
        details = below.held("UCD")
        if below.get(2) and not details:
            yield _reason(what, number, below.get(2))
        for detail in details:
            yield _reason(what, f"{number}{_element(detail, 2)}", detail.get(1))


def _reason(what: str, place: str, code: str) -> str:
    where = ", ".join(part for part in (what, place) if part)
    meaning = _MEANINGS.get(code)
    said = f"{code} {meaning}" if meaning else f"{code} (a code of the partner's own)"
    return f"{where}: {said}" if where else said


def _element(segment: Segment, element: int) -> str:
    """S011 as everything else here counts: without the tag."""
    position, component = segment.get(element), segment.get(element, 2)
    if not position.isdecimal():
        return f", element {position}" if position else ""
    return f", element {int(position) - 1}" + (f" component {component}" if component else "")
