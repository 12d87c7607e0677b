"""Lines of fields at fixed places: record types by how lines begin, fields by the blanks between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from edi_gateway.discovery.codes import Tables
from edi_gateway.discovery.column import Cell, columns_of
from edi_gateway.discovery.draft import Draft, put_codes, put_event, put_timezone, put_unused, scalar
from edi_gateway.discovery.fields import NO_NAME, Fields, recognise
from edi_gateway.discovery.sample import Sample
from edi_gateway.discovery.tables import NOTHING, by_cells, outer_cells, pick_event, put_encoding, tag_of

_LINES: Final = 5_000
_LEAST: Final = 20  # characters of a line
_LONGEST: Final = 5_000
_MOST_TYPES: Final = 8
_CODE: Final = re.compile(r"[A-Za-z0-9]+")
_FEW: Final = 3  # lines that cannot tell which blanks are between fields and which are in them
Span = tuple[int, int]


def fixed_width(sample: Sample, known: Tables) -> Draft | None:
    """A mapping of lines of fields at fixed places, or None when lines do not look like that."""
    lines = [line.rstrip("\r\x1a\x00") for line in sample.text.split("\n")[:_LINES]]
    lines = [line[:_LONGEST] for line in lines if line.strip()]
    length, types = _types(lines)
    spans = {code: _spans(own, length) for code, own in types.items()}
    if not types or max(map(len, spans.values())) < 3:
        return None
    return _draft(sample, lines, length, types, spans, known)


def _types(lines: Sequence[str]) -> tuple[int, Mapping[str, Sequence[str]]]:
    """How long the record type at the beginning of lines is (0: there is none), and the lines by it.

    Nothing at all when lines are short, or of many lengths.
    """
    if not lines or max(map(len, lines)) < _LEAST:
        return 0, {}
    for length in (4, 3, 2, 1, 5, 6):
        by_code: dict[str, list[str]] = {}
        for line in lines:
            by_code.setdefault(line[:length], []).append(line)
            if len(by_code) > _MOST_TYPES:
                break
        enough = 1 < len(by_code) <= min(_MOST_TYPES, max(2, len(lines) // 2))
        if enough and all(_CODE.fullmatch(code) for code in by_code) and len({code[0] for code in by_code}) <= 3:
            return length, by_code
    usual, count = Counter(map(len, lines)).most_common(1)[0]
    same = count >= 0.8 * len(lines) or sum(abs(len(line) - usual) <= 10 for line in lines) >= 0.9 * len(lines)
    return (0, {"*": list(lines)}) if same and len(lines) > 1 else (0, {})


def _spans(lines: Sequence[str], skip: int) -> list[Span]:
    """Start and end of the fields: what no line leaves blank together; several blanks where lines are few."""
    width = max(map(len, lines))
    filled = [False] * width
    for line in lines:
        for at in (found.start() for found in re.finditer(r"\S", line)):
            filled[at] = True
    text = "".join("x" if each or at < skip else " " for at, each in enumerate(filled))
    between = r"x+(?: x+)*" if len(lines) <= _FEW else r"x+"
    spans = [found.span() for found in re.finditer(between, text)]
    if skip and spans and spans[0][0] < skip < spans[0][1]:
        spans[0:1] = [(skip, spans[0][1])]
    return [(start, end) for start, end in spans if end > skip]


def _cells(line: str, spans: Sequence[Span]) -> dict[str, Cell]:
    return {f"@{at}": Cell(line[start:end], f"{NO_NAME}{at}") for at, (start, end) in enumerate(spans, 1)}


def _draft(
    sample: Sample, lines: Sequence[str], length: int, types: Mapping[str, Sequence[str]],
    spans: Mapping[str, Sequence[Span]], known: Tables,
) -> Draft:  # fmt: skip
    tags: dict[str, str] = {}
    for code in types:
        tags[code] = "ROW" if code == "*" else tag_of(code, list(tags.values()))
    top, event = pick_event(
        {code: [_cells(line, spans[code]) for line in own[:200]] for code, own in types.items()}, ""
    )
    if top and len(types[top]) >= len(types[event]) and _holds_all(types[top], spans[top]):
        top, event = "", top
    rows, above = list[dict[str, Cell]](), ""
    for line in lines:
        code = line[:length] if length else "*"
        above = line if code == top else above
        if code == event:
            own = _cells(line, spans[event])
            rows.append(own | outer_cells(_cells(above, spans[top]), tags[top]) if top else own)
    columns = columns_of(rows)
    fields = recognise(columns)
    draft = Draft()
    put_timezone(draft, fields.when)
    names = {code: _names(own, _roles(fields, code, top)) for code, own in spans.items()}
    _put_format(draft, sample, length, types, spans, tags, names, top or event)
    renamed = []
    for column in columns:
        way, _, number = column.place.rpartition("@")
        renamed.append(type(column)(f"{way}@{names[top if column.outward else event][int(number) - 1]}", column.name,
                                    column.cells, column.outward))  # fmt: skip
    fields = fields.moved(by_cells(renamed))
    draft.put("")
    draft.put(f"for_each: {tags[top]}/{tags[event]}" if top else f"for_each: {tags[event]}")
    draft.put("")
    put_event(draft, fields, missing=NOTHING)
    put_codes(draft, fields, known)
    put_unused(draft, renamed, fields)
    kinds = ", ".join(f"{code} {len(own)}x, {max(map(len, own))} characters" for code, own in types.items())
    draft.recognised.insert(0, f"fixed width: {kinds if length else f'lines of {max(map(len, lines))} characters'}")
    draft.decide.append(
        "whether the fields begin and end there: they were guessed from blanks, fields without any are one"
    )
    return draft


def _holds_all(lines: Sequence[str], spans: Sequence[Span]) -> bool:
    fields = recognise(columns_of([_cells(line, spans) for line in lines[:200]]))
    return fields.tracking_number is not None and fields.when is not None


def _roles(fields: Fields, code: str, top: str) -> Mapping[int, str]:
    """Number of a field → what was recognised in it, for one record type."""
    when = fields.when
    roles = {
        "tracking_number": fields.tracking_number, "code": fields.code, "text": fields.text, "country": fields.country,
        "date": when.date if when else None, "time": when.clock if when else None, "zone": when.zone if when else None,
    }  # fmt: skip
    found: dict[int, str] = {}
    for role, column in roles.items():
        if column is not None and bool(column.outward) == (code == top and bool(top)):
            found.setdefault(int(column.place.rpartition("@")[2]), role)
    return found


def _names(spans: Sequence[Span], roles: Mapping[int, str]) -> list[str]:
    return [roles.get(at, f"from_{start + 1}") for at, (start, _) in enumerate(spans, 1)]


def _put_format(
    draft: Draft, sample: Sample, length: int, types: Mapping[str, Sequence[str]], spans: Mapping[str, Sequence[Span]],
    tags: Mapping[str, str], names: Mapping[str, Sequence[str]], outermost: str,
) -> None:  # fmt: skip
    draft.put("format:")
    draft.put("  type: fixed_width")
    put_encoding(draft, sample)
    if length:
        draft.put(f"  tag: {{start: 1, length: {length}}}", f"lines begin with {', '.join(types)}")
    draft.put("  records:")
    for code, tag in tags.items():
        draft.put(f"    {tag}:", f"{len(types[code])}x")
        draft.put(f"      code: {scalar(code)}")
        if code != outermost and outermost in tags:
            draft.put(f"      below: {tags[outermost]}", "each belongs to the one before it")
        draft.put("      fields:", "from blanks to blanks: compare with the carrier's description")
        for name, (start, end) in zip(names[code], spans[code], strict=True):
            draft.put(f"        {name}: {{start: {start + 1}, length: {end - start}}}")
