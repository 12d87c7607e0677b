"""Destinations that fail: nothing is lost or doubled, nobody is hammered, and a person hears of it in time."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from edi_gateway.errors import TransientError
from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.pipeline.deliver import deliver, due
from edi_gateway.store import claims, deliveries, endpoints
from edi_gateway.store.alarms import AlarmKind, alarms
from edi_gateway.store.endpoints import Sign
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState
from tests.guards.project import ROOT
from tests.notifications import LIVE, SCHEDULE, Clock, destination, seal
from tests.receiver import Received, Receiver, fine, says, sends
from tests.unit.pipeline.outbound import owe, parcels, until, wire_globex
from tests.unit.store.building import second_node

DAY = timedelta(days=1)
HEALTH = {AlarmKind.DESTINATION_FAILING, AlarmKind.DISABLED_SOON, AlarmKind.DISABLED}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().obeyed(monkeypatch)


def standing(db: Database) -> dict[AlarmKind, str]:
    return {AlarmKind(alarm.kind): alarm.text for alarm in alarms(db)}


def states(db: Database) -> Counter[DeliveryState]:
    return Counter(each.state for each in deliveries.deliveries(db, limit=10_000))


async def test_the_schedule_is_ten_attempts_over_three_days(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pause is kept give or take a fifth, the id stays, and at the end an alarm says what brings it back."""
    async with Receiver(says(500, b"no")).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch)
        [name] = seal(db, 1)
        times = []
        while (delivery := deliveries.delivery(db, 1)[0]).state != DeliveryState.DEAD:
            assert delivery.next_attempt_at
            if delivery.next_attempt_at > clock.now:
                assert set() == due(db, [live], delivery.next_attempt_at - timedelta(seconds=1))
            clock.now = delivery.next_attempt_at
            times.append(clock.now)
            assert {LIVE} == due(db, [live], clock.now)
            await deliver(db, live)
            assert len(receiver.received) == len(times)
            assert (AlarmKind.DESTINATION_FAILING in standing(db)) == (len(times) >= 5)
        await live.sink.close()
    pauses = [after - before for before, after in pairwise(times)]
    assert len(pauses) == 9
    for pause, meant in zip(pauses, SCHEDULE, strict=True):
        assert meant * 0.8 <= pause <= meant * 1.2
    assert {name} == set(receiver.ids)
    assert "5 attempts" not in standing(db)[AlarmKind.DESTINATION_FAILING]
    assert f"deliveries retry --destination {LIVE}" in standing(db)[AlarmKind.DESTINATION_FAILING]
    assert AlarmKind.DISABLED not in standing(db)

    assert 1 == deliveries.retry_all(db, LIVE, DeliveryState.DEAD)
    async with Receiver(port=receiver.port).running() as mended:
        clock.until_open(db)
        assert 1 == await deliver(db, live)
        await live.sink.close()
    assert ([name], {}) == (mended.taken, standing(db))


async def test_each_attempt_is_kept_with_what_was_answered(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, milliseconds and the beginning of the answer, of failures and of arrivals."""
    async with Receiver(says(503, b"closed\0 for\xff lunch")).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch)
        seal(db, 1)
        await deliver(db, live)
        clock.forward(minutes=1)
        receiver.answer = fine
        await deliver(db, live)
        await live.sink.close()
    attempts = deliveries.delivery(db, 1)[1]
    lunch = "closed\N{REPLACEMENT CHARACTER} for\N{REPLACEMENT CHARACTER} lunch"
    assert [(each.status, each.answer) for each in attempts] == [(503, lunch), (200, "thx!")]
    assert all(each.milliseconds is not None and each.milliseconds < 2000 for each in attempts)


async def test_a_dead_server_with_a_long_queue_is_probed_and_then_gets_it_all(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attempt at a time with growing pauses costs no file its schedule; the first arrival opens the gate."""
    async with Receiver(says(500)).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch, in_flight=4)
        names = seal(db, 100)
        await deliver(db, live)
        at_first = len(receiver.received)
        assert 5 <= at_first <= 8
        assert set() == due(db, [live], clock.now)
        assert 0 == await deliver(db, live)
        assert at_first == len(receiver.received)

        began = clock.now
        for probes in range(1, 11):
            clock.until_open(db)
            with second_node(db) as other:  # another process knows as much
                await asyncio.gather(deliver(db, live), deliver(other, live))
            assert at_first + probes == len(receiver.received)
        assert timedelta(minutes=30) < clock.now - began < timedelta(hours=2)
        assert max(each.failures for each in deliveries.deliveries(db, limit=1000)) <= 3
        assert AlarmKind.DESTINATION_FAILING in standing(db)

        receiver.answer = fine
        while {LIVE} == due(db, [live], clock.now) or states(db)[DeliveryState.DELIVERED] < 100:
            clock.until_open(db)
            await deliver(db, live)
            clock.forward(minutes=10)
        await live.sink.close()
    assert sorted(names) == sorted(receiver.taken)
    assert {} == standing(db)


