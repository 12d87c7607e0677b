"""Durations and sizes as people write them in YAML: ``15s``, ``90d``, ``10MB``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_BYTES: Final = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_LONGEST: Final = timedelta(days=36_500)
_DURATION: Final = rf"[0-9]{{1,9}}({'|'.join(_UNITS)})"
_SIZE: Final = rf"[0-9]{{1,12}}({'|'.join(_BYTES)})"
_QUANTITY: Final = re.compile(r"([0-9]+)([A-Za-z]*)")


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    number, unit = _split(value, _DURATION, f"a whole number and one of {', '.join(_UNITS)}, such as 15s")
    if number * _UNITS[unit] > _LONGEST:
        raise ValueError(f"found {value!r}, expected at most {_LONGEST.days}d")
    return number * _UNITS[unit]


def _size(value: object) -> object:
    number, unit = _split(value, _SIZE, "a whole number of B, KB, MB, GB, KiB, MiB or GiB, such as 10MB")
    return number * _BYTES[unit]


def _split(value: object, pattern: str, expected: str) -> tuple[int, str]:
    text = str(value).strip()
    found = _QUANTITY.fullmatch(text) if re.fullmatch(pattern, text) else None
    if found is None:
        raise ValueError(f"found {value!r}, expected {expected}")
    return int(found[1]), found[2]


Duration = Annotated[
    timedelta, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$"})
]
"""A span of time: a whole number and ``ms``, ``s``, ``m``, ``h`` or ``d``."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_SIZE}$"}]}),
]
"""A number of bytes: ``10MB`` is ten million, ``10MiB`` is 10 · 2²⁰, a bare number is bytes."""
