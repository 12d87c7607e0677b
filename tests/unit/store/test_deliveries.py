"""Attempts are rows before they are bytes; a dead letter can be sent again."""

from datetime import timedelta

import pytest

from edi_gateway.model import OutboundDocument, utc_now
from edi_gateway.store import deliveries, outbox
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState, Outcome

LATER = timedelta(hours=1)


def sealed(db: Database, destination: str = "globex.edi") -> int:
    with db.write() as connection:
        number = outbox.next_control_number(connection, destination, 1, 99, roll_over=False)
        document = OutboundDocument(f"{number}.edi", b"UNB")
        return outbox.seal(connection, destination, "globex", number, document, [])


def due(db: Database, after: timedelta = timedelta()) -> list[int]:
    return [delivery.id for delivery in deliveries.due_deliveries(db, "globex.edi", utc_now() + after)]


def test_sealed_documents_are_due_in_the_order_they_were_sealed(db: Database) -> None:
    """Each destination sees its own."""
    mine = [sealed(db), sealed(db)]
    sealed(db, "other.edi")

    assert mine == due(db)


def test_a_delivered_document_is_done(db: Database) -> None:
    """It is not due again, and says when and with what result it arrived."""
    delivery_id = sealed(db)
    started = deliveries.start_attempt(db, delivery_id)
    state = deliveries.finish_attempt(db, delivery_id, started.number, Outcome.DELIVERED, "3 bytes seen")
    delivery, [attempt] = deliveries.delivery(db, delivery_id)

    assert (DeliveryState.DELIVERED, DeliveryState.DELIVERED, []) == (state, delivery.state, due(db, LATER))
    assert delivery.delivered_at is not None
    assert (1, "delivered", "3 bytes seen") == (attempt.number, attempt.outcome, attempt.detail)
    with pytest.raises(LookupError, match="is delivered: it is not to be sent"):
        deliveries.start_attempt(db, delivery_id)


def test_a_failure_waits_for_its_next_attempt_which_may_be_a_repeat(db: Database) -> None:
    """The failed attempt may have arrived all the same, so the next one is told."""
    delivery_id = sealed(db)
    first = deliveries.start_attempt(db, delivery_id)
    state = deliveries.finish_attempt(db, delivery_id, first.number, Outcome.FAILED, "reset\0", utc_now() + LATER)

    assert (DeliveryState.RETRYING, [], [delivery_id]) == (state, due(db), due(db, 2 * LATER))
    assert (1, False) == (first.number, first.again)
    second = deliveries.start_attempt(db, delivery_id)
    assert (2, True) == (second.number, second.again)
    assert "reset\ufffd" == deliveries.delivery(db, delivery_id)[0].last_error


def test_an_attempt_nobody_saw_the_end_of_makes_the_next_a_repeat(db: Database) -> None:
    """After a crash while sending the delivery is due still, and the next attempt knows."""
    delivery_id = sealed(db)
    deliveries.start_attempt(db, delivery_id)

    assert [delivery_id] == due(db)
    assert deliveries.start_attempt(db, delivery_id).again
    assert ["started", "started"] == [attempt.outcome for attempt in deliveries.delivery(db, delivery_id)[1]]


@pytest.mark.parametrize(("outcome", "again"), [(Outcome.FAILED, True), (Outcome.REFUSED, False)])
def test_a_dead_letter_is_sent_again_only_when_asked(db: Database, outcome: Outcome, again: bool) -> None:
    """Retries used up, or a refusal, end it; `retry` makes it due at once, and a refused one never arrived."""
    delivery_id = sealed(db)
    number = deliveries.start_attempt(db, delivery_id).number
    state = deliveries.finish_attempt(db, delivery_id, number, outcome, "no such folder")

    assert (DeliveryState.DEAD, []) == (state, due(db, LATER))
    deliveries.retry(db, delivery_id)
    assert [delivery_id] == due(db)
    assert again is deliveries.start_attempt(db, delivery_id).again


def test_a_waiting_delivery_can_be_hurried(db: Database) -> None:
    """`retry` does not wait for the schedule."""
    delivery_id = sealed(db)
    number = deliveries.start_attempt(db, delivery_id).number
    deliveries.finish_attempt(db, delivery_id, number, Outcome.FAILED, "", utc_now() + LATER)
    deliveries.retry(db, delivery_id)

    assert [delivery_id] == due(db)


def test_what_needs_no_retry_gets_none(db: Database) -> None:
    """A delivery still under way, or one nobody knows, is told so."""
    delivery_id = sealed(db)
    with pytest.raises(LookupError, match="is sealed: there is nothing to retry"):
        deliveries.retry(db, delivery_id)
    for asked in (deliveries.retry, deliveries.start_attempt, deliveries.delivery):
        with pytest.raises(LookupError, match="no delivery 7"):
            asked(db, 7)


def test_deliveries_are_listed_newest_first_by_destination_and_state(db: Database) -> None:
    """Filters narrow the list together."""
    first, second, other = sealed(db), sealed(db), sealed(db, "other.edi")
    number = deliveries.start_attempt(db, first).number
    deliveries.finish_attempt(db, first, number, Outcome.DELIVERED)

    assert [other, second, first] == [delivery.id for delivery in deliveries.deliveries(db)]
    assert [second, first] == [delivery.id for delivery in deliveries.deliveries(db, destination="globex.edi")]
    assert [first] == [delivery.id for delivery in deliveries.deliveries(db, state=DeliveryState.DELIVERED)]
