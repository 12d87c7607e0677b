"""Which column is what: tracking number, code, time and the rest, each by its name and by what stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edi_gateway.discovery.clocks import Writing, clock, writing
from edi_gateway.discovery.column import Column
from edi_gateway.discovery.words import NAMES, REFERENCES, weight
from edi_gateway.mapping.zones import read_zone

NO_NAME: Final = "column "
_NUMBER: Final = re.compile(r"(?=(?:.*\d){5})[A-Za-z0-9][A-Za-z0-9 ./-]{6,39}")
_DECIMAL: Final = re.compile(r"[+-]?\d+[.,]\d+")
_CODE: Final = re.compile(r"[\w.+/-]{1,40}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PLACE: Final = re.compile(r"(?=.*[^\W\d_]{3}).{3,}")
_LOCODE: Final = re.compile(r"[A-Z]{2} ?[A-Z2-9]{3}")
_ZONE: Final = re.compile(r"[+-]\d\d:?(?:\d\d)?|[A-Z]{1,5}")
_FLAG: Final = re.compile(r"true|false|yes|no|[yn]", re.IGNORECASE)
_STEM: Final = re.compile(r"date|datum|fecha|data|dato|time|zeit|heure|hora|tijd|ora|uhrzeit|tid|uhr")


@dataclass(frozen=True, slots=True)
class When:
    """Where the time of an event stands, and how it is written."""

    date: Column
    written: Writing | None = None
    clock: Column | None = None
    clock_pattern: str = ""
    zone: Column | None = None


@dataclass(slots=True)
class Fields:
    """What was recognised; None for what was not."""

    tracking_number: Column | None = None
    code: Column | None = None
    reason: Column | None = None
    text: Column | None = None
    when: When | None = None
    place: Column | None = None
    country: Column | None = None
    unlocode: Column | None = None
    signatory: Column | None = None
    account: Column | None = None
    references: dict[str, Column] = field(default_factory=dict)
    others: dict[str, list[Column]] = field(default_factory=dict)  # field → what else it could have been

    def taken(self) -> list[Column]:
        """The columns that have a meaning."""
        when = [self.when.date, self.when.clock, self.when.zone] if self.when else []
        found = [self.tracking_number, self.code, self.reason, self.text, self.place, self.country, self.unlocode]
        found += [self.signatory, self.account, *when, *self.references.values()]
        return [column for column in found if column is not None]

    def moved(self, to: Mapping[int, Column]) -> Fields:
        """The same fields at other columns, which are looked up by the identity of their cells; others are left out."""

        def at(column: Column | None) -> Column | None:
            return to.get(id(column.cells)) if column is not None else None

        made = Fields(at(self.tracking_number), at(self.code), at(self.reason), at(self.text))
        made.place, made.country, made.unlocode = at(self.place), at(self.country), at(self.unlocode)
        made.signatory, made.account = at(self.signatory), at(self.account)
        date = at(self.when.date) if self.when else None
        if self.when is not None and date is not None:
            when = self.when
            made.when = When(date, when.written, at(when.clock), when.clock_pattern, at(when.zone))
        return made


def recognise(columns: Sequence[Column]) -> Fields:
    """The fields of the columns of one sample."""
    told = [column for column in columns if column.values]
    fields = Fields()
    fields.when = _when(told, fields)
    free = _without(told, fields)
    fields.unlocode = _best("unlocode", free, fields, lambda column: 10 * column.share(_LOCODE), least=14)
    fields.tracking_number = _best("tracking_number", _without(told, fields), fields, _like_a_number, least=7)
    fields.country = _best("country", _without(told, fields), fields, _like_a_country, least=8)
    around = {column.cells for column in told if column.outward}
    own = [
        column for column in told if column.outward or column.cells not in around
    ]  # others only tell what holds them
    fields.code = _best("code", _without(own, fields), fields, _like_a_code, least=6)
    fields.reason = _best("reason", _without(told, fields), fields, _like_a_code, least=9)
    fields.signatory = _best("signatory", _without(told, fields), fields, _like_a_name, least=8)
    fields.place = _best("place", _without(told, fields), fields, _like_a_place, least=7)
    fields.text = _best("text", _without(told, fields), fields, _like_a_text, least=8)
    fields.account = _best("account", _without(told, fields), fields, lambda _: 1, least=7)
    for column in _without(told, fields):
        qualifier = next((name for name, expression in REFERENCES if expression.search(column.last)), "")
        if qualifier and not column.share(_FLAG) and writing(column.distinct) is None:
            fields.references.setdefault(qualifier, column)
    if fields.code is None and fields.text is not None and len(fields.text.counts) <= 60:
        fields.code = fields.text
    return fields


def _best(
    field_name: str, columns: Iterable[Column], fields: Fields, shape: Callable[[Column], float], *, least: float
) -> Column | None:
    scored = []
    for column in columns:
        named = _name_weight(field_name, column)
        if (
            named >= 0
            and (
                score := named
                + shape(column)
                + _unnamed(field_name, column)
                - 0.5 * column.depth
                - 0.7 * column.outward
            )
            >= least
        ):
            scored.append((score, column))
    scored.sort(key=lambda pair: -pair[0])
    if not scored:
        return None
    fields.others[field_name] = [column for _, column in scored[1:4]]
    return scored[0][1]


def _unnamed(field_name: str, column: Column) -> int:
    """Where columns have no names, what stands in them has to do."""
    return 3 if column.name.startswith(NO_NAME) and field_name in {"tracking_number", "code", "country", "text"} else 0


def _name_weight(field_name: str, column: Column) -> int:
    names = NAMES[field_name]
    last, joined = weight(names, column.last), weight(names, column.joined)
    strict = joined < 0 and field_name in {"place", "country", "when"}  # the sender's place is not the event's
    return min(last, joined) if last < 0 or strict else max(last, joined)


def _without(columns: Sequence[Column], fields: Fields) -> list[Column]:
    taken = {id(column) for column in fields.taken()}
    return [column for column in columns if id(column) not in taken]


def _like_a_number(column: Column) -> float:
    if column.share(_DECIMAL) or column.share(_FLAG) or column.share(_NUMBER) < 0.7:
        return -4 if column.share(re.compile(r"[A-Za-z0-9 ./-]{4,40}")) < 0.7 else -1
    if writing(column.distinct) is not None and not all(len(value) in {10, 12, 14} for value in column.distinct):
        return -9
    rows = max(1, len(column.cells))
    unique = len(column.counts) / rows
    long = min(3.0, sum(map(len, column.distinct)) / len(column.distinct) / 5)
    alone = -3 if rows > 3 and len(column.counts) == 1 and not column.outward else 0
    return 2 + long + 2 * min(1.0, unique * 2) + alone - 3 * (len(column.values) < 0.7 * rows)


def _like_a_code(column: Column) -> float:
    if column.share(_CODE) < 0.9 or column.share(_DECIMAL) > 0.5 or column.share(_FLAG) > 0.9:
        return -9
    alone = len(column.counts) == len(column.values) and column.name.startswith(NO_NAME)
    few = not alone and (len(column.counts) <= max(3, 0.7 * len(column.values)) or len(column.counts) <= 12)
    full = len(column.values) / max(1, len(column.cells))
    short = max(map(len, column.distinct)) <= 12
    if writing(column.distinct) is not None:
        return -9
    return (2 if few else -4) + full + (1 if short else 0) - 12 * (column.outward > 0)


def _like_a_text(column: Column) -> float:
    wordy = sum(" " in value or len(value) > 12 for value in column.distinct) / len(column.distinct)
    if writing(column.distinct) is not None or column.share(_FLAG) > 0.5:
        return -9
    return 3 * wordy - (3 if not any(map(_has_letters, column.distinct)) else 0) - 4 * (column.outward > 0)


def _like_a_country(column: Column) -> float:
    return 3 if column.share(_COUNTRY) > 0.9 and not column.outward else (0 if not column.outward else -9)


def _like_a_place(column: Column) -> float:
    if column.outward or writing(column.distinct) is not None:
        return -9
    return 2 * column.share(_PLACE) - (9 if column.share(_FLAG) > 0.5 else 0)


def _like_a_name(column: Column) -> float:
    return 1 if any(map(_has_letters, column.distinct)) and column.share(_FLAG) < 0.5 else -9


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _when(columns: Sequence[Column], fields: Fields) -> When | None:
    scored: list[tuple[float, Column, Writing | None]] = []
    for column in columns:
        written = writing(column.distinct)
        named = _name_weight("when", column)
        if written is None and not (named >= 8 and len(column.values) >= 0.5 * len(column.cells)):
            continue
        if written is not None and named <= 0 and written.format in {"102", "epoch", "203", "204"}:
            named -= 6 if written.format == "epoch" else 3  # digits that could be a number of anything
        plain = 0 if written is None else 4
        full = 2 * len(column.values) / max(1, len(column.cells))
        outward = 1.5 * column.outward
        day = 1 if written is not None and written.date_only else 0
        zoned = 0.5 if written is not None and (written.zoned or written.format == "epoch") else 0
        if day and written is not None and _clock_beside(column, columns)[0] is not None:
            day = -2
        scored.append((named + plain + full + zoned - outward - day - 0.5 * column.depth, column, written))
    scored.sort(key=lambda entry: -entry[0])
    if not scored or scored[0][0] < 1:
        return None
    _, date, written = scored[0]
    fields.others["when"] = [column for _, column, _ in scored[1:4]]
    time, pattern = _clock_beside(date, columns) if written is not None and written.date_only else (None, "")
    zone = _zone_beside(date, columns) if written is None or not written.zoned else None
    return When(date, written, time, pattern, zone if written is None or not written.date_only or time else None)


def _clock_beside(date: Column, columns: Sequence[Column]) -> tuple[Column | None, str]:
    found = []
    stem = _STEM.sub("", date.joined)
    for place, column in enumerate(columns):
        named = _name_weight("clock", column)
        near = column.name.startswith(NO_NAME) and abs(place - columns.index(date)) == 1
        pattern = clock(column.distinct, named=named > 0 or near)
        if column is date or not pattern or named < 0 or column.outward != date.outward:
            continue
        alike = _STEM.sub("", column.joined) == stem
        found.append((named + 4 * alike + 2 * near + (":" in pattern), column, pattern))
    if not found:
        return None, ""
    _, column, pattern = max(found, key=lambda entry: entry[0])
    return column, pattern


def _zone_beside(date: Column, columns: Sequence[Column]) -> Column | None:
    for column in columns:
        unnamed = column.name.startswith(NO_NAME) and abs(columns.index(column) - columns.index(date)) <= 2
        called = weight(NAMES["zone"], column.last) or (unnamed and all(map(_is_zone, column.distinct)))
        if column.outward == date.outward and called and column.share(_ZONE) > 0.9:
            return column
    return None


def _is_zone(text: str) -> bool:
    said = read_zone(text)
    return said.offset is not None or bool(said.zone)
