"""What a destination missed is sent once, however it was lost and however often somebody asks."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from edi_gateway.model import RawDocument, utc_now
from edi_gateway.notifications.words import canonical
from edi_gateway.pipeline import catching_up
from edi_gateway.pipeline.catching_up import Sent, Wish, send, would_send
from edi_gateway.pipeline.partners import Batch, Destination, Notifying
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.pipeline.trying import send_test
from edi_gateway.store import catch_up, claims, deliveries, inbox, outbox, tried
from edi_gateway.store.catch_up import Span, Standing
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA, DeliveryState, Outcome
from edi_gateway.wiring import Wired
from tests.unit.pipeline.iftsta import interchange, message, sts
from tests.unit.pipeline.outbound import owe, parcels, told, wire_globex
from tests.unit.store.building import second_node

EDI = "globex/edi"
DELIVERY = METADATA.tables["delivery"]
SPAN = Span(utc_now() - timedelta(days=1), utc_now() + timedelta(days=1))
MISSING, ALL = Wish(SPAN, everything=False), Wish(SPAN, everything=True)


def in_files(folder: Path, at_most: int = 2) -> tuple[Wired, Destination]:
    wired, globex, _ = wire_globex(folder, batch=Batch(timedelta(), at_most, 1_000_000))
    return wired, globex


def one_by_one(folder: Path, **changes: Any) -> tuple[Wired, Destination]:
    """The same customer, notified of each event as it comes."""
    notifying = Notifying("canonical", canonical, history=False)
    numbers = {"layout": None, "encoder": None, "file_name": lambda _number, _now: "never"}
    batch = Batch(timedelta(), 100, 1_000_000)
    wired, globex, _ = wire_globex(folder, notifying=notifying, batch=batch, **numbers, **changes)
    return replace(wired, destinations=[globex]), globex


def attempt(db: Database, *outcomes: Outcome) -> None:
    """Make one attempt at what is due, each with that outcome; a failure has no second attempt."""
    for outcome in outcomes:
        claim = None
        until = time.monotonic() + 5
        while claim is None and time.monotonic() < until:
            claim = claims.claim(db, EDI, "here")
        assert claim
        claims.finish_attempt(db, claim, outcome, "as told")


def stands(db: Database) -> dict[str, int]:
    return {str(word): count for word, count in catch_up.counts(db, "globex", [EDI], SPAN)[EDI].items()}


def age(db: Database) -> None:
    """Everything was sealed an hour ago."""
    with db.write() as connection:
        connection.execute(update(DELIVERY).values(sealed_at=utc_now() - timedelta(hours=1)))


def test_a_file_of_all_that_is_missing_takes_the_place_of_those_that_did_not_arrive(
    db: Database, tmp_path: Path
) -> None:
    """Two dead files become one under a new number; the one that arrived is not repeated, nor is anything twice."""
    wired, globex = in_files(tmp_path)
    owe(db, wired, parcels(6))
    assert 3 == seal_due(db, globex, utc_now())
    attempt(db, Outcome.FAILED, Outcome.DELIVERED, Outcome.FAILED)
    assert {"missing": 4, "delivered": 2} == stands(db)
    assert 4 == would_send(db, globex, MISSING, utc_now())

    assert Sent(4, 1, 0, more=False) == send(db, globex, MISSING, utc_now())
    assert Sent(0, 0, 0, more=False) == send(db, globex, MISSING, utc_now())
    assert {"waiting": 4, "delivered": 2} == stands(db)
    [newest, *before] = deliveries.deliveries(db)
    assert (4, 4, DeliveryState.SEALED) == (newest.control_number, newest.event_count, newest.state)
    assert Counter(superseded=2, delivered=1) == Counter(str(each.state) for each in before)
    assert len(set(told(db))) == len(told(db)) == 6
    for each in before:
        with pytest.raises(LookupError):
            deliveries.retry(db, each.id)


def test_a_file_that_was_lost_is_taken_whole(db: Database, tmp_path: Path) -> None:
    """Where only a part of it is asked for: a rest that stayed behind could be tried again, and told twice."""
    wired, globex = in_files(tmp_path)
    owe(db, wired, parcels(2))
    seal_due(db, globex, utc_now())
    attempt(db, Outcome.FAILED)
    row = METADATA.tables["outbox"]
    with db.write() as connection:
        first = connection.execute(select(row.c.id).order_by(row.c.id).limit(1)).scalar_one()
        long_ago = update(row).where(row.c.id == first).values(created_at=SPAN.start - timedelta(days=1))
        connection.execute(long_ago)
    assert 2 == send(db, globex, MISSING, utc_now()).events
    assert len(set(told(db))) == len(told(db)) == 2


def test_what_is_on_its_way_is_left_alone(db: Database, tmp_path: Path) -> None:
    """Neither what waits to be sealed nor what waits for its next attempt is missing, whatever is asked for."""
    wired, globex = in_files(tmp_path)
    owe(db, wired, parcels(4))
    seal_due(db, globex, utc_now(), at_most=1)
    claim = claims.claim(db, EDI, "here")
    assert claim
    claims.finish_attempt(db, claim, Outcome.FAILED, "away", utc_now() + timedelta(hours=1))
    assert {"waiting": 4} == stands(db)
    for wish in (MISSING, ALL):
        assert 0 == send(db, globex, wish, utc_now()).events


@pytest.mark.parametrize("make", [in_files, one_by_one])
def test_all_is_sent_again_but_not_what_was_sealed_just_now(db: Database, tmp_path: Path, make: Any) -> None:
    """Asking twice sends once; what was owed counts once, however often it was told."""
    wired, globex = make(tmp_path)
    owe(db, wired, parcels(2))
    seal_due(db, globex, utc_now())
    attempt(db, *[Outcome.DELIVERED] * (2 if globex.notifying else 1))
    assert 0 == send(db, globex, ALL, utc_now()).events
    age(db)
    assert [2, 0] == [send(db, globex, ALL, utc_now()).events for _ in range(2)]
    assert {"waiting": 2} == stands(db)
    attempt(db, *[Outcome.DELIVERED] * (2 if globex.notifying else 1))
    assert 0 == send(db, globex, ALL, utc_now()).events
    assert {"delivered": 2} == stands(db)


def test_notifications_keep_the_number_of_their_event_and_come_one_after_the_other(
    db: Database, tmp_path: Path
) -> None:
    """Each has another id and replaces the one that did not arrive; between two there is a pause."""
    wired, globex = one_by_one(tmp_path)
    owe(db, wired, parcels(3))
    seal_due(db, globex, utc_now())
    attempt(db, Outcome.FAILED, Outcome.DELIVERED, Outcome.FAILED)
    dead = {each.id: each for each in deliveries.deliveries(db, state=DeliveryState.DEAD)}

    assert Sent(2, 2, 0, more=False) == send(db, globex, MISSING, utc_now())
    sent = sorted(deliveries.deliveries(db, state=DeliveryState.SEALED), key=lambda each: each.id)
    assert [dead[each.replaces or 0].control_number for each in sent] == [each.control_number for each in sent]
    assert {each.name for each in sent}.isdisjoint(each.name for each in dead.values())
    first, second = (each.next_attempt_at for each in sent)
    assert first is not None
    assert second is not None
    assert timedelta(milliseconds=100) == second - first
    assert len(set(told(db))) == len(told(db)) == 3


def test_what_was_refused_is_told_once_it_can_be(db: Database, tmp_path: Path) -> None:
    """It gets the next number of its shipment; as long as nothing can be made of it, it stays missing."""
    silent = Notifying("canonical", lambda *_: None, history=False)
    wired, globex = one_by_one(tmp_path)
    owe(db, wired, parcels(1))
    dumb = replace(globex, notifying=silent)
    assert 0 == seal_due(db, dumb, utc_now())
    assert {"missing": 1} == stands(db)
    [lost] = catch_up.missing(db, "globex", [EDI], SPAN, 0, 10)
    assert ("refused", "K0") == (lost.why, lost.event.tracking_number)
    assert Sent(0, 0, 1, more=False) == send(db, dumb, MISSING, utc_now())
    assert Sent(1, 1, 0, more=False) == send(db, globex, MISSING, utc_now())
    assert [1] == [each.control_number for each in deliveries.deliveries(db)]
    assert [] == outbox.refused(db)


@pytest.mark.parametrize("make", [in_files, one_by_one])
def test_two_who_ask_at_once_send_it_once(db: Database, tmp_path: Path, make: Any) -> None:
    """Two nodes, or a double click: what one takes, the other does not find any more."""
    wired, globex = make(tmp_path)
    owe(db, wired, parcels(8))
    while seal_due(db, globex, utc_now()):
        pass
    while claim := claims.claim(db, EDI, "here"):
        claims.finish_attempt(db, claim, Outcome.FAILED, "away")
    with second_node(db) as other, ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(send, node, globex, MISSING, utc_now()) for node in (db, other, db, other)]
        assert 8 == sum(each.result().events for each in sent)
    assert len(set(told(db))) == len(told(db)) == 8


@pytest.mark.parametrize("make", [in_files, one_by_one])
def test_what_was_refused_is_sent_once_whoever_asks(db: Database, tmp_path: Path, make: Any) -> None:
    """It lies in no delivery that could be held; the sequence of the destination keeps the others out."""
    wired, globex = make(tmp_path)
    owe(db, wired, parcels(8))
    with db.write() as connection:
        rows = outbox.pending_events(connection, EDI, 100)
        outbox.refuse(connection, [row.outbox_id for row in rows], "not today")
    with second_node(db) as other, ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(send, node, globex, MISSING, utc_now()) for node in (db, other, db, other)]
        assert 8 == sum(each.result().events for each in sent)
    assert 8 == sum(each.event_count for each in deliveries.deliveries(db))


def test_what_became_void_is_not_told_as_if_it_stood(db: Database, tmp_path: Path) -> None:
    """Of an event that was reported in vain and cancelled since, only the cancellation counts."""
    wired, globex = in_files(tmp_path)
    owe(db, wired, ["K0"])
    seal_due(db, globex, utc_now())
    attempt(db, Outcome.FAILED)
    void = interchange(message(sts("K0", "21", 0), bgm="23+K0+1"), ref="VOID")
    inbox.receive(db, "speedy", [RawDocument("speedy/files", "void", void, utc_now())])
    process_pending(db, wired.channels, wired.destinations)
    assert {"waiting": 1} == stands(db)
    assert 0 == send(db, globex, MISSING, utc_now()).events


def test_no_more_than_a_bound_goes_at_once(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is said to be left, and goes when it is asked for again."""
    monkeypatch.setattr(catching_up, "MOST", 2)
    monkeypatch.setattr(catching_up, "_AT_ONCE", 2)
    wired, globex = one_by_one(tmp_path)
    owe(db, wired, parcels(3))
    seal_due(db, globex, utc_now())
    attempt(db, *[Outcome.FAILED] * 3)
    assert [Sent(2, 2, 0, more=True), Sent(1, 1, 0, more=False)] == [
        send(db, globex, MISSING, utc_now()) for _ in range(2)
    ]


