"""What is owed, and sealing it: no event lost, none told twice, no number left out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from edi_gateway.errors import RefusedError
from edi_gateway.model import OutboundDocument, Status, TrackingEvent
from edi_gateway.store import deliveries, outbox
from edi_gateway.store.engine import Database
from edi_gateway.store.outbox import Due, Owed, Pending
from edi_gateway.store.tables import Action
from tests.unit.store.building import message, record, tracking

REPORT, CANCEL = Action.REPORT, Action.CANCEL
EDI = "globex.edi"


def owe(db: Database, *told: TrackingEvent, destination: str = EDI) -> list[int]:
    """Record events and owe each to the destination; their ids."""
    changes = record(db, message(*told)).changes
    with db.write() as connection:
        outbox.owe(
            connection,
            [Owed(destination, "globex", change.event_id, change.shipment_id, REPORT) for change in changes],
        )
    return [change.event_id for change in changes]


def owe_again(db: Database, event_id: int, *actions: Action) -> None:
    with db.write() as connection:
        outbox.owe(connection, [Owed(EDI, "globex", event_id, 1, action) for action in actions])


def pending(db: Database, limit: int = 100, destination: str = EDI) -> list[Pending]:
    with db.write() as connection:
        return outbox.pending_events(connection, destination, limit)


def seal(db: Database, rows: Sequence[Pending], content: bytes = b"UNB") -> int:
    with db.write() as connection:
        number = outbox.next_control_number(connection, EDI, 1, 99, roll_over=False)
        document = OutboundDocument(f"{number}.edi", content)
        return outbox.seal(connection, EDI, "globex", number, document, [row.outbox_id for row in rows])


def test_owed_events_come_with_the_state_of_their_shipment(db: Database) -> None:
    """Rows are ordered by shipment and time, and know where the shipment stands now, not when they happened."""
    first, second = tracking(Status.DELIVERED, 9, reason="door"), tracking(Status.PICKED_UP, 7)
    owe(db, first, tracking(tracking_number="P2"), second)
    rows = pending(db)

    assert [second.status, first.status, Status.IN_TRANSIT] == [row.event.status for row in rows]
    assert [(Status.DELIVERED, "door"), (Status.DELIVERED, "door"), (Status.IN_TRANSIT, "")] == [
        (row.status, row.reason) for row in rows
    ]
    assert [REPORT] * 3 == [row.action for row in rows]


def test_what_waited_longest_is_taken_first(db: Database) -> None:
    """A limit takes the oldest entries, whatever their shipment."""
    owe(db, tracking(tracking_number="P9"))
    owe(db, tracking(tracking_number="P1"))

    assert ["P9"] == [row.event.tracking_number for row in pending(db, limit=1)]


def test_due_counts_what_waits_and_since_when(db: Database) -> None:
    """Per destination; nothing waits since no time."""
    owe(db, tracking())
    owe(db, tracking(Status.DELIVERED, 9))
    due = outbox.due(db, EDI)

    assert (2, Due(0, None)) == (due.count, outbox.due(db, "globex.csv"))
    assert due.oldest_created_at is not None


def test_the_same_is_owed_once(db: Database) -> None:
    """Before sealing and after it, a repeated report adds nothing."""
    [event_id] = owe(db, tracking())
    owe_again(db, event_id, REPORT)
    assert 1 == outbox.due(db, EDI).count

    seal(db, pending(db))
    owe_again(db, event_id, REPORT)
    assert 0 == outbox.due(db, EDI).count


def test_a_report_cancelled_before_it_was_sealed_was_never_said(db: Database) -> None:
    """Neither the report nor the cancellation leaves the house."""
    [event_id] = owe(db, tracking())
    owe_again(db, event_id, CANCEL)

    assert [] == pending(db)


def test_a_sealed_report_is_cancelled_once(db: Database) -> None:
    """The customer was told, so the customer is told that it is void; once."""
    [event_id] = owe(db, tracking())
    seal(db, pending(db))
    owe_again(db, event_id, CANCEL)
    owe_again(db, event_id, CANCEL)
    assert [CANCEL] == [row.action for row in pending(db)]

    seal(db, pending(db))
    owe_again(db, event_id, CANCEL)
    assert [] == pending(db)


def test_a_cancel_that_was_taken_back_in_time_is_not_sent(db: Database) -> None:
    """Told, void, told again: the customer still knows it from the first time."""
    [event_id] = owe(db, tracking())
    seal(db, pending(db))
    owe_again(db, event_id, CANCEL)
    owe_again(db, event_id, REPORT)

    assert [] == pending(db)


def test_an_event_revived_after_its_cancel_was_sent_is_told_again(db: Database) -> None:
    """What counts is what the customer was told last."""
    [event_id] = owe(db, tracking())
    for action in (CANCEL, REPORT):
        seal(db, pending(db))
        owe_again(db, event_id, action)

    assert [REPORT] == [row.action for row in pending(db)]


def test_within_one_call_the_last_word_counts(db: Database) -> None:
    """Report and cancel of the same event together are nothing."""
    [event_id] = owe(db, tracking(), destination="globex.csv")
    owe_again(db, event_id, REPORT, CANCEL)

    assert [] == pending(db)


def test_nobody_is_told_that_something_is_void_who_never_heard_of_it(db: Database) -> None:
    """A cancel goes only to destinations that got the report."""
    [event_id] = owe(db, tracking())
    seal(db, pending(db))
    with db.write() as connection:
        outbox.owe(connection, [Owed("other.edi", "initech", event_id, 1, CANCEL)])

    assert [] == pending(db, destination="other.edi")


def test_sealing_fixes_number_name_bytes_and_what_is_told(db: Database) -> None:
    """The delivery is due at once, its bytes are stored, its events wait no more."""
    owe(db, tracking(), tracking(Status.DELIVERED, 9))
    delivery_id = seal(db, pending(db), b"UNB+...'")
    delivery, attempts = deliveries.delivery(db, delivery_id)

    assert (1, "1.edi", 8, 2, "sealed", 0) == (
        delivery.control_number, delivery.name, delivery.size, delivery.event_count, delivery.state, delivery.attempts,
    )  # fmt: skip
    assert ([], OutboundDocument("1.edi", b"UNB+...'")) == (attempts, deliveries.document(db, delivery))
    assert ([], delivery.sealed_at) == (pending(db), delivery.next_attempt_at)


def test_what_fails_while_sealing_gives_number_and_events_back(db: Database) -> None:
    """A crash between drawing the number and the commit leaves neither a gap nor a lost event."""
    owe(db, tracking())
    rows = pending(db)
    with pytest.raises(ValueError, match="do not wait"):
        seal(db, [*rows, replace(rows[0], outbox_id=7)])

    assert ([], rows) == (deliveries.deliveries(db), pending(db))
    assert 1 == deliveries.delivery(db, seal(db, rows))[0].control_number


def test_an_event_is_never_sealed_twice(db: Database) -> None:
    """Sealing rows that somebody sealed meanwhile is refused as a whole."""
    owe(db, tracking())
    rows = pending(db)
    seal(db, rows)
    with pytest.raises(ValueError, match="1 of 1 outbox rows do not wait"):
        seal(db, rows)

    assert 1 == len(deliveries.deliveries(db))


def refuse_first(db: Database) -> None:
    first = pending(db)[0]
    with db.write() as connection:
        outbox.refuse(connection, [first.outbox_id], "no\0 place")


def test_an_event_no_document_can_be_made_of_is_set_aside(db: Database) -> None:
    """It no longer holds up the others, and is listed with its reason until somebody lets it wait again."""
    owe(db, tracking(), tracking(Status.DELIVERED, 9))
    refuse_first(db)
    [aside] = outbox.refused(db)

    assert (EDI, REPORT, "no\ufffd place", "P1", Status.IN_TRANSIT) == (
        aside.destination,
        aside.action,
        aside.error,
        aside.tracking_number,
        aside.status,
    )
    assert [Status.DELIVERED] == [row.event.status for row in pending(db)]
    assert [] == outbox.refused(db, "globex.csv")

    assert 1 == outbox.reopen(db, [aside.outbox_id, 7])
    assert ([], 2) == (outbox.refused(db), len(pending(db)))


@pytest.mark.parametrize(("then", "waiting"), [(CANCEL, 0), (REPORT, 1)])
def test_what_was_refused_gives_way_to_what_is_owed_now(db: Database, then: Action, waiting: int) -> None:
    """A refused report that is void by now cannot be reopened, nor one that waits anew a second time."""
    [event_id] = owe(db, tracking())
    refuse_first(db)
    numbers = [row.outbox_id for row in outbox.refused(db)]
    owe_again(db, event_id, then)

    assert 0 == outbox.reopen(db, numbers)
    assert waiting == len(pending(db))


def test_twenty_threads_draw_every_number_once(db: Database) -> None:
    """Gap-free and without repeats, also when every fifth transaction is given up after drawing."""

    def draw(turn: int) -> int | None:
        with db.write() as connection:
            number = outbox.next_control_number(connection, EDI, 5, 1000, roll_over=False)
            if turn % 5 == 0:
                connection.rollback()
                return None
            return number

    with ThreadPoolExecutor(20) as pool:
        drawn = [number for number in pool.map(draw, range(100)) if number is not None]

    assert list(range(5, 85)) == sorted(drawn)


def test_sequences_count_separately(db: Database) -> None:
    """Each key has numbers of its own."""
    with db.write() as connection:
        drawn = [outbox.next_control_number(connection, key, 1, 9, roll_over=False) for key in "aba"]

    assert [1, 1, 2] == drawn


def test_a_sequence_begins_again_only_where_it_may(db: Database) -> None:
    """After the last number comes the first, or a refusal that says which sequence and what to do."""
    with db.write() as connection:
        rolling = [outbox.next_control_number(connection, "a", 7, 9, roll_over=True) for _ in range(5)]
        for _ in range(3):
            outbox.next_control_number(connection, "b", 7, 9, roll_over=False)
        with pytest.raises(RefusedError, match="b are used up: 9"):
            outbox.next_control_number(connection, "b", 7, 9, roll_over=False)

    assert [7, 8, 9, 7, 8] == rolling


def test_owed_events_follow_their_shipment_when_epochs_become_one(db: Database) -> None:
    """A pending row of a shipment that was merged away shows the shipment its event is part of now."""
    owe(db, tracking(Status.PICKED_UP, 0), tracking(Status.DELIVERED, 24 * 120))
    record(db, message(tracking(Status.IN_TRANSIT, 24 * 60)))

    assert [(1, Status.DELIVERED)] * 2 == [(row.epoch, row.status) for row in pending(db)]
    assert 1 == len({row.shipment_id for row in pending(db)})
