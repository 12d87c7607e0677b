"""Recording events and what customers are owed for them, against the same rows put in by sqlite3 itself."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from benchmarks.carrier_files import CARRIER, carrier_files
from benchmarks.contest import Contest, Sides, seconds
from benchmarks.product import CHANNEL, wired
from benchmarks.raw_sqlite import insert, prepare, recorded
from edi_gateway.daemon.garbage import spare_the_collector
from edi_gateway.mapping.harmonize import Harmonized, Mapping, Partner
from edi_gateway.model import Interchange, Message, RawDocument, Segment, utc_now
from edi_gateway.pipeline.partners import Channel
from edi_gateway.pipeline.process import process
from edi_gateway.plugins import Format
from edi_gateway.store import inbox
from edi_gateway.store.engine import Database
from edi_gateway.wiring import Wired

_EVENTS: Final = 100_000
_A_FILE: Final = 10_000  # events
_AGAINST: Final = f"sqlite3 {sqlite3.sqlite_version}, executemany of the same rows, 1,000 events a transaction"
_HEADER: Final = Segment("UNH", 1, 0, 0)


@dataclass(slots=True)
class _Prepared:
    """Format and mapping in one, whose work was done before the clock started: bytes → what was read from them."""

    version: str = ""
    readings: dict[bytes, Interchange] = field(default_factory=dict, repr=False)
    messages: dict[bytes, list[Message]] = field(default_factory=dict, repr=False)
    said: dict[int, Harmonized] = field(default_factory=dict, repr=False)

    def read(self, content: bytes, syntax: Format, mapping: Mapping, partner: Partner) -> None:
        """Decode and harmonize one file; of the segments nothing is kept."""
        (interchange,) = syntax.decode(content)
        said = [(message, mapping.harmonize(message, partner, utc_now())) for message in interchange.messages]
        kept = [(replace(message, body=_HEADER), events) for message, events in said]
        self.readings[content] = interchange
        self.messages[content] = [message for message, _ in kept]
        self.said |= {id(message): events for message, events in kept}

    def is_complete(self, _content: bytes) -> bool:
        """As a format does."""
        return True

    def decode(self, content: bytes) -> Iterator[Interchange]:
        """As a format does."""
        yield replace(self.readings[content], messages=iter(self.messages[content]))

    def harmonize(self, message: Message, _partner: Partner, _now: object) -> Harmonized:
        """As a mapping does."""
        return self.said[id(message)]


@contextmanager
def _ingest(*, from_bytes: bool) -> Iterator[Sides]:
    """Both begin with committed documents and end with every row of theirs on the disk."""
    files = carrier_files(_EVENTS, _A_FILE)
    with tempfile.TemporaryDirectory(prefix="edi-bench-") as scratch:
        folder, names = Path(scratch), count()
        wiring = wired(folder)
        channel = wiring.channels[CHANNEL]
        received = _received(folder / "received.sqlite", files)
        used = channel if from_bytes else _read_before(channel, files)
        seldom = gc.get_threshold()
        spare_the_collector()  # as the daemon does, which holds a thousand events at a time and not all of these

        def us() -> float:
            return _EVENTS / _record(_copy(received, folder / f"us{next(names)}.sqlite"), used, wiring)

        us()  # warms up, and tells the peer what to write
        recording = recorded(folder / "us0.sqlite")
        empty = _migrated(folder / "empty.sqlite")
        gc.freeze()

        def peer() -> float:
            database = prepare(_copy(empty, folder / f"peer{next(names)}.sqlite"), recording)
            taken = seconds(lambda: insert(database, recording))
            database.close()
            return _EVENTS / taken

        peer()
        yield Sides(us, peer)
    gc.unfreeze()
    gc.set_threshold(*seldom)


def _copy(path: Path, to: Path) -> Path:
    return Path(shutil.copy(path, to))


def _migrated(path: Path) -> Path:
    db = Database(f"sqlite:///{path}")
    db.migrate()
    db.close()
    return path


def _received(path: Path, files: Sequence[bytes]) -> Path:
    """A database that holds the files, committed and not yet processed."""
    db = Database(f"sqlite:///{_migrated(path)}")
    now = utc_now()
    inbox.receive(db, CARRIER, [RawDocument(CHANNEL, f"{at}.edi", content, now) for at, content in enumerate(files)])
    db.close()
    return path


def _read_before(channel: Channel, files: Sequence[bytes]) -> Channel:
    mapping = channel.mapping
    assert mapping is not None, "the carrier's channel reads reports"
    prepared = _Prepared(mapping.version)
    for content in files:
        prepared.read(content, channel.format, mapping, channel.partner)
    stands_in: Any = prepared  # does what a mapping does
    return replace(channel, format=prepared, mapping=stands_in)


def _record(path: Path, channel: Channel, wiring: Wired) -> float:
    """Process every document; returns how long that took."""
    db = Database(f"sqlite:///{path}")
    documents = inbox.to_process(db, [CHANNEL])

    def work() -> None:
        for document in documents:
            process(db, document, channel, wiring.destinations)

    taken = seconds(work)
    counted = [inbox.document(db, document.id).events_new for document in documents]
    db.close()
    if sum(counted) != _EVENTS:
        raise ValueError(f"recorded {sum(counted)} events, expected {_EVENTS}")
    return taken


CONTESTS: Final = tuple(
    Contest(name, "events/s", _AGAINST, partial(_ingest, from_bytes=from_bytes), runs=3, warm_up=False)
    for name, from_bytes in (
        ("ingest_speed_vs_raw_sqlite", False),
        ("ingest_from_bytes_speed_vs_raw_sqlite", True),
    )
)
