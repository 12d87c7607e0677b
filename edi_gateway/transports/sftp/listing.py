"""What lies in a folder, and which of it may be taken: finished, wanted, and not taken before."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
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

    def same(self, attributes: asyncssh.SFTPAttrs) -> bool:
        """Whether a file's present attributes still are those listed; a size of 0 is no statement, some servers say it
        of every file.
        """
        times = self.mtime is None or attributes.mtime in {None, self.mtime}
        return times and (not self.size or attributes.size in {None, self.size})


def entry(listed: asyncssh.SFTPName) -> Entry | None:
    """The entry when it is a plain file: folders, links and names that lead elsewhere are none."""
    name = str(listed.filename)
    if listed.attrs.type not in _FILES or "/" in name or name in {".", ".."}:
        return None
    return Entry(name, listed.attrs.size, listed.attrs.mtime)


def wanted(name: str, pattern: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether a name fits one glob of ``pattern`` and none of ``ignore``; case counts."""
    return any(fnmatchcase(name, glob) for glob in pattern) and not any(fnmatchcase(name, glob) for glob in ignore)


def settled(entries: Sequence[Entry], looks: MutableMapping[str, str]) -> set[str]:
    """Names that look as they did the last time; ``looks`` then holds what was seen now, and nothing else.

    No clock is asked: neither ours nor the server's need be right, nor a time the uploader preserved.
    """
    same = {entry.name for entry in entries if looks.get(entry.name) == entry.look}
    looks.clear()
    looks.update((entry.name, entry.look) for entry in entries)
    return same


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
