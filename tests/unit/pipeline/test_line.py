"""Notifications of one shipment in their order: a later one waits for the earlier, those of other shipments do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text

from edi_gateway.model import Status, utc_now
from edi_gateway.pipeline.seal import reissue
from edi_gateway.store import claims, deliveries
from edi_gateway.store.engine import Database, reserve_ids
from edi_gateway.store.tables import METADATA, DeliveryState, Outcome
from edi_gateway.wiring import Wired
from tests.notified import LIVE, deliver_next, destination, hear, seal_all, wire_hooli
from tests.unit.store.building import message, second_node, tracking

pytestmark = pytest.mark.usefixtures("hook")
DELIVERED, IN_TRANSIT, PICKED_UP = Status.DELIVERED, Status.IN_TRANSIT, Status.PICKED_UP
DELIVERY = METADATA.tables["delivery"]


@pytest.fixture
def wired(db: Database, tmp_path: Path, hook: None) -> Wired:  # noqa: ARG001 -- it has to be installed first
    """P1 has three notifications, P2 has two, sealed in two goes."""
    wired = wire_hooli(tmp_path, "order: shipment")
    for status, hour in ((PICKED_UP, 7), (IN_TRANSIT, 8)):
        hear(db, wired, message(tracking(status, hour), tracking(status, hour, tracking_number="P2")))
    seal_all(db, wired)
    hear(db, wired, message(tracking(DELIVERED, 9)))
    seal_all(db, wired)
    return wired


def line(db: Database) -> dict[str, str]:
    """Delivery by shipment and number, such as 1/2, and its name."""
    with db.read() as connection:
        rows = connection.execute(select(DELIVERY).order_by(DELIVERY.c.id)).all()
    first = min(row.shipment_id for row in rows)
    return {f"{row.shipment_id - first + 1}/{row.control_number}": row.name for row in rows}


def due(db: Database) -> list[str]:
    """What can be claimed now, in that order; the claims are kept."""
    found = []
    while claim := claims.claim(db, LIVE, "here", line_per_shipment=True):
        found.append(claim.name)
    return found


@pytest.mark.usefixtures("wired")
def test_only_the_first_of_each_shipment_is_due(db: Database) -> None:
    """While it is on its way, too."""
    names = line(db)
    assert {names["1/1"], names["2/1"]} == set(due(db))


@pytest.mark.usefixtures("wired")
def test_what_arrived_lets_the_next_one_follow(db: Database) -> None:
    """All arrive, each shipment's in order."""
    names = {name: place for place, name in line(db).items()}
    arrived = []
    while name := deliver_next(db):
        arrived.append(names[name])

    assert ["1/1", "1/2", "1/3"] == [place for place in arrived if place.startswith("1/")]
    assert ["2/1", "2/2"] == [place for place in arrived if place.startswith("2/")]


@pytest.mark.usefixtures("wired")
def test_a_failing_one_holds_back_its_shipment_alone(db: Database) -> None:
    """Retrying and dead ones do; the other shipment goes on."""
    names = line(db)
    assert names["1/1"] == deliver_next(db, Outcome.FAILED, next_attempt_at=utc_now().replace(year=2099))
    assert [names["2/1"], names["2/2"], None] == [deliver_next(db) for _ in range(3)]

    deliveries.retry(db, 1)
    assert names["1/1"] == deliver_next(db, Outcome.REFUSED)
    assert None is deliver_next(db)


@pytest.mark.usefixtures("wired")
def test_a_person_who_gives_one_up_lets_the_next_one_follow(db: Database) -> None:
    """And whoever takes that back holds back the rest again."""
    names = line(db)
    deliver_next(db, Outcome.REFUSED)
    deliveries.skip(db, 1)
    assert {names["1/2"], names["2/1"]} == {
        deliver_next(db, Outcome.FAILED, next_attempt_at=utc_now()),
        deliver_next(db),
    }

    deliveries.retry(db, 1)
    assert names["1/2"] not in due(db)


def test_one_issued_anew_takes_the_place_of_the_old(db: Database, wired: Wired) -> None:
    """What is behind it waits for the new one."""
    names = line(db)
    deliver_next(db, Outcome.REFUSED)
    new = deliveries.delivery(db, reissue(db, destination(wired), 1, utc_now()))[0]

    assert (1, 1) == (new.control_number, new.replaces)
    assert {new.name, names["2/1"]} == set(due(db))


