"""Rows of a delimited file, or of a file of fixed places, as columns and as the format a mapping names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from edi_gateway.discovery.codes import Tables
from edi_gateway.discovery.column import MOST_ROWS, Cell, Column, columns_of, shown
from edi_gateway.discovery.draft import Draft, put_codes, put_event, put_timezone, put_unused, scalar
from edi_gateway.discovery.fields import NO_NAME, Fields, recognise
from edi_gateway.discovery.sample import Sample
from edi_gateway.discovery.shape import Layout, layout

_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_NAMED: Final = re.compile(r'[^\W\d][^"@\[\]=!,|]*')
_TAG: Final = re.compile(r"[A-Z][A-Z0-9_]{0,30}")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
NOTHING: Final = "^^NOT_FOUND@1"  # no record is called that


def place_of(name: str, number: int) -> str:
    """How a mapping names a column: by its name, else by its number."""
    plain = name.strip()
    if not plain or '"' in plain or not plain.isprintable():
        return f"@{number}"
    return f"@{plain}" if _NAMED.fullmatch(plain) else f'@"{plain}"'


def delimited(sample: Sample, known: Tables) -> Draft | None:
    """A mapping of a file of rows, or None when it has no columns."""
    found = layout(sample.text)
    if found is None:
        return None
    if found.types:
        return _typed(sample, found, known)
    names = _names(found)
    rows = [_cells(row, names, numbered=not found.header) for row in found.rows[:MOST_ROWS]]
    columns = columns_of(rows)
    fields = recognise(columns)
    draft = Draft()
    put_timezone(draft, fields.when)
    _put_format(draft, sample, found)
    if found.header:
        draft.put("  header: true", f"line {found.skip + 1} names {len(names)} columns")
    else:
        draft.put("  header: false", "the first row holds values, so columns got names here: call them what they are")
        named = _given(columns, fields, len(names))
        draft.put(f"  columns: [{', '.join(map(scalar, named))}]")
        columns = [_renamed(column, named) for column in columns]
        fields = fields.moved(by_cells(columns))
    tag = "ROW"
    _put_flat_trailer(draft, found)
    draft.recognised.append(_summary(found, len(found.rows), len(names)))
    _finish(draft, tag, columns, fields, known)
    return draft


def _summary(found: Layout, rows: int, width: int) -> str:
    delimiter = _DELIMITERS.get(found.delimiter, found.delimiter)
    names = "named by a header" if found.header else "without a header"
    skipped = f", {found.skip} lines before it" if found.skip else ""
    trailer = f", trailer {found.trailer}" if found.trailer else ""
    return f"delimited by {delimiter}: {rows} rows of {width} columns {names}{skipped}{trailer}"


def _names(found: Layout) -> list[str]:
    """The names of the columns; "" where there is none, or one that came before."""
    if not found.header:
        width = found.width
        while width > 1 and not any(len(row) >= width and row[width - 1].strip() for row in found.rows):
            width -= 1
        return [""] * width
    return [name if found.header.index(name) == at else "" for at, name in enumerate(found.header)]


def _cells(row: Sequence[str], names: Sequence[str], *, numbered: bool) -> dict[str, Cell]:
    return {
        place_of(name, number): Cell(row[number - 1], name or (f"{NO_NAME}{number}" if numbered else str(number)))
        for number, name in enumerate(names, 1)
        if number <= len(row)
    }


def _given(columns: Sequence[Column], fields: Fields, width: int) -> list[str]:
    """Names for columns without one: what was recognised in them."""
    roles = {
        "tracking_number": fields.tracking_number, "code": fields.code, "reason": fields.reason, "text": fields.text,
        "date": fields.when.date if fields.when else None, "time": fields.when.clock if fields.when else None,
        "zone": fields.when.zone if fields.when else None, "place": fields.place, "country": fields.country,
        "unlocode": fields.unlocode, "signatory": fields.signatory, "account": fields.account,
    }  # fmt: skip
    given = {column.place: role for role, column in reversed(roles.items()) if column is not None}
    places = {column.place for column in columns}
    return [given.get(f"@{at}", f"column_{at}") if f"@{at}" in places else "" for at in range(1, width + 1)]


def _renamed(column: Column, named: Sequence[str]) -> Column:
    own = column.place.rpartition("@")
    name = named[int(own[2]) - 1]
    return Column(f"{own[0]}@{name}", name, column.cells, column.outward)


def by_cells(columns: Sequence[Column]) -> dict[int, Column]:
    """Columns by what stands in them, whatever they are called."""
    return {id(column.cells): column for column in columns}


def _put_format(draft: Draft, sample: Sample, found: Layout) -> None:
    draft.put("format:")
    draft.put("  type: delimited")
    name = _DELIMITERS.get(found.delimiter, found.delimiter)
    draft.put(f"  delimiter: {scalar(name)}", f"{_rows_said(found)} with it")
    if not found.quote:
        draft.put('  quote: ""', "quotes stand in the text without being closed or doubled")
    put_encoding(draft, sample)
    if found.skip:
        draft.put(f"  skip: {found.skip}", "lines before the header, or the first row")


def put_encoding(draft: Draft, sample: Sample) -> None:
    """The encoding where it is not UTF-8."""
    if sample.encoding:
        draft.put(f"  encoding: {sample.encoding}", "the bytes are no UTF-8: read one text with accents and compare")
        draft.decide.append(f"whether the encoding is {sample.encoding}: look at names with accents")
        draft.recognised.append(f"encoding: {sample.encoding}")
    if not sample.whole:
        draft.recognised.append("the file goes on: only its first megabytes were looked at")


def _rows_said(found: Layout) -> str:
    widths = Counter(len(row) for row in found.rows)
    said = ", ".join(f"{count} rows of {width}" for width, count in widths.most_common(3))
    return f"{said} cells"


def _put_flat_trailer(draft: Draft, found: Layout) -> None:
    if not found.trailer:
        return
    draft.put("  records:")
    own = "" if found.header else ", ".join(f"column_{at}" for at in range(1, found.width + 1))
    draft.put(f'    ROW: {{code: "*", columns: [{own}]}}')
    names = ["type", *("" for _ in range(2, found.counter)), *(["count"] if found.counter else [])]
    draft.put(f"    TRAILER: {{code: {scalar(found.trailer)}, columns: [{', '.join(map(scalar, names))}]}}")
    _put_trailer(draft, "TRAILER", found.counter, ["ROW"])


def _put_trailer(draft: Draft, name: str, counter: int, counted: Sequence[str]) -> None:
    count = f", count: count, counts: [{', '.join(counted)}]" if counter else ""
    why = "its number is that of the rows" if counter else "it ends the file"
    draft.put(f"  trailer: {{record: {name}{count}}}", f"{why}; a file without it counts as cut short")


def _finish(draft: Draft, for_each: str, columns: Sequence[Column], fields: Fields, known: Tables) -> None:
    draft.put("")
    draft.put(f"for_each: {for_each}")
    draft.put("")
    put_event(draft, fields, missing=NOTHING)
    put_codes(draft, fields, known)
    put_unused(draft, columns, fields)
    commas = [column for column in columns if column.values and column.share(_DECIMAL_COMMA) > 0.5]
    if commas:
        draft.recognised.append(f"decimal comma: {', '.join(shown(column.name) for column in commas[:5])}")


def tag_of(code: str, taken: Sequence[str]) -> str:
    """A record type's name from its code: capitals and digits, a letter first."""
    name = re.sub(r"\W", "_", code.upper(), flags=re.ASCII)[:20]
    name = name if _TAG.fullmatch(name) else f"R{name}"
    return name if name not in taken else f"{name}_{len(taken)}"


