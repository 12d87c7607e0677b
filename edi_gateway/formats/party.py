"""A trading partner of an interchange as people write it, ``ID[:QUALIFIER[:ROUTING]]``, and who is none of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from edi_gateway.model import Finding, Level, Party, Position, Severity

_LENGTHS: Final = (35, 4, 14)  # 0004/0010, 0007, 0008/0014 of UNB S002 and S003
_FORM: Final = "ID, ID:QUALIFIER or ID:QUALIFIER:ROUTING in quotes, of at most 35, 4 and 14 characters"


def parse_party(value: object) -> Party:
    """Read ``ID[:QUALIFIER[:ROUTING]]``; raises ValueError that says what is expected."""
    if isinstance(value, Party):
        return value
    parts = [part.strip() for part in value.split(":")] if isinstance(value, str) else []
    fits = 1 <= len(parts) <= len(_LENGTHS) and bool(parts[0])
    if not fits or any(len(part) > most for part, most in zip(parts, _LENGTHS, strict=False)):
        raise ValueError(f"found {value!r}, expected {_FORM}")
    return Party(*parts)


PartyText = Annotated[
    Party, BeforeValidator(parse_party), WithJsonSchema({"type": "string", "examples": ["HUB:ZZZ", "4012345000009:14"]})
]
"""A trading partner in YAML (UNB S002 and S003)."""

Parties = Annotated[tuple[PartyText, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
"""One or several of them; none: anybody."""


def stranger(party: Party, known: Sequence[Party], at: Position, code: str) -> Iterator[Finding]:
    """The finding that sets an interchange aside because it is from, or for, none of those; nothing if there are none.

    A qualifier or routing address that is not written there does not count, nor do blanks and capitals.
    """
    if known and not any(_same(party, each) for each in known):
        expected = " or ".join(map(str, known))
        advice = (
            "ask the sender who this was meant for, or add it to the format's options if it belongs to this channel"
        )
        yield Finding(Severity.QUARANTINE, Level.INTERCHANGE, at, str(party), expected, advice, code)


def _same(found: Party, wanted: Party) -> bool:
    pairs = zip((found.id, found.qualifier, found.routing), (wanted.id, wanted.qualifier, wanted.routing), strict=True)
    return all(not theirs or ours.strip().casefold() == theirs.casefold() for ours, theirs in pairs)
