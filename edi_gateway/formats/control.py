"""What control segments of any syntax are compared by, and what may stand around an interchange."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from edi_gateway.model import Finding, Level, Message, Severity

BOM: Final = b"\xef\xbb\xbf"
PADDING: Final = b" \t\r\n\x00\x1a"  # what may trail a file: blanks, line breaks, NUL, Ctrl-Z
_QUOTED: Final = 20


def skip_padding(content: bytes, at: int) -> int:
    """Offset of the first byte that is no blank, line break, NUL, Ctrl-Z or byte order mark."""
    size = len(content)
    while at < size:
        if content.startswith(BOM, at):
            at += len(BOM)
        elif content[at] in PADDING:
            at += 1
        else:
            break
    return at


def quoted(content: bytes, at: int, end: int | None = None) -> str:
    """The first characters there, fit for a report."""
    while content[at : at + 1].isspace():
        at += 1
    text = content[at : at + _QUOTED if end is None else min(at + _QUOTED, end)]
    return repr(text.decode("latin-1")) if text else "end of file"


def same_reference(one: str, other: str) -> bool:
    """Equal as written, or as numbers: carriers pad control references as they like."""
    if one == other:
        return True
    one, other = one.strip(), other.strip()
    return one == other or (one.isdigit() and other.isdigit() and one.lstrip("0") == other.lstrip("0"))


def same_count(claimed: str, counted: int) -> bool:
    """Whether a control count says what was counted."""
    return same_reference(claimed, str(counted))


def refusal(messages: Iterable[Message]) -> list[Finding]:
    """The reason to set a whole interchange aside because one of its messages had to be; none when all are sound."""
    for message in messages:
        for reason in message.findings:
            if reason.severity is Severity.QUARANTINE:
                found, expected = f"a message set aside: {reason.found}", f"sound messages only ({reason.expected})"
                advice = "this partner's interchanges are taken as a whole or not at all (accept: interchange)"
                return [replace(reason, level=Level.INTERCHANGE, found=found, expected=expected, advice=advice)]
    return []
