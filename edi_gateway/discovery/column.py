"""What a sample says at one place: its name in words, the values seen there, and how often."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

MOST_ROWS: Final = 5_000  # events looked at
MOST_COLUMNS: Final = 400
MOST_SHOWN: Final = 10
LONGEST_SHOWN: Final = 40
CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD: Final = re.compile(r"[^\W_]+")
_LETTERS: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ß": "ss", "æ": "ae", "Ł": "L", "Ø": "O"})


def folded(text: str) -> str:
    """Small letters without accents, as names and texts are compared."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """A value of the sample as a comment may hold it: one line, nothing that steers, not too long."""
    flat = "".join(letter if letter.isprintable() else " " for letter in text)
    flat = " ".join(flat.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


@dataclass(frozen=True)
class Column:
    """One place: how a mapping writes it, what it is called, and what each event says there ("" for nothing)."""

    place: str
    name: str
    cells: tuple[str, ...]
    outward: int = 0  # levels away from the event
    depth: int = 0  # levels within the event

    @cached_property
    def values(self) -> tuple[str, ...]:
        """What is there, in order."""
        return tuple(filter(None, self.cells))

    @cached_property
    def counts(self) -> Counter[str]:
        """Each distinct value and how often it comes."""
        return Counter(self.values)

    @cached_property
    def distinct(self) -> tuple[str, ...]:
        """The distinct values, some of them when there are many."""
        return tuple(self.counts)[:200]

    @cached_property
    def last(self) -> str:
        """The last part of its name, folded, without anything between words."""
        return "".join(self.words[-1]) if self.words else ""

    @cached_property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The words of each part of its name, folded."""
        parts = re.split(r"[./]", self.name)
        return tuple(words for part in parts if (words := tuple(_WORD.findall(folded(CAMEL.sub(" ", part))))))

    @cached_property
    def joined(self) -> str:
        """The last two parts of its name as one word."""
        return "".join(word for words in self.words[-2:] for word in words)

    def share(self, pattern: re.Pattern[str]) -> float:
        """How much of the distinct values a pattern fits entirely."""
        return sum(pattern.fullmatch(value) is not None for value in self.distinct) / max(1, len(self.distinct))

    def seen(self) -> str:
        """Its values with counts, the most frequent first, for a person."""
        said = [f"{shown(value)!r}" + (f" {count}x" if count > 1 else "") for value, count in self._often()]
        more = len(self.counts) - MOST_SHOWN
        return ", ".join(said) + (f", and {more} more" if more > 0 else "") if said else "nothing"

    def _often(self) -> list[tuple[str, int]]:
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_SHOWN]


@dataclass(frozen=True, slots=True)
class Cell:
    """A place of one event and what it says."""

    text: str
    name: str
    outward: int = 0
    depth: int = 0


def columns_of(rows: Sequence[Mapping[str, Cell]]) -> list[Column]:
    """Rows of place → cell as columns, in the order in which places were first seen."""
    places: dict[str, Cell] = {}
    for row in rows:
        for place, cell in row.items():
            if len(places) < MOST_COLUMNS or place in places:
                places.setdefault(place, cell)
    return [
        Column(place, first.name, _texts(place, rows), first.outward, first.depth) for place, first in places.items()
    ]


def _texts(place: str, rows: Iterable[Mapping[str, Cell]]) -> tuple[str, ...]:
    return tuple(row[place].text.strip() if place in row else "" for row in rows)
