"""What comes out of a transform: pieces to be read one after another, and findings where one is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edi_gateway.model import Finding, Level, Position, Severity

_LONGEST: Final = 200  # characters of a member's name that are told


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to be read as a file of their own; ``name`` is what a zip calls them."""

    content: bytes
    name: str = ""


def refusal(found: str, expected: str, advice: str = "", name: str = "") -> Finding:
    """What is said of a file, or of the member ``name`` of a zip, that cannot be opened."""
    return Finding(Severity.QUARANTINE, Level.DOCUMENT, Position(name=short(name)), found, expected, advice)


def short(name: str) -> str:
    """A member's name as it is told."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
