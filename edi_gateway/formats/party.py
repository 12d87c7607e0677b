"""A trading partner of an interchange as people write it: ``ID[:QUALIFIER[:ROUTING]]``."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from edi_gateway.model import Party

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
