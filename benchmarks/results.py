"""Results as a table for a person, and as a file that later runs add to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.contest import Result

FILE: Final = Path(__file__).with_name("results.json")
_ROW: Final = "{:<48} {:>11} {:>11} {:<9} {:>8} {:>15} {:>5}"


def save(results: Mapping[str, Result], file: Path = FILE) -> None:
    """Put the results in the file; those of other benchmarks stay."""
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known |= {name: _entry(result) for name, result in results.items()}
    file.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n", encoding="utf-8")


def _entry(result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = {"ratio": result.ratio, "us": result.us, "peer": result.peer}
    return entry | {"unit": result.unit, "runs": result.runs, "against": result.against}


def heading() -> str:
    """The table's first line."""
    return _ROW.format("", "us", "peer", "unit", "us/peer", "lowest-highest", "runs")


def line(name: str, result: Result) -> str:
    """One line of the table."""
    ratio = "-" if result.ratio is None else f"{result.ratio:.2f}"
    spread = "{:.2f}-{:.2f}".format(*result.spread) if result.spread else "-"
    peer = "-" if result.peer is None else f"{result.peer:,.5g}"
    return _ROW.format(name, f"{result.us:,.5g}", peer, result.unit, ratio, spread, result.runs).rstrip()
