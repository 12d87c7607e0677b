"""Sending: everything arrives, nobody waits for another's trouble, and no file is sent by two at a time."""

from __future__ import annotations

import asyncio
import random
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from edi_gateway.config.models import Gateway
from edi_gateway.errors import NotTriedError, RefusedError, StorageError, TransientError
from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.pipeline import deliver as sending
from edi_gateway.pipeline.deliver import deliver, due, next_attempt, tell_alarms
from edi_gateway.pipeline.partners import Batch
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.store import claims, deliveries
from edi_gateway.store.alarms import AlarmKind, alarms, raise_alarm
from edi_gateway.store.claims import DELIVERY
from edi_gateway.store.content import CONTENT
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState, Outcome
from tests.unit.pipeline.outbound import Mailbox, owe, parcels, until, wire_globex
from tests.unit.store.building import second_node

EDI = "globex/edi"


def files(*numbers: int) -> list[str]:
    return [f"globex_{number:06}.edi" for number in numbers]


def states(db: Database) -> list[DeliveryState]:
    return [each.state for each in reversed(deliveries.deliveries(db, destination=EDI))]


def standing(db: Database) -> dict[AlarmKind, str]:
    return {AlarmKind(alarm.kind): alarm.text for alarm in alarms(db)}


async def test_several_files_are_on_their_way_at_a_time(db: Database, tmp_path: Path) -> None:
    """As many as `in_flight` allows, never more, and every one arrives once."""
    wired, globex, mailbox = wire_globex(tmp_path, in_flight=3)
    owe(db, wired, parcels(7))
    three = asyncio.Barrier(3)

    async def three_together(document: OutboundDocument) -> None:
        if document.name in files(1, 2, 3):
            await three.wait()

    mailbox.behave = three_together
    async with asyncio.timeout(20):
        assert 7 == await deliver(db, globex)
    assert (3, files(*range(1, 8))) == (mailbox.most_at_once, sorted(mailbox.arrived))
    assert {DeliveryState.DELIVERED} == set(states(db))


async def test_a_file_that_hangs_delays_no_other(db: Database, tmp_path: Path) -> None:
    """Those behind it arrive, and so does what is sealed while it hangs."""
    wired, globex, mailbox = wire_globex(tmp_path, in_flight=2)
    owe(db, wired, parcels(4))
    released = asyncio.Event()

    async def first_hangs(document: OutboundDocument) -> None:
        if document.name in files(1):
            await released.wait()

    mailbox.behave = first_hangs
    run = asyncio.create_task(deliver(db, globex))
    await until(lambda: files(2, 3, 4) == mailbox.arrived)
    await asyncio.to_thread(owe, db, wired, ["LATE"])
    await until(lambda: files(2, 3, 4, 5) == mailbox.arrived)
    released.set()
    assert 5 == await run


async def test_a_file_that_fails_delays_no_other(db: Database, tmp_path: Path) -> None:
    """It waits for its next attempt, the others arrive in the same run."""
    wired, globex, mailbox = wire_globex(tmp_path, in_flight=1, retry=[timedelta(hours=1)])
    owe(db, wired, parcels(3))

    async def first_fails(document: OutboundDocument) -> None:
        if document.name in files(1):
            raise TransientError("no space left")

    mailbox.behave = first_fails
    assert 2 == await deliver(db, globex)
    assert files(2, 3) == mailbox.arrived
    assert [DeliveryState.RETRYING, *[DeliveryState.DELIVERED] * 2] == states(db)


async def test_a_server_that_is_away_is_not_asked_for_every_file_at_once(db: Database, tmp_path: Path) -> None:
    """After some failures in a row the rest waits for the next round: a long queue must not keep the database busy."""
    wired, globex, mailbox = wire_globex(tmp_path, retry=[timedelta(hours=1)])
    owe(db, wired, parcels(40))

    async def away(_document: OutboundDocument) -> None:
        raise TransientError("connection refused")

    mailbox.behave = away
    assert 0 == await deliver(db, globex)
    assert len(mailbox.tried) <= 5 + globex.in_flight
    assert {EDI} == due(db, [globex], utc_now())


async def test_in_strict_order_a_file_waits_for_the_one_before_it(db: Database, tmp_path: Path) -> None:
    """A failure holds back what is behind it, without alarm: it will be tried again."""
    wired, globex, mailbox = wire_globex(tmp_path, in_order=True, in_flight=1, retry=[timedelta(hours=1)])
    owe(db, wired, parcels(3))

    async def second_fails(document: OutboundDocument) -> None:
        if document.name in files(2):
            raise TransientError("no space left")

    mailbox.behave = second_fails
    assert 1 == await deliver(db, globex)
    assert 0 == await deliver(db, globex)
    assert (files(1), files(1, 2)) == (mailbox.arrived, mailbox.tried)
    assert {} == standing(db)


