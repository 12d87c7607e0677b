"""What the record that ends a file says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edi_gateway.formats.tables.options import Trailer, counted
from edi_gateway.model import Finding, Level, Position, Severity
from edi_gateway.table import Row


def missing_trailer(trailer: Trailer, line: int) -> Finding:
    """Nothing of a file that is cut short is taken."""
    place = Position(line=line, tag=trailer.record)
    advice = "the file is cut short: ask the sender to send it again"
    return Finding(Severity.QUARANTINE, Level.INTERCHANGE, place, "", f"{trailer.record} at the end", advice, "13")


def count_remarks(trailer: Trailer, row: Row, found: Mapping[str, int], records: Sequence[str]) -> list[Finding]:
    """What the trailer claims against what was counted: a remark, as senders count in many ways."""
    there = counted(trailer, found, records)
    claimed = row.named(trailer.count) if trailer.count else str(there)
    if claimed.isdecimal() and int(claimed) == there:
        return []
    place = Position(line=row.line, tag=row.tag, start=row.start, end=row.end, name=trailer.count)
    said = f"claims {claimed or 'nothing'}, counted {there}"
    return [Finding(Severity.WARNING, Level.INTERCHANGE, place, said, "the number of records", "", "29")]
