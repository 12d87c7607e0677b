"""Mapping files → compiled mappings: ``extends`` resolved, tables ordered, every mistake at its file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from edi_gateway.errors import ConfigError
from edi_gateway.located import Located, did_you_mean, load, validate
from edi_gateway.mapping import harmonize, render
from edi_gateway.mapping.codebook import Codebook, Table
from edi_gateway.mapping.named import named_places
from edi_gateway.mapping.path import Levels, Syntax
from edi_gateway.mapping.path import Path as Place
from edi_gateway.mapping.schema import (
    CodeList,
    EventPlaces,
    LocationPlaces,
    MappingFile,
    OutboundCode,
    ReasonEntry,
    ReportPlaces,
    SharedReasons,
    SharedTable,
)
from edi_gateway.plugging import make_plugin
from edi_gateway.plugins import Format
from edi_gateway.table import Columns

_Model = TypeVar("_Model", bound=BaseModel)
_T = TypeVar("_T")
_SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class _Layer:
    """One file of an ``extends`` chain; the mapping itself is the first, what it builds on comes later."""

    file: MappingFile
    located: Located


@dataclass(frozen=True, slots=True)
class Library:
    """The folders mappings are looked for in, the first one first."""

    folders: Sequence[Path]

    def path(self, name: str) -> Path | None:
        """The file of that mapping (``standard/iftsta``, with or without .yaml), or None."""
        relative = name.removesuffix(_SUFFIX) + _SUFFIX
        return next((folder / relative for folder in self.folders if (folder / relative).is_file()), None)

    def names(self) -> list[str]:
        """Every mapping there is, code tables left out."""
        found = {
            path.relative_to(folder).as_posix().removesuffix(_SUFFIX)
            for folder in self.folders
            for path in folder.rglob(f"*{_SUFFIX}")
            if not {"codes", "samples"} & set(path.relative_to(folder).parts[:-1])
        }
        return sorted(found)

    def reader(self, name: str) -> harmonize.Mapping:
        """The mapping compiled for reading carriers' messages; raises ConfigError."""
        return _Compiler(self, name).reader()

    def writer(self, name: str) -> render.Layout:
        """The mapping compiled for writing a customer's messages; raises ConfigError."""
        return _Compiler(self, name).writer()

    def statuses(self, name: str) -> Mapping[str, OutboundCode]:
        """What the mapping calls our statuses, whatever else it says; raises ConfigError."""
        compiler = _Compiler(self, name)
        found = compiler.statuses()
        try:
            render.check_statuses(found)
        except ValueError as error:
            raise ConfigError(f"{compiler.layers[0].located.path}:1: {error}") from error
        return found

    def format(self, name: str, asked_at: str = "") -> Format:
        """The syntax of the files that mapping reads, as it says itself; raises ConfigError when it says nothing."""
        return _Compiler(self, name).format(asked_at)

    def use(self, name: str) -> tuple[str, tuple[str, ...]]:
        """What a mapping is for, reads or writes; or "cannot be used", with the reasons."""
        reasons: list[str] = []
        for use, compiled in (("reads", self.reader), ("writes", self.writer)):
            try:
                compiled(name)
            except ConfigError as error:
                reasons += error.problems
            else:
                return use, ()
        return "cannot be used", tuple(dict.fromkeys(reasons))

    def find(self, name: str, asked_at: str = "") -> Path:
        """As path, but raises ConfigError that says where it was asked for and what is there."""
        path = self.path(name)
        if path is None:
            near = did_you_mean(name.removesuffix(_SUFFIX), self.names())
            where = ", ".join(str(folder) for folder in self.folders)
            raise ConfigError(f"{asked_at}there is no mapping {name} in {where}{near}")
        return path