@pytest.mark.parametrize(("way_out", "then"), [("retry", files(2, 3)), ("skip", files(3))])
async def test_a_dead_letter_blocks_strict_order_until_somebody_decides(
    db: Database, tmp_path: Path, way_out: str, then: list[str]
) -> None:
    """The alarm names it and what can be done; afterwards the rest arrives and the alarm is gone."""
    wired, globex, mailbox = wire_globex(tmp_path, in_order=True, in_flight=1)
    owe(db, wired, parcels(3))

    async def second_is_refused(document: OutboundDocument) -> None:
        if document.name in files(2):
            raise RefusedError("name not allowed")

    mailbox.behave = second_is_refused
    await deliver(db, globex)
    assert f"delivery 2 ({files(2)[0]}) is a dead letter and holds back" in standing(db)[AlarmKind.ORDER_BLOCKED]
    assert "name not allowed" in standing(db)[AlarmKind.DEAD_LETTER]
    mailbox.behave = Mailbox().behave
    assert 0 == await deliver(db, globex)

    getattr(deliveries, way_out)(db, 2)
    assert len(then) == await deliver(db, globex)
    assert (files(1) + then, {}) == (mailbox.arrived, standing(db))


async def test_without_strict_order_a_dead_letter_blocks_nobody(db: Database, tmp_path: Path) -> None:
    """It is an alarm of its own, and the rest arrives. The order's alarm of an earlier configuration goes."""
    wired, globex, mailbox = wire_globex(tmp_path, in_flight=1)
    owe(db, wired, parcels(2))

    async def first_is_refused(document: OutboundDocument) -> None:
        if document.name in files(1):
            raise RefusedError("name not allowed")

    mailbox.behave = first_is_refused
    raise_alarm(db, AlarmKind.ORDER_BLOCKED, EDI, "blocked")
    assert 1 == await deliver(db, globex)
    assert {AlarmKind.DEAD_LETTER} == standing(db).keys()


async def test_stopping_finishes_what_is_on_its_way_and_begins_nothing_else(db: Database, tmp_path: Path) -> None:
    """Asked before every file and before sealing; the rest is due at the next start."""
    wired, globex, mailbox = wire_globex(tmp_path, in_flight=6)
    owe(db, wired, parcels(6))
    assert 0 == await deliver(db, globex, lambda: True)
    assert [] == deliveries.deliveries(db)

    seal_due(db, globex, utc_now())
    answers = iter([False, False])  # for the round, for the first file, and no longer for the second
    assert 1 == await deliver(db, globex, lambda: next(answers, True))
    assert files(1) == mailbox.arrived == mailbox.tried


async def test_what_is_cut_short_is_due_again_at_once(db: Database, tmp_path: Path) -> None:
    """Abandoned in the middle of a file: the claim is given back, and the next attempt looks whether it arrived."""
    wired, globex, mailbox = wire_globex(tmp_path)
    owe(db, wired, parcels(1))

    async def hang(_document: OutboundDocument) -> None:
        await asyncio.Event().wait()

    mailbox.behave = hang
    run = asyncio.create_task(deliver(db, globex))
    await until(lambda: mailbox.tried)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert files(1) == mailbox.abandoned
    claim = claims.claim(db, EDI, "next")
    assert claim is not None
    assert (2, True) == (claim.number, claim.again)