def test_the_last_success_is_when_that_was_owed_which_arrived_last(db: Database, tmp_path: Path) -> None:
    """A test that arrived is none."""
    wired, globex = one_by_one(tmp_path)
    assert catch_up.last_success(db, EDI) is None
    owe(db, wired, ["K0"])
    owed_at = outbox.due(db, EDI).oldest_created_at
    seal_due(db, globex, utc_now())
    attempt(db, Outcome.DELIVERED)
    send_test(db, globex, utc_now())
    attempt(db, Outcome.DELIVERED)
    assert owed_at == catch_up.last_success(db, EDI)


def test_deliveries_are_told_page_by_page(db: Database, tmp_path: Path) -> None:
    """The newest first, each once, with its attempts; another customer has none of them."""
    wired, globex = one_by_one(tmp_path)
    owe(db, wired, parcels(5))
    seal_due(db, globex, utc_now())
    attempt(db, Outcome.FAILED, Outcome.DELIVERED)
    pages, before = [], 0
    while page := tried.page(db, "globex", EDI, None, before, 2):
        pages.append([each.delivery.tracking_number for each in page])
        before = page[-1].delivery.id
    assert [["K4", "K3"], ["K2", "K1"], ["K0"]] == pages
    [dead] = tried.page(db, "globex", EDI, DeliveryState.DEAD, 0, 10)
    assert [(1, Outcome.FAILED)] == [(each.number, each.outcome) for each in dead.attempts]
    assert [] == tried.page(db, "initech", EDI, None, 0, 10)
    assert tried.one(db, "globex", EDI, dead.delivery.name)
    assert tried.one(db, "initech", EDI, dead.delivery.name) is None
    with pytest.raises(LookupError):
        tried.again(db, "initech", dead.delivery.id)


