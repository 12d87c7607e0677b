"""EDIFACT syntax (ISO 9735, versions 1 to 4) below the envelope: its delimiters and service segments."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from edi_gateway.formats.syntax import BLANKS, Delimiters, Grammar, compile_grammar

SERVICE_STRING_LENGTH: Final = 9
_DEFAULT_REPETITION: Final = "*"


def delimiters_of(service_string: bytes, version: str) -> Delimiters:
    """Delimiters of a UNA (nine bytes, or none for the defaults) under that syntax version.

    The fifth service character separates repetitions in version 4 and means nothing before.
    """
    if not service_string:
        return Delimiters(repetition=_DEFAULT_REPETITION if version == "4" else "")
    component, element, _decimal, release, repetition, terminator = list(service_string[3:].decode("latin-1"))
    return Delimiters(
        component=component,
        element=element,
        release=release.strip(" "),
        repetition=repetition.strip(" ") if version == "4" else "",
        terminator=terminator,
    )


@lru_cache(maxsize=64)
def grammar_of(delimiters: Delimiters) -> Grammar:
    """The patterns of these delimiters. Of ``service``, the first group is its U, the last its last letter."""
    ends = re.escape(delimiters.element) + re.escape(delimiters.terminator)
    letter = rf"([BEGHTZ])(?=(WRAP)[{ends}])|(A)(?=.{{6}}[{BLANKS}]*+UNB)"
    return compile_grammar(delimiters, tag="[A-Z0-9]{3}", service=f"(U)(WRAP)N(WRAP)(?:{letter})", head=slice(3, 9))
