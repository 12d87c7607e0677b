"""Rows of a table → tracking events, by columns.

What a mapping asks of a table is settled by its columns, once. Then codes, places and times that were met before are
looked up by the text of their cells. What is met for the first time is read as any other segment would be, and so is
each row of which there is something to remark: nothing is said here that the paths would not say.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import Final, TypeVar

from edi_gateway.errors import DocumentError
from edi_gateway.mapping.event import LONGEST, ROUNDED, EventReader, Events, Meaning, Place
from edi_gateway.mapping.instants import Clock, moments
from edi_gateway.mapping.path import Levels, Path, Scope
from edi_gateway.mapping.plan import Memory
from edi_gateway.mapping.schema import EventPlaces, Instant, Text
from edi_gateway.mapping.texts import convert
from edi_gateway.mapping.times import Moment, resolve
from edi_gateway.model import Classifier, TimeBasis, TrackingEvent, make_event, make_provenance
from edi_gateway.table import ROW, Columns, Table

Cells = Sequence[str]
Key = str | tuple[str, ...]
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_When = tuple[datetime, TimeBasis, bool, Classifier]
_LACKING: Final = 20  # columns named in an error


def flat(for_each: Path | Levels, reader: EventReader) -> bool:
    """Whether the mapping asks rows for nothing but their own cells."""
    if isinstance(for_each, Levels) or not _of_row(for_each, steps=1) or reader.places.location.of:
        return False
    references = reader.places.references
    if any(isinstance(reference, Path) for reference in references):
        return False
    paths = [*reader.paths_of_code, *_paths(reader.places)]
    paths += [place for each in references if isinstance(each, dict) for places in each.values() for place in places]
    return all(map(_of_row, paths))


def _of_row(path: Path, steps: int = 0) -> bool:
    plain = [step.tag for step in path.steps] == [ROW] and not path.steps[0].conditions
    return path.scope is Scope.OWN and path.component == 1 and (plain or (not path.steps and not steps))


def _paths(places: EventPlaces) -> Iterator[Path]:
    location = places.location
    about = (places.tracking_number, places.piece, places.text, places.account, places.signatory)
    for texts in (*about, location.name, location.unlocode, location.country):
        yield from (text.path for text in texts if text.path)
    for instant in places.occurred_at:
        yield from filter(None, (instant.path, instant.time, instant.zone))


@dataclass(slots=True)
class FlatReader:
    """The mapping for one set of columns, while one document is read."""

    reader: EventReader
    columns: Columns
    _instants: Sequence[tuple[Instant, Callable[[str, str, str], Moment], int, int | None, int | None]] = field(
        init=False
    )
    _by: Mapping[str, Sequence[int]] = field(init=False)  # the columns that decide code, place and time
    _references: Sequence[tuple[str, int]] = field(init=False)
    _codes: Memory[Key, Meaning] = field(default_factory=Memory)
    _places: Memory[Key, Place] = field(default_factory=Memory)
    _moments: Memory[Key, tuple[Instant, Moment | None]] = field(default_factory=Memory)
    _times: Memory[tuple[Key, str | None], _When] = field(default_factory=Memory)

    def __post_init__(self) -> None:
        places = self.reader.places
        self._instants = [
            (each, moments(each), day, self._place_of(each.time), self._place_of(each.zone))
            for each in places.occurred_at
            if (day := self._index(each.path)) is not None
        ]
        self._by = {
            "code": self._indices(self.reader.paths_of_code),
            "place": self._indices(path for texts in places.location.parts() for path in _paths_of(texts)),
            "time": [at for _, _, *parts in self._instants for at in parts if at is not None],
        }
        named = [each for each in places.references if isinstance(each, dict)]
        every = [(name, self._index(place)) for each in named for name, found in each.items() for place in found]
        self._references = [(name, index) for name, index in every if index is not None]

    @property
    def lacking(self) -> str:
        """What no column of the table can tell, though no event is without; "" when there is nothing of that kind."""
        places = self.reader.places
        asked = (
            ("a tracking number", list(_paths_of(places.tracking_number)), places.tracking_number),
            ("a status code", list(_paths_of(places.code)), places.code),
            ("a time of the event", [instant.path for instant in places.occurred_at], ()),
        )
        for what, paths, texts in asked:
            told = any(text.const for text in texts) or any(self._index(path) is not None for path in paths)
            if self.columns.names and not told:
                return f"a column for {what}: {' or '.join(map(str, paths[:_LACKING]))}"
        return ""

    def read(self, table: Table, events: Events) -> Sequence[TrackingEvent]:
        """The event of each row; what cannot be read becomes a finding."""
        alike = len(set(map(len, table.cells))) == 1
        quick = self._quick(table, events) if alike else [None] * len(table.cells)
        return quick if all(quick) else list(_with_the_rest(quick, table, events))  # type: ignore[return-value]

    def _quick(self, table: Table, events: Events) -> list[TrackingEvent | None]:
        """The events of rows of one length, by columns; None where there is something to remark."""
        places, columns = self.reader.places, list(zip(*table.cells, strict=True))
        said = self._looked_up(self._keys(columns, "code"), self._codes, partial(self._tell, table, events))
        where = self._looked_up(self._keys(columns, "place"), self._places, partial(self._locate, table, events))
        zones = [place and place[1] for place in where]
        keys = list(zip(self._keys(columns, "time"), zones, strict=True))
        when = self._looked_up(keys, self._times, partial(self._when, table, events.clock))
        texts = (places.piece, places.text, places.account, places.signatory)
        interchange, message = events.notes.message.position.interchange, events.notes.message.control_ref
        carrier, document, name, version = events.carrier, events.document_number, self.reader.name, events.version
        made: list[TrackingEvent | None] = []
        for number, code, place, time, piece, text, account, signatory, references, line, start, end in zip(
            self._numbers(columns, len(table.cells)),
            said,
            where,
            when,
            *(self._texts(each, columns, len(table.cells)) for each in texts),
            self._referred(columns, len(table.cells)),
            table.lines,
            table.starts,
            table.ends,
            strict=True,
        ):
            if not number or code is None or place is None or time is None:
                made.append(None)
                continue
            status, reason, direction, correction, classifier, raw, code_list, agency, reasons, rule = code
            at, basis, date_only, sort = time
            made.append(
                make_event(
                    carrier,
                    number,
                    status,
                    at,
                    reason,
                    True,
                    classifier or sort,
                    direction,
                    correction,
                    piece,
                    raw,
                    code_list,
                    agency,
                    reasons,
                    text,
                    date_only,
                    basis,
                    place[0],
                    account,
                    signatory,
                    references,
                    make_provenance(interchange, message, document, line, start, end, name, version, rule),
                )
            )
        return made

    def _keys(self, columns: Sequence[Cells], what: str) -> Sequence[Key]:
        """Of each row, the cells that decide."""
        indices = [at for at in self._by[what] if at < len(columns)]
        if not indices:
            return [""] * len(columns[0])
        return list(zip(*(columns[at] for at in indices), strict=True)) if len(indices) > 1 else columns[indices[0]]

    def _looked_up(
        self, keys: Sequence[_K], known: Memory[_K, _V], find: Callable[[_K, int], _V | None]
    ) -> list[_V | None]:
        """What is known for each of the keys; what is not is found by a row that has it, and remembered."""
        found: list[_V | None] = list(map(known.get, keys))
        if all(found):
            return found
        here: dict[_K, _V | None] = {}
        for index, value in enumerate(found):
            if value is not None:
                continue
            key = keys[index]
            if key not in here:
                here[key] = made = find(key, index)
                if made is not None:
                    known.keep(key, made)
            found[index] = here[key]
        return found

    def _tell(self, table: Table, events: Events, _: Key, index: int) -> Meaning | None:
        """What a code means; None when somebody has to hear of it each time."""
        try:
            return self.reader.meaning(table.row(index), events.directory, events.notes)
        except DocumentError:
            return None

    def _locate(self, table: Table, events: Events, _: Key, index: int) -> Place:
        return self.reader.place(events.run_of(table.row(index)))

    def _when(self, table: Table, clock: Clock, key: tuple[Key, str | None], index: int) -> _When | None:
        """The instant of a time at a place; None when there is something to remark."""
        said, zone = key
        instant, moment = self._moments.get(said) or self._moments.keep(said, self._moment(table.cells[index]))
        if moment is None or moment.warning or instant.derived or not clock.beyond_doubt(moment):
            return None
        when, basis, warning = resolve(moment, zone, clock.timezone)
        return None if warning else (when, basis, moment.date_only, instant.classifier or Classifier.ACT)

    def _moment(self, cells: Cells) -> tuple[Instant, Moment | None]:
        """What the first of the instants that is there says; no moment where that is no date."""
        for instant, read, day, clock, zone in self._instants:
            text = cells[day].strip()
            if text:
                time = cells[clock].strip() if clock is not None else ""
                try:
                    return instant, read(text, time, cells[zone].strip() if zone is not None else "")
                except ValueError:
                    return instant, None
        return self.reader.places.occurred_at[0], None

    def _numbers(self, columns: Sequence[Cells], count: int) -> Sequence[str]:
        """Tracking numbers as ``EventReader.tracking_number`` has them; "" where there is something to remark."""
        numbers = [number.upper() for number in self._texts(self.reader.places.tracking_number, columns, count)]
        whole = " ".join(numbers)
        if len(whole.split()) == count and "E+" not in whole and max(map(len, numbers)) <= LONGEST:
            return numbers
        joined = ["".join(number.split()) for number in numbers]
        return ["" if len(number) > LONGEST or ROUNDED.fullmatch(number) else number for number in joined]

    def _texts(self, texts: Sequence[Text], columns: Sequence[Cells], count: int) -> Sequence[str]:
        """Of each row the first of the texts that is there, trimmed and converted."""
        spots = [(text, self._index(text.path) if text.path else None) for text in texts]
        there = [(text, at) for text, at in spots if text.path is None or (at is not None and at < len(columns))]
        if len(there) == 1 and there[0][1] is not None and not there[0][0].convert and not there[0][0].values:
            return list(map(str.strip, columns[there[0][1]]))
        made = [""] * count
        for text, at in reversed(there):
            cells = repeat(text.const or "", count) if at is None else columns[at]
            said = cells if at is None else (convert(text, cell.strip()) for cell in cells)
            made = [one or other for one, other in zip(said, made, strict=True)]
        return made

    def _referred(self, columns: Sequence[Cells], count: int) -> Iterator[dict[str, tuple[str, ...]]]:
        """The references of each row."""
        there = [(name, columns[at]) for name, at in self._references if at < len(columns)]
        if len(there) == 1:
            ((name, cells),) = there
            return ({name: (value,)} if (value := cell.strip()) else {} for cell in cells)
        return (_united(there, index) for index in range(count))

    def _index(self, path: Path) -> int | None:
        return self.columns.index(path.name) if path.name else path.element - 1

    def _place_of(self, path: Path | None) -> int | None:
        return self._index(path) if path else None

    def _indices(self, paths: Iterable[Path]) -> Sequence[int]:
        return list(dict.fromkeys(index for index in map(self._index, paths) if index is not None))


def _with_the_rest(quick: Iterable[TrackingEvent | None], table: Table, events: Events) -> Iterator[TrackingEvent]:
    for index, event in enumerate(quick):
        try:
            yield event or events.read(table.row(index))
        except DocumentError as error:
            events.notes.findings.append(error.finding)


def _united(there: Sequence[tuple[str, Cells]], index: int) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, cells in there:
        value = cells[index].strip()
        if value and value not in found.get(name, ()):
            found[name] = (*found.get(name, ()), value)
    return found


def _paths_of(texts: Sequence[Text]) -> Iterator[Path]:
    return (text.path for text in texts if text.path)
