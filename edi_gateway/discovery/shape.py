"""How rows are laid out: the delimiter, the quotes, the lines before the header, the record types, the trailer."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edi_gateway.discovery.clocks import writing
from edi_gateway.discovery.column import folded
from edi_gateway.discovery.words import NAMES, weight

_DELIMITERS: Final = (";", "\t", "|", ",", "^", "~")
_LINES: Final = 2_000
_TYPE: Final = re.compile(r"[A-Za-z0-9_-]{1,12}")
_NUMERIC: Final = re.compile(r"[+-]?[\d.,:/ -]*\d[\d.,:/ -]*")
_MOST_TYPES: Final = 8
_FIELD_LIMIT: Final = 100_000


class _Row(list[str]):
    """The cells of a row, and how many lines stand before it."""

    def __init__(self, cells: Sequence[str], line: int) -> None:
        super().__init__(cells)
        self.line = line


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a delimited file are laid out; ``types`` are record types by their code, in order of coming."""

    delimiter: str
    quote: str
    rows: Sequence[Sequence[str]]
    skip: int = 0
    header: tuple[str, ...] = ()
    width: int = 0
    types: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    trailer: str = ""  # code of the record that ends the file
    counter: int = 0  # its column that counts, from 1; 0: none does
    counted: tuple[str, ...] = ()  # the types it counts


def layout(text: str) -> Layout | None:
    """The layout that fits best, or None when there are no columns."""
    lines = text.split("\n", _LINES + 1)[:_LINES]
    found = [
        (score, -place, rows, delimiter, quote)
        for place, delimiter in enumerate(_DELIMITERS)
        if any(delimiter in line for line in lines[:200])
        for rows, quote in [_rows(lines, delimiter)]
        if (score := _score(rows)) > 0
    ]
    if not found:
        return None
    _, _, rows, delimiter, quote = max(found, key=lambda each: each[:2])
    return _laid_out(rows, delimiter, quote)


def _rows(lines: Sequence[str], delimiter: str) -> tuple[list[_Row], str]:
    """The rows, and the quote; none where quotes are part of the text."""
    reader = csv.reader((f"{line.rstrip(chr(13))}\n" for line in lines), delimiter=delimiter, strict=True)
    found, begin = list[_Row](), 0
    try:
        for row in reader:
            if any(map(str.strip, row)):
                found.append(_Row(row, begin))
            begin = reader.line_num
    except csv.Error:
        if begin < len(lines) // 2 or len(lines) < _LINES:
            split = (_Row(line.rstrip("\r")[:_FIELD_LIMIT].split(delimiter), at) for at, line in enumerate(lines))
            return [row for row in split if any(map(str.strip, row))], ""
    return found, '"'


def _score(rows: Sequence[Sequence[str]]) -> float:
    """Columns, as far as rows agree on their number, all of them or those of one record type."""
    if not rows:
        return 0
    most, count = Counter(len(row) for row in rows).most_common(1)[0]
    agree = count / len(rows)
    by_type: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        by_type[row[0]][len(row)] += 1
    typed = sum(counter.most_common(1)[0][1] for counter in by_type.values()) / len(rows)
    if len(by_type) > _MOST_TYPES:
        typed = 0
    width = sum(map(len, rows)) / len(rows)
    best = max(agree, typed)
    return best * min(width, 40) if best >= 0.6 and width > 1.5 and (most > 1 or typed > 0.6) else 0


def _laid_out(rows: list[_Row], delimiter: str, quote: str) -> Layout:
    types = _record_types(rows)
    if types:
        trailer, counter, counted = _trailer(rows, types)
        return Layout(delimiter, quote, rows, types=types, trailer=trailer, counter=counter, counted=counted)
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    begin = next((at for at, row in enumerate(rows) if len(row) == width), 0)
    skip = rows[begin].line if begin else 0
    rows = rows[begin:]
    header = _header(rows)
    body = rows[1:] if header else rows
    trailer, counter = "", 0
    if len(body) > 1 and len(body[-1]) != width and _TYPE.fullmatch(body[-1][0].strip()):
        trailer, counter = body[-1][0].strip(), _counting(body[-1], len(body) - 1)
        body = body[:-1]
    return Layout(delimiter, quote, body, skip, header, width, trailer=trailer, counter=counter)


def _record_types(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    """The rows by what their first cell says, if it tells record types: few, short, each with a width of its own."""
    types: dict[str, list[_Row]] = {}
    for row in rows:
        types.setdefault(row[0].strip(), []).append(row)
        if len(types) > _MOST_TYPES:
            return {}
    if len(types) < 2 or not all(_TYPE.fullmatch(code) and any(map(str.isalnum, code)) for code in types):
        return {}
    widths = {code: Counter(len(row) for row in each).most_common(1)[0] for code, each in types.items()}
    if any(count < 0.9 * len(types[code]) for code, (_, count) in widths.items()):
        return {}
    different = len({width for width, _ in widths.values()}) > 1
    often = max(map(len, types.values())) > 1
    header_like = len(types) == 2 and len(next(iter(types.values()))) == 1 and _looks_like_names(rows[0])
    return types if different and often and not header_like else {}


def _trailer(rows: Sequence[_Row], types: Mapping[str, Sequence[_Row]]) -> tuple[str, int, tuple[str, ...]]:
    last = rows[-1][0].strip()
    if len(types[last]) > 1 or len(rows) < 3:
        return "", 0, ()
    others = [code for code in types if code != last]
    totals: dict[int, tuple[str, ...]] = {len(types[code]): (code,) for code in others}
    totals |= {sum(len(types[code]) for code in others): tuple(others)}
    for place, cell in enumerate(rows[-1][1:], 2):
        if cell.strip().isdecimal() and int(cell.strip()[:9]) in totals:
            return last, place, totals[int(cell.strip()[:9])]
    named = folded(last) in {"t", "tr", "trl", "trailer", "end", "eof", "z", "99", "f", "total", "ftr", "footer"}
    return (last, 0, ()) if named else ("", 0, ())


def _counting(row: Sequence[str], rows: int) -> int:
    return next((place for place, cell in enumerate(row, 1) if cell.strip().isdecimal() and int(cell[:9]) == rows), 0)


def _header(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The first row, if it names columns."""
    if not rows or not _looks_like_names(rows[0]):
        return ()
    first = [cell.strip() for cell in rows[0]]
    if any(_known(name) for name in first):
        return tuple(first)
    below = [cell for row in rows[1:20] for cell in row]
    digits = sum(any(map(str.isdigit, cell)) for cell in below) / max(1, len(below))
    return tuple(first) if digits > 0.2 else ()


def _looks_like_names(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    sound = [cell for cell in cells if cell and not _NUMERIC.fullmatch(cell) and writing((cell,)) is None]
    digits = [cell for cell in cells if sum(map(str.isdigit, cell)) >= 4]
    return len(sound) >= 0.8 * len(cells) and len(set(cells)) >= 0.8 * len(cells) and not digits and len(cells) > 1


def _known(name: str) -> bool:
    joined = "".join(re.findall(r"[^\W_]+", folded(name)))
    return any(weight(names, joined) >= 6 for names in NAMES.values())
