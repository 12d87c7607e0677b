"""One check of a number at a time, whoever asks; what comes back late changes nothing; news brings it forward."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from edi_gateway.model import Status, TrackingState, utc_now
from edi_gateway.store import checks, shipments, subscriptions, tracked
from edi_gateway.store.checks import CHECK
from edi_gateway.store.engine import Database
from edi_gateway.store.tracked import Reached
from edi_gateway.tracking.checks import Check, Ended
from edi_gateway.tracking.planning import Plan, Reply, Standing, plan, soonest
from edi_gateway.tracking.schedule import BUILT_IN
from tests.unit.store.building import message, record, second_node, tracking

API, SPEEDY = "speedy/api", "speedy"
LEASE, OVER, HOUR = timedelta(minutes=5), timedelta(seconds=-1), timedelta(hours=1)
SILENCE = timedelta(days=90)


def quietly(standing: Standing, reply: Reply, now: datetime) -> tuple[Plan, timedelta]:
    schedule = BUILT_IN["quiet_backoff"]
    return plan(schedule, standing, reply, now, lambda: 0), soonest(schedule, standing, now)


def tracks(db: Database, *numbers: str) -> None:
    tracked.track(db, API, SPEEDY, numbers)


def claimed(db: Database, most: int = 100, lease: timedelta = LEASE) -> list[Check]:
    return checks.claim(db, API, "here", most, lease)


def ends(db: Database, held: Sequence[Check], reply: Reply | None = Reply.ANSWERED, **more: Any) -> int:
    return checks.finish(db, SPEEDY, [Ended(each, reply, **more) for each in held], quietly)


def row(db: Database, number: str = "P1") -> Any:
    with db.read() as connection:
        return connection.execute(select(CHECK).where(CHECK.c.tracking_number == number)).one()


def make_due(db: Database) -> None:
    with db.write() as connection:
        connection.execute(update(CHECK).where(CHECK.c.due_at.is_not(None)).values(due_at=utc_now() - HOUR))


def minutes_ahead(db: Database, number: str = "P1") -> int:
    due_at: datetime = row(db, number).due_at
    return round((due_at - utc_now()).total_seconds() / 60)


def hears(db: Database, status: Status = Status.IN_TRANSIT, hour: float = 8) -> None:
    record(db, message(tracking(status, hour)))
    with db.write() as connection:
        tracked.heard(connection, {(SPEEDY, "P1")})


def test_a_claimed_check_is_nobody_elses(db: Database) -> None:
    """In the order they became due, no more than asked for, each once."""
    tracks(db, "P1", "P2", "P3")
    first, rest = claimed(db, 2), claimed(db)
    assert ["P1", "P2", "P3"] == [each.tracking_number for each in first + rest]
    assert claimed(db) == []


def test_many_nodes_never_check_the_same_number(db: Database) -> None:
    """Each of two nodes with four workers gets other checks, and together they get all."""
    tracks(db, *(f"P{number}" for number in range(100)))
    with second_node(db) as other, ThreadPoolExecutor(8) as pool:

        def work(node: Database) -> list[str]:
            mine: list[str] = []
            while found := checks.claim(node, API, "somebody", 3, LEASE):
                mine += [each.tracking_number for each in found]
            return mine

        taken = [number for mine in pool.map(work, [db, other] * 4) for number in mine]
    assert sorted(f"P{number}" for number in range(100)) == sorted(taken)


def test_the_check_of_a_node_that_died_is_made_by_another(db: Database) -> None:
    """When the lease has run out; what the first one says afterwards counts no more."""
    tracks(db, "P1")
    late = claimed(db, lease=OVER)
    again = claimed(db)
    assert (0, "") == (ends(db, late, digest="late"), row(db).digest)
    assert (1, "now") == (ends(db, again, digest="now"), row(db).digest)


def test_a_check_given_back_is_due_as_it_was(db: Database) -> None:
    """A stop costs neither the check nor a lease."""
    tracks(db, "P1")
    checks.release(db, claimed(db))
    assert ["P1"] == [each.tracking_number for each in claimed(db)]
    assert 1 == checks.release_all(db)
    assert ["P1"] == [each.tracking_number for each in claimed(db)]


def test_pauses_grow_until_there_is_news(db: Database) -> None:
    """10 minutes, 30, 2 hours; and after a scan, from wherever it came, ten minutes and then thirty again."""
    tracks(db, "P1")
    seen = []
    for _ in range(3):
        make_due(db)
        ends(db, claimed(db))
        seen.append(minutes_ahead(db))
    hears(db)
    seen.append(minutes_ahead(db))
    make_due(db)
    ends(db, claimed(db))
    assert [10, 30, 120, 10, 30] == [*seen, minutes_ahead(db)]


def test_news_that_comes_while_the_carrier_is_asked_counts(db: Database) -> None:
    """The answer may be older than the scan, so the pauses begin anew."""
    tracks(db, "P1")
    for _ in range(3):
        make_due(db)
        ends(db, claimed(db))
    make_due(db)
    held = claimed(db)
    hears(db)
    ends(db, held)
    assert 10 == minutes_ahead(db)


def test_a_delivered_shipment_is_checked_seven_more_days_and_its_status_stays(db: Database) -> None:
    """Then tracking is closed, which the shipment shows beside its status."""
    hears(db, Status.DELIVERED)
    tracks(db, "P1")
    made = 0
    while row(db).due_at is not None:
        make_due(db)
        made += ends(db, claimed(db))
    [shipment] = shipments.history(db, "P1")
    assert (8, TrackingState.CLOSED, Status.DELIVERED) == (made, shipment.tracking_state, shipment.status)


def test_a_late_report_counts_though_tracking_has_stopped(db: Database) -> None:
    """It moves the shipment, and does not begin tracking again."""
    record(db, message(tracking(Status.IN_TRANSIT)))
    tracks(db, "P1")
    ends(db, claimed(db), Reply.GONE)
    hears(db, Status.DELIVERED, 9)
    [shipment] = shipments.history(db, "P1")
    assert (Status.DELIVERED, TrackingState.EXPIRED) == (shipment.status, shipment.tracking_state)
    assert row(db).due_at is None


def test_one_call_tracks_again_what_had_stopped(db: Database) -> None:
    """Expired, paused or closed: it is due at once and has its whole schedule before it."""
    record(db, message(tracking(Status.IN_TRANSIT)))
    tracks(db, "P1")
    ends(db, claimed(db), Reply.GONE)
    tracks(db, "P1")
    assert ["P1"] == [each.tracking_number for each in claimed(db)]
    assert TrackingState.ACTIVE is shipments.history(db, "P1")[0].tracking_state


def test_who_untracks_a_number_stops_the_check_that_is_under_way(db: Database) -> None:
    """Its end plans nothing; the shipment says that a person paused it."""
    record(db, message(tracking(Status.IN_TRANSIT)))
    tracks(db, "P1")
    held = claimed(db)
    assert 1 == tracked.untrack(db, API, SPEEDY, ["P1"])
    assert (0, None) == (ends(db, held), row(db).due_at)
    assert TrackingState.PAUSED is shipments.history(db, "P1")[0].tracking_state


def test_a_number_that_became_another_shipments_is_tracked_again(db: Database) -> None:
    """Carriers use their numbers again; the end of the first one's tracking is not the second one's."""
    record(db, message(tracking(Status.DELIVERED)))
    tracks(db, "P1")
    ends(db, claimed(db), Reply.GONE)
    hears(db, Status.PICKED_UP, 24 * 200)
    assert ["P1"] == [each.tracking_number for each in claimed(db)]


def test_a_check_without_an_answer_is_made_again_after_a_growing_while(db: Database) -> None:
    """Its schedule goes on where it was."""
    tracks(db, "P1")
    seen = []
    for _ in range(3):
        make_due(db)
        ends(db, claimed(db), None, error="reset\0")
        seen.append(minutes_ahead(db))
    assert ([1, 2, 4], 3, "reset\ufffd", 0) == (seen, row(db).failures, row(db).error, row(db).quiet)
    make_due(db)
    ends(db, claimed(db))
    assert (0, "", 10) == (row(db).failures, row(db).error, minutes_ahead(db))


def test_a_carrier_that_asks_to_wait_is_waited_for(db: Database) -> None:
    """That is no failure."""
    tracks(db, "P1")
    ends(db, claimed(db), None, error="429", again_at=utc_now() + 3 * HOUR)
    assert (180, 0) == (minutes_ahead(db), row(db).failures)


def test_subscribed_numbers_and_shipments_under_way_are_taken_up(db: Database) -> None:
    """Not those of other carriers, of nobody in particular, or that have arrived; and each once."""
    now = utc_now()
    for number, status in (("ON", Status.IN_TRANSIT), ("IN", Status.DELIVERED)):
        record(db, message(tracking(status, 0, tracking_number=number)))
    subscriptions.subscribe(db, "globex", ["P1"], SPEEDY)
    subscriptions.subscribe(db, "globex", ["P2"], "nordlog")
    subscriptions.subscribe(db, "globex", ["P3"])
    long = timedelta(days=36_500)

    new, reached = tracked.enlist(db, API, SPEEDY, long, Reached())
    assert (2, ["ON", "P1"]) == (new, sorted(each.tracking_number for each in claimed(db)))
    assert 0 == tracked.enlist(db, API, SPEEDY, long, reached)[0]
    subscriptions.subscribe(db, "initech", ["P1", "P4"], SPEEDY)
    assert 1 == tracked.enlist(db, API, SPEEDY, long, reached)[0]
    assert row(db, "P4").due_at >= now


def test_shipments_that_have_long_been_silent_are_not_taken_up(db: Database) -> None:
    """A new channel does not begin with all that ever was."""
    record(db, message(tracking(Status.IN_TRANSIT, -24 * 1000)))
    assert 0 == tracked.enlist(db, API, SPEEDY, SILENCE, Reached())[0]


def test_what_a_person_stopped_is_not_taken_up_by_itself(db: Database) -> None:
    """A subscription to it changes nothing."""
    tracks(db, "P1")
    tracked.untrack(db, API, SPEEDY, ["P1"])
    subscriptions.subscribe(db, "globex", ["P1"], SPEEDY)
    assert 0 == tracked.enlist(db, API, SPEEDY, SILENCE, Reached())[0]


def test_how_much_is_due_overdue_and_stopped_can_be_counted(db: Database) -> None:
    """Channel by channel."""
    tracks(db, "P1", "P2", "P3", "P4")
    ends(db, claimed(db, 1))
    ends(db, claimed(db, 1), Reply.GONE)
    with db.write() as connection:
        connection.execute(update(CHECK).where(CHECK.c.tracking_number == "P3").values(due_at=utc_now() - HOUR))
    [found] = tracked.counts(db)
    assert (3, 2, 1, 0, {"expired": 1}) == (found.waiting, found.due, found.overdue, found.failing, found.stopped)
