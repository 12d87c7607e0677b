"""997, 999 and TA1 as statements: what a partner says of an interchange, a group or a set of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from edi_gateway.acknowledgements import Kind, Statement, Verdict
from edi_gateway.model import Segment

_VERDICTS: Final[Mapping[str, Verdict]] = {  # 715 and 717; M, W and X reject for the sake of security
    "A": Verdict.ACCEPTED,
    "E": Verdict.ACCEPTED_WITH_ERRORS,
    "P": Verdict.PARTLY_REJECTED,
    "R": Verdict.REJECTED,
    "M": Verdict.REJECTED,
    "W": Verdict.REJECTED,
    "X": Verdict.REJECTED,
}
_SET: Final[Mapping[str, str]] = {  # 718
    "1": "set not supported",
    "2": "set trailer missing",
    "3": "control numbers do not match",
    "4": "segment count does not match",
    "5": "segments in error",
    "6": "set identifier missing or invalid",
    "7": "control number missing or invalid",
}
_GROUP: Final[Mapping[str, str]] = {  # 716
    "1": "group not supported",
    "2": "version not supported",
    "3": "group trailer missing",
    "4": "control numbers do not match",
    "5": "set count does not match",
    "6": "control number invalid",
}
_SEGMENT: Final[Mapping[str, str]] = {  # 720
    "1": "segment not recognised",
    "2": "unexpected segment",
    "3": "mandatory segment missing",
    "4": "loop occurs too often",
    "5": "segment used too often",
    "6": "segment not in the set",
    "7": "segment out of sequence",
    "8": "element errors",
}
_ELEMENT: Final[Mapping[str, str]] = {  # 723
    "1": "mandatory element missing",
    "2": "conditional element missing",
    "3": "too many elements",
    "4": "too short",
    "5": "too long",
    "6": "invalid character",
    "7": "invalid code",
    "8": "invalid date",
    "9": "invalid time",
    "10": "exclusion condition violated",
    "12": "too many repetitions",
    "13": "too many components",
}


def of_group(body: Segment) -> Iterator[Statement]:
    """What a 997 or 999 says: of the group first, then of each set it does not plainly accept.

    Raises ValueError that says what is missing or not known.
    """
    kind = Kind(body.get(1).strip())
    subject, verdict = _one(body, "AK1"), _one(body, "AK9")
    about, code = subject.get(2).strip(), subject.get(1).strip()
    prefix = "IK" if kind is Kind.IMPLEMENTATION else "AK"
    parts = [_part(each, prefix) for each in body.held("AK2")]
    reasons = [_said("group", code, _GROUP) for code in _codes(verdict, 5)]
    reasons += [reason for _, _, some in parts for reason in some]
    yield Statement(kind, _verdict(verdict), about, group=code, reasons=reasons)
    for reference, found, some in parts:
        if found is not Verdict.ACCEPTED:
            yield Statement(kind, found, about, group=code, part=reference, reasons=some)


def of_interchange(body: Segment) -> Iterator[Statement]:
    """What a TA1 says. Raises ValueError for a code nobody knows."""
    verdict, note = _verdict(body, 4), body.get(5).strip()
    reasons = [f"TA1 note {note}"] if note not in {"", "000"} else []
    yield Statement(Kind.TA1, verdict, body.get(1).strip(), reasons=reasons)


def _one(body: Segment, tag: str) -> Segment:
    found = next(iter(body.held(tag)), None)
    if found is None:
        what = "says what group it is about" if tag == "AK1" else "says what becomes of it"
        raise ValueError(f"no {tag}, which {what}")
    return found


def _verdict(segment: Segment, element: int = 1) -> Verdict:
    code = segment.get(element).strip()
    if code not in _VERDICTS:
        raise ValueError(f"code {code or 'nothing'} in {segment.tag}, expected one of {', '.join(_VERDICTS)}")
    return _VERDICTS[code]


def _part(subject: Segment, prefix: str) -> tuple[str, Verdict, list[str]]:
    """One set: its number, what becomes of it, and why."""
    reference = subject.get(2).strip()
    closing = _one(subject, f"{prefix}5")
    what = f"set {reference}"
    reasons = [_said(what, code, _SET) for code in _codes(closing, 2)]
    for segment in subject.held(f"{prefix}3"):
        place = f"{what}, segment {segment.get(2).strip()} {segment.get(1).strip()}"
        elements = segment.held(f"{prefix}4")
        if not elements:
            reasons.append(_said(place, segment.get(4).strip(), _SEGMENT))
        for element in elements:
            value = f" ({element.get(4)})" if element.get(4) else ""
            reasons.append(_said(f"{place}, element {_position(element)}", element.get(3).strip(), _ELEMENT) + value)
    return reference, _verdict(closing), reasons


def _position(element: Segment) -> str:
    return ":".join(part for part in element.components(1) if part)


def _codes(segment: Segment, first: int) -> list[str]:
    return [code for element in range(first, first + 5) if (code := segment.get(element).strip())]


def _said(place: str, code: str, meanings: Mapping[str, str]) -> str:
    return f"{place}: {code} {meanings[code]}" if code in meanings else f"{place}: {code or 'no code'}"
