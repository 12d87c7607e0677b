"""Texts of a mapping, read from a segment."""

from __future__ import annotations

from collections.abc import Sequence

from edi_gateway.mapping.convert import CONVERTERS
from edi_gateway.mapping.schema import Text
from edi_gateway.model import Segment


def first(texts: Sequence[Text], segment: Segment) -> str:
    """The first of the texts that is there, or ""."""
    for text in texts:
        said = one(text, segment)
        if said:
            return said
    return ""


def one(text: Text, segment: Segment) -> str:
    """A text, trimmed and converted; "" when it is not there."""
    if text.path is None:
        return text.const or ""
    if text.join:
        begun = text.path.value(segment)
        return convert(text, begun + "".join(place.value(segment) for place in text.join)) if begun else ""
    if not text.convert and not text.values:
        return text.path.value(segment)
    found = holder_of(text, segment)
    return said(text, found) if found else ""


def holder_of(text: Text, segment: Segment) -> Segment | None:
    """The first segment on the path of a text that says something there."""
    assert text.path is not None
    return next((holder for holder in text.path.segments(segment) if said(text, holder)), None)


def said(text: Text, holder: Segment) -> str:
    """What a segment says at the place of a text, converted."""
    assert text.path is not None
    return convert(text, text.path.read(holder).strip())


def convert(text: Text, value: str) -> str:
    """The value through the converters and the replacement table of a text; "" stays ""."""
    for name in text.convert:
        value = CONVERTERS[name](value)
    return text.values.get(value, text.values.get("*", value)) if value else ""
