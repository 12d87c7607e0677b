"""APERAK, the application error and acknowledgement message: sense, never syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from edi_gateway.acknowledgements import Kind, Receipt, Statement, Verdict
from edi_gateway.model import Finding, Level, OutboundSegment, Segment, Severity

_ACKNOWLEDGEMENT: Final = "312"  # BGM 1001
_ERROR: Final = "313"
_TEXT: Final = 70  # characters of a line of FTX C108 in D.96A, five lines
_LINES: Final = 5
_MOST: Final = 99  # errors named in one message
_NUMBER: Final = re.compile(r"(\d+)-(\d+)")  # interchange and message, as our layouts number their documents
_REJECTS: Final = frozenset({_ERROR, "RE"})
_ACCEPTS: Final = frozenset({_ACKNOWLEDGEMENT, "AP", "AC", "AA"})
_ABOUT: Final = ("ACW", "AAK", "ON", "TN")  # 1153: what is answered, best first


def bodies(receipt: Receipt, number: str, now: datetime) -> list[list[OutboundSegment]]:
    """One message for each message of which something was remarked; one for all when nothing was amiss."""
    envelope = [one for one in receipt.interchange.findings if one.severity is Severity.WARNING]
    subjects = [(receipt.interchange.control_ref, envelope)] if envelope else []
    subjects += [(message.message.control_ref, message.remarks) for message in receipt.messages if message.remarks]
    subjects = subjects or [(receipt.interchange.control_ref, [])]
    return [_about(what, found, f"{number}-{index}", now) for index, (what, found) in enumerate(subjects, 1)]


def _about(subject: str, found: Sequence[Finding], document: str, now: datetime) -> list[OutboundSegment]:
    rejected = any(finding.severity is Severity.QUARANTINE for finding in found)
    segments = _body(_ERROR if rejected else _ACKNOWLEDGEMENT, document, subject, now)
    return segments + [_problem(finding) for finding in found[:_MOST]]


def _body(code: str, document: str, about: str, now: datetime) -> list[OutboundSegment]:
    return [
        OutboundSegment("BGM", [[code], [document], ["9"]]),
        OutboundSegment("DTM", [["137", now.strftime("%Y%m%d%H%M"), "203"]]),
        OutboundSegment("RFF", [["ACW", about]]),
    ]


def _problem(finding: Finding) -> OutboundSegment:
    text = f"{finding.at}: found {finding.found or 'nothing'}, expected {finding.expected}"
    lines = [text[at : at + _TEXT] for at in range(0, len(text), _TEXT)][:_LINES]
    said = OutboundSegment("FTX", [["AAO"], [], [], lines])
    return OutboundSegment("ERC", [[problem_code(finding)]], [said])


def problem_code(finding: Finding) -> str:
    """Our own code of a problem (9321): W for what was taken with a remark, E for an event, M for a message set aside.

    What stands behind is the code of the finding, where it has one.
    """
    letter = "W" if finding.severity is Severity.WARNING else "E" if finding.level is Level.EVENT else "M"
    return f"{letter}{finding.code or '1'}"[:8]


def statements(body: Segment) -> Iterator[Statement]:
    """What an APERAK says, of what its RFF names.

    BGM 1001 says yes (312) or no (313), or 4343 does (AP, RE). Where neither does, an ERC is a no: its codes are the
    partner's own. Raises ValueError that says what is missing.
    """
    begin = next(iter(body.held("BGM")), None)
    references = {reference.get(1): reference.get(1, 2) for reference in reversed(body.held("RFF"))}
    about = next((references[kind] for kind in _ABOUT if kind in references), "") or next(iter(references.values()), "")
    if begin is None or not about:
        raise ValueError("no BGM" if begin is None else "no RFF that says what it is about")
    errors = body.held("ERC")
    said = {begin.get(1), begin.get(4)}
    if said & _REJECTS:
        verdict = Verdict.REJECTED
    elif said & _ACCEPTS:
        verdict = Verdict.ACCEPTED_WITH_ERRORS if errors else Verdict.ACCEPTED
    else:
        verdict = Verdict.REJECTED if errors else Verdict.ACCEPTED
    texts = [*body.held("FTX")] if not errors else []
    reasons = [_reason(error) for error in errors] + [_text(text) for text in texts]
    numbered = _NUMBER.fullmatch(about)
    reference, part = (numbered[1], numbered[2]) if numbered else (about, "")
    yield Statement(Kind.APERAK, verdict, reference, part=part, reasons=[reason for reason in reasons if reason])


def _reason(error: Segment) -> str:
    texts = " ".join(filter(None, map(_text, error.held("FTX"))))
    return f"{error.get(1)}: {texts}" if texts else error.get(1)


def _text(segment: Segment) -> str:
    return " ".join(part for part in segment.components(4) if part)
