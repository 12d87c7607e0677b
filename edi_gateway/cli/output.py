"""How the command line speaks: tables for people, one JSON object a line for machines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a partner's file must not steer the terminal
_UNBOUNDED = 200  # columns where nobody looks: in a pipe, a file or a test
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _UNBOUNDED)


def print_json(row: Mapping[str, Any]) -> None:
    """One object on one line."""
    print(json.dumps(row, ensure_ascii=False, default=_plain))


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str, columns: Iterable[str] | None = None) -> None:
    """Rows as JSON lines or as a table; ``empty`` is said when there are none."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        console.print(empty)
        return
    names = list(columns or rows[0])
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(text(row.get(name)) for name in names))
    console.print(table)


def text(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items() if item)
    return escape(_CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value)))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)
