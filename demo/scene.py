"""What happens at the carriers: which file, request or answer comes from them, and when."""

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


@dataclass(frozen=True, slots=True)
class Post:
    """One request of a carrier that posts; ``at`` as above."""

    about: str
    at: float
    body: dict[str, object]


def _scans(message: str, *scans: tuple[str, str, str, str]) -> dict[str, object]:
    told = [
        {"code": code, "text": text, "time": when, "town": town, "country": "CH"} for code, text, when, town in scans
    ]
    parcel = {"number": "VP300200101", "account": "7100", "order": "UMB-5511", "scans": told}
    return {"message": message, "parcel": parcel}


_COLLECTED: Final = _scans(
    "b7f1-0092",
    ("ABH", "Abgeholt", "2025-03-17T17:40:02+01:00", "Bern"),
    ("UML", "Umgeladen", "2025-03-17T21:12:40+01:00", "Olten"),
)
POSTS: Final = (
    Post("collected, transshipped", at=0.5, body=_COLLECTED),
    Post("the same once more, as if it had heard no answer", at=1.5, body=_COLLECTED),
    Post(
        "on tour, delivered",
        at=3,
        body=_scans(
            "b7f1-0107",
            ("TOU", "Auf Tour", "2025-03-18T08:05:11+01:00", "Basel"),
            ("ZUG", "Zugestellt", "2025-03-18T09:47:30+01:00", "Basel"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an API says of a parcel until it has been asked ``asked`` times."""

    number: str
    asked: int
    body: dict[str, object]


def _history(*scans: tuple[str, str, str, str]) -> dict[str, object]:
    told = [
        {"status": code, "note": text, "at": when, "place": place, "land": "NO"} for code, text, when, place in scans
    ]
    return {"parcel": "FJ880031NO", "reference": "UMB-5519", "history": told}


_BERGEN: Final = ("20", "Hentet hos avsender", "17.03.2025 14:05", "Bergen")
_VOSS: Final = ("30", "Under transport", "17.03.2025 22:30", "Voss")
_OSLO: Final = ("50", "Lastet for utlevering", "18.03.2025 07:15", "Oslo")
ANSWERS: Final = (
    Answer("FJ880031NO", asked=2, body=_history(_VOSS, _BERGEN)),
    Answer("FJ880031NO", asked=1_000_000, body=_history(_OSLO, _VOSS, _BERGEN)),
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
