"""What lies in a folder, and which of it may be taken: finished, wanted, and not taken before."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from fnmatch import translate
from operator import attrgetter
from typing import Final

import asyncssh

# What programs that upload, and people who edit, leave under a name that is not the file's last one.
UNFINISHED: Final = (
    *(".*", "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.swp", "*~"),
    *("*.lock", "*.uploading", "*.writing", "*.ocTransferId*"),
)
_FILES: Final = (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as its folder lists it. ``size`` in bytes and ``mtime`` in seconds, None where the server is silent."""

    name: str  # as the server wants it back
    size: int | None
    mtime: int | None

    @property
    def look(self) -> str:
        """Size and time: equal at two looks when nobody wrote in between."""
        return f"{self.size}|{self.mtime}"

    @property
    def shown(self) -> str:
        """The name with every byte that is no UTF-8 written in hexadecimal."""
        return self.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def key(self, folder: str) -> str:
        """How this copy is told from every other one."""
        return f"{folder}/{self.shown}|{self.look}"

    def same(self, size: int | None, mtime: int | None) -> bool:
        """Whether what is said of a file now still is what was listed; a size of 0 is no statement, some servers say
        it of every file.
        """
        times = self.mtime is None or mtime in {None, self.mtime}
        return times and (not self.size or size in {None, self.size})


def entry(listed: asyncssh.SFTPName) -> Entry | None:
    """The entry when it is a plain file: folders, links and names that lead elsewhere are none."""
    name = str(listed.filename)
    if listed.attrs.type not in _FILES or "/" in name or name in {".", ".."}:
        return None
    return Entry(name, listed.attrs.size, listed.attrs.mtime)


def chooser(pattern: Sequence[str], ignore: Sequence[str]) -> Callable[[str], bool]:
    """Tells whether a name fits one glob of ``pattern`` and none of ``ignore``; case counts."""
    fits, passed_over = (re.compile("|".join(map(translate, globs)) or r"\Z.") for globs in (pattern, ignore))
    return lambda name: fits.match(name) is not None and passed_over.match(name) is None


def settled(entries: Sequence[Entry], looks: MutableMapping[str, str]) -> set[str]:
    """Names that look as they did the last time; ``looks`` then holds what was seen now, and nothing else.

    No clock is asked: neither ours nor the server's need be right, nor a time the uploader preserved.
    """
    same = {entry.name for entry in entries if looks.get(entry.name) == entry.look}
    looks.clear()
    looks.update((entry.name, entry.look) for entry in entries)
    return same


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a folder: its wanted files by key, in the order of their names, and the names of two kinds of them.

    Large folders take long to sort: everything here is done without the event loop, and may be done in a thread.
    """

    files: Mapping[str, Entry]
    unchanged: AbstractSet[str]  # since the look before
    finished: AbstractSet[str]  # whole, and may be read

    @classmethod
    def at(cls, folder: str, entries: Iterable[Entry], looks: MutableMapping[str, str]) -> Look:
        """Files are finished once two looks agree."""
        ordered = sorted(entries, key=attrgetter("name"))
        same = settled(ordered, looks)
        return cls({each.key(folder): each for each in ordered}, same, same)

    def vouched(self, done_file: str, names: AbstractSet[str]) -> Look:
        """Files are finished as soon as their done-file is among the ``names`` in the folder."""
        finished = {each.name for each in self.files.values() if done_file.replace("{name}", each.name) in names}
        return replace(self, finished=finished)

    def split(self, known: AbstractSet[str]) -> tuple[list[Entry], list[Entry]]:
        """What is committed already and may be cleared, and what may be read."""
        still = self.unchanged | self.finished
        committed = [each for key, each in self.files.items() if key in known and each.name in still]
        return committed, [each for key, each in self.files.items() if key not in known and each.name in self.finished]


def batches(entries: Iterable[Entry], most_files: int, most_bytes: int) -> Iterator[list[Entry]]:
    """The entries in order, in runs within both limits; a file larger than ``most_bytes`` goes alone."""
    batch: list[Entry] = []
    size = 0
    for each in entries:
        if batch and (len(batch) == most_files or size + (each.size or 0) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size or 0
    if batch:
        yield batch


def inside(folder: str, name: str) -> str:
    """Path of ``name`` seen from ``folder``."""
    return posixpath.normpath(posixpath.join(folder, name))
