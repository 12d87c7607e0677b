"""What lay in the customers' mailboxes each time the daemon was dead, and that no file was ever another one later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.acceptance.gateway import MAILBOXES
from tests.acceptance.verdict import Deviation

_UNFINISHED: Final = ".tmp"


class Witness:
    """Remembers every file, and every beginning of one, that a kill left behind."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._whole: dict[Path, bytes] = {}
        self._begun: dict[Path, set[bytes]] = {}
        self._changed: list[str] = []

    @property
    def cut_off(self) -> int:
        """How many uploads were seen unfinished."""
        return sum(map(len, self._begun.values()))

    def look(self) -> None:
        """Look into the mailboxes; what was whole at an earlier look has to be there unchanged."""
        there = {path: path.read_bytes() for folder in MAILBOXES.values() for path in (self._root / folder).iterdir()}
        for path, content in self._whole.items():
            if there.get(path) != content:
                self._changed.append(f"{path.name} was sent once more and is another file now")
        for path, content in there.items():
            if path.name.endswith(_UNFINISHED):
                self._begun.setdefault(path.with_name(path.name.removesuffix(_UNFINISHED)), set()).add(content)
            else:
                self._whole[path] = content

    def deviations(self) -> Iterator[Deviation]:
        """What an attempt that was cut off had sent is how the file begins that arrived under that name."""
        self.look()
        for path, beginnings in self._begun.items():
            if not all(self._whole.get(path, b"").startswith(content) for content in beginnings):
                self._changed.append(f"{path.name} was begun as another file")
        yield from (Deviation("changed bytes", each) for each in self._changed)
