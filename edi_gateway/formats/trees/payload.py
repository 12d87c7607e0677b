"""What JSON and XML come in: byte order marks, and answers of web servers kept with their heads."""

from __future__ import annotations

import re
from typing import Final

from edi_gateway.errors import DocumentError
from edi_gateway.formats.strictness import empty_file
from edi_gateway.formats.text import PADDING
from edi_gateway.model import Finding, Level, Position, Severity

_STATUS: Final = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})([^\r\n]*)\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_MARKS: Final = (b"\xef\xbb\xbf",)
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")  # UTF-16, half of whose bytes look like padding


def payload(content: bytes, most: int, *, strict: bool) -> tuple[bytes, int]:
    """The bytes that count, and where they begin. Raises DocumentError for nothing, too much, and a failed answer."""
    wide = content.startswith(_WIDE)
    begin = 0 if wide else len(content) - len(content.lstrip(PADDING))
    status = _STATUS.match(content, begin)
    if status:
        if not status[1].startswith(b"2"):
            found = status[0].decode("latin-1").strip()
            raise refused(found, "an answer with status 200", "the carrier's server had no data: ask again")
        end = _HEAD_END.search(content, status.end() - 1)
        begin = end.end() if end else len(content)
    for mark in _MARKS:
        if content.startswith(mark, begin):
            begin += len(mark)
    said = content[begin:] if wide else content[begin:].rstrip(PADDING)
    if not said:
        raise empty_file(content, "a document", strict=strict)
    if len(said) > most:
        raise refused(f"{len(said)} bytes", f"at most {most} bytes", "raise max_size if this partner sends so much")
    return said, begin


def refused(found: str, expected: str, advice: str = "", place: Position | None = None) -> DocumentError:
    """The error that sets the whole document aside."""
    return DocumentError(Finding(Severity.QUARANTINE, Level.DOCUMENT, place or Position(), found, expected, advice))


def ends_with(content: bytes, marks: tuple[bytes, ...]) -> bool:
    """Whether the last byte that is no padding closes the document."""
    last = content[-4096:]
    return (last.replace(b"\0", b"") if content.startswith(_WIDE) else last).rstrip(PADDING).endswith(marks)
