"""Whatever a carrier tells, in whatever order and pieces: what is notified adds up to where the shipment stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from edi_gateway.model import Direction, Status
from edi_gateway.store.engine import Database
from edi_gateway.store.reports import MessageReport
from edi_gateway.store.tables import METADATA
from edi_gateway.wiring import Wired
from tests.notified import hear, seal_all, sealed, wire_hooli
from tests.unit.store.building import CANCELLATION, message, on_day, statuses, tracking

pytestmark = [
    pytest.mark.usefixtures("hook"),
    # What is wired is long to tell; without this, that would be the error a person sees, and not what was found.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def wired(tmp_path: Path) -> Wired:
    return wire_hooli(tmp_path)


@st.composite
def reports(draw: st.DrawFn) -> list[MessageReport]:
    """A shipment's messages in any order, each with a number of its own."""
    told = []
    for number in range(draw(st.integers(1, 6))):
        scans = [
            tracking(
                draw(st.sampled_from([Status.PICKED_UP, Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY, Status.DELIVERED])),
                draw(st.integers(1, 12)),
                direction=draw(st.sampled_from([Direction.FORWARD, Direction.FORWARD, Direction.RETURN])),
                correction=draw(st.sampled_from([False, False, False, True])),
            )
            for _ in range(draw(st.integers(1, 3)))
        ]
        told.append(message(*scans, number=f"N{number}", issued=1))
    return told


@st.composite
def amended(draw: st.DrawFn) -> list[MessageReport]:
    """The same with messages that are taken back, and days that learn their time."""
    told = draw(reports())
    void = [message(function=CANCELLATION, number=each.document_number, issued=2) for each in told]
    days = [message(on_day(status, 0)) for status in (Status.PICKED_UP, Status.DELIVERED)]
    return draw(st.permutations([*told, *draw(st.lists(st.sampled_from([*void, *days]), max_size=5))]))


def notified(db: Database, wired: Wired, told: Sequence[MessageReport], turns: Sequence[bool]) -> Iterator[None]:
    """Tell it, sealing after some of the messages; yields once all is sealed, then forgets everything."""
    for report, seals in zip(told, turns, strict=False):
        hear(db, wired, report)
        if seals:
            seal_all(db, wired)
    seal_all(db, wired)
    yield
    with db.write() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(delete(table))


TURNS = st.lists(st.booleans(), min_size=11, max_size=11)


@settings(suppress_health_check=SLOW)
@given(told=reports(), turns=TURNS)
def test_changes_of_status_form_a_chain(
    db: Database, wired: Wired, told: list[MessageReport], turns: list[bool]
) -> None:
    """Each begins where the one before ended, the last ends where the shipment stands, and none is without change."""
    for _ in notified(db, wired, told, turns):
        steps = [(each["previous_status"], each["status"]) for each in sealed(db)]
        [(_, current)] = statuses(db)

        assert all(before != after for before, after in steps)
        assert all(one[1] == other[0] for one, other in pairwise([("", "UNKNOWN"), *steps]))
        assert current == steps[-1][1]
        assert list(range(1, len(steps) + 1)) == [each["sequence"] for each in sealed(db)]


@settings(suppress_health_check=SLOW)
@given(told=amended(), turns=TURNS)
def test_whatever_is_taken_back_the_last_word_is_true(
    db: Database, wired: Wired, told: list[MessageReport], turns: list[bool]
) -> None:
    """Numbers have no gap, and the last notification says where the shipment stands."""
    for _ in notified(db, wired, told, turns):
        bodies = sealed(db)
        current = [status for _, status in statuses(db)]
        last = bodies[-1]["status"] if bodies else "UNKNOWN"

        assert current in ([last], [])
        assert list(range(1, len(bodies) + 1)) == [each["sequence"] for each in bodies]
        assert all(each["event"]["retracted"] == (each["trigger"] == "cancellation") for each in bodies)
        with db.read() as connection:
            assert not connection.execute(select(METADATA.tables["finding"])).all()
