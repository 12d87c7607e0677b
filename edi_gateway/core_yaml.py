"""YAML as people mean it, read to plain data and the line every value stands on.

Scalars follow the YAML 1.2 core schema, cut down to what nobody mistakes for something else: ``true``, ``false``,
``null``, ``~``, decimal numbers. ``NO``, ``07``, ``0x1F``, ``12:30`` and dates are text, and so is every key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from edi_gateway.errors import ConfigError

MAX_CHARACTERS: Final = 5_000_000
_MAX_NODES: Final = 1_000_000  # counted after aliases are followed
_MAX_DEPTH: Final = 60
_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE: Final = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG: Final = "tag:yaml.org,2002:"

_CORE: Final[Sequence[tuple[str, re.Pattern[str], Callable[[str], Any]]]] = (
    ("null", re.compile(r"~|null|"), lambda _: None),
    ("bool", re.compile(r"true|false"), lambda text: text == "true"),
    # Longer digit strings are numbers of parcels, not quantities: they stay text.
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]{0,17})"), int),
    ("float", re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}"), float),
)
_HINTS: Final[Mapping[str, str]] = {
    "cannot start any token": "expected spaces for indentation, and quotes around a text that begins with a sign",
    "mapping values are not allowed": "expected quotes around a text that holds ': ', or the key further left",
    "could not find expected ':'": "expected 'key: value'; a long text goes in quotes",
    "did not find expected key": "expected every key of a mapping in the same column",
    "unknown escape": "expected single quotes around a text with backslashes",
    "end of stream": "expected the closing quote or bracket",
}


@dataclass(slots=True)
class Mark:
    """Where one value stands, and those below it; ``weight`` counts them with aliases followed."""

    line: int
    below: dict[str | int, Mark] = field(default_factory=dict)
    weight: int = 1


def compose(path: Path, text: str) -> tuple[Any, Mark]:
    """Read ``text``; ``path`` is only named in errors.

    Raises ConfigError when it is no YAML, or uses what nobody should have to know: duplicate keys, tags other
    than the core ones, aliases that hold themselves, several documents in one file.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{path}:1: {len(text):,} characters, expected at most {MAX_CHARACTERS:,}; split the file")
    if bad := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise ConfigError(f"{path}:{line}: control character {bad[0]!r}, expected printable text")
    try:
        return _Composer(path, yaml.parse(text, Loader=_PARSER)).document()
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax(path, error)) from None


def _syntax(path: Path, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    said = f"{error.problem or ''} {error.context or ''}".strip()
    hint = next((hint for part, hint in _HINTS.items() if part in said), "expected well-formed YAML")
    return f"{path}:{line}: {error.problem or error.context}, {hint}"


class _Composer:
    """Builds plain data and marks from the parser's events, following aliases without copying what they name."""

    def __init__(self, path: Path, events: Iterator[yaml.Event]) -> None:
        self._path = path
        self._events = events
        self._anchors: dict[str, tuple[Any, Mark] | None] = {}  # None while its value is being read

    def document(self) -> tuple[Any, Mark]:
        """Read the one document the events hold."""
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None, Mark(1)
        value, mark = self._value(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._problem(after, "a second document, expected one per file")
        return value, mark

    def _value(self, event: yaml.Event, depth: int) -> tuple[Any, Mark]:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > _MAX_DEPTH:
            raise self._problem(event, f"nested too deep, expected at most {_MAX_DEPTH} levels")
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = None
        found = self._fresh(event, depth)
        if found[1].weight > _MAX_NODES:
            raise self._problem(event, f"too many values, expected at most {_MAX_NODES:,} with aliases followed")
        if anchor:
            self._anchors[anchor] = found
        return found

    def _fresh(self, event: yaml.Event, depth: int) -> tuple[Any, Mark]:
        if isinstance(event, yaml.MappingStartEvent):
            self._refuse_tag(event, "map")
            return self._mapping(event, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            self._refuse_tag(event, "seq")
            return self._sequence(event, depth)
        return self._scalar(event), Mark(_line(event))

    def _alias(self, event: yaml.AliasEvent) -> tuple[Any, Mark]:
        name = str(event.anchor)
        if name not in self._anchors:
            raise self._problem(
                event,
                "an alias nobody defined, expected quotes around a text that begins with *",
            )
        known = self._anchors[name]
        if known is None:
            raise self._problem(event, "an alias that holds itself, expected a value without it")
        value, mark = known
        return value, Mark(_line(event), mark.below, mark.weight)

    def _mapping(self, start: yaml.Event, depth: int) -> tuple[Any, Mark]:
        data: dict[str, Any] = {}
        marks = Mark(_line(start))
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in data:
                first = marks.below[key].line
                raise self._problem(event, f"duplicate key {key!r}, expected each key once (first on line {first})")
            data[key], mark = self._value(next(self._events), depth + 1)
            marks.below[key] = Mark(_line(event), mark.below)
            marks.weight += mark.weight
        return data, marks

    def _sequence(self, start: yaml.Event, depth: int) -> tuple[Any, Mark]:
        data: list[Any] = []
        marks = Mark(_line(start))
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            value, marks.below[len(data)] = self._value(event, depth + 1)
            marks.weight += marks.below[len(data)].weight
            data.append(value)
        return data, marks

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._problem(event, "a list, mapping or alias as a key, expected plain text")
        self._refuse_tag(event, "str")
        return event.value

    def _scalar(self, event: yaml.Event) -> Any:
        text: str = getattr(event, "value", "")
        tag: str | None = getattr(event, "tag", None)
        style = getattr(event, "style", None)
        if tag in {"!", f"{_TAG}str"} or (tag is None and style in {"'", '"', "|", ">"}):
            return text
        known = next((entry for entry in _CORE if entry[1].fullmatch(text)), None)
        if tag is not None and (known is None or tag != _TAG + known[0]):
            raise self._problem(event, "a tag, expected quotes around a text that begins with !")
        return known[2](text) if known else text

    def _refuse_tag(self, event: yaml.Event, allowed: str) -> None:
        tag: str | None = getattr(event, "tag", None)
        if tag not in {None, "!", _TAG + allowed}:
            raise self._problem(event, "a tag, expected plain YAML without tags")

    def _problem(self, event: yaml.Event, said: str) -> ConfigError:
        return ConfigError(f"{self._path}:{_line(event)}: {said}")


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
