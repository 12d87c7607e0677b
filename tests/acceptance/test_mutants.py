"""The crash test can fail: gateways that are broken in one place each are caught, by kills at that place."""

from __future__ import annotations

import random
import re
import signal
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.acceptance.aims import End
from tests.acceptance.dropping import FULL, shares
from tests.acceptance.fire import Fire, Report
from tests.acceptance.forkserver import ForkServer
from tests.acceptance.gateway import FOLDERS, Gateway, Pace, write_configuration
from tests.acceptance.steps import Edge, Trip
from tests.acceptance.swapping import swap
from tests.acceptance.verdict import Deviation, Kind
from tests.acceptance.world import make_world
from tests.servers import own_server


class Mutant(NamedTuple):
    """A module of `mutants`: the gap it opens between two writes, and what falls into it."""

    name: str
    step: str
    edge: Edge
    loss: Kind
    comes_again: bool = False  # what was being done at the first crossing is done first in the next life


_MUTANTS: Final = (
    Mutant("ack_before_store", "committing", "before", "lost document"),
    Mutant("events_apart_from_outbox", "duty entered", "before", "never told", comes_again=True),
    Mutant("control_number_apart", "document sealed", "before", "control numbers"),
    Mutant("marked_before_events", "events recorded", "before", "event count"),
    Mutant("bytes_not_kept", "renaming", "before", "changed bytes"),
)
_quick: Final = partial(write_configuration, pace=Pace(poll="100ms", batch="100ms"))


def _killed_at(mutants: Sequence[Mutant], in_force: str, folder: Path) -> tuple[list[Deviation], Report]:
    """What comes out wrong after three kills in each of those gaps."""
    world = make_world(20, seed=20250307)
    trips = [
        Trip(mutant.step, mutant.edge, life if mutant.comes_again else 1, signal.SIGKILL)
        for mutant, life in product(mutants, (1, 2, 3))
    ]
    with (
        own_server(folder / "remote", FOLDERS) as server,
        ForkServer(in_force) as forks,
        Gateway(folder, server, _quick, run=partial(forks.run, folder=folder)) as gateway,
    ):
        gateway.command("subscribe", "globex", *world.subscriptions())
        fire = Fire(gateway, server.root, forks, random.Random(1), longest=30)
        for files, trip in zip(shares(world.files, len(trips)), trips, strict=True):
            fire.live(files, End(trip))
        wrong = fire.finish(world)
    return wrong, fire.report


@pytest.mark.parametrize("mutant", _MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    """Killed in the gap it opens, a broken gateway loses what it is bound to lose, whatever that brings along."""
    wrong, report = _killed_at([mutant], mutant.name, tmp_path)
    assert report.missed == 0
    assert mutant.loss in {deviation.kind for deviation in wrong}, report.lives


@pytest.mark.skipif(not FULL, reason="the crash test says the same of kills anywhere; EDI_ACCEPTANCE_FULL=1 runs it")
def test_the_same_kills_do_no_harm(tmp_path: Path) -> None:
    """Where each mutant has its gap, the gateway has none."""
    wrong, report = _killed_at(_MUTANTS, "", tmp_path)
    assert report.missed == 0
    assert wrong == []


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("edi_gateway.store.inbox:accept", "no such function any more"),
        ("edi_gateway.store.engine:Datebase.write", "no such function any more"),
        ("edi_gateway.store.inbox:load", "found ['plain', 'positional or keyword db', 'positional or keyword digest']"),
        ("edi_gateway.pipeline.intake:_clear", "found ['async', "),
    ],
)
def test_outdated_mutant_is_refused(target: str, said: str) -> None:
    """A mutant of a function that is gone, or is called in another way, is told apart from one that was caught."""
    with pytest.raises(LookupError, match=re.escape(said)):
        swap(target, lambda _: lambda db, documents: (db, documents))
