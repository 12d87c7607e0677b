"""X12 syntax below the envelope: its service segments. Nothing is released; a delimiter is never data."""

from __future__ import annotations

import re
from functools import lru_cache

from edi_gateway.formats.syntax import Delimiters, Grammar, compile_grammar


@lru_cache(maxsize=64)
def grammar_of(delimiters: Delimiters) -> Grammar:
    """The patterns of these delimiters. Group 1 of ``service`` is the tag, perhaps with a hard wrap inside.

    An ISA is found whatever separator follows it: that of another interchange is its own.
    """
    ends = re.escape(delimiters.element + delimiters.terminator)
    tags = "I(WRAP)E(WRAP)A|G(WRAP)[SE]|S(WRAP)[TE]|T(WRAP)A(WRAP)1"
    service = rf"((?:{tags})(?=(WRAP)[{ends}])|I(WRAP)S(WRAP)A(?=(WRAP)[^A-Za-z0-9\s]))"
    return compile_grammar(delimiters, tag="[A-Z][A-Z0-9]{1,2}", service=service, head=slice(2, 9))
