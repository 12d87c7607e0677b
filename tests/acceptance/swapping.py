"""Puts another function in the place of one of the gateway's, wherever in the gateway it was imported to."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

Make = Callable[[Callable[..., Any]], Callable[..., Any]]


def swap(target: str, make: Make) -> None:
    """Replace ``module:function`` or ``module:Class.method`` by what ``make`` makes of it.

    Raises LookupError when there is no such function any more, or when it takes other parameters than its
    replacement: whoever changes one has to look at the other.
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
    if found != expected:
        raise LookupError(f"{target}: found {found}, its replacement expects {expected}; bring it up to date")
    setattr(owner, name, replacement)
    for place in [place for key, place in sys.modules.items() if key.startswith("edi_gateway.")]:
        for alias in [alias for alias, value in vars(place).items() if value is original]:
            setattr(place, alias, replacement)


def _shape(function: Callable[..., Any]) -> str:
    """How it is called: sort of function, then names and kinds of its parameters."""
    sort = "async " if inspect.iscoroutinefunction(function) else ""
    parameters = inspect.signature(function).parameters.values()
    return f"{sort}({', '.join(f'{each.name}: {each.kind.description}' for each in parameters)})"
