"""A daemon that is killed at any moment and started again brings the same result as one that never was."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import create_engine

from tests.acceptance.aims import newborn, paused, spread
from tests.acceptance.dropping import FULL, shares
from tests.acceptance.fire import Fire, Report
from tests.acceptance.forkserver import ForkServer
from tests.acceptance.gateway import FOLDERS, Gateway, Pace, start_as_usual, write_configuration
from tests.acceptance.steps import STEPS
from tests.acceptance.world import make_world
from tests.servers import ServerUnderTest, openssh_server, own_server

ServerFactory = Callable[[Path, Iterable[str]], AbstractContextManager[ServerUnderTest]]
_QUICK: Final = Pace(poll="100ms", batch="200ms")
_FILES: Final = 50 if FULL else 16
_SEEDS: Final = (20250304, 20250305)  # of worlds
_RUNS: Final = [*product((own_server, openssh_server), _SEEDS)] if FULL else [(own_server, _SEEDS[0])]


Record = Callable[[str, object], None]


@pytest.mark.parametrize(("open_server", "world_seed"), _RUNS)
def test_kills_change_nothing(
    open_server: ServerFactory, world_seed: int, tmp_path: Path, record_property: Record
) -> None:
    """Killed at any point while files keep coming, the gateway loses nothing and says nothing twice."""
    with open_server(tmp_path / "remote", FOLDERS) as server:
        report = _under_fire(tmp_path, server, world_seed, kills=50 if FULL else 8)
    record_property("crash", str(report))
    assert report.kills == (50 if FULL else 8)
    if FULL:
        assert STEPS.keys() - report.tripped.keys() == set()


def test_kills_change_nothing_on_postgresql(postgres_url: str, tmp_path: Path, record_property: Record) -> None:
    """The same where the database is a server, which has to notice by itself that a client is dead."""
    name = f"crash_{os.getpid()}"
    engine = create_engine(f"{postgres_url}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    with own_server(tmp_path / "remote", FOLDERS) as server:
        report = _under_fire(tmp_path, server, 20250306, kills=30 if FULL else 4, database=f"{postgres_url}/{name}")
    record_property("crash", str(report))


def test_pauses_change_nothing(tmp_path: Path, record_property: Record) -> None:
    """A machine that is suspended within a request, for longer than any time-out, goes on when it wakes up."""
    pauses, seconds = 8 if FULL else 1, 2.5
    impatient = _QUICK._replace(time_outs=", connect_timeout: 1s, request_timeout: 1s, keepalive: 1s")
    with own_server(tmp_path / "remote", FOLDERS) as server:
        report = _under_fire(tmp_path, server, 20250307, pauses=(pauses, seconds), pace=impatient)
    record_property("crash", str(report))
    assert report.pauses == pauses


def _under_fire(
    folder: Path,
    server: ServerUnderTest,
    world_seed: int,
    *,
    kills: int = 0,
    pauses: tuple[int, float] = (0, 0.0),
    pace: Pace = _QUICK,
    database: str = "",
) -> Report:
    """A run that has to come out right; says how to repeat it when it does not."""
    rng = random.Random(seed := _seed())
    world = make_world(_FILES, world_seed)
    with (
        ForkServer() as forks,
        Gateway(
            folder,
            server,
            partial(write_configuration, pace=pace, database=database),
            database=database,
            run=partial(forks.run, folder=folder),
        ) as gateway,
    ):
        fire = Fire(gateway, server.root, forks, rng)
        try:
            for end in newborn(rng) if kills else ():
                fire.live([], end)
            gateway.command("subscribe", "globex", *world.subscriptions())
            ends = [*spread(rng, max(0, kills - 2)), *paused(rng, *pauses)]
            for files, end in zip(shares([*world.files, *world.again], len(ends)), ends, strict=True):
                fire.live(files, end)
            wrong = fire.finish(world, start_as_usual)
            assert wrong == []
        except BaseException as error:
            error.add_note("\n".join([*fire.report.lives, f"the same kills again: EDI_CRASH_SEED={seed}"]))
            raise
    return fire.report


def _seed() -> int:
    """The seed of where the kills come: a new one each time in full size."""
    given = os.environ.get("EDI_CRASH_SEED")
    return int(given) if given else random.SystemRandom().randrange(10**9) if FULL else 17
