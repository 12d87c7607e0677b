"""Code tables compiled for look-up: which table is asked first, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from edi_gateway.mapping.schema import CodeEntry, CodeList, ReasonEntry
from edi_gateway.model import Classifier, Direction, Status


@dataclass(frozen=True, slots=True)
class Table:
    """One table of status codes with its conditions and, per code, the file and line that decides."""

    conditions: CodeList
    codes: Mapping[str, CodeEntry]
    rules: Mapping[str, str]  # code → file:line

    def applies(self, code_list: str, agency: str, directory: str) -> bool:
        """Whether a code of that list, agency and directory is looked up here."""
        wanted = self.conditions
        if wanted.list is not None and code_list not in wanted.list:
            return False
        if wanted.agency is not None and agency not in wanted.agency:
            return False
        return wanted.directory is None or within(directory, wanted.directory)


@dataclass(frozen=True)
class Decision:
    """What a code table said, and where it says so; ``entry`` is None when no table knows the code."""

    entry: CodeEntry | None
    reason: str = "other.unmapped"
    rule: str = ""

    @cached_property
    def mapped(self) -> bool:
        """Whether a table knows the code."""
        return self.entry is not None

    @cached_property
    def status(self) -> Status:
        """UNKNOWN for a code no table knows."""
        return self.entry.status if self.entry else Status.UNKNOWN

    @cached_property
    def classifier(self) -> Classifier | None:
        """Where the code itself says so."""
        return self.entry.classifier if self.entry else None

    @cached_property
    def direction(self) -> Direction:
        """What the table says, else what follows from the status."""
        back = self.status in {Status.RETURN_TO_SENDER, Status.RETURNED}
        return (self.entry and self.entry.direction) or (Direction.RETURN if back else Direction.FORWARD)

    @cached_property
    def correction(self) -> bool:
        """Whether the event may leave a terminal status."""
        return self.entry is not None and self.entry.correction


@dataclass(frozen=True, slots=True)
class Codebook:
    """All tables of a mapping, the most specific first; decisions are remembered."""

    tables: Sequence[Table]
    reasons: Mapping[str, ReasonEntry]
    _known: dict[tuple[str, str, str, str, tuple[str, ...]], Decision] = field(default_factory=dict)

    def decide(self, code: str, reasons: tuple[str, ...], *, code_list: str, agency: str, directory: str) -> Decision:
        """What the code means; a code no table knows is remembered as unknown, never guessed."""
        key = (code, code_list, agency, directory, reasons)
        decision = self._known.get(key)
        if decision is None:
            decision = self._decide(code, reasons, code_list, agency, directory)
            if len(self._known) < _REMEMBERED:
                self._known[key] = decision
        return decision

    def _decide(self, code: str, reasons: tuple[str, ...], code_list: str, agency: str, directory: str) -> Decision:
        wanted = code.upper()
        for table in self.tables:
            entry = table.codes.get(wanted) if table.applies(code_list, agency, directory) else None
            if entry is not None:
                return self._refine(entry, reasons, table.rules[wanted])
        return Decision(None)

    def _refine(self, entry: CodeEntry, reasons: tuple[str, ...], rule: str) -> Decision:
        for reason in reasons:
            if reason in entry.reasons:
                refined = entry.reasons[reason]
                return Decision(refined, refined.reason or entry.reason, rule)
        told = (self.reasons[reason].reason for reason in reasons if reason in self.reasons)
        # A reason code says more than the status code's own reason, unless it only says that it says nothing.
        telling = (reason for reason in told if not (entry.reason and reason.startswith("info.")))
        return Decision(entry, next(telling, entry.reason), rule)


_REMEMBERED = 10_000  # decisions; a file full of made-up codes must not fill the memory


def within(directory: str, wanted: str) -> bool:
    """Whether a directory such as 96A lies in a range such as "..98A", "98B.." or "01B"."""
    year = _age(directory)
    low, dots, high = wanted.partition("..")
    if not dots:
        return year == _age(low)
    return (not low or year >= _age(low)) and (not high or year <= _age(high))


def _age(directory: str) -> str:
    """Sortable form: 96A → 1996A, 01B → 2001B; the first directories are of 1988."""
    century = "19" if directory[:2] >= "88" else "20"
    return century + directory
