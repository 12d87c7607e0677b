"""Guides: how the segments of a message type nest, as data (``guides/*.yaml``) for reading and for writing.

Reading goes by tag and nesting, never by group number, and is tolerant of order: a segment belongs to the innermost
open group that holds its tag in the message's own directory, else in any directory. What no open group knows stays
with the innermost group of the main line and is reported.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Final, NamedTuple

import yaml

Path = tuple[str, ...]

_FOLDER: Final = files("edi_gateway.formats").joinpath("guides")
_CENTURY_TURN: Final = 50  # directories are numbered by year: D.94B is of 1994, D.24A of 2024
_SHORT: Final = 100  # segments of a message that may come again with the same tags
_REMEMBERED: Final = 1_000  # nestings, and directories and versions as messages name them


@dataclass(slots=True, eq=False)
class Step:
    """What one tag does in a given state: the state after it and where its segment goes."""

    state: _State
    depth: int  # index of its parent among the open groups; -1 for the header
    opens: bool  # whether it opens a group of its own
    known: bool  # False: no open group holds it


@dataclass(frozen=True, eq=False)
class Guide:
    """Nesting of one message type.

    ``groups`` gives for each group (a path of tags such as UNH/CNI/STS) what it holds, in writing order, by the
    directory from which on that is so. ``main`` are the groups that keep what nobody knows, ``left_by`` the tags that
    end such a group, ``tolerated`` groups that no directory has (nesting like the one named), ``silent`` tags that
    are taken below the root wherever they stand.
    """

    message: str
    root: str
    groups: Mapping[Path, Mapping[str, tuple[str, ...]]]
    main: tuple[Path, ...]
    left_by: Mapping[Path, frozenset[str]]
    tolerated: Mapping[Path, Path]
    silent: frozenset[str]
    steps: dict[tuple[object, ...], Step] = field(default_factory=dict, init=False, repr=False)
    _walks: dict[tuple[str, ...], Walk] = field(default_factory=dict, init=False, repr=False)
    _starts: dict[str, Step] = field(default_factory=dict, init=False, repr=False)

    def order(self, directory: str, path: str) -> list[str]:
        """Tags below the group at ``path`` (UNH/CNI/STS) in the order that directory writes them.

        Raises KeyError when no directory has such a group.
        """
        return list(self._held(_path(path), directory))

    def check(self, directory: str, path: str) -> str:
        """What is wrong with a segment at ``path`` (UNH/CNI/STS/RFF) in that directory; "" when it belongs there."""
        steps = _path(path)
        if steps[:1] != (self.root,):
            return f"{path}: a path of {self.message} begins with {self.root}"
        for depth in range(1, len(steps)):
            group, tag = steps[:depth], steps[depth]
            held = self._held(group, directory) if group in self.groups else ()
            if tag not in held:
                holds = f"it holds {' '.join(held)}" if held else "it holds nothing"
                return f"{path}: {self.message} {directory} has no {tag} below {'/'.join(group)}; {holds}"
        return ""

    def walk(self, tags: Sequence[str], directory: str) -> list[Step]:
        """Where each segment of a message goes, header first."""
        step = self._starts.get(directory) or self._start(directory)
        return [step, *[(step := step.state[tag]) for tag in tags[1:]]]

    def nest(self, tags: Sequence[str], directory: str) -> Walk:
        """How a message nests; worked out once for all short ones that have the same tags."""
        if len(tags) > _SHORT:
            return Walk(self, tags, directory)
        key = (directory, *tags)
        known = self._walks.get(key)
        if known is None:
            known = Walk(self, tags, directory, shared=True)
            if len(self._walks) >= _REMEMBERED:
                self._walks.clear()
            self._walks[key] = known
        return known

    def _start(self, directory: str) -> Step:
        """The header's step: only the root is open. States are shared by the directories that nest alike."""
        edition = self._edition(directory)
        start = self._starts.get(edition) or Step(_State(self, edition, (self.root,), {}), -1, opens=True, known=True)
        if len(self._starts) < _REMEMBERED:
            self._starts[edition] = self._starts[directory] = start
        return start

    def step(self, directory: str, path: Path, tag: str) -> tuple[Path, bool]:
        """The group a segment belongs to when the groups along ``path`` are open, and whether it is known there."""
        reach = list(self._reach(path, tag))
        for held in (self._held_exactly, self._held_anywhere):
            for group in reach:
                if tag in held(group, directory):
                    return group, True
        for group in reach:
            if (*group, tag) in self.tolerated:
                return group, False
        return next(group for group in _outwards(path) if group in self.main), False

    def opens(self, path: Path) -> bool:
        """Whether the segment at ``path`` opens a group."""
        return self._like(path) in self.groups

    def _reach(self, path: Path, tag: str) -> Iterator[Path]:
        """The open groups that may take the tag, innermost first."""
        for group in _outwards(path):
            yield group
            if tag not in self.left_by.get(group, {tag}):
                return

    def _held_exactly(self, group: Path, directory: str) -> tuple[str, ...]:
        return self._held(self._like(group), directory)

    def _held_anywhere(self, group: Path, _directory: str) -> set[str]:
        held = {tag for tags in self.groups[self._like(group)].values() for tag in tags}
        return held | self.silent if len(group) == 1 else held

    def _held(self, group: Path, directory: str) -> tuple[str, ...]:
        """What the group holds there; () in directories older than the group."""
        rank = _rank(directory)
        held: tuple[str, ...] = ()
        for since, tags in self.groups[group].items():
            if _rank(since) <= rank:
                held = tags
        return held

    def _like(self, path: Path) -> Path:
        for tolerated, known in self.tolerated.items():
            if path[: len(tolerated)] == tolerated:
                return known + path[len(tolerated) :]
        return path

    def _edition(self, directory: str) -> str:
        """The listed directory whose rules hold for any given one, so that there are few states to remember."""
        later = bisect_right(self._editions, _rank(directory), key=_rank)
        return self._editions[max(later - 1, 0)]

    @cached_property
    def _editions(self) -> list[str]:
        return sorted({since for variants in self.groups.values() for since in variants}, key=_rank)


