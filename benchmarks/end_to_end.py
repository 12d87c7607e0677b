"""The daemon at work: from files in a carrier's mailbox to files in a customer's, against merely copying the bytes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.carrier_files import carrier_files
from benchmarks.contest import Contest, Sides
from benchmarks.openssh import AGAINST, Mailbox, mailbox
from demo.gateway import Daemon

_EVENTS: Final = 20_000
_A_FILE: Final = 100  # events
_PATIENCE: Final = 300.0  # seconds
_LOOK_AGAIN: Final = 0.02  # seconds


@contextmanager
def _end_to_end() -> Iterator[Sides]:
    files = carrier_files(_EVENTS, _A_FILE)
    with mailbox() as place:
        delivered: dict[str, bytes] = {}

        def us() -> float:
            taken, made = _daemon(place, files)
            delivered.clear()
            delivered.update(made)
            return _EVENTS / taken

        us()  # warms up, and makes what the peer is to put
        yield Sides(us, lambda: _EVENTS / _copied(place, files, delivered))


def _daemon(place: Mailbox, files: Sequence[bytes]) -> tuple[float, dict[str, bytes]]:
    """Drop the files before a daemon that waits for them; returns the seconds until all is delivered, and what was."""
    place.clear()
    shutil.rmtree(place.scratch / "data", ignore_errors=True)
    waiting = place.scratch / "waiting"
    _fill(waiting, files)
    with Daemon(place.configure(), place.scratch / "gateway.log") as daemon:
        _await(lambda: any(record["event"] == "daemon.started" for record in daemon.new_records()), "started")
        begun = time.perf_counter()
        for path in waiting.iterdir():
            path.rename(place.outgoing / path.name)
        arrived = _Arrived(place.incoming)
        _await(lambda: arrived.events() >= _EVENTS, "delivered")
        taken = time.perf_counter() - begun
        if daemon.stop() or arrived.events() != _EVENTS:
            raise ValueError(f"{arrived.events()} events arrived, expected {_EVENTS}")
    return taken, arrived.files


class _Arrived:
    """The customer's mailbox: every file is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: dict[str, bytes] = {}

    def events(self) -> int:
        """How many events arrived so far."""
        for path in self._folder.glob("*.edi"):
            if path.name not in self.files:
                self.files[path.name] = path.read_bytes()
        return sum(content.count(b"'STS+") for content in self.files.values())


def _copied(place: Mailbox, files: Sequence[bytes], delivered: dict[str, bytes]) -> float:
    """The peer fetches the same files and puts those that were made of them, knowing nothing of what is in them."""
    place.clear()
    paths = _fill(place.outgoing, files)
    fetched = place.batch([line for path in paths for line in (f"get {path}", f"rm {path}")])
    for name, content in delivered.items():
        (place.local / name).write_bytes(content)
    there = place.incoming
    return fetched + place.batch(
        [
            line
            for name in delivered
            for line in (f"put -f {name} {there / name}.tmp", f"rename {there / name}.tmp {there / name}")
        ]
    )


def _fill(folder: Path, files: Sequence[bytes]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"status_{number:05}.edi" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    return paths


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.perf_counter() + _PATIENCE
    while not condition():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"after {_PATIENCE:g} seconds still not {what}")
        time.sleep(_LOOK_AGAIN)


CONTESTS: Final = (
    Contest(
        "end_to_end_speed_vs_copying",
        "events/s",
        f"{AGAINST}, get, rm, put -f and rename of the same {_EVENTS // _A_FILE} files in and as many as came of them",
        _end_to_end,
        runs=3,
        warm_up=False,
    ),
)
