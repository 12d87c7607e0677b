"""The elements a mapping asks for by name: a format that has no such element can say so before a file comes."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from edi_gateway.mapping.path import Path


def named_places(value: object, loc: tuple[str | int, ...] = ("event",)) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every element a part of a mapping asks for by name, and where the file says so."""
    if isinstance(value, Path):
        named = [condition.name for step in value.steps for condition in step.conditions]
        yield from ((loc, name) for name in (*named, value.name) if name)
    elif isinstance(value, BaseModel):
        for name in value.model_fields_set:
            yield from named_places(getattr(value, name), (*loc, name))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from named_places(each, (*loc, str(key)))
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from named_places(each, (*loc, index))
