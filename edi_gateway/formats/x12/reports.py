"""997, 999 and TA1 as segments: what we say of an X12 interchange, its groups and its sets.

Codes: 717 and 718 for a set, 720 for a segment, 723 for an element, 715 and 716 for a group, I17 and I18 for TA1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from edi_gateway.acknowledgements import Kind, Receipt, ReceivedMessage
from edi_gateway.formats.syntax import CutSegment
from edi_gateway.formats.x12.envelope import Envelope
from edi_gateway.formats.x12.survey import read_envelope
from edi_gateway.model import Finding

_ACCEPTED, _NOTED, _PARTLY, _REJECTED = "A", "E", "P", "R"
_WITH_ERRORS: Final = "8"  # 720: the segment has element errors
_SET_ERRORS: Final = "5"  # 718: segments in error
_FRAME: Final = frozenset({"ST", "SE"})
_MOST: Final = 5  # codes that AK5 and AK9 have room for
_LONGEST: Final = 99  # characters of a copied value
_NOTES: Final[Mapping[str, str]] = {"25": "020", "26": "025"}  # EDIFACT 0085 → I18
_CONTENT: Final = "024"  # I18: invalid interchange content
_DUPLICATE: Final = "025"
_VERSIONED: Final = "005010"  # AK1 says the version from here on

Line = list[str]


@dataclass(slots=True)
class Group:
    """One functional group of the interchange that came: its GS, what its GE claims, and its sets."""

    header: CutSegment
    claimed: str = ""
    closed: bool = False
    start: int = 0
    end: int = 0
    sets: list[ReceivedMessage] = field(default_factory=list)

    @property
    def version(self) -> str:
        """GS08."""
        return self.header.get(8).strip()


def groups_of(receipt: Receipt) -> tuple[Envelope, list[Group]]:
    """The envelope once more, and its groups with what was found in each."""
    envelope = read_envelope(bytes(receipt.content), 0, codec="iso8859-1", references="warn", salvage=True)
    groups: list[Group] = []
    for tag, at in envelope.marks:
        if tag == "GS":
            groups.append(Group(envelope.segment(tag, at), start=at, end=envelope.end))
        elif tag == "GE" and groups and not groups[-1].closed:
            trailer = envelope.segment(tag, at)
            groups[-1].claimed, groups[-1].closed, groups[-1].end = trailer.get(1).strip(), True, trailer.end
    shift = receipt.interchange.position.start
    for message in receipt.messages:
        at = message.message.position.start - shift
        for group in groups:
            if group.start <= at < group.end:
                group.sets.append(message)
    return envelope, groups


def answered(groups: Sequence[Group]) -> list[Group]:
    """The groups a 997 or 999 is sent for: those that are whole, and none of acknowledgements."""
    return [group for group in groups if group.closed and group.header.get(1).strip() != "FA"]


def interchange_note(receipt: Receipt, envelope: Envelope) -> Line:
    """TA1: the header's number, date and time as they came, and the first thing wrong with the envelope."""
    header = envelope.header
    assert header is not None, "without a header there is nobody to say anything to"
    code, note = _ACCEPTED, "000"
    refusal = receipt.refusal
    noted = [one for one in receipt.interchange.findings if len(one.code) == 3]
    if receipt.repeated:
        code, note = _REJECTED, _DUPLICATE
    elif refusal:
        code, note = _REJECTED, _NOTES.get(refusal.code, refusal.code if len(refusal.code) == 3 else _CONTENT)
    elif noted:
        code, note = _NOTED, noted[0].code
    return ["TA1", header.get(13), header.get(9), header.get(10), code, note]


def group_report(kind: Kind, receipt: Receipt, group: Group) -> list[Line]:
    """The segments of a 997 or 999 between ST and SE."""
    header = group.header
    opening = ["AK1", header.get(1).strip(), header.get(6).strip()]
    if kind is Kind.IMPLEMENTATION or group.version >= _VERSIONED:
        opening.append(group.version)
    found = [one for one in receipt.interchange.findings if group.start <= _offset(receipt, one) <= group.end]
    codes = [one.code for one in found if len(one.code) == 1]
    if receipt.repeated or receipt.refusal:
        return [opening, ["AK9", _REJECTED, group.claimed or "0", "0", "0", *codes[:_MOST]]]
    sets = [one for one in group.sets if one.message.control_ref]
    lines = [line for one in sets for line in _set(kind, one)]
    verdict = _verdict([_set_verdict(one) for one in sets], noted=bool(found) or len(sets) < len(group.sets))
    accepted = sum(not one.refused for one in sets)
    closing = ["AK9", verdict, group.claimed or "0", str(len(sets)), str(accepted), *codes[:_MOST]]
    return [opening, *lines, closing]


def _offset(receipt: Receipt, finding: Finding) -> int:
    return finding.at.start - receipt.interchange.position.start


def _verdict(sets: Sequence[str], *, noted: bool) -> str:
    refused = sets.count(_REJECTED)
    if refused:
        return _REJECTED if refused == len(sets) else _PARTLY
    return _NOTED if noted or _NOTED in sets else _ACCEPTED


def _set_verdict(received: ReceivedMessage) -> str:
    return _REJECTED if received.refused else _NOTED if received.syntax else _ACCEPTED


def _set(kind: Kind, received: ReceivedMessage) -> Iterator[Line]:
    """AK2, what is wrong inside, and AK5; or the same in the tags of 999."""
    message, implementation = received.message, kind is Kind.IMPLEMENTATION
    opening = ["AK2", message.type, message.control_ref]
    yield [*opening, message.version] if implementation and message.version > _VERSIONED else opening
    prefix = "IK" if implementation else "AK"
    inside = [one for one in received.syntax if one.at.segment and one.at.tag not in _FRAME]
    ordered = sorted(inside, key=lambda one: one.at.segment)
    for number, some in groupby(ordered, lambda one: one.at.segment):
        yield from _segment(prefix, number, list(some))
    codes = [one.code for one in received.syntax if one not in inside and one.code]
    codes += [_SET_ERRORS] if inside and _SET_ERRORS not in codes else []
    yield [f"{prefix}5", _set_verdict(received), *dict.fromkeys(codes[:_MOST])]


def _segment(prefix: str, number: int, found: Sequence[Finding]) -> Iterator[Line]:
    elements = [one for one in found if one.at.element]
    plain = next((one.code for one in found if not one.at.element and one.code), "")
    yield [f"{prefix}3", found[0].at.tag, str(number), "", plain or _WITH_ERRORS]
    for one in elements:
        place = f"{one.at.element}:{one.at.component}" if one.at.component else str(one.at.element)
        yield [f"{prefix}4", place, "", one.code or "7", one.found[:_LONGEST]]
