"""What status codes may mean: by the text beside them, and by the published code lists."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from edi_gateway.discovery.column import CAMEL, folded, shown
from edi_gateway.discovery.words import SAID
from edi_gateway.errors import ConfigError
from edi_gateway.located import load, validate
from edi_gateway.mapping.load import Library
from edi_gateway.mapping.schema import CodeEntry, SharedTable
from edi_gateway.model import Status

MOST_CODES: Final = 200
_TABLES: Final = {
    "Rec. 24": "standard/codes/rec24",
    "DE 9011": "standard/codes/de9011",
    "X12 1650": "standard/codes/x12_1650",
    "X12 1652": "standard/codes/x12_1652",
    "X12 157": "standard/codes/x12_157",
}
_FIT: Final = 0.8  # of the codes a list has to know before it is believed to be theirs
_LEAST: Final = 3  # codes: that one or two are on a list proves nothing


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a code may mean, "" when nobody can tell; ``certain`` enough to be written as a rule that counts."""

    code: str
    status: Status | None
    reason: str
    review: str


Tables = Mapping[str, Mapping[str, CodeEntry]]


def tables(library: Library) -> Tables:
    """The published code lists, as far as they are there."""
    found = {}
    for name, mapping in _TABLES.items():
        try:
            found[name] = validate(SharedTable, load(library.find(mapping))).codes
        except ConfigError:
            continue
    return found


def suggestions(pairs: Iterable[tuple[str, str]], known: Tables) -> list[Suggestion]:
    """One for each code, the most frequent first; ``pairs`` are codes with the texts beside them."""
    counts = Counter[str]()
    texts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    spelt: dict[str, str] = {}
    for code, text in pairs:
        if code:
            spelt.setdefault(code.upper(), code)
            counts[code.upper()] += 1
            texts[code.upper()][text] += bool(text)
    theirs = _list_of(list(counts), known)
    often = sorted(counts, key=lambda code: (-counts[code], code))[:MOST_CODES]
    return [_suggestion(spelt[code], counts[code], texts[code], theirs, known) for code in often]


def _suggestion(code: str, count: int, texts: Counter[str], theirs: str, known: Tables) -> Suggestion:
    beside = [text for text, many in texts.most_common(3) if many]
    said = [meaning for text in (*beside, code) if (meaning := meaning_of(text))]
    seen = f"seen {count}x" + (f", {', '.join(repr(shown(text, 60)) for text in beside)}" if beside else "")
    entry = known[theirs].get(code.upper()) if theirs else None
    listed = _listed(code, known)
    if said and code.isprintable():
        status, reason, word = said[0]
        doubt = "; other texts say otherwise" if any(each[0] is not status for each in said[1:]) else ""
        other = "" if entry is None or entry.status is status else f"; {theirs} would say {entry.status}"
        return Suggestion(code, status, reason, f"by the word {word!r}; {seen}{doubt}{other}")
    if entry is not None and not beside and code.isprintable():
        return Suggestion(code, entry.status, entry.reason, f"as {theirs} has it ({entry.name}); {seen}")
    return Suggestion(code, None, "", f"{seen}; {listed or 'no list knows it'}: decide, until then it is UNKNOWN")


def meaning_of(text: str) -> tuple[Status, str, str] | None:
    """Status, reason and the words that say so, or None; a text that speaks of the future says nothing."""
    plain = " ".join(folded(CAMEL.sub(" ", text)).replace("_", " ").replace("-", " ").split())
    for expression, status, reason in SAID:
        found = expression.search(plain)
        if found:
            return (status, reason, found[0]) if status else None
    return None


def _list_of(codes: list[str], known: Tables) -> str:
    """The list these codes are of. Numbers prove nothing: the lists of EDIFACT know nearly every small one."""
    telling = [code for code in codes if not code.isdecimal()]
    if len(telling) < _LEAST:
        return ""
    fits = {name: sum(code in table for code in telling) for name, table in known.items()}
    best = max(fits, key=lambda name: fits[name], default="")
    return best if best and fits[best] >= _FIT * len(telling) else ""


def _listed(code: str, known: Tables) -> str:
    said = [f"{name} {table[code.upper()].status}" for name, table in known.items() if code.upper() in table]
    return f"elsewhere it means: {', '.join(said)}" if said else ""


@cache
def short(status: Status, reason: str) -> str:
    """A code's meaning as a mapping writes it."""
    return f"{{status: {status}, reason: {reason}}}" if reason else f"{{status: {status}}}"