def test_two_who_look_at_the_same_time_make_one_probe(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see that one may be made, and only one of them makes it."""
    seal(db, 2)
    for _ in range(endpoints.IN_A_ROW):
        with db.write() as connection:
            endpoints.note(connection, Sign(LIVE, 5 * DAY, "reset"), utc_now() - DAY)
    both, look = threading.Barrier(2), endpoints.gate

    def look_together(*args: Any, hold: bool = False) -> endpoints.Gate:
        found = look(*args, hold=hold)
        if not hold:
            both.wait(10)
        return found

    monkeypatch.setattr(endpoints, "gate", look_together)
    with second_node(db) as other, ThreadPoolExecutor(2) as pool:
        made = [pool.submit(claims.claim, node, LIVE, "here") for node in (db, other)]
        assert 1 == sum(claim.result() is not None for claim in made)


async def test_who_asks_to_wait_is_left_alone_by_all_files(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then nothing is sent, by no process; then everything, at full speed."""
    async with Receiver(says(429, retry_after="3600")).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch, in_flight=1)
        names = seal(db, 10)
        began = clock.now
        await deliver(db, live)
        assert 1 == len(receiver.received)
        first = deliveries.delivery(db, 1)[0].next_attempt_at
        assert first is not None
        assert first >= began + timedelta(minutes=59)
        receiver.answer = fine
        clock.forward(minutes=59)
        with second_node(db) as other:
            assert 0 == await deliver(other, live)
        assert (set(), 1) == (due(db, [live], clock.now), len(receiver.received))
        clock.forward(minutes=2)
        assert {LIVE} == due(db, [live], clock.now)
        assert 10 == await deliver(db, live)
        await live.sink.close()
    assert sorted(names) == sorted(receiver.taken)


async def test_an_arrival_does_not_end_a_pause_that_was_asked_for(db: Database, clock: Clock) -> None:
    """It was on its way already."""
    for sign in (
        Sign(LIVE, 5 * DAY, "busy", busy_until=clock.now + timedelta(hours=1)),
        Sign(LIVE, 5 * DAY, "reset"),
        Sign(LIVE, 5 * DAY),
    ):
        with db.write() as connection:
            endpoints.note(connection, sign, clock.now)
    assert {LIVE} == endpoints.closed(db, clock.now)
    assert set() == endpoints.closed(db, clock.now + timedelta(hours=2))