class _Compiler:
    """Reads a mapping with everything it builds on, once."""

    def __init__(self, library: Library, name: str) -> None:
        self.library = library
        self.name = name.removesuffix(_SUFFIX)
        self.digest = hashlib.sha256()
        self.layers = list(self._layers(library.find(name), ()))

    def reader(self) -> harmonize.Mapping:
        """See Library.reader."""
        event = self._merge(EventPlaces, [layer.file.event for layer in self.layers])
        for_each = self._for_each()
        if for_each is None or not event.tracking_number or not event.code or not event.occurred_at:
            top = self.layers[0].located
            raise ConfigError(
                f"{top.path}:1: a mapping needs for_each and the event's tracking_number, code and occurred_at;"
                " extends: standard/iftsta brings them"
            )
        self._check_names()
        codebook = self._codebook()
        if not any(table.codes for table in codebook.tables):
            raise ConfigError(f"{self.layers[0].located.path}:1: {self.name} has no codes: it lays out, it cannot read")
        return harmonize.Mapping(
            name=self.name,
            version=self._version(),
            message=self._first(lambda file: file.message) or "",
            timezone=self._first(lambda file: file.timezone) or "",
            for_each=for_each,
            require=self._first(lambda file: file.require) or (),
            report=self._merge(ReportPlaces, [layer.file.report for layer in self.layers]),
            event=event,
            codebook=codebook,
        )

    def writer(self) -> render.Layout:
        """See Library.writer."""
        top = self.layers[0].located
        for_each = self._for_each()
        if for_each is None:
            raise ConfigError(f"{top.path}:1: a layout needs for_each, such as CNI/STS")
        try:
            return render.compile_layout(
                name=self.name,
                version=self._version(),
                for_each=for_each,
                syntax=self._syntax(top, (top.path,)),
                timezone=self._first(lambda file: file.timezone) or "",
                event=self._merge(EventPlaces, [layer.file.event for layer in self.layers]),
                header=self._united("header"),
                constants=self._united("constants"),
                statuses=self.statuses(),
                carriers=self._united("carriers"),
                per_shipment=self._first(lambda file: file.message_per) == "shipment",
            )
        except ValueError as error:
            raise ConfigError(f"{top.path}:1: {error}") from error

    def format(self, asked_at: str = "") -> Format:
        """See Library.format."""
        layer = next((layer for layer in self.layers if layer.file.format is not None), None)
        if layer is None:
            at = asked_at or f"{self.layers[0].located.path}:1: "
            raise ConfigError(f"{at}{self.name} names no format, expected format: {{type: ...}} here or in the mapping")
        made: Format = make_plugin("formats", layer.located, ("format",), {}, layer.located.path.parent)  # type: ignore[assignment]
        return made

    def _check_names(self) -> None:
        """Raise ConfigError for elements that the format, where it knows them all, does not know."""
        if not any(layer.file.format for layer in self.layers):
            return
        known = getattr(self.format(), "names", None)
        if not known:
            return
        columns = Columns(known)
        problems = [
            f"{layer.located.at(loc)}: {'.'.join(map(str, loc))}: there is no column or field {name!r},"
            f" expected one of {', '.join(dict.fromkeys(known))}{did_you_mean(name, known)}"
            for layer in self.layers
            for loc, name in named_places(layer.file.event)
            if columns.index(name) is None
        ]
        if problems:
            raise ConfigError(*problems)

    def _syntax(self, located: Located, chain: tuple[Path, ...]) -> Syntax:
        """What places are written in: as the file says, else as what it builds on does."""
        said = located.get(("syntax",))
        if said is not None:
            return said  # type: ignore[no-any-return]  # another text is refused with the file
        parents = located.get(("extends",))
        for parent in [parents] if isinstance(parents, str) else parents or ():
            path = self.library.path(str(parent))
            if path is not None and path not in chain:
                return self._syntax(load(path), (*chain, path))
        return "segments"

    def _layers(self, path: Path, chain: tuple[Path, ...]) -> Iterator[_Layer]:
        located = self._read(path)
        file = validate(MappingFile, located, context={"syntax": self._syntax(located, (path,))})
        yield _Layer(file, located)
        for index, parent in enumerate(file.extends):
            asked_at = f"{path}:{located.line(('extends', index))}: "
            parent_path = self.library.find(parent, asked_at)
            if parent_path in (*chain, path):
                raise ConfigError(
                    f"{asked_at}{parent} is extended in a circle: {' → '.join(map(str, (*chain, path, parent_path)))}"
                )
            yield from self._layers(parent_path, (*chain, path))

    def _read(self, path: Path) -> Located:
        located = load(path)
        self.digest.update(path.read_bytes())
        return located

    def _version(self) -> str:
        return self.digest.hexdigest()[:12]

    def _first(self, key: Callable[[MappingFile], _T | None]) -> _T | None:
        """What the nearest file says that says anything."""
        return next((value for layer in self.layers if (value := key(layer.file)) is not None), None)

    def _for_each(self) -> Place | Levels | None:
        return next((layer.file.for_each for layer in self.layers if layer.file.for_each is not None), None)

    def _merge(self, model: type[_Model], parts: Sequence[_Model | None]) -> _Model:
        """Field by field, the nearest file that sets a field wins."""
        merged: dict[str, Any] = {}
        for part in reversed([part for part in parts if part is not None]):
            for name in part.model_fields_set:
                value = getattr(part, name)
                nested = isinstance(value, LocationPlaces)
                merged[name] = self._merge(LocationPlaces, [value, merged.get(name)]) if nested else value
        return model.model_construct(**merged) if merged else model()

    def _united(self, key: str) -> dict[str, str]:
        united: dict[str, str] = {}
        for layer in reversed(self.layers):
            united |= getattr(layer.file, key)
        return united

    def statuses(self) -> dict[str, OutboundCode]:
        """The table of statuses of all layers."""
        united: dict[str, OutboundCode] = {}
        for layer in reversed(self.layers):
            united |= layer.file.statuses
        return united

    def _codebook(self) -> Codebook:
        tables: list[Table] = []
        for layer in self.layers:
            own = [self._table(layer, index, entry) for index, entry in enumerate(layer.file.code_lists)]
            plain = CodeList(codes=layer.file.codes)
            own.append(_compiled(plain, plain.codes, layer.located, ("codes",)))
            tables += sorted(own, key=lambda table: -table.conditions.specificity)
        return Codebook(tables, self._reasons())

    def _table(self, layer: _Layer, index: int, entry: CodeList) -> Table:
        if entry.table is None:
            return _compiled(entry, entry.codes, layer.located, ("code_lists", index, "codes"))
        asked_at = f"{layer.located.path}:{layer.located.line(('code_lists', index, 'table'))}: "
        shared = self._read(self.library.find(entry.table, asked_at))
        outer = _compiled(entry, validate(SharedTable, shared).codes, shared, ("codes",))
        inner = _compiled(entry, entry.codes, layer.located, ("code_lists", index, "codes"))
        return Table(entry, {**outer.codes, **inner.codes}, {**outer.rules, **inner.rules})

    def _reasons(self) -> Mapping[str, ReasonEntry]:
        reasons: dict[str, ReasonEntry] = {}
        holder = next((layer for layer in self.layers if layer.file.reason_tables is not None), None)
        for index, name in enumerate((holder.file.reason_tables or ()) if holder else ()):
            assert holder is not None
            asked_at = f"{holder.located.path}:{holder.located.line(('reason_tables', index))}: "
            reasons |= validate(SharedReasons, self._read(self.library.find(name, asked_at))).codes
        for layer in reversed(self.layers):
            reasons |= layer.file.reasons
        return reasons


def _compiled(conditions: CodeList, codes: Mapping[str, object], located: Located, loc: tuple[str | int, ...]) -> Table:
    file = "/".join(located.path.parts[-2:])
    entries: dict[str, object] = {}
    for code, entry in codes.items():
        if entries.setdefault(code.upper(), entry) is not entry:
            raise ConfigError(f"{located.at((*loc, code))}: {code} is there in other capitals already: codes know none")
    rules = {code.upper(): f"{file}:{located.line((*loc, code))}" for code in codes}
    return Table(conditions, entries, rules)  # type: ignore[arg-type]
