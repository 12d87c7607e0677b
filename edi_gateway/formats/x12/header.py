"""The interchange header (ISA): where it begins, what it says, and which delimiters it declares by its bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from edi_gateway.formats.syntax import Delimiters
from edi_gateway.model import Party

_FIXED: Final = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)  # where the separators stand
_FIELDS: Final = len(_FIXED)
_WINDOW: Final = 400  # bytes in which a header lies, however it is padded or wrapped
_BREAKS: Final = b"\r\n"
_NONE: Final = b"\0"  # as a component separator where there is none
_FOLLOWS: Final = re.compile(rb"[ \t\r\n]*+(?:GS|TA1|IEA)(?=[^A-Za-z0-9\s])")
_WIDEST: Final = 4  # bytes of one character in UTF-8
_REPEATS_FROM: Final = "00402"  # version since which ISA11 separates repetitions
_SEARCHED: Final = 1 << 20  # bytes searched at once: no other thread can run meanwhile
_ISA: Final = re.compile(
    rb"(?s)ISA([^A-Za-z0-9 \r\n])(?:"
    rb"[0-9A-Z ]{2}\1(?:(?!\1).){10}\1[0-9A-Z ]{2}\1(?:(?!\1).){10}\1[0-9A-Z ]{2}\1"  # as wide as it should be
    rb"|([0-9A-Z ]{0,2}+\1[^\r\n]{0,10}?\1[0-9A-Z ]{0,2}+\1[^\r\n]{0,10}?\1[0-9A-Z ]{0,2}+\1))"  # collapsed
)


@dataclass(frozen=True, slots=True)
class Header:
    """A readable ISA. ``fields`` are its elements, ISA01 first; ``end`` is the offset of its terminator."""

    start: int
    end: int
    fields: Sequence[str]
    delimiters: Delimiters
    fixed: bool  # each element as wide as the standard has it
    wrapped: bool  # a line break stands inside

    def get(self, element: int) -> str:
        """An element, counted from 1, without the blanks that fill it."""
        return self.fields[element - 1].strip()

    @property
    def sender(self) -> Party:
        """ISA05 and ISA06."""
        return Party(self.get(6), self.get(5))

    @property
    def recipient(self) -> Party:
        """ISA07 and ISA08."""
        return Party(self.get(8), self.get(7))

    @property
    def control_ref(self) -> str:
        """ISA13, with the zeros that an editor may have taken away."""
        number = self.get(13)
        return number.zfill(9) if number.isdigit() else number

    @property
    def repeats(self) -> bool:
        """Whether the version has a repetition separator (from 00402)."""
        return self.get(12).isdigit() and self.get(12) >= _REPEATS_FROM

    @property
    def prepared_at(self) -> datetime | None:
        """ISA09 and ISA10, taken as UTC since they name no zone; None when they are no date and time."""
        text = self.get(9) + self.get(10)
        layout = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S" if len(self.get(9)) == 6 else "%Y%m%d%H%M"}.get(len(text))
        if layout is None or not text.isascii() or not text.isdigit():
            return None
        try:
            return datetime.strptime(text, layout).replace(tzinfo=UTC)
        except ValueError:
            return None


def next_header(content: bytes, at: int, end: int | None = None) -> int:
    """Offset of the next ISA that begins an interchange at or after ``at``; ``end`` when there is none before it."""
    end = len(content) if end is None else end
    while at < end:
        stop = min(at + _SEARCHED, end)
        found = content.find(b"ISA", at, min(stop + 2, end))
        if found < 0:
            at = stop
        elif _begins(content, found):
            return found
        else:
            at = found + 1
    return end


def _begins(content: bytes, at: int) -> bool:
    """Whether the ISA there is a header and no data: one that lost its width has to begin a segment."""
    match = _ISA.match(content, at)
    if match is None or match[2] is None:
        return match is not None
    before = content[at - 1 : at] if at else b""
    return before != match[1] and not before.isalnum()


def read_header(content: bytes, start: int) -> Header | None:
    """The ISA that begins at ``start``; None when it has not its sixteen elements or ends with the document."""
    window = content[start : start + _WINDOW]
    marks, fixed = _separators(window)
    if marks and not any(mark in window[: marks[-1] + 2] for mark in (b"\r", b"\n")):
        places = (start + marks[-1] + 1, start + marks[-1] + 2)
        return _delimited(content, start, _Elements(window, marks, fixed, wrapped=False), places)
    kept = [index for index, byte in enumerate(window) if byte not in _BREAKS]
    joined = bytes(window[index] for index in kept)
    marks, fixed = _separators(joined)
    if not marks or len(kept) < marks[-1] + 3:
        return None
    places = (start + kept[marks[-1] + 1], start + kept[marks[-1] + 2])
    return _delimited(content, start, _Elements(joined, marks, fixed, wrapped=True), places)


class _Elements(NamedTuple):
    """The text of an ISA, without line breaks, and where its separators stand."""

    text: bytes
    marks: Sequence[int]
    fixed: bool
    wrapped: bool


def _separators(text: bytes) -> tuple[Sequence[int], bool]:
    """Where the sixteen separators of ISA stand, and whether where they should; none when there are too few."""
    mark = text[3:4]
    if not mark or mark.isalnum() or mark.isspace():
        return (), False
    if len(text) > _FIXED[-1] and all(text[at] == mark[0] for at in _FIXED):
        return _FIXED, text.count(mark, 0, _FIXED[-1]) == _FIELDS - 1
    found = [3]
    while len(found) < _FIELDS:
        at = text.find(mark, found[-1] + 1)
        if at < 0:
            return (), False
        found.append(at)
    return found, False


def _delimited(content: bytes, start: int, isa: _Elements, places: tuple[int, int]) -> Header | None:
    """ISA16 and the terminator stand at ``places``, unless ISA16 was left out."""
    component, at = places
    last, terminator = content[component : component + 1], _terminator(content, at)
    if terminator.isalnum() or _ends_alike(content, at, terminator, last):
        at, terminator, last = component, last, _NONE  # the terminator stands where ISA16 belongs
    if not last or not terminator:
        return None
    ends = [*isa.marks[1:], isa.marks[-1] + 2]
    fields = [isa.text[begin + 1 : end].decode("latin-1") for begin, end in zip(isa.marks, ends, strict=True)]
    element, inner, mark = (each.decode("latin-1") for each in (isa.text[3:4], last, terminator))
    repetition = _repetition(fields, (element, inner, mark))
    delimiters = Delimiters(component=inner, element=element, release="", repetition=repetition, terminator=mark)
    return Header(start, at, fields, delimiters, isa.fixed, isa.wrapped)


def _ends_alike(content: bytes, at: int, terminator: bytes, last: bytes) -> bool:
    """Whether the next line ends as ISA does: then a line break follows each terminator and is none itself."""
    if terminator not in (b"\n", b"\r"):
        return False
    end = content.find(terminator, at + 1, at + 1 + _WINDOW)
    return end >= 0 and content[at + 1 : end].rstrip(_BREAKS).endswith(last)


def _terminator(content: bytes, at: int) -> bytes:
    """What ends the segment there: one byte, or all of a character that became several when the file was re-encoded."""
    first = content[at : at + 1]
    if first >= b"\x80" and not _FOLLOWS.match(content, at + 1):
        for width in range(2, _WIDEST + 1):
            if _FOLLOWS.match(content, at + width):
                return content[at : at + width]
    return first


def _repetition(fields: Sequence[str], taken: Sequence[str]) -> str:
    mark, version = fields[10].strip(), fields[11].strip()
    separates = version.isdigit() and version >= _REPEATS_FROM
    return mark if separates and len(mark) == 1 and not mark.encode("latin-1").isalnum() and mark not in taken else ""
