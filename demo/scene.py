"""What happens at the carriers: which file they put into their mailbox, when, and how long they take over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_FILES: Final = Path(__file__).resolve().parent / "files"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file at one carrier; in seconds: when after the daemon's start, and how long until its last byte."""

    carrier: str
    name: str
    about: str
    at: float
    lasting: float = 0.0
    copy_of: str = ""  # a file with the same bytes

    @property
    def content(self) -> bytes:
        """The bytes as the carrier sends them."""
        return (_FILES / (self.copy_of or self.name)).read_bytes()


UPLOADS: Final = (
    Upload("nordlog", "NL_IFTSTA_880041.edi", "containers, D.00B, codes of HS", at=0),
    Upload("kurier", "KU_IFTSTA_1201.edi", "parcels, D.07B, all in C601; a code nobody mapped", at=0),
    Upload("kurier", "KU_IFTSTA_1202.edi", "parcels; not to be taken yet", at=0.5, lasting=5),
    Upload("nordlog", "NL_IFTSTA_880057.edi", "containers, D.01B, codes of 87; a bad message", at=2),
    Upload("nordlog", "NL_IFTSTA_880041_1.edi", "the first file once more", at=3.5, copy_of="NL_IFTSTA_880041.edi"),
)


@dataclass(slots=True)
class Carriers:
    """The carriers at work. ``outboxes`` are the local folders their sFTP logins see as /out."""

    outboxes: dict[str, Path]
    completed: dict[str, datetime] = field(default_factory=dict)  # file → when its last byte was written
    _written: dict[str, int] = field(default_factory=dict)

    def act(self, elapsed: float) -> Iterator[Upload]:
        """Write what is due that many seconds after the start; yield each file begun or completed."""
        for upload in UPLOADS:
            if upload.at <= elapsed and upload.name not in self.completed:
                begun = upload.name in self._written
                self._write(upload, elapsed)
                if not begun or upload.name in self.completed:
                    yield upload

    def _write(self, upload: Upload, elapsed: float) -> None:
        content = upload.content
        share = min((elapsed - upload.at) / upload.lasting, 1) if upload.lasting else 1
        done, end = self._written.get(upload.name, 0), max(int(len(content) * share), 1)
        with (self.outboxes[upload.carrier] / upload.name).open("ab") as file:
            file.write(content[done:end])
        self._written[upload.name] = end
        if end == len(content):
            self.completed[upload.name] = datetime.now(UTC)