class _State(dict[str, Step]):
    """An automaton that grows as tags are met: open groups → tag → step."""

    def __init__(self, guide: Guide, edition: str, path: Path, siblings: dict[Path, _State]) -> None:
        super().__init__()
        self._guide, self._edition, self._path, self._siblings = guide, edition, path, siblings
        siblings[path] = self

    def __missing__(self, tag: str) -> Step:
        group, known = self._guide.step(self._edition, self._path, tag)
        opens = self._guide.opens((*group, tag))
        after = (*group, tag) if opens else group
        if after not in self._siblings:
            _State(self._guide, self._edition, after, self._siblings)
        # One step for all ways to the same place: what is remembered by steps is met again.
        made = Step(self._siblings[after], len(group) - 1, opens, known)
        self[tag] = step = self._guide.steps.setdefault((self._edition, after, tag, len(group), known), made)
        return step

    @property
    def path(self) -> str:
        """The open groups, written as a path."""
        return "/".join(self._path)


class Walk:
    """Where the guide led through a message, header first; a ``shared`` one is that of all messages with these tags."""

    __slots__ = ("_nesting", "shared", "steps", "strangers")

    def __init__(self, guide: Guide, tags: Sequence[str], directory: str, *, shared: bool = False) -> None:
        self.shared = shared
        self.steps = guide.walk(tags, directory)
        self.strangers = strangers(tags, self.steps)
        self._nesting: Nesting | None = None

    @property
    def nesting(self) -> Nesting:
        """Which segment holds which."""
        nesting = self._nesting
        if nesting is None:
            nesting = self._nesting = nesting_of(self.steps)
        return nesting


class Nesting(NamedTuple):
    """How the segments of a message nest, by their index."""

    groups: Sequence[int]  # the segment that holds each; -1 for the header
    ends: Sequence[int]  # the first segment that is no longer below each


def nesting_of(steps: Sequence[Step]) -> Nesting:
    """Where each segment of a message stands."""
    if not steps:
        return Nesting((), ())
    groups, ends = [-1], [*range(1, len(steps) + 1)]
    open_groups = [0]
    for index, step in enumerate(steps[1:], 1):
        depth = step.depth + 1
        if depth < len(open_groups):
            for closed in open_groups[depth:]:
                ends[closed] = index
            del open_groups[depth:]
        groups.append(open_groups[-1])
        if step.opens:
            open_groups.append(index)
    for left in open_groups:
        ends[left] = len(steps)
    return Nesting(groups, ends)


def strangers(tags: Sequence[str], steps: Sequence[Step]) -> list[tuple[int, str]]:
    """Index of each tag that no open group knows, and the path it was put below; each pair once."""
    if all(step.known for step in set(steps)):
        return []
    found: dict[tuple[str, str], int] = {}
    for index, (tag, step) in enumerate(zip(tags, steps, strict=True)):
        if not step.known:
            path = step.state.path.removesuffix(f"/{tag}") if step.opens else step.state.path
            found.setdefault((tag, path), index)
    return [(index, path) for (_, path), index in found.items()]


def load_guide(message: str) -> Guide:
    """The guide of a message type; raises KeyError when there is none (``guide_names`` lists those there are)."""
    return _guides()[message]


def guide_names(root: str = "") -> list[str]:
    """Message types that have a guide; of one syntax when the header segment it begins messages with is given."""
    return [name for name, guide in _guides().items() if root in {"", guide.root}]


@cache
def _guides() -> Mapping[str, Guide]:
    names = sorted(entry.name for entry in _FOLDER.iterdir() if entry.name.endswith(".yaml"))
    guides = [_load(name) for name in names]
    return {guide.message: guide for guide in guides}


def _load(name: str) -> Guide:
    data = yaml.safe_load(_FOLDER.joinpath(name).read_text("utf-8"))
    return Guide(
        message=data["message"],
        root=data["root"],
        groups={
            _path(group): {since: tuple(tags.split()) for since, tags in variants.items()}
            for group, variants in data["groups"].items()
        },
        main=tuple(map(_path, data["main"])),
        left_by={_path(group): frozenset(tags.split()) for group, tags in data["left_by"].items()},
        tolerated={_path(odd): _path(known) for odd, known in data["tolerated"].items()},
        silent=frozenset(data["silent"].split()),
    )


def _path(text: str) -> Path:
    return tuple(text.split("/"))


def _outwards(path: Path) -> Iterator[Path]:
    return (path[:depth] for depth in range(len(path), 0, -1))


def _rank(directory: str) -> int:
    """Orders directories by their date, versions of X12 (005010, 004010VICS) by number; anything else is older."""
    version = re.match(r"0\d{5}", directory)
    if version:
        return int(version[0])
    match = re.fullmatch(r"D[.:]?(\d\d)([A-Z])", directory)
    if match is None:
        return 0
    year = int(match[1])
    return (year + (1900 if year >= _CENTURY_TURN else 2000)) * 100 + ord(match[2])
