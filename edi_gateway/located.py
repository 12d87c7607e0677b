"""Configuration files whose every mistake is told as ``file:line: what, expected, did you mean``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from edi_gateway.core_yaml import Mark, compose
from edi_gateway.errors import ConfigError

Loc = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Located:
    """One YAML file: its plain data (treat as read-only) and the line every value stands on."""

    path: Path
    data: Any
    _marks: Mark

    def line(self, loc: Loc) -> int:
        """Line, from 1, of the value at ``loc``, or of its nearest ancestor; a mapping's value has its key's line."""
        mark = self._marks
        for step in loc:
            if step not in mark.below:
                break
            mark = mark.below[step]
        return mark.line

    def at(self, loc: Loc) -> str:
        """``file:line`` of the value at ``loc``."""
        return f"{self.path}:{self.line(loc)}"

    def get(self, loc: Loc) -> Any:
        """Value at ``loc``; None where there is none."""
        return _at(self.data, loc)


def load(path: Path, text: str | None = None) -> Located:
    """Read the YAML file at ``path``, or ``text`` in its stead; an empty one has the data None.

    Raises ConfigError when the file cannot be read, or as ``compose`` does.
    """
    data, marks = compose(path, _read(path) if text is None else text)
    return Located(path, data, marks)


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}:1: cannot be read: {error.strerror}, expected a YAML file") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: byte {content[error.start]:#04x}, expected text saved as UTF-8") from None


def did_you_mean(word: str, candidates: Collection[str]) -> str:
    """``, did you mean 'host'?`` when a candidate is close to ``word``, otherwise ""; append it to a sentence."""
    folded = {candidate.casefold(): candidate for candidate in candidates}
    close = get_close_matches(word.casefold(), folded, n=1)
    return f", did you mean {folded[close[0]]!r}?" if close else ""


def validate(
    model: type[M],
    located: Located,
    loc: Loc = (),
    *,
    context: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> M:
    """Make a ``model`` of the value at ``loc``.

    The keys in ``without`` (such as a plugin's ``type``) are left out; ``defaults`` stand for keys that are absent.

    Raises ConfigError with one problem per mistake, each at its line.
    """
    data = located.get(loc)
    if isinstance(data, dict):
        data = {**(defaults or {}), **{key: value for key, value in data.items() if key not in without}}
    try:
        return model.model_validate(data, context=dict(context or {}))
    except ValidationError as error:
        raise ConfigError(*problems(model, located, error, loc)) from None
    except ConfigError as error:  # raised by a validator, which cannot know its file
        at = f"{located.at(loc)}: {_dotted(loc)}"
        raise ConfigError(*(f"{at}{problem}" for problem in error.problems)) from None


def problems(model: type[BaseModel], located: Located, error: ValidationError, loc: Loc = ()) -> list[str]:
    """``file:line: key.path: what`` for every mistake pydantic found in the value at ``loc``, in order of lines."""
    found: dict[Loc, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        place = _place(located.get(loc), detail["loc"], missing=detail["type"] == "missing")
        found.setdefault(place, []).append(detail)
    said = [
        (
            located.line(loc + place),
            _dotted(loc + _named(place, details)) + _say(model, located.get(loc), place, details),
        )
        for place, details in found.items()
        if not _other_branch(place, details, found)
    ]
    return [f"{located.path}:{line}: {text}" for line, text in sorted(said, key=itemgetter(0))]


def _at(value: Any, loc: Loc) -> Any:
    for step in loc:
        if not _holds(value, step):
            return None
        value = value[step]
    return value


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _place(value: Any, loc: Loc, *, missing: bool) -> Loc:
    """The part of pydantic's ``loc`` that is in the data: it also names union branches and validators."""
    place: list[str | int] = []
    for step in loc[:-1] if missing else loc:
        if _holds(value, step):
            value = value[step]
            place.append(step)
    return (*place, loc[-1]) if missing else tuple(place)


def _other_branch(place: Loc, details: Sequence[ErrorDetails], found: Collection[Loc]) -> bool:
    """Whether these say only 'something else', or 'too few' for want of good ones, of what others look deeper into."""
    deeper = any(len(other) > len(place) and other[: len(place)] == place for other in found)
    return deeper and all(detail["type"] in {*_TYPES, "too_short", "literal_error", "enum"} for detail in details)


def _named(place: Loc, details: Sequence[ErrorDetails]) -> Loc:
    """What a problem is told of: of a missing key, where it should be."""
    return place[:-1] if details[0]["type"] == "missing" else place


def _dotted(loc: Loc) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
    return f"{path}: " if path else ""


_TYPES: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "path_type": "a path",
}


