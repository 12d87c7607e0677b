"""A node of its own that seals for globex with several threads, or that is killed at every step of it.

Usage: python -m tests.unit.pipeline.sealing_process {many|kills} DATABASE_URL FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from sqlalchemy import event

from edi_gateway.model import utc_now
from edi_gateway.pipeline.partners import Destination
from edi_gateway.pipeline.seal import reissue, seal_due
from edi_gateway.store import deliveries
from edi_gateway.store.engine import Database
from edi_gateway.wiring import Wired
from tests.unit.pipeline.outbound import wire_shared

_THREADS = 25


def seal_with_threads(db: Database, wired: Wired) -> None:
    """All threads seal for both destinations until nothing is left."""

    def seal(turn: int) -> None:
        for destination in sorted(globex(wired), key=lambda each: each.name, reverse=turn % 2 == 0):
            while seal_due(db, destination, utc_now(), 1):
                pass

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(seal, range(_THREADS)))


def killed_at_every_step(url: str, work: Callable[[Database], object]) -> int:
    """Do the work in a process that is killed at its first step, then its second, until one survives; returns which.

    A step is a statement of a writing transaction, its commit, and the moment after that.
    """
    for step in count(1):
        child = os.fork()
        if child == 0:
            db = Database(url)
            kill = _killer(step)
            for moment in ("before_cursor_execute", "commit", "rollback"):
                event.listen(db._writer, moment, kill)
            work(db)
            kill()
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return step - 1
    raise AssertionError


def _killer(step: int) -> Callable[..., None]:
    done = 0

    def kill(*_: object) -> None:
        nonlocal done
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def globex(wired: Wired) -> list[Destination]:
    """Both destinations."""
    return [destination for destination in wired.destinations if destination.customer == "globex"]


def main(what: str, url: str, folder: Path) -> None:
    """Run, and say how many steps were killed."""
    wired = wire_shared(folder)
    _, plain = globex(wired)
    if what == "many":
        db = Database(url)
        seal_with_threads(db, wired)
        db.close()
        return
    sealing = killed_at_every_step(url, lambda db: seal_due(db, plain, utc_now(), 1))
    reissuing = killed_at_every_step(url, lambda db: _reissue_first(db, plain))
    sys.stdout.write(f"\n{sealing} {reissuing}\n")


def _reissue_first(db: Database, destination: Destination) -> None:
    first = deliveries.deliveries(db, destination=destination.name)[-1]
    if first.state != "superseded":
        reissue(db, destination, first.id, utc_now())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