def test_a_delivery_that_arrived_is_sent_again_as_it_was(db: Database, tmp_path: Path) -> None:
    """Under its id; not while it is being sent, and not once another has taken its place."""
    wired, globex = one_by_one(tmp_path)
    owe(db, wired, ["K0"])
    seal_due(db, globex, utc_now())
    [delivery] = deliveries.deliveries(db)
    claim = claims.claim(db, EDI, "here")
    assert claim
    with pytest.raises(tried.BusyError):
        tried.again(db, "globex", delivery.id)
    claims.finish_attempt(db, claim, Outcome.DELIVERED, "as told")
    tried.again(db, "globex", delivery.id)
    again = claims.claim(db, EDI, "here")
    assert again
    assert (delivery.name, delivery.digest, 2) == (again.name, again.digest, again.number)
    claims.finish_attempt(db, again, Outcome.FAILED, "as told")
    send(db, globex, MISSING, utc_now())
    with pytest.raises(tried.SupersededError):
        tried.again(db, "globex", delivery.id)


def test_standings_add_up_to_what_was_owed(db: Database, tmp_path: Path) -> None:
    """Before the span, and after it, nothing is counted."""
    wired, _ = in_files(tmp_path)
    owe(db, wired, parcels(2))
    assert 2 == catch_up.counts(db, "globex", [EDI], SPAN)[EDI][Standing.WAITING]
    for span in (Span(SPAN.start, utc_now() - timedelta(hours=1)), Span(utc_now() + timedelta(hours=1), SPAN.end)):
        assert not catch_up.counts(db, "globex", [EDI], span)[EDI]
    assert not catch_up.counts(db, "initech", [EDI], SPAN)[EDI]
