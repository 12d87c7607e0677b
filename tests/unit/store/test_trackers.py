"""Trackers: one for a customer and a shipment, whoever comes first; gone is gone; others' are nobody's business."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from edi_gateway.model import Classifier, Status, utc_now
from edi_gateway.pipeline.partners import Feed
from edi_gateway.pipeline.requesting import request
from edi_gateway.store import events, feed, subscriptions, trackers, tracks
from edi_gateway.store.engine import Database
from edi_gateway.store.feed import Place, Seen
from edi_gateway.store.subscriptions import SUBSCRIPTION
from edi_gateway.store.tables import Action, TrackerState
from edi_gateway.store.trackers import Made, Wish
from tests.unit.store.building import START, message, new_document, record, second_node, tracking

HOOLI, INITECH = "hooli", "initech"
NOW_AND_THEN = (utc_now() - START).total_seconds() / 3600  # hours
LONG = timedelta(days=36_500)
GAPS = {"speedy": LONG, "slow": LONG}
ANY, OURS = Wish("", "P1"), Wish("speedy", "P1")


def asks(db: Database, *wishes: Wish, customer: str = HOOLI, gaps: trackers.Gaps = GAPS) -> list[Made]:
    return request(db, customer, wishes, gaps, [_feed(HOOLI), _feed(INITECH)])


def one(db: Database, wish: Wish = OURS, customer: str = HOOLI) -> Made:
    [made] = asks(db, wish, customer=customer)
    return made


def hears(db: Database, *statuses: Status, hour: float = 8, carrier: str = "speedy") -> None:
    """A document of the carrier is recorded as the daemon does it, for those who subscribed."""
    told = [tracking(status, hour + number, carrier=carrier) for number, status in enumerate(statuses)]
    document = new_document(db, carrier=carrier)
    with db.write() as connection:
        report = message(*told, carrier=carrier)
        changed = events.record(connection, document, START, [report], gap=timedelta(days=90)).changes
        numbers = {(change.event.carrier, change.event.tracking_number) for change in changed}
        wanting = subscriptions.subscribers(connection, numbers)
        feed.enter(
            connection,
            [
                Seen(customer, carrier, "P1", change.shipment_id, change.event_id, Action.REPORT)
                for change in changed
                for customer in sorted(wanting.get((carrier, "P1"), ()))
            ],
        )


def fed(db: Database, customer: str = HOOLI) -> list[str]:
    return [each.event.status.value for each in feed.page(db, customer, Place(), 100)]


def listed(db: Database, customer: str = HOOLI) -> Sequence[tracks.Track]:
    return tracks.listing(db, customer, tracks.Wanted(), 0, 100)


def subscribed(db: Database, customer: str = HOOLI) -> set[str]:
    with db.read() as connection:
        mine = select(SUBSCRIPTION.c.carrier).where(SUBSCRIPTION.c.customer == customer)
        return set(connection.execute(mine).scalars())


def _feed(customer: str) -> Feed:
    return Feed(customer, lambda _: False, 20, 40)


def test_the_same_again_is_the_same_tracker(db: Database) -> None:
    """Before and after its first event, alone and within one batch; another customer has another one."""
    first = one(db)
    assert [Made(first.id, False)] * 2 == asks(db, OURS, OURS)
    hears(db, Status.PICKED_UP)
    assert Made(first.id, False) == one(db)
    assert one(db, customer=INITECH).id != first.id
    made = asks(db, Wish("speedy", "P7"), Wish("speedy", "P7"))
    assert ([True, False], 1) == ([each.new for each in made], len({each.id for each in made}))


def test_what_is_known_already_is_found_and_fed_once(db: Database) -> None:
    """A tracker made late has the whole history, and so has the feed; what comes later follows on it."""
    hears(db, Status.PICKED_UP, Status.IN_TRANSIT)
    made = one(db, ANY)
    assert (True, ["PICKED_UP", "IN_TRANSIT"]) == (made.new, fed(db))
    hears(db, Status.DELIVERED, hour=20)
    one(db)
    assert ["PICKED_UP", "IN_TRANSIT", "DELIVERED"] == fed(db)
    [track] = listed(db)
    assert (made.id, Status.DELIVERED, "speedy") == (track.id, track.status, track.carrier)


def test_what_is_known_is_told_as_if_it_had_just_come(db: Database) -> None:
    """Each event with what it changed: a status, or when delivery is expected."""
    hears(db, Status.PICKED_UP, Status.IN_TRANSIT)
    told = tracking(Status.DELIVERED, 50, classifier=Classifier.EST)
    record(db, message(told))
    with db.read() as connection:
        changes = trackers.told(connection, {1})
    assert [
        ("UNKNOWN", "PICKED_UP", False),
        ("PICKED_UP", "IN_TRANSIT", False),
        ("IN_TRANSIT", "IN_TRANSIT", True),
    ] == [(each.previous_status.value, each.status.value, each.estimate_changed) for each in changes]


def test_naming_the_carrier_narrows_what_waits(db: Database) -> None:
    """Whoever waits for anybody and says later who it is has one tracker, and gets it."""
    waits = one(db, ANY)
    assert Made(waits.id, False) == one(db)
    hears(db, Status.PICKED_UP)
    assert [(waits.id, Status.PICKED_UP)] == [(each.id, each.status) for each in listed(db)]


def test_whoever_carries_it_means_each_of_them(db: Database) -> None:
    """A number two carriers use: both shipments are seen, the answer is the one that was heard of last."""
    hears(db, Status.PICKED_UP, hour=9, carrier="slow")
    hears(db, Status.PICKED_UP)
    made = one(db, ANY)
    assert {"slow", "speedy"} == {each.carrier for each in listed(db)}
    assert ["slow"] == [each.carrier for each in listed(db) if each.id == made.id]


def test_a_number_used_again_is_a_new_tracker(db: Database) -> None:
    """After the gap the old shipment is left alone, and the next one's first event finds the tracker waiting."""
    hears(db, Status.DELIVERED)
    old = one(db)
    [new] = asks(db, OURS, gaps={"speedy": timedelta(days=1)})
    assert (True, True) == (new.new, new.id != old.id)
    assert [Made(new.id, False)] == asks(db, OURS, gaps={"speedy": timedelta(days=1)})
    hears(db, Status.PICKED_UP, hour=NOW_AND_THEN - 1)
    latest, earlier = tracks.by_numbers(db, HOOLI, ["P1"])["P1"]
    assert ((new.id, 2), (old.id, 1)) == ((latest.id, latest.epoch), (earlier.id, earlier.epoch))


