"""Acknowledgements in X12: a receipt in, the bytes of an interchange with 997, 999 or TA1 out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edi_gateway.acknowledgements import Kind, Receipt
from edi_gateway.errors import RefusedError
from edi_gateway.formats.x12.envelope import Envelope
from edi_gateway.formats.x12.reports import Group, Line, answered, group_report, groups_of, interchange_note
from edi_gateway.model import Party

_ELEMENT, _COMPONENT, _REPETITION, _TERMINATOR = "*", ":", "^", "~"
_REPEATS_FROM: Final = "00402"  # version since which ISA11 is the repetition separator
_CENTURY_FROM: Final = "004010"  # version since which GS04 has eight digits
_IMPLEMENTATION: Final = "005010X231A1"
_LARGEST: Final = 999_999_999
_GROUP: Final = re.compile(rb"GS([^A-Za-z0-9\s])([A-Z]{2})\1")
_SET: Final = re.compile(rb"[^A-Za-z0-9]ST[^A-Za-z0-9\s]")
_UNSAFE: Final = re.compile(r"[*:^~\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class X12Answers:
    """Writes the acknowledgements of X12 interchanges."""

    line_breaks: str = ""
    every_message: bool = True  # every set is spoken of

    @staticmethod
    def sequence(receipt: Receipt) -> str:
        """Whose control numbers are used: those of everything we send from this party to that one."""
        return f"X12 {receipt.interchange.recipient} {receipt.interchange.sender}"

    @staticmethod
    def acknowledges(content: memoryview) -> bool:
        """Whether these bytes of an interchange, broken as it may be, hold acknowledgements and nothing else."""
        text = bytes(content)
        kinds = {match[2] for match in _GROUP.finditer(text)}
        return kinds == {b"FA"} or (not kinds and b"TA1" in text and not _SET.search(text))

    @staticmethod
    def speaks(kind: Kind, receipt: Receipt) -> bool:
        """Whether there is anything to say in that way: 997 and 999 speak of groups that are whole."""
        return kind is Kind.TA1 or bool(answered(groups_of(receipt)[1]))

    def write(self, kind: Kind, receipt: Receipt, number: int, now: datetime) -> bytes:
        """The interchange with that acknowledgement; raises RefusedError for what X12 cannot hold."""
        if number > _LARGEST:
            raise RefusedError(f"control number: found {number}, expected at most nine digits (ISA13)")
        envelope, groups = groups_of(receipt)
        lines = list(_lines(kind, receipt, envelope, groups, number, now))
        ending = _TERMINATOR + self.line_breaks
        text = "".join(_ELEMENT.join(_trimmed(line)) + ending for line in lines[1:])
        return (lines[0][0] + ending + text).encode("latin-1", "replace")


def _lines(
    kind: Kind, receipt: Receipt, envelope: Envelope, groups: list[Group], number: int, now: datetime
) -> Iterator[Line]:
    assert envelope.header is not None, "a receipt names its parties"
    version = envelope.header.get(12)
    version = version if re.fullmatch(r"00\d{3}", version) else "00401"
    least = "00501" if kind is Kind.IMPLEMENTATION else ""
    yield [_isa(receipt, number, now, max(version, least))]
    count = 0
    if kind is Kind.TA1:
        yield interchange_note(receipt, envelope)
    else:
        for count, group in enumerate(answered(groups), 1):
            reference = str(number if count == 1 else int(f"{number}{count:02}") % (_LARGEST + 1))
            yield from _group(kind, receipt, group, reference, now)
    yield ["IEA", str(count), f"{number:09}"]


def _group(kind: Kind, receipt: Receipt, group: Group, reference: str, now: datetime) -> Iterator[Line]:
    header = group.header
    version = _IMPLEMENTATION if kind is Kind.IMPLEMENTATION else group.version or "004010"
    day = now.strftime("%Y%m%d" if version >= _CENTURY_FROM else "%y%m%d")
    sides = [header.get(3).strip(), header.get(2).strip()]
    yield ["GS", "FA", *sides, day, now.strftime("%H%M"), reference, "X", version]
    body = group_report(kind, receipt, group)
    opening = ["ST", kind.value, "0001"]
    yield [*opening, _IMPLEMENTATION] if kind is Kind.IMPLEMENTATION else opening
    yield from body
    yield ["SE", str(len(body) + 2), "0001"]
    yield ["GE", "1", reference]


def _isa(receipt: Receipt, number: int, now: datetime, version: str) -> str:
    subject = receipt.interchange
    fields = [
        *("ISA", "00", " " * 10, "00", " " * 10),
        *_party(subject.recipient),
        *_party(subject.sender),
        *(now.strftime("%y%m%d"), now.strftime("%H%M")),
        *(_REPETITION if version >= _REPEATS_FROM else "U", version, f"{number:09}"),
        *("0", "T" if subject.test else "P", _COMPONENT),
    ]
    return _ELEMENT.join(fields)


def _party(party: Party) -> tuple[str, str]:
    if _UNSAFE.search(party.id + party.qualifier) or len(party.id) > 15:
        raise RefusedError(f"interchange identification: found {party}, expected at most 15 characters, no delimiter")
    return f"{party.qualifier or 'ZZ':<2}", f"{party.id:<15}"


def _trimmed(line: Line) -> Line:
    """Without delimiters in data, nor empty elements at the end."""
    clean = [line[0], *(_clean(index, text) for index, text in enumerate(line[1:], 1))]
    while clean and not clean[-1]:
        clean.pop()
    return clean


def _clean(index: int, text: str) -> str:
    place = index == 1 and re.fullmatch(r"\d+:\d+", text)  # AK401 is the one composite
    return text if place else _UNSAFE.sub(" ", text).strip()
