"""Whether a file looks finished: its last segment is the UNZ of its last interchange. Reads the file's end only."""

from __future__ import annotations

import re
from typing import Final

from edi_gateway.formats.control import PADDING, same_reference

_TAIL: Final = 4096  # bytes at the end in which UNZ and what pads the file must lie
_WINDOW: Final = 1 << 20  # bytes searched at once, so that other threads get their turn
_HEADER: Final = re.compile(rb"UNB(?=[^A-Za-z0-9\s][A-Z]{4}[^A-Za-z0-9\s])")
_SERVICE_STRING: Final = re.compile(rb"(?s)UNA(.{6})[ \t\r\n]*+\Z")
_DEFAULTS: Final = b":+.? '"
_BREAKS: Final = b"\r\n"


def is_complete(content: bytes) -> bool:
    """Whether nothing is missing as far as the end tells: a file that is empty, or no EDIFACT, is not complete.

    A UNZ without its terminator must at least name the reference of its UNB.
    """
    header = _last_header(content)
    if header < 0:
        return False
    service = _SERVICE_STRING.search(content[max(0, header - _TAIL) : header])
    marks = service[1] if service else _DEFAULTS
    element, release, terminator = marks[1:2], marks[3:4].strip(), marks[5:6]
    tail = content[max(header, len(content) - _TAIL) :]
    if terminator not in _BREAKS:
        tail = tail.translate(None, _BREAKS)  # a hard wrap may fall anywhere
    text = tail.rstrip(PADDING)
    closed = text.endswith(terminator) or terminator in tail[len(text) :]
    before, _, last = text.removesuffix(terminator).rpartition(terminator)
    elements = last.strip().split(element)
    if elements[0] != b"UNZ" or len(elements) < 3 or _ends_released(before, release):
        return False
    return closed or same_reference(elements[2].decode("latin-1"), _reference(content, header, element, terminator))


def _last_header(content: bytes) -> int:
    """Offset of the last UNB, -1 when there is none."""
    end = len(content)
    while end > 0:
        begin = max(0, end - _WINDOW)
        at = content.rfind(b"UNB", begin, end + 2)
        while at >= 0:
            if _HEADER.match(content, at):
                return at
            at = content.rfind(b"UNB", begin, at)
        end = begin
    return -1


def _ends_released(before: bytes, release: bytes) -> bool:
    """Whether what follows is no terminator but data, as an odd number of release characters stands before it."""
    return bool(release) and (len(before) - len(before.rstrip(release))) % 2 == 1


def _reference(content: bytes, header: int, element: bytes, terminator: bytes) -> str:
    elements = content[header : header + _TAIL].partition(terminator)[0].split(element)
    return elements[5].decode("latin-1") if len(elements) > 5 else ""
