"""Puts another function in the place of one of the gateway's, wherever in the gateway it was imported to."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

_WHATEVER: Final = ["variadic positional rest", "variadic keyword named"]  # a replacement that passes the rest on
Make = Callable[[Callable[..., Any]], Callable[..., Any]]


def swap(target: str, make: Make) -> None:
    """Replace ``module:function`` or ``module:Class.method`` by what ``make`` makes of it.

    Raises LookupError when there is no such function any more, or when it cannot be called as its replacement is:
    whoever changes one has to look at the other.
    """
    module, _, path = target.partition(":")
    *classes, name = path.split(".")
    owner: Any = import_module(module)
    for each in classes:
        owner = getattr(owner, each, None)
    original = getattr(owner, name, None)
    if not inspect.isfunction(original):
        raise LookupError(f"{target}: there is no such function any more; bring what replaces it up to date")
    replacement = make(original)
    found, expected = _shape(original), _shape(replacement)
    if expected != found and not (expected[-2:] == _WHATEVER and found[: len(expected) - 2] == expected[:-2]):
        raise LookupError(f"{target}: found {found}, its replacement expects {expected}; bring it up to date")
    setattr(owner, name, replacement)
    for place in [place for key, place in sys.modules.items() if key.startswith("edi_gateway.")]:
        for alias in [alias for alias, value in vars(place).items() if value is original]:
            setattr(place, alias, replacement)


def _shape(function: Callable[..., Any]) -> list[str]:
    """How it is called: whether it has to be awaited, then kinds and names of its parameters."""
    sort = "async" if inspect.iscoroutinefunction(function) else "plain"
    parameters = inspect.signature(function).parameters.values()
    return [sort, *(f"{each.kind.description} {each.name}" for each in parameters)]