async def test_who_is_gone_is_sent_nothing_until_a_person_says_so(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is kept, also what comes later, and goes out in its order."""
    async with Receiver(says(410)).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch, in_flight=1)
        names = seal(db, 3)
        await deliver(db, live)
        assert 1 == len(receiver.received)
        assert f"destinations enable {LIVE}" in standing(db)[AlarmKind.DISABLED]
        receiver.answer = fine
        clock.forward(days=9)
        names += seal(db, 3, first=4)
        assert set() == due(db, [live], clock.now)
        assert 0 == await deliver(db, live)
        [found] = endpoints.standing(db, [])
        assert (1, 6, 0) == (len(receiver.received), found.waiting, found.dead)

        assert 6 == endpoints.enable(db, LIVE, clock.now)
        assert 6 == await deliver(db, live)
        await live.sink.close()
    assert (names, {}) == (receiver.taken, standing(db))


def test_who_waits_for_another_of_his_shipment_goes_on_waiting(db: Database) -> None:
    """Enabling makes due what stands in front; what stands behind it follows by itself."""
    seal(db, 2)
    with db.write() as connection:
        connection.execute(update(endpoints.DELIVERY).where(endpoints.DELIVERY.c.id == 2).values(next_attempt_at=None))
    endpoints.disable(db, LIVE, "they move", utc_now())
    assert 2 == endpoints.enable(db, LIVE, utc_now())
    assert [False, True] == [deliveries.delivery(db, each)[0].next_attempt_at is None for each in (1, 2)]


async def test_the_last_attempt_at_one_who_is_gone_is_no_dead_letter(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its schedule is used up, but nobody will try before a person has looked."""
    async with Receiver(says(410)).running() as receiver:
        monkeypatch.setattr("tests.notifications.SCHEDULE", [])
        live = destination(tmp_path, receiver.url, monkeypatch)
        seal(db, 1)
        await deliver(db, live)
        await live.sink.close()
    assert DeliveryState.DEAD not in states(db)


async def days_of_failure(db: Database, live: Any, clock: Clock, days: float) -> dict[AlarmKind, float]:
    """Something new every eight hours, all of it refused; after how many days which alarm was first seen."""
    began, seen = clock.now, dict[AlarmKind, float]()
    while clock.now < began + timedelta(days=days):
        seal(db, 1)
        for _ in range(3):
            await deliver(db, live)
            clock.until_open(db)
        for kind in standing(db):
            seen.setdefault(kind, (clock.now - began) / DAY)
        clock.now = max(clock.now, began) + timedelta(hours=8)
    return seen


async def test_five_days_of_nothing_but_failures_put_a_destination_out_of_service(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before a person was told, at the fifth failure and a day ahead; and afterwards nothing is lost."""
    async with Receiver(says(502)).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch)
        seen = await days_of_failure(db, live, clock, 6.5)
        assert seen[AlarmKind.DESTINATION_FAILING] < 1
        assert 3.9 < seen[AlarmKind.DISABLED_SOON] < 4.6
        assert 5 <= seen[AlarmKind.DISABLED] < 5.8
        assert seen[AlarmKind.DISABLED] - seen[AlarmKind.DISABLED_SOON] >= 0.95
        assert {AlarmKind.DISABLED} == HEALTH & standing(db).keys()
        asked = len(receiver.received)
        seal(db, 3)
        clock.forward(days=1)
        await deliver(db, live)
        assert asked == len(receiver.received)

        receiver.answer = fine
        deliveries.retry_all(db, LIVE, DeliveryState.DEAD)
        assert 0 == await deliver(db, live)
        endpoints.enable(db, LIVE, clock.now)
        await deliver(db, live)
        await live.sink.close()
    assert {DeliveryState.DELIVERED} == states(db).keys()
    assert {} == standing(db)


async def test_one_arrival_in_five_days_keeps_a_destination_in_service(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarms are gone with it, and the days are counted anew."""
    async with Receiver(says(502)).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch)
        await days_of_failure(db, live, clock, 4.5)
        assert AlarmKind.DISABLED_SOON in standing(db)
        receiver.answer = fine
        clock.until_open(db)
        await deliver(db, live)
        assert set() == HEALTH & standing(db).keys()
        receiver.answer = says(502)
        seen = await days_of_failure(db, live, clock, 3)
        await live.sink.close()
    assert {AlarmKind.DESTINATION_FAILING} == HEALTH & seen.keys()


async def test_a_long_silence_is_no_failure(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was tried for weeks, the next failure is a warning, and only a day later it is the end."""
    async with Receiver(says(500)).running() as receiver:
        live = destination(tmp_path, receiver.url, monkeypatch)
        seal(db, 5)
        await deliver(db, live)
        for hours, expected in (
            (30 * 24, AlarmKind.DISABLED_SOON),
            (23, AlarmKind.DISABLED_SOON),
            (2, AlarmKind.DISABLED),
        ):
            seal(db, 1)
            clock.forward(hours=hours)
            await deliver(db, live)
            assert expected in standing(db)
        await live.sink.close()


async def test_other_sinks_are_not_put_out_of_service(db: Database, tmp_path: Path) -> None:
    """They know by themselves when to leave a server alone; but a person may."""
    wired, globex, mailbox = wire_globex(tmp_path, retry=[timedelta(hours=1)])
    owe(db, wired, parcels(8))

    async def away(_document: OutboundDocument) -> None:
        raise TransientError("connection refused")

    mailbox.behave = away
    await deliver(db, globex)
    assert endpoints.endpoint(db, "globex/edi") is None
    assert endpoints.disable(db, "globex/edi", "they move", utc_now())
    tried = len(mailbox.tried)
    owe(db, wired, ["LATE"])
    await deliver(db, globex)
    assert tried == len(mailbox.tried)
    assert "they move" in standing(db)[AlarmKind.DISABLED]


async def test_a_receiver_that_fails_in_every_way_gets_everything_once(
    db: Database, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, and nothing is sent again that was answered by 2xx."""
    rng, accepted = random.Random(5), Counter[str]()
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n"
    good = [fine, sends(head, b"cut"), says(202), sends(head, *[b"x"] * 3, drip=0.1)]
    bad = [
        says(500), says(404), says(301, location="http://localhost:1/"), says(429, retry_after="30"), sends(),
        sends(b"HTTP/1.1 200"), sends(*[b"x"] * 30, drip=0.1), sends(close=False), says(503, retry_after="1"),
    ]  # fmt: skip

    async def moody(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        answer = rng.choice(good if rng.random() < 0.4 else bad)
        accepted[request.id] += answer in good
        await answer(receiver, request, writer)

    names: list[str] = []
    options = {"timeout": "300ms"}
    receiver = Receiver(moody)
    async with receiver.running():
        live = destination(tmp_path, receiver.url, monkeypatch, in_flight=4, options=options)
        names += seal(db, 25)
        await deliver(db, live)
    names += seal(db, 5, first=26)
    await deliver(db, live)  # nobody listens
    async with receiver.running():
        receiver.ended.clear()
        while {DeliveryState.DELIVERED} != states(db).keys():
            clock.forward(hours=1)
            await deliver(db, live)
            deliveries.retry_all(db, LIVE, DeliveryState.DEAD)
            if endpoints.closed(db, clock.now + DAY):
                endpoints.enable(db, LIVE, clock.now)
        await live.sink.close()
    assert dict.fromkeys(names, 1) == +accepted


async def test_what_was_killed_while_sending_is_sent_again_under_its_id(db: Database, tmp_path: Path) -> None:
    """By kill -9 in the middle of it, again and again: everything arrives, and again only what was on its way."""

    async def patient(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        await fine(receiver, request, writer)

    def heard(goal: int) -> bool:
        return len(receiver.received) >= goal

    url, kills, in_flight = db._url.render_as_string(hide_password=False), 2, 4
    async with Receiver(patient).running() as receiver:
        names = seal(db, 30)
        for life in range(kills + 1):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.integration.sending_process"),
                *(url, receiver.url, str(tmp_path / f"life{life}")),
                cwd=ROOT,
            )
            if life < kills:
                await until(partial(heard, len(receiver.received) + 7))
                process.send_signal(signal.SIGKILL)
            assert (-signal.SIGKILL if life < kills else 0) == await process.wait()
    assert set(names) == set(receiver.ids)
    assert {DeliveryState.DELIVERED: 30} == states(db)
    assert len(receiver.ids) <= 30 + kills * in_flight
    bodies = {(request.id, request.body) for request in receiver.received}
    assert 30 == len(bodies)
