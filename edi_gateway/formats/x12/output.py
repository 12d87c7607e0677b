"""The X12 encoder: transaction sets to an interchange, with the identities, version and delimiters a customer wants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from edi_gateway.errors import RefusedError
from edi_gateway.formats.arranging import arranged, flat
from edi_gateway.formats.guide import load_guide
from edi_gateway.formats.nearest import nearest
from edi_gateway.formats.party import PartyText
from edi_gateway.model import OutboundMessage, OutboundSegment, Party
from edi_gateway.plugins import Plugin

_LINE_BREAKS: Final = {"none": "", "lf": "\n", "crlf": "\r\n"}
_FUNCTIONAL: Final = {"214": "QM", "315": "QO"}  # functional identifier code (GS01)
_REPEATS_FROM: Final = "00402"  # version since which ISA11 is the repetition separator
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TAG: Final = re.compile(r"[A-Z][A-Z0-9]{1,2}")
_LARGEST: Final = 999_999_999  # ISA13 and GS06 have nine digits
_NEEDED: Final = {"MS1": 1}  # element without which a segment must not be written: a state or country without its city


def _version(text: str) -> str:
    if not re.fullmatch(r"0\d{5}[A-Z0-9]{0,6}", text):
        raise ValueError(f"found {text!r}, expected a version of six digits, such as 004010 or 005010")
    return text


def _delimiter(text: str) -> str:
    """One character that texts hardly hold; control characters are written as YAML writes them."""
    if len(text) != 1 or text.isalnum() or text in " -." or not text.isascii():
        raise ValueError(f"found {text!r}, expected one character that is no letter, digit, blank, hyphen or dot")
    return text


Version = Annotated[str, AfterValidator(_version)]
Mark = Annotated[str, AfterValidator(_delimiter)]


class X12Output(Plugin):
    """Writes ANSI X12 interchanges of one group."""

    message: Literal["214", "315"] = Field("214", description="transaction set to write")
    version: Version = Field("004010", description="version of the group (GS08), such as 005010")
    sender: PartyText = Field(description="who we are: ID or ID:QUALIFIER (ISA06 and ISA05; ZZ when left out)")
    recipient: PartyText = Field(description="who the customer is, in the same form (ISA08 and ISA07)")
    group_sender: str = Field("", max_length=15, description="application sender's code (GS02); as sender if left out")
    group_recipient: str = Field("", max_length=15, description="application receiver's code (GS03); as recipient")
    test: bool = Field(default=False, strict=True, description="usage indicator T instead of P (ISA15)")
    request_ta1: bool = Field(default=False, strict=True, description="ask for an interchange acknowledgement (ISA14)")
    element: Mark = Field("*", description="element separator")
    component: Mark = Field(">", description="component separator (ISA16)")
    repetition: Mark = Field("^", description="repetition separator (ISA11, from version 00402)")
    terminator: Mark = Field("~", description="segment terminator")
    line_breaks: Literal["none", "lf", "crlf"] = Field("none", description="what follows each segment terminator")
    charset: Literal["ascii", "iso8859-1", "utf-8"] = Field("ascii", description="how text is written")

    @model_validator(mode="after")
    def _fits(self) -> X12Output:
        for name, party in (("sender", self.sender), ("recipient", self.recipient)):
            if len(party.id) > 15 or len(party.qualifier) > 2 or party.routing:
                raise ValueError(f"{name}: found {party}, expected ID or ID:QUALIFIER of at most 15 and 2 characters")
            if any(mark in f"{party.id}{party.qualifier}" for mark in self._marks):
                raise ValueError(f"{name}: {party} holds a delimiter")
        if len(set(self._marks)) < len(self._marks):
            raise ValueError("the delimiters must differ from each other")
        return self

    @property
    def partnership(self) -> str:
        """Sender and recipient: within it, an interchange control number is unique."""
        return f"X12 {self.sender} {self.recipient}"

    @property
    def largest_control(self) -> int:
        """The largest control number there is room for."""
        return _LARGEST

    def encode(self, control_ref: str, prepared_at: datetime, messages: Sequence[OutboundMessage]) -> bytes:
        """The interchange in bytes; raises RefusedError for what no element can hold or the version has no place for.

        ``control_ref`` is ISA13 and GS06; ST02 counts the sets of the group.
        """
        if not control_ref.isdigit() or int(control_ref) > _LARGEST:
            raise RefusedError(f"control number: found {control_ref}, expected at most nine digits (ISA13)")
        ending = self.terminator + _LINE_BREAKS[self.line_breaks]
        text = "".join(f"{segment}{ending}" for segment in self._interchange(int(control_ref), prepared_at, messages))
        return text.encode(self.charset)

    def replace(self, text: str) -> str:
        """The text with every character that cannot be carried, delimiters among them, replaced by the nearest."""
        return "".join(nearest(character, self._carries) for character in text)

    @property
    def _marks(self) -> tuple[str, ...]:
        always = (self.element, self.component, self.terminator)
        return (*always, self.repetition) if self._repeats else always

    @property
    def _repeats(self) -> bool:
        return self.version[:5] >= _REPEATS_FROM

    def _carries(self, text: str) -> bool:
        """Whether a text can stand in an element."""
        if _CONTROL.search(text) or any(mark in text for mark in self._marks):
            return False
        try:
            text.encode(self.charset)
        except UnicodeEncodeError:
            return False
        return True

    def _interchange(self, control: int, at: datetime, messages: Sequence[OutboundMessage]) -> Iterator[str]:
        guide, number = load_guide(self.message), max(4, len(str(len(messages))))
        yield self._isa(control, at)
        sides = (self.group_sender or self.sender.id, self.group_recipient or self.recipient.id)
        group = [_FUNCTIONAL[self.message], *sides, f"{at:%Y%m%d}", f"{at:%H%M}", str(control), "X", self.version]
        yield self._written(OutboundSegment("GS", [[each] for each in group]))
        for index, message in enumerate(messages, 1):
            body = [
                segment
                for segment in flat(arranged(message.body.children, guide, self.version, guide.root))
                if _is_whole(segment)
            ]
            reference = f"{index:0{number}}"
            yield self._written(OutboundSegment("ST", [[self.message], [reference]]))
            yield from map(self._written, body)
            yield self._written(OutboundSegment("SE", [[str(len(body) + 2)], [reference]]))
        yield self._written(OutboundSegment("GE", [[str(len(messages))], [str(control)]]))
        yield self._written(OutboundSegment("IEA", [["1"], [f"{control:09}"]]))

    def _isa(self, control: int, at: datetime) -> str:
        fields = [
            *("ISA", "00", " " * 10, "00", " " * 10),
            *(_identity(self.sender), _identity(self.recipient)),
            *(f"{at:%y%m%d}", f"{at:%H%M}"),
            self.repetition if self._repeats else "U",
            *(self.version[:5], f"{control:09}"),
            *("1" if self.request_ta1 else "0", "T" if self.test else "P", self.component),
        ]
        return self.element.join(part for field in fields for part in ((field,) if isinstance(field, str) else field))

    def _written(self, segment: OutboundSegment) -> str:
        if not _TAG.fullmatch(segment.tag):
            raise RefusedError(f"segment tag: found {segment.tag!r}, expected two or three capital letters or digits")
        elements = [self._element(segment.tag, number, each) for number, each in enumerate(segment.elements, 1)]
        while elements and not elements[-1]:
            elements.pop()
        return self.element.join([segment.tag, *elements])

    def _element(self, tag: str, number: int, components: Sequence[str]) -> str:
        for text in components:
            offending = next((character for character in text if not self._carries(character)), "")
            if offending:
                raise RefusedError(
                    f"{tag}, element {number}: found {offending!r} (U+{ord(offending):04X}), which is a delimiter of"
                    f" this interchange or no character of {self.charset}; choose other delimiters or another charset,"
                    " or say 'unencodable: replace'"
                )
        used = list(components)
        while used and not used[-1]:
            used.pop()
        return self.component.join(used)


def _identity(party: Party) -> tuple[str, str]:
    return party.qualifier.ljust(2) if party.qualifier else "ZZ", party.id.ljust(15)


def _is_whole(segment: OutboundSegment) -> bool:
    """Whether the segment says anything, and has what it must not be written without."""
    needed = segment.elements[: _NEEDED.get(segment.tag, len(segment.elements))]
    return any(text for components in needed for text in components)
