"""Whether a file looks finished: its last segment is the IEA of its last interchange. Reads the file's end only."""

from __future__ import annotations

import re
from typing import Final

from edi_gateway.formats.control import PADDING, same_reference
from edi_gateway.formats.x12.header import Header, next_header, read_header

_TAIL: Final = 4096  # bytes at the end in which IEA and what pads the file must lie
_WINDOW: Final = 1 << 20  # bytes searched at once, so that other threads get their turn
_OVERLAP: Final = 3
_LIKELY: Final = re.compile(rb"ISA(?=[^A-Za-z0-9 \r\n])")
_BREAKS: Final = b"\r\n"


def is_complete(content: bytes) -> bool:
    """Whether nothing is missing as far as the end tells: a file that is empty, or no X12, is not complete.

    An IEA without its terminator must at least name the control number of its ISA.
    """
    header = _last_header(content)
    if header is None:
        return False
    marks = header.delimiters
    element, terminator = marks.element.encode("latin-1"), marks.terminator.encode("latin-1")
    tail = content[max(header.end, len(content) - _TAIL) :]
    if not marks.by_line:
        tail = tail.translate(None, _BREAKS)  # a hard wrap may fall anywhere
    text = tail.rstrip(bytes(byte for byte in PADDING if byte not in terminator))
    while marks.by_line and text[-1:].isspace():
        text = text[:-1]
    closed = text.endswith(terminator) or terminator in tail[len(text) :]
    last = text.removesuffix(terminator).rpartition(terminator)[2]
    elements = last.strip(PADDING).split(element)
    if elements[0] != b"IEA" or len(elements) < 3:
        return False
    return closed or same_reference(elements[2].decode("latin-1"), header.control_ref)


def _last_header(content: bytes) -> Header | None:
    """The last ISA that begins an interchange."""
    end = len(content)
    while end > 0:
        begin = max(0, end - _WINDOW)
        found = [match.start() for match in _LIKELY.finditer(content, begin, end + _OVERLAP) if match.start() < end]
        for at in reversed(found):
            if next_header(content, at, at + 3) == at:
                return read_header(content, at)
        end = begin
    return None