def _say(model: type[BaseModel], data: Any, place: Loc, details: Sequence[ErrorDetails]) -> str:
    details = [detail for detail in details if detail["type"] != "too_short"] or details
    first = details[0]
    if first["type"] == "missing":
        return _missing(model, place)
    if first["type"] == "extra_forbidden":
        return _unknown(model, data, place)
    own = [detail for detail in details if detail["type"] in {"value_error", "assertion_error"}]
    if own:
        return own[0]["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    secret = _is_secret(model, place)
    shown = _shown(first["input"], secret=secret)
    expected = " or ".join(dict.fromkeys(_expected(detail) for detail in details))
    quotes = (
        "; put quotes around it" if expected.startswith("text") and not secret and _is_number(first["input"]) else ""
    )
    return f"found {shown}, expected {expected}{quotes}{_similar(first)}"


def _expected(detail: ErrorDetails) -> str:
    if detail["type"] in _TYPES:
        return _TYPES[detail["type"]]
    if detail["type"] in {"literal_error", "enum"}:
        return f"one of {detail['ctx']['expected']}"
    if detail["type"] == "too_short":
        return f"at least {detail['ctx']['min_length']} of them"
    return detail["msg"].removeprefix("Input should be ").removeprefix("String should ").removeprefix("a valid ")


def _similar(detail: ErrorDetails) -> str:
    if detail["type"] not in {"literal_error", "enum"} or not isinstance(detail["input"], str):
        return ""
    return did_you_mean(detail["input"], re.findall(r"'([^']*)'", detail["ctx"]["expected"]))


def _missing(model: type[BaseModel], place: Loc) -> str:
    name = str(place[-1])
    info = _fields(model, place[:-1]).get(name)
    return f"missing key {name!r}, expected {info.description if info and info.description else 'a value for it'}"


def _unknown(model: type[BaseModel], data: Any, place: Loc) -> str:
    known = _fields(model, place[:-1])
    free = [name for name in known if not _holds(_at(data, place[:-1]), name)]
    guess = did_you_mean(str(place[-1]), free)
    return f"unknown key{guess or ', expected one of ' + ', '.join(known or ['no key at all'])}"


def _shown(value: Any, *, secret: bool) -> str:
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if secret:
        return "a value that is not shown"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_secret(model: type[BaseModel], place: Loc) -> bool:
    at: list[Any] = [model]
    for step in place:
        fields = _fields_of(at)
        if str(step) in fields and not fields[str(step)].repr:
            return True
        at = _below(at, step)
    return any(isinstance(part, type) and issubclass(part, SecretStr) for part in _parts(at))


def _fields(model: type[BaseModel], place: Loc) -> dict[str, FieldInfo]:
    """The fields, by the names YAML uses for them, of the models that may stand at ``place``."""
    at: list[Any] = [model]
    for step in place:
        at = _below(at, step)
    return _fields_of(at)


def _fields_of(annotations: Sequence[Any]) -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = {}
    for part in _parts(annotations):
        if isinstance(part, type) and issubclass(part, BaseModel):
            found |= {info.alias or name: info for name, info in part.model_fields.items()}
    return found


def _below(annotations: Sequence[Any], step: str | int) -> list[Any]:
    """What may stand one step below values of these types."""
    found: list[Any] = []
    for part in _parts(annotations):
        if isinstance(part, type) and issubclass(part, BaseModel):
            fields = _fields_of([part])
            found += [fields[str(step)].annotation] if str(step) in fields else []
        elif get_args(part):
            found += [each for each in get_args(part)[1 if isinstance(step, str) else 0 :] if each is not ...]
    return found


def _parts(annotations: Sequence[Any]) -> Iterator[Any]:
    """The plain types among unions, aliases and annotations."""
    for annotation in annotations:
        origin = get_origin(annotation)
        if hasattr(annotation, "__value__"):
            yield from _parts([annotation.__value__])  # a ``type`` alias
        elif origin is Annotated:
            yield from _parts(get_args(annotation)[:1])
        elif origin in {Union, UnionType}:
            yield from _parts(get_args(annotation))
        else:
            yield annotation