async def test_a_claim_that_comes_after_the_stop_is_given_back(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claiming goes on in its thread when the run is cut short; nobody would hold what it brings."""
    wired, globex, mailbox = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    claim, claimed, cut = claims.claim, threading.Event(), threading.Event()

    def slowly(*args: Any, **more: Any) -> claims.Claim | None:
        held = claim(*args, **more)
        claimed.set()
        cut.wait(10)
        return held

    monkeypatch.setattr(claims, "claim", slowly)
    run = asyncio.create_task(deliver(db, globex))
    await until(claimed.is_set)
    run.cancel()
    await asyncio.sleep(0)
    cut.set()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [] == mailbox.tried
    assert claim(db, EDI, "next") is not None


async def test_a_claim_is_renewed_while_the_file_is_sent(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending longer than a lease is no reason for another node to begin."""
    wired, globex, mailbox = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    monkeypatch.setattr(sending, "_RENEWALS", 600)
    sent = asyncio.Event()

    async def slowly(_document: OutboundDocument) -> None:
        await sent.wait()

    mailbox.behave = slowly
    run = asyncio.create_task(deliver(db, globex))
    await until(lambda: mailbox.tried)
    first = deliveries.delivery(db, 1)[0].claimed_until
    await until(lambda: deliveries.delivery(db, 1)[0].claimed_until != first)
    assert claims.claim(db, EDI, "another") is None
    sent.set()
    assert 1 == await run


async def test_who_has_lost_the_claim_stops_sending(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asleep for longer than its lease, a node finds that another sends the file: it cuts its own attempt short."""
    wired, globex, mailbox = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    monkeypatch.setattr(sending, "_RENEWALS", 600)

    async def hang(_document: OutboundDocument) -> None:
        await asyncio.Event().wait()

    mailbox.behave = hang
    run = asyncio.create_task(deliver(db, globex))
    await until(lambda: mailbox.tried)
    others: list[claims.Claim] = []

    def taken_over() -> bool:
        """Again and again: the first node may renew its claim between the two."""
        with db.write() as connection:
            connection.execute(update(DELIVERY).values(claimed_until=utc_now() - timedelta(hours=1)))
        others.extend(filter(None, [claims.claim(db, EDI, "another", lease=timedelta(hours=1))]))
        return bool(others)

    await until(taken_over)
    assert 0 == await run
    assert files(1) == mailbox.abandoned
    delivery = deliveries.delivery(db, 1)[0]
    assert ("another", DeliveryState.SEALED) == (delivery.claimed_by, delivery.state)
    assert DeliveryState.DELIVERED is claims.finish_attempt(db, others[0], Outcome.DELIVERED)


async def test_what_the_database_holds_up_is_no_failure_of_the_customer(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command holds the lock until the claim runs out: the file is given up, and keeps its schedule."""
    wired, globex, mailbox = wire_globex(tmp_path, retry=[], in_flight=1)
    owe(db, wired, parcels(1))
    monkeypatch.setattr(claims, "LEASE", timedelta(seconds=0.2))

    async def hang(_document: OutboundDocument) -> None:
        await asyncio.Event().wait()

    mailbox.behave = hang
    with second_node(db) as other, capture_logs() as said:
        run = asyncio.create_task(deliver(db, globex, lambda: bool(mailbox.abandoned)))
        await until(lambda: mailbox.tried)
        with other.write() as connection:
            connection.execute(update(DELIVERY).values(name=DELIVERY.c.name))
            await until(lambda: mailbox.abandoned)
        assert 0 == await run
    delivery, attempts = deliveries.delivery(db, 1)
    assert (DeliveryState.RETRYING, 0, 1) == (delivery.state, delivery.failures, len(attempts))
    assert "delivery.put_off" in {line["event"] for line in said}


async def test_an_open_circuit_uses_up_no_retry(db: Database, tmp_path: Path) -> None:
    """Nothing was tried: the file keeps its schedule and waits for the moment at which the server is asked again."""
    wired, globex, mailbox = wire_globex(tmp_path, retry=[])
    owe(db, wired, parcels(1))
    probe = utc_now() + timedelta(hours=1)

    async def left_alone(_document: OutboundDocument) -> None:
        raise NotTriedError("left alone", probe)

    mailbox.behave = left_alone
    assert 0 == await deliver(db, globex)
    delivery = deliveries.delivery(db, 1)[0]
    assert (DeliveryState.RETRYING, 0, probe) == (delivery.state, delivery.failures, delivery.next_attempt_at)


async def test_an_arrival_is_recorded_however_long_the_database_refuses(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgotten, the file would be sent twice."""
    wired, globex, mailbox = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    monkeypatch.setattr(sending, "_REST", 0.01)
    finish, refusals = claims.finish_attempt, iter(range(3))

    def refused(*args: Any, **more: Any) -> DeliveryState | None:
        if next(refusals, None) is not None:
            raise StorageError("disk full")
        return finish(*args, **more)

    monkeypatch.setattr(claims, "finish_attempt", refused)
    assert 1 == await deliver(db, globex)
    assert (files(1), [DeliveryState.DELIVERED]) == (mailbox.tried, states(db))


async def test_a_file_whose_bytes_are_gone_is_a_dead_letter_at_once(db: Database, tmp_path: Path) -> None:
    """No retry brings them back, and the customer has no part in it: the alarm says what makes the file again."""
    wired, globex, mailbox = wire_globex(tmp_path, in_flight=1)
    owe(db, wired, parcels(1))
    seal_due(db, globex, utc_now())
    with db.write() as connection:
        connection.execute(delete(CONTENT).where(CONTENT.c.digest.in_(select(DELIVERY.c.digest))))
    assert 0 == await deliver(db, globex)
    assert ([], [DeliveryState.DEAD], 0) == (mailbox.tried, states(db), deliveries.delivery(db, 1)[0].failures)
    assert "deliveries reissue 1" in standing(db)[AlarmKind.DEAD_LETTER]


async def test_two_nodes_share_the_work_and_double_nothing(db: Database, tmp_path: Path) -> None:
    """Both seal and send for one destination at the same time; every file arrives once, every number is used once."""
    wired, globex, mailbox = wire_globex(tmp_path)
    owe(db, wired, parcels(30))

    async def breathe(_document: OutboundDocument) -> None:
        await asyncio.sleep(0)

    mailbox.behave = breathe
    with second_node(db) as other:
        counts = await asyncio.gather(deliver(db, globex), deliver(other, globex))
    assert 30 == sum(counts)
    assert files(*range(1, 31)) == sorted(mailbox.arrived)


async def test_a_defect_of_a_sink_is_tried_again(db: Database, tmp_path: Path) -> None:
    """An error nobody foresaw must not lose the file, nor end the run."""
    wired, globex, mailbox = wire_globex(tmp_path, in_flight=1, retry=[timedelta(hours=1)])
    owe(db, wired, parcels(2))

    async def first_breaks(document: OutboundDocument) -> None:
        if document.name in files(1):
            raise ZeroDivisionError

    mailbox.behave = first_breaks
    with capture_logs() as said:
        assert 1 == await deliver(db, globex)
    assert "delivery.defect" in {line["event"] for line in said}
    assert [DeliveryState.RETRYING, DeliveryState.DELIVERED] == states(db)


def test_the_usual_schedule_lasts_three_days_even_when_every_pause_is_cut_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A weekend and the Monday after it; then it is a dead letter."""
    monkeypatch.setattr(random, "uniform", lambda low, _high: low)
    schedule = Gateway().retry
    again = [next_attempt(schedule, failures) for failures in range(1, len(schedule) + 2)]
    assert again.pop() is None
    assert sum((when - utc_now() for when in again if when), timedelta()) >= timedelta(hours=72) - timedelta(seconds=5)
    assert None not in again


def test_pauses_differ_so_that_a_server_is_not_met_by_all_at_once() -> None:
    """A pause is its length give or take a fifth."""
    pauses = [when - utc_now() for _ in range(200) if (when := next_attempt([timedelta(hours=10)], 1))]
    assert timedelta(hours=7.99) < min(pauses) < timedelta(hours=9)
    assert timedelta(hours=11) < max(pauses) <= timedelta(hours=12)


async def test_only_destinations_with_something_to_do_are_due(db: Database, tmp_path: Path) -> None:
    """Events that may still wait for others, files that wait for their next attempt, and claimed ones are not."""
    wired, globex, mailbox = wire_globex(tmp_path, retry=[timedelta(hours=1)])
    patient = wire_globex(tmp_path / "p", batch=Batch(timedelta(hours=1), 3, 1_000_000))[1]
    assert set() == due(db, [globex], utc_now())
    owe(db, wired, parcels(2))
    assert ({EDI}, set()) == (due(db, [globex], utc_now()), due(db, [patient], utc_now()))
    owe(db, wired, ["THIRD"])
    assert {EDI} == due(db, [patient], utc_now())
    assert {EDI} == due(db, [patient], utc_now() + timedelta(hours=2))
    assert set() == due(db, [each for each in wired.destinations if each.name != EDI], utc_now())

    await deliver(db, globex)
    assert set() == due(db, [globex], utc_now())

    async def fail(_document: OutboundDocument) -> None:
        raise TransientError("no space left")

    mailbox.behave = fail
    owe(db, wired, ["FOURTH"])
    await deliver(db, globex)
    assert set() == due(db, [globex], utc_now())
    assert {EDI} == due(db, [globex], utc_now() + timedelta(hours=2))
    deliveries.retry(db, 4)
    assert {EDI} == due(db, [globex], utc_now())
    claims.claim(db, EDI, "another")
    assert set() == due(db, [globex], utc_now())


async def test_an_alarm_missed_in_a_crash_is_made_good(db: Database, tmp_path: Path) -> None:
    """The dead letter was written, the alarm was not: telling what is true needs no event."""
    wired, globex, mailbox = wire_globex(tmp_path)
    owe(db, wired, parcels(1))
    await deliver(db, globex)
    with db.write() as connection:
        connection.execute(update(DELIVERY).values(state=DeliveryState.DEAD))
    tell_alarms(db, globex)
    assert {AlarmKind.DEAD_LETTER} == standing(db).keys()
    assert files(1) == mailbox.arrived