def test_a_paused_tracker_hears_nothing(db: Database) -> None:
    """What happens meanwhile is not made up for; what comes after it is told again. Others are not concerned."""
    made = one(db)
    one(db, customer=INITECH)
    assert not trackers.let(db, INITECH, made.id, TrackerState.PAUSED)
    assert trackers.let(db, HOOLI, made.id, TrackerState.PAUSED)
    hears(db, Status.PICKED_UP)
    [track] = listed(db)
    with db.read() as connection:
        assert {(HOOLI, 1)} == trackers.silent(connection, {1})
    assert trackers.let(db, HOOLI, track.id, TrackerState.ACTIVE)
    hears(db, Status.IN_TRANSIT, hour=12)
    assert (["IN_TRANSIT"], ["PICKED_UP", "IN_TRANSIT"]) == (fed(db), fed(db, INITECH))


def test_a_deleted_tracker_is_gone_and_stays_so(db: Database) -> None:
    """With its feed and its subscription, and though a rule goes on to match; asked for again it begins anew."""
    made = one(db)
    hears(db, Status.PICKED_UP)
    assert not trackers.remove(db, INITECH, made.id, GAPS)
    assert trackers.remove(db, HOOLI, made.id, GAPS)
    assert not trackers.remove(db, HOOLI, made.id, GAPS)
    assert not trackers.let(db, HOOLI, made.id, TrackerState.ACTIVE)
    subscriptions.subscribe(db, HOOLI, ["P1"])  # as a rule would, for all that the recording knows
    hears(db, Status.IN_TRANSIT, hour=12)
    assert ([], [], {}) == (fed(db), listed(db), tracks.by_numbers(db, HOOLI, ["P1"]))
    assert tracks.by_id(db, HOOLI, made.id) is None
    again = one(db)
    assert (True, True) == (again.new, again.id != made.id)
    assert ["PICKED_UP", "IN_TRANSIT"] == fed(db)


