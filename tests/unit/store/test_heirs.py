"""When shipments merge or part, what customers may see of them goes with the events."""

from __future__ import annotations

from datetime import timedelta

from edi_gateway.model import Status
from edi_gateway.store import events, feed, tracks
from edi_gateway.store.engine import Database
from edi_gateway.store.feed import Place, Seen
from edi_gateway.store.reports import MessageReport
from edi_gateway.store.tables import Action
from edi_gateway.store.tracks import Track
from tests.unit.store.building import START, message, new_document, tracking

GAP = timedelta(days=10)
PICKED_UP, IN_TRANSIT, DELIVERED = Status.PICKED_UP, Status.IN_TRANSIT, Status.DELIVERED


def _hears(db: Database, report: MessageReport, *customers: str, document_id: int | None = None) -> int:
    """A document is recorded, and these customers may see what is new; returns the document's id."""
    again = document_id is not None
    document = document_id if document_id is not None else new_document(db)
    with db.write() as connection:
        changes = events.record(connection, document, START, [report], gap=GAP, reprocess=again).changes
        feed.enter(
            connection,
            [
                Seen(customer, "speedy", "P1", change.shipment_id, change.event_id, Action.REPORT)
                for change in changes
                if change.kind == "new"
                for customer in customers
            ],
        )
    return document


def _shipments(db: Database, customer: str) -> list[Track]:
    return sorted(tracks.by_numbers(db, customer, ["P1"]).get("P1", ()), key=lambda track: track.epoch)


def _fed(db: Database, customer: str) -> list[tuple[Status, str]]:
    return [(entry.event.status, entry.tracker_id) for entry in feed.page(db, customer, Place(), 100)]


def test_of_shipments_that_become_one_a_tracker_is_left(db: Database) -> None:
    """The feed stays whole, and all of it is told of the tracker that is left."""
    _hears(db, message(*(tracking(IN_TRANSIT, 24 * day) for day in (0, 15, 30))), "hooli")
    assert [1, 2, 3] == [track.epoch for track in _shipments(db, "hooli")]

    _hears(db, message(tracking(PICKED_UP, 24 * 7), tracking(DELIVERED, 24 * 22)), "hooli")
    [left] = _shipments(db, "hooli")
    assert 5 == len(left.scans)
    assert [(IN_TRANSIT, left.id)] * 3 == _fed(db, "hooli")[:3]
    assert {left.id} == {tracker for _, tracker in _fed(db, "hooli")}


def test_who_knows_only_the_shipment_that_is_gone_keeps_its_tracker(db: Database) -> None:
    """Under the id by which the customer knows it."""
    _hears(db, message(tracking(IN_TRANSIT, 0)), "initech")
    _hears(db, message(tracking(IN_TRANSIT, 24 * 15)), "hooli")
    [before] = _shipments(db, "hooli")

    _hears(db, message(tracking(PICKED_UP, 24 * 7)), "initech")
    [left] = _shipments(db, "hooli")
    assert (before.id, 1, 3) == (left.id, left.epoch, len(left.scans))
    assert [(IN_TRANSIT, left.id)] == _fed(db, "hooli")


def test_an_event_that_moves_to_a_shipment_of_its_own_is_seen_there(db: Database) -> None:
    """What bridged two times is read otherwise: they part, and the customer has a tracker of each."""
    _hears(db, message(tracking(PICKED_UP, 0), tracking(DELIVERED, 24 * 16)), "hooli")
    bridge = _hears(db, message(tracking(IN_TRANSIT, 24 * 8)), "hooli")
    assert [1] == [track.epoch for track in _shipments(db, "hooli")]

    _hears(db, message(tracking(IN_TRANSIT, 24 * 40)), "hooli", document_id=bridge)
    parted = _shipments(db, "hooli")
    assert [1, 2, 3] == [track.epoch for track in parted]
    known = {track.id for track in parted}
    assert {PICKED_UP, DELIVERED, IN_TRANSIT} == {status for status, tracker in _fed(db, "hooli") if tracker in known}


def test_a_new_shipment_has_a_tracker_of_its_own_whatever_became_of_others(db: Database) -> None:
    """Numbers of shipments may come again in the database; ids of trackers do not."""
    for index in range(3):
        _hears(db, message(*(tracking(IN_TRANSIT, 24 * day) for day in (0, 15))), "hooli")
        _hears(db, message(tracking(PICKED_UP, 24 * 7)), "hooli")
        number = f"Q{index}"
        document = new_document(db)
        with db.write() as connection:
            report = message(tracking(IN_TRANSIT, 1, tracking_number=number))
            [change] = events.record(connection, document, START, [report], gap=GAP).changes
            seen = Seen("hooli", "speedy", number, change.shipment_id, change.event_id, Action.REPORT)
            feed.enter(connection, [seen])
        [track] = tracks.by_numbers(db, "hooli", [number])[number]
        assert track.id not in {known.id for known in _shipments(db, "hooli")}
