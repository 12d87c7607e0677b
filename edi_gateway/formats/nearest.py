"""What is written for a character that an interchange cannot carry."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

_BY_HAND: Final = str.maketrans(
    {
        "ß": "ss",
        "Æ": "AE",
        "æ": "ae",
        "Ø": "O",
        "ø": "o",
        "Ł": "L",
        "ł": "l",
        "Đ": "D",
        "đ": "d",
        "\u2019": "'",
        "\u2013": "-",
    }
)


def nearest(character: str, carried: Callable[[str], bool]) -> str:
    """The nearest text that is carried: without marks, written by hand, as a capital; a blank when there is none."""
    for candidate in (
        character,
        character.upper(),
        character.translate(_BY_HAND),
        character.translate(_BY_HAND).upper(),
        _without_marks(character),
        _without_marks(character).upper(),
    ):
        if candidate and carried(candidate):
            return candidate
    return " "


def _without_marks(character: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
