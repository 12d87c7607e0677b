"""A daemon that is killed at any moment and started again brings the same result as one that never was."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, TypeVar

import pytest

from tests.acceptance.dropping import FULL, all_taken, drop
from tests.acceptance.gateway import FOLDERS, MAILBOXES, Gateway, wait_until
from tests.acceptance.verdict import deviations
from tests.acceptance.world import CarrierFile, make_world
from tests.servers import ServerUnderTest, openssh_server, own_server

ServerFactory = Callable[[Path, Iterable[str]], AbstractContextManager[ServerUnderTest]]
T = TypeVar("T")
_SEED: Final = 17
_LONGEST_LIFE: Final = 4.0  # seconds, of which starting up takes one
_COMING: Final = 1.5  # seconds within which a life's files are dropped
_AFTERMATH: Final = 0.02  # seconds after something happened within which its consequences are under way
_LOGGED: Final = ("document.received", "document.processed", "delivery.sealed", "delivery.delivered")


@pytest.mark.parametrize("open_server", [own_server, openssh_server])
def test_kills_change_nothing(open_server: ServerFactory, tmp_path: Path) -> None:
    """Killed at random moments while files keep coming, the gateway loses nothing and says nothing twice."""
    rng = random.Random(_SEED)
    world = make_world(200 if FULL else 60, seed=20250304)
    kills = 30 if FULL else 10
    with open_server(tmp_path / "remote", FOLDERS) as server, Gateway(tmp_path, server) as gateway:
        gateway.command("subscribe", "globex", *world.subscriptions())
        for files in _shares([*world.files, *world.again], kills):
            gateway.start()
            _live(gateway, server.root, files, rng)
            gateway.kill()
        gateway.start()
        wait_until(lambda: "daemon.started" in gateway.events(), 30, "started")
        with gateway.idle() as nothing_waits:
            wait_until(lambda: all_taken(server.root) and nothing_waits(), 60, "everything delivered")
        assert gateway.stop() == 0
        assert deviations(world, gateway, server.root) == []


def _live(gateway: Gateway, root: Path, files: Sequence[CarrierFile], rng: random.Random) -> None:
    """One life: files keep coming until a random moment, or until something of interest happened."""
    begun = time.monotonic()
    coming = sorted((begun + rng.uniform(0, _COMING), file.name, file) for file in files)
    happened, longest = _sign(gateway, root, rng)
    while (now := time.monotonic()) < begun + longest:
        while coming and coming[0][0] <= now:
            drop(root, coming.pop(0)[-1])
        if happened():
            time.sleep(rng.choice((0, rng.uniform(0, _AFTERMATH))))
            break
        time.sleep(0.001)
    for *_, file in coming:
        drop(root, file)


def _sign(gateway: Gateway, root: Path, rng: random.Random) -> tuple[Callable[[], bool], float]:
    """What ends a life: something logged, something done in a mailbox, or nothing but its time in seconds."""
    sort = rng.randrange(3)
    if sort == 0:
        event = rng.choice(_LOGGED)
        return lambda: event in gateway.events(), _LONGEST_LIFE
    if sort == 1:
        return _touched(root / rng.choice(FOLDERS)), _LONGEST_LIFE
    return lambda: False, rng.uniform(0.05, _LONGEST_LIFE)


def _touched(folder: Path) -> Callable[[], bool]:
    """Whether a carrier's file has been cleared, or something has come, been renamed or gone at a customer's."""
    ours = not MAILBOXES.keys() & {*folder.parts}  # there, what comes is what we drop
    last = _files(folder)

    def touched() -> bool:
        nonlocal last
        before, last = last, _files(folder)
        return bool(before - last) if ours else before != last

    return touched


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")}


def _shares(items: Sequence[T], parts: int) -> Iterator[Sequence[T]]:
    """The items in order, in so many parts of about the same size."""
    for part in range(parts):
        yield items[part * len(items) // parts : (part + 1) * len(items) // parts]