def test_a_tracker_that_waits_is_deleted_with_its_subscription(db: Database) -> None:
    """The first event of the number is then nobody's."""
    assert trackers.remove(db, HOOLI, one(db).id, GAPS)
    hears(db, Status.PICKED_UP)
    assert (set(), [], []) == (subscribed(db), fed(db), listed(db))


def test_what_else_is_tracked_of_a_number_keeps_its_subscription(db: Database) -> None:
    """An earlier shipment or another carrier's is deleted: the later one is still heard of."""
    hears(db, Status.DELIVERED)
    old = one(db)
    asks(db, OURS, gaps={"speedy": timedelta(days=1)})
    assert trackers.remove(db, HOOLI, old.id, GAPS)
    assert {"speedy"} == subscribed(db)
    slow = one(db, Wish("slow", "P1"))
    assert trackers.remove(db, HOOLI, slow.id, GAPS)
    assert {"speedy"} == subscribed(db)


def test_an_event_recorded_meanwhile_is_not_missed(db: Database) -> None:
    """Who subscribes waits for who records: one of them sees the other."""
    document, report = new_document(db), message(tracking())
    with second_node(db) as node:
        asking = threading.Thread(target=lambda: one(node, ANY))
        with db.write() as connection:
            changed = events.record(connection, document, START, [report]).changes
            assert not subscriptions.subscribers(connection, {("speedy", "P1")})
            asking.start()
            asking.join(0.5)
            assert asking.is_alive()
        asking.join()
    assert (1, ["IN_TRANSIT"]) == (len(changed), fed(db))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["hears", "any", "named", "delete", "pause", "resume"]), max_size=8))
def test_whatever_a_customer_does_a_shipment_has_one_tracker_at_most(db: Database, steps: list[str]) -> None:
    """And what is fed is of that tracker, each event once."""
    number = f"P{utc_now().timestamp()}"
    for hour, step in enumerate(steps):
        _do(db, step, number, hour)
    mine = tracks.by_numbers(db, HOOLI, [number]).get(number, [])
    told = [each for each in feed.page(db, HOOLI, Place(), 100_000) if each.event.tracking_number == number]
    assert len(mine) <= 1
    assert len({each.key for each in told}) == len(told)
    assert {each.tracker_id for each in told} <= {each.id for each in mine}


def _do(db: Database, step: str, number: str, hour: int) -> None:
    mine = tracks.by_numbers(db, HOOLI, [number]).get(number, [])
    if step == "hears":
        told = message(tracking(hour=hour, tracking_number=number))
        document = new_document(db)
        with db.write() as connection:
            changed = events.record(connection, document, START, [told]).changes
            wanting = subscriptions.subscribers(connection, {("speedy", number)})
            rows = [Seen(HOOLI, "speedy", number, each.shipment_id, each.event_id, Action.REPORT) for each in changed]
            feed.enter(connection, rows if wanting else [])
    elif step in {"any", "named"}:
        asks(db, Wish("" if step == "any" else "speedy", number))
    elif mine and step == "delete":
        trackers.remove(db, HOOLI, mine[0].id, GAPS)
    elif mine:
        trackers.let(db, HOOLI, mine[0].id, TrackerState.PAUSED if step == "pause" else TrackerState.ACTIVE)
