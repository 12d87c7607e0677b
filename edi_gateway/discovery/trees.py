"""JSON and XML: which of the nested lists are the events, and where what they need stands, inwards and outwards."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final, Literal

from edi_gateway.discovery.clocks import writing
from edi_gateway.discovery.column import MOST_ROWS, Cell, Column, columns_of
from edi_gateway.discovery.words import NAMES, weight

Syntax = Literal["json", "xml"]
Step = tuple[str, bool]  # a key, and whether a list stands there
_DEEPEST: Final = 40
_INSIDE: Final = 5  # levels within an event that are looked at
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EVENTS: Final = re.compile(
    r"event|scan|histor|checkpoint|activit|stateinfo|statusinfo|statuses|occurrence|ereignis|movement|milestone"
    r"|trackdetail|tracksummary|verlauf|estados|eventos|evenement", re.IGNORECASE,
)  # fmt: skip


@dataclass(slots=True)
class _Kind:
    """All objects that stand at one place of the document."""

    steps: tuple[Step, ...]
    chains: list[tuple[Any, ...]] = field(default_factory=list)  # from the outermost to the object itself


@dataclass(frozen=True, slots=True)
class Found:
    """The events of a tree: what leads to them, and their columns."""

    records: str
    for_each: tuple[str, ...]
    columns: list[Column]
    events: int
    alike: tuple[str, ...] = ()  # other objects that say the same things: perhaps events, too


def find_events(document: Any, syntax: Syntax) -> Found | None:
    """The objects that look most like events, or None when there are no objects at all."""
    kinds: dict[tuple[str, ...], _Kind] = {}
    _walk(document, (), (), kinds)
    best, highest = None, -1.0
    for kind in kinds.values():
        score = _score(kind)
        if score > highest:
            best, highest = kind, score
    return replace(_found(best, syntax), alike=_alike(best, kinds.values())) if best else None


def _alike(best: _Kind, kinds: Iterable[_Kind]) -> tuple[str, ...]:
    mine = {name for chain in best.chains[:50] for name in chain[-1]}
    found = []
    for kind in kinds:
        theirs = {name for chain in kind.chains[:50] for name in chain[-1]}
        if kind is not best and len(mine) > 2 and len(mine & theirs) >= 0.7 * len(mine):
            found.append("/".join(name for name, _ in kind.steps if name) or "the document itself")
    return tuple(found[:5])


def _walk(node: Any, steps: tuple[Step, ...], chain: tuple[Any, ...], kinds: dict[tuple[str, ...], _Kind]) -> None:
    """Every object, with the way to it; a place where a list stood once is a list's."""
    if isinstance(node, list):
        steps = (*steps[:-1], (steps[-1][0], True)) if steps else (("", True),)
        for item in node:
            if isinstance(item, dict):
                _walk(item, steps, chain, kinds)
        return
    if not isinstance(node, dict) or len(chain) > _DEEPEST:
        return
    key = tuple(name for name, _ in steps)
    kind = kinds.setdefault(key, _Kind(steps))
    kind.steps = tuple((name, one or other) for (name, one), (_, other) in zip(kind.steps, steps, strict=True))
    if len(kind.chains) < MOST_ROWS:
        kind.chains.append((*chain, node))
    for name, below in node.items():
        if isinstance(below, dict | list) and name and name.isprintable():
            _walk(below, (*steps, (name, False)), (*chain, node), kinds)


def _score(kind: _Kind) -> float:
    """How much they look like events: a time, a code or a text close by, several of them, a name that says so."""
    chains = kind.chains[:50]
    leaves: defaultdict[str, list[str]] = defaultdict(list)
    depths: dict[str, int] = {}
    for chain in chains:
        for name, text, depth in _leaves(chain[-1]):
            leaves[name].append(text)
            depths.setdefault(name, depth)
    columns = [Column(name, name, tuple(texts), 0, depths[name]) for name, texts in leaves.items()]
    times = [_time_score(column, len(chains)) for column in columns]
    codes = [_named(column, "code", 5) for column in columns]
    texts = [_named(column, "text", 5) for column in columns]
    name = kind.steps[-1][0] if kind.steps else ""
    several = 1.5 if len(kind.chains) > 1 else 0
    listed = 1 if kind.steps and kind.steps[-1][1] else 0
    called = 4 if _EVENTS.search(name) else 0
    crowd = min(3.0, max(0, len(columns) - 25) / 10)
    if not any(times):
        return 0.3 * (2 * max(codes, default=0) + max(texts, default=0) + several + listed)
    return (
        4 * max(times, default=0)
        + 2 * max(codes, default=0)
        + max(texts, default=0)
        + several
        + listed
        + called
        - crowd
    )


