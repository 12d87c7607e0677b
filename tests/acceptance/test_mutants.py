"""The crash test can fail: gateways that are broken in one place each are caught, by kills at that place."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.acceptance.aims import End
from tests.acceptance.fire import Fire
from tests.acceptance.forkserver import ForkServer
from tests.acceptance.gateway import FOLDERS, Gateway, Pace
from tests.acceptance.steps import Edge, Trip
from tests.acceptance.verdict import Deviation, Kind
from tests.acceptance.world import make_world
from tests.servers import own_server


class Mutant(NamedTuple):
    """A module of `mutants`: the gap it opens between two writes, what falls into it, and what that brings along."""

    name: str
    step: str
    edge: Edge
    loss: Kind
    consequences: frozenset[Kind] = frozenset()


_UNSAID: Final[frozenset[Kind]] = frozenset({"never told", "status", "document", "quarantine", "books"})
_MUTANTS: Final = (
    Mutant("ack_before_store", "committing", "before", "lost document", _UNSAID | {"event count"}),
    Mutant("events_apart_from_outbox", "duty entered", "before", "never told", frozenset({"status"})),
    Mutant("control_number_apart", "document sealed", "before", "control numbers"),
    Mutant("marked_before_events", "events recorded", "before", "event count", _UNSAID),
    Mutant("bytes_not_kept", "recording", "before", "changed bytes"),
)
_QUICK: Final = Pace(poll="100ms", batch="100ms")


def _nth(mutant: Mutant, life: int) -> int:
    """Which crossing a life ends at: the first document of each, or a later one, as an earlier one comes again."""
    return life if mutant.loss in {"never told"} else 1


def _killed_at(mutants: Sequence[Mutant], in_force: str, folder: Path) -> tuple[list[Deviation], Fire]:
    """What comes out wrong after three kills in each of those gaps."""
    world = make_world(20, seed=20250307)
    ends = [
        End(Trip(mutant.step, mutant.edge, _nth(mutant, life), signal.SIGKILL))
        for mutant in mutants
        for life in (1, 2, 3)
    ]
    with (
        own_server(folder / "remote", FOLDERS) as server,
        ForkServer(in_force) as forks,
        Gateway(folder, server, pace=_QUICK, run=partial(forks.run, folder=folder)) as gateway,
    ):
        gateway.command("subscribe", "globex", *world.subscriptions())
        fire = Fire(gateway, server.root, forks, random.Random(1))
        for index, end in enumerate(ends):
            fire.live(world.files[index * len(world.files) // len(ends) : (index + 1) * len(world.files) // len(ends)], end)
        wrong = fire.finish(world)
    print("\n".join([*fire.report.lives, *map(str, wrong)]))
    return wrong, fire


@pytest.mark.parametrize("mutant", _MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    """Killed in the gap it opens, a broken gateway loses what it is bound to lose, and nothing else comes out wrong."""
    wrong, fire = _killed_at([mutant], mutant.name, tmp_path)
    assert fire.report.missed == 0
    kinds = {deviation.kind for deviation in wrong}
    assert mutant.loss in kinds
    assert kinds - {mutant.loss} <= mutant.consequences


def test_the_same_kills_do_no_harm(tmp_path: Path) -> None:
    """Where each mutant has its gap, the gateway has none."""
    wrong, fire = _killed_at(_MUTANTS, "", tmp_path)
    assert fire.report.missed == 0
    assert wrong == []