@pytest.mark.usefixtures("wired")
def test_another_order_is_no_dead_end(db: Database) -> None:
    """What was sealed to stand in line still goes out when the configuration wants no order any more."""
    for _ in range(5):
        claim = claims.claim(db, LIVE, "here")
        assert claim is not None
        claims.finish_attempt(db, claim, Outcome.DELIVERED, "")
    assert {DeliveryState.DELIVERED} == {each.state for each in deliveries.deliveries(db)}


def test_what_was_sealed_without_order_waits_as_well(db: Database, tmp_path: Path) -> None:
    """When the configuration asks for it later."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(PICKED_UP, 7), tracking(IN_TRANSIT, 8)))
    seal_all(db, wired)

    assert [1] == [len(due(db))]


def test_nobody_is_forgotten_while_others_seal_and_send(db: Database, tmp_path: Path) -> None:
    """Whoever is sealed while the one before it arrives is either due at once or let follow."""
    wired = wire_hooli(tmp_path, "order: shipment", "events: all")
    arrived: list[str] = []

    def send(node: Database) -> None:
        while len(arrived) < 60:
            if name := deliver_next(node):
                arrived.append(name)

    with second_node(db) as other, ThreadPoolExecutor(3) as pool:
        senders = [pool.submit(send, node) for node in (db, other)]
        for hour in range(60):
            hear(db, wired, message(tracking(IN_TRANSIT, hour)))
            seal_all(db, wired)
        for sender in senders:
            sender.result(60)

    assert list(line(db).values()) == arrived


def blocked(db: Database, count: int) -> None:
    """One shipment with so many that wait behind a dead letter, and another one behind them."""
    now = utc_now()
    with db.write() as connection:
        ids = reserve_ids(connection, DELIVERY, count + 1)
        connection.execute(
            insert(DELIVERY),
            [
                {
                    "id": key, "destination": LIVE, "customer": "hooli", "control_number": number, "name": f"{number}",
                    "digest": "", "size": 1, "event_count": 1, "attempts": 0, "failures": 0, "claimed_by": "",
                    "sealed_at": now, "last_error": "", "sequence": "", "sender": "", "recipient": "", "expects": "",
                    "acknowledge_within": 0, "acknowledges": "", "shipment_id": 1 if number <= count else 2,
                    "state": DeliveryState.DEAD if number == 1 else DeliveryState.SEALED,
                    "next_attempt_at": now if number > count else None,
                }
                for number, key in enumerate(ids, start=1)
            ],
        )  # fmt: skip


@contextmanager
def statements(db: Database) -> Iterator[list[tuple[str, Any]]]:
    """Every look for something to send."""
    seen: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, _many: object) -> None:
        if "FROM delivery" in statement and "LIMIT" in statement:
            seen.append((statement, parameters))

    engines = {db._writer, db._reader}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


def test_a_long_line_costs_those_of_others_nothing(db: Database) -> None:
    """Ten thousand of one shipment are passed over without being looked at, whatever holds them back."""
    blocked(db, 10_000)
    with db.write() as connection:
        connection.execute(text("ANALYZE"))
    with statements(db) as seen:
        assert "10001" == deliver_next(db)
        assert None is deliver_next(db)

    assert seen
    for statement, parameters in seen:
        plan = explained(db, statement, parameters)
        assert any("ix_delivery_due" in row or "ix_delivery_line" in row for row in plan), plan
        assert not any(row.startswith(("SCAN delivery", "Seq Scan")) for row in plan), plan
        assert touched(plan) < 100, plan


def explained(db: Database, statement: str, parameters: Any) -> Sequence[str]:
    how = "EXPLAIN QUERY PLAN" if db._writer.dialect.name == "sqlite" else "EXPLAIN (ANALYZE, TIMING OFF)"
    with db.write() as connection:
        rows = connection.exec_driver_sql(f"{how} {statement}", parameters).all()
        connection.rollback()
    return [str(row[-1]).strip(" ->") for row in rows]


def touched(plan: Sequence[str]) -> int:
    """The most rows any step of the plan looked at in vain, as PostgreSQL counts them."""
    return max((int(row.rpartition(":")[2]) for row in plan if row.startswith("Rows Removed")), default=0)
