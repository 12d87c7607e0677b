"""The carriers' side: files are dropped into their mailboxes as careful carriers do, under a hidden name first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from tests.acceptance.world import CarrierFile

T = TypeVar("T")
FULL: Final = os.environ.get("EDI_ACCEPTANCE_FULL") == "1"
"""Whether to run at the size the gateway is accepted at, rather than at one that suits every day."""


def drop(root: Path, file: CarrierFile) -> None:
    """Write the file where the gateway looks for it, whole from its first moment under its name."""
    folder = root / file.carrier / "out"
    hidden = folder / f".{file.name}.part"
    hidden.write_bytes(file.content)
    hidden.replace(folder / file.name)


def all_taken(root: Path) -> bool:
    """Whether nothing is left in the carriers' mailboxes that the gateway has to take."""
    return not any(path.is_file() for carrier in ("nordlog", "kurier") for path in (root / carrier / "out").iterdir())


def shares(items: Sequence[T], parts: int) -> Iterator[Sequence[T]]:
    """The items in order, in so many parts of about the same size."""
    for part in range(parts):
        yield items[part * len(items) // parts : (part + 1) * len(items) // parts]