def _typed(sample: Sample, found: Layout, known: Tables) -> Draft:
    tags: dict[str, str] = {}
    for code in found.types:
        tags[code] = tag_of(code, list(tags.values()))
    widths = {code: Counter(map(len, rows)).most_common(1)[0][0] for code, rows in found.types.items()}
    top, event = pick_event(
        {code: [_typed_cells(row, widths[code]) for row in rows[:200]] for code, rows in found.types.items()},
        found.trailer,
    )
    rows = list[dict[str, Cell]]()
    above: Sequence[str] = ()
    for row in found.rows:
        code = row[0].strip()
        above = row if code == top else above
        if code == event and len(rows) < MOST_ROWS:
            told = _typed_cells(row, widths[event])
            rows.append(told | outer_cells(_typed_cells(above, len(above)), tags[top]) if top else told)
    columns = columns_of(rows)
    fields = recognise(columns)
    draft = Draft()
    put_timezone(draft, fields.when)
    _put_format(draft, sample, found)
    draft.put("  header: false")
    draft.put("  records:", "by the first column: call the columns what they are")
    names = _names_by_type(columns, fields, widths, event, top)
    for code, tag in tags.items():
        own = names[code]
        if code == found.trailer:
            own = ["type", *("" for _ in range(2, found.counter)), *(["count"] if found.counter else [])]
        below = f", below: {tags[top]}" if top and code not in {top, found.trailer} else ""
        said = f"{{code: {scalar(code)}, columns: [{', '.join(map(scalar, own))}]{below}}}"
        draft.put(f"    {tag}: {said}", f"{len(found.types[code])}x")
    if found.trailer:
        _put_trailer(draft, tags[found.trailer], found.counter, [tags[code] for code in found.counted])
    renamed = [_renamed(column, names[top if column.outward else event]) for column in columns]
    fields = fields.moved(by_cells(renamed))
    counts = ", ".join(f"{code} {len(rows)}x" for code, rows in found.types.items())
    draft.recognised.append(f"delimited by {_DELIMITERS.get(found.delimiter, found.delimiter)}, record types: {counts}")
    _finish(draft, f"{tags[top]}/{tags[event]}" if top else tags[event], renamed, fields, known)
    return draft