def _time_score(column: Column, rows: int) -> float:
    if writing(column.distinct) is None:
        named = max(weight(NAMES["when"], column.last), weight(NAMES["when"], column.joined))
        return 0.5 * (named >= 10) / (1 + column.depth)
    low = weight(NAMES["when"], column.last) < 0
    return (0.3 if low else 1) / (1 + 0.7 * column.depth) * min(1.0, len(column.values) / rows)


def _named(column: Column, field_name: str, least: int) -> float:
    return (weight(NAMES[field_name], column.last) >= least) / (1 + 0.7 * column.depth)


def _leaves(node: Mapping[str, Any], way: str = "", depth: int = 0) -> Iterator[tuple[str, str, int]]:
    """Every text within an object, lists of objects left out; names are joined by "/"."""
    for name, value in node.items():
        if not name or not name.isprintable():
            continue
        if isinstance(value, dict):
            if depth < _INSIDE:
                yield from _leaves(value, f"{way}{name}\x00", depth + 1)
            continue
        if isinstance(value, list):
            value = next((item for item in value if isinstance(item, str | int | float)), None)  # noqa: PLW2901
        if isinstance(value, str | int | float):
            text = ("true" if value else "false") if isinstance(value, bool) else str(value)
            yield way + name, text[:500], depth


def _found(kind: _Kind, syntax: Syntax) -> Found:
    steps = kind.steps
    ends = _ends(kind)
    names = [name for name, _ in steps]
    listed = bool(names) and not names[0]  # a list is the document: its items are the records
    own = ends if listed or len(ends) > 1 else [0, *ends]
    levels = [names[one:other] for one, other in pairwise(own)]
    records = [name for name in names[: own[0]] if name]
    rows = [_row(chain, steps, {0, *ends}, syntax) for chain in kind.chains]
    here = "@" if syntax == "json" else "."
    for_each = tuple(_expression(level, syntax) for level in levels if level) or (here,)
    return Found(_expression(records, syntax) if records else "", for_each, columns_of(rows), len(rows))


def _ends(kind: _Kind) -> list[int]:
    """How many steps lead to each level: the lists, and what says something of its own, down to the events.

    Only so does looking outward end at what holds this event, not at the first of its kind.
    """
    steps = kind.steps
    listed = bool(steps) and not steps[0][0]
    telling = {
        at
        for chain in kind.chains[:50]
        for at in range(1, len(steps))
        if any(True for _ in _leaves(_around(chain[at - listed], steps[at][0])))
    }
    return sorted({at + 1 for at, (_, many) in enumerate(steps) if many} | telling | {len(steps)})


def _around(node: Mapping[str, Any], below: str) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != below}


def _row(chain: Sequence[Any], steps: Sequence[Step], ends: set[int], syntax: Syntax) -> dict[str, Cell]:
    """What one event says, and what stands around it: each place as seen from the event."""
    row: dict[str, Cell] = {}
    objects = list(chain)
    if steps and steps[0][0] == "":
        objects = [None, *objects]  # the list itself says nothing
    below = len(steps)
    for at in range(len(objects) - 1, -1, -1):
        node, level = objects[at], max(end for end in ends if end <= at)
        if node is None:
            continue
        way = "".join(f"{name}\x00" for name, _ in steps[level:at] if name)
        outward = sum(end > level for end in ends if end <= below)
        around = _around(node, steps[at][0]) if at < below else node
        for name, text, depth in _leaves(around):
            full = way + name
            place = ("^" if outward else "") + _expression(full.split("\x00"), syntax)
            row.setdefault(place, Cell(text, full.replace("\x00", "/"), outward, depth))
    return row


def _expression(names: Sequence[str], syntax: Syntax) -> str:
    if syntax == "json":
        return ".".join(name if _WORD.fullmatch(name) else json.dumps(name, ensure_ascii=False) for name in names)
    return "/".join(names)
