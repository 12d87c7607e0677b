"""The named converters of the mapping language: text in, text out, "" for 'not there'."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_UNLOCODE = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")


def unlocode(text: str) -> str:
    """The UN/LOCODE when the text is one (blanks inside allowed), else nothing."""
    code = text.replace(" ", "").upper()
    return code if _UNLOCODE.fullmatch(code) else ""


def country(text: str) -> str:
    """The ISO 3166-1 alpha-2 code when the text looks like one, else nothing."""
    code = text.strip().upper()
    return code if _COUNTRY.fullmatch(code) else ""


def not_unlocode(text: str) -> str:
    """The text when it is no UN/LOCODE, else nothing: tells a name from a code in the same place."""
    return "" if unlocode(text) else text


CONVERTERS: Final[Mapping[str, Callable[[str], str]]] = {
    "upper": str.upper,
    "lower": str.lower,
    "digits": lambda text: re.sub(r"\D", "", text),
    "alphanumeric": lambda text: re.sub(r"[^0-9A-Za-z]", "", text),
    "no_leading_zeros": lambda text: text.lstrip("0") or text[-1:],
    "unlocode": unlocode,
    "not_unlocode": not_unlocode,
    "country": country,
}