def _typed_cells(row: Sequence[str], width: int) -> dict[str, Cell]:
    """The cells of a row but the first, which tells its type."""
    return {place: cell for place, cell in _cells(row, [""] * width, numbered=True).items() if place != "@1"}


def pick_event(types: Mapping[str, Sequence[Mapping[str, Cell]]], trailer: str) -> tuple[str, str]:
    """The record type they all stand below ("" for none), and the one that is the event."""
    codes = [code for code in types if code != trailer]
    scores = {code: _event_score(columns_of(types[code])) for code in codes}
    event = max(codes, key=lambda code: (scores[code], len(types[code]), -codes.index(code)), default=next(iter(types)))
    first = codes[0] if codes else event
    return (first if first != event else ""), event


def _event_score(columns: Sequence[Column]) -> int:
    fields = recognise(columns)
    return 2 * (fields.tracking_number is not None) + (fields.code is not None) + (fields.when is not None)


def outer_cells(cells: Mapping[str, Cell], tag: str) -> dict[str, Cell]:
    """The cells of the record above, as seen from the event."""
    return {f"^^{tag}{place}": Cell(cell.text, cell.name, 1) for place, cell in cells.items()}


def _names_by_type(
    columns: Sequence[Column], fields: Fields, widths: Mapping[str, int], event: str, top: str
) -> dict[str, list[str]]:
    names = {code: ["type", *(f"column_{at}" for at in range(2, width + 1))] for code, width in widths.items()}
    for code, outward in ((event, 0), (top, 1)):
        if not code:
            continue
        bare = [
            Column(f"@{column.place.rpartition('@')[2]}", column.name, column.cells, column.outward)
            for column in columns
            if column.outward == outward
        ]
        given = _given(bare, fields.moved(by_cells(bare)), widths[code])
        names[code] = ["type", *(name or f"column_{at}" for at, name in enumerate(given[1:], 2))]
    return names
