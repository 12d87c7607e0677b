"""A daemon that is killed at any moment and started again brings the same result as one that never was."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import pytest

from tests.acceptance.aims import newborn, spread
from tests.acceptance.dropping import FULL
from tests.acceptance.fire import Fire
from tests.acceptance.forkserver import ForkServer
from tests.acceptance.gateway import FOLDERS, Gateway, Pace
from tests.acceptance.steps import STEPS
from tests.acceptance.world import make_world
from tests.servers import ServerUnderTest, openssh_server, own_server

ServerFactory = Callable[[Path, Iterable[str]], AbstractContextManager[ServerUnderTest]]
T = TypeVar("T")
_QUICK: Final = Pace(poll="100ms", batch="200ms")
_FILES: Final = 50
_SEEDS: Final = (20250304, 20250305) if FULL else (20250304,)  # of worlds
_KILLS: Final = 50 if FULL else 10  # in each world


@pytest.mark.parametrize("world_seed", _SEEDS)
@pytest.mark.parametrize("open_server", [own_server, openssh_server])
def test_kills_change_nothing(
    open_server: ServerFactory, world_seed: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Killed at random moments while files keep coming, the gateway loses nothing and says nothing twice."""
    rng = random.Random(seed := _seed())
    print(f"to repeat it: EDI_CRASH_SEED={seed}")
    world = make_world(_FILES, world_seed)
    with (
        open_server(tmp_path / "remote", FOLDERS) as server,
        ForkServer() as forks,
        Gateway(tmp_path, server, pace=_QUICK, run=partial(forks.run, folder=tmp_path)) as gateway,
    ):
        fire = Fire(gateway, server.root, forks, rng)
        for end in newborn(rng):
            fire.live([], end)
        gateway.command("subscribe", "globex", *world.subscriptions())
        ends = spread(rng, _KILLS - 2)
        for files, end in zip(_shares([*world.files, *world.again], len(ends)), ends, strict=True):
            fire.live(files, end)
        wrong = fire.finish(world)
        print("\n".join([*fire.report.lives, str(fire.report)]))
        record_property("crash", str(fire.report))
        assert wrong == []
        assert fire.report.kills == _KILLS


def _seed() -> int:
    """The seed of where the kills come: a new one each time in full size."""
    given = os.environ.get("EDI_CRASH_SEED")
    return int(given) if given else random.SystemRandom().randrange(10**9) if FULL else 17


def _shares(items: Sequence[T], parts: int) -> Iterator[Sequence[T]]:
    """The items in order, in so many parts of about the same size."""
    for part in range(parts):
        yield items[part * len(items) // parts : (part + 1) * len(items) // parts]
