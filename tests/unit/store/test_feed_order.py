"""The feed has no gaps: whoever reads it page by page misses nothing, in whichever order transactions end."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count, pairwise

import pytest
from sqlalchemy import Connection, select

from edi_gateway.model import Status
from edi_gateway.store import feed
from edi_gateway.store.dossier import EVENT
from edi_gateway.store.engine import Database
from edi_gateway.store.feed import Place, Seen
from edi_gateway.store.tables import Action
from tests.unit.store.building import message, record, tracking

_EVENTS = 240
_WRITERS = 6


def _seen(db: Database, many: int) -> list[Seen]:
    """That many events are stored, which nobody was shown yet."""
    hours = (each / 2 for each in count())
    told = [tracking(Status.IN_TRANSIT, next(hours), piece=str(each)) for each in range(many)]
    record(db, message(*told))
    with db.read() as connection:
        rows = connection.execute(select(EVENT.c.id, EVENT.c.shipment_id).order_by(EVENT.c.id)).all()
    return [Seen("hooli", "speedy", "P1", row.shipment_id, row.id, Action.REPORT) for row in rows]


def _read(db: Database, after: Place, limit: int) -> tuple[list[str], Place]:
    page = feed.page(db, "hooli", after, limit)
    return [entry.key for entry in page], page[-1].place if page else after


def test_who_reads_while_many_write_misses_nothing(db: Database) -> None:
    """Writers enter events and commit when chance has it; a reader pages all the while and has every event once."""
    seen = _seen(db, _EVENTS)
    chance = random.Random(7)
    batches = [[*_batches(seen[writer::_WRITERS], chance)] for writer in range(_WRITERS)]

    def write(theirs: Sequence[Sequence[Seen]]) -> None:
        for batch in theirs:
            with db.write() as connection:
                for one in batch:
                    feed.enter(connection, [one])

    with db.write() as connection:  # the tracker is there, so that writers do not wait for each other
        feed.enter(connection, seen[:1])
    writers = [threading.Thread(target=write, args=[theirs]) for theirs in batches]
    for each in writers:
        each.start()
    told: list[str] = []
    place = Place()
    while any(each.is_alive() for each in writers):
        page, place = _read(db, place, chance.randint(1, 9))
        told += page
    while page := _read(db, place, 50)[0]:
        told += page
        place = _read(db, place, 50)[1]
    with db.read() as connection:
        keys = connection.execute(select(EVENT.c.fingerprint)).scalars().all()
    assert len(told) == _EVENTS + 1  # the first was entered twice
    assert set(keys) == set(told)


def _batches(seen: Sequence[Seen], chance: random.Random) -> list[Sequence[Seen]]:
    cuts = sorted({0, len(seen), *(chance.randrange(len(seen)) for _ in range(12))})
    return [seen[start:end] for start, end in pairwise(cuts)]


@pytest.mark.parametrize("db", ["postgres"], indirect=True)
def test_what_was_begun_before_is_waited_for(db: Database) -> None:
    """While an earlier transaction is open, what a later one has committed is not shown: the earlier may yet come."""
    seen = _seen(db, 3)
    with db.write() as connection:
        feed.enter(connection, seen[:1])
    [first], place = _read(db, Place(), 10)
    with ExitStack() as open_still:
        slow: Connection = open_still.enter_context(db.write())
        feed.enter(slow, seen[1:2])
        with db.write() as quick:
            feed.enter(quick, seen[2:])
        assert ([], place) == _read(db, place, 10)
        assert place == feed.ends(db, ["hooli", "nobody"])["hooli"]
    rest, end = _read(db, place, 10)
    assert 3 == len({first, *rest})
    assert end == feed.ends(db, ["hooli"])["hooli"]
