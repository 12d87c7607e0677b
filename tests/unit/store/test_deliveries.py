"""What became of a sealed document, and what a person can do about it."""

from datetime import timedelta

import pytest

from edi_gateway.model import utc_now
from edi_gateway.store import claims, deliveries
from edi_gateway.store.alarms import AlarmKind, alarms
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState, Outcome
from tests.unit.store.building import EDI, claimed, due_ids, end, sealed

LATER = timedelta(hours=1)
DELIVERED, FAILED, REFUSED = Outcome.DELIVERED, Outcome.FAILED, Outcome.REFUSED


def state(db: Database, delivery_id: int) -> DeliveryState:
    return deliveries.delivery(db, delivery_id)[0].state


def test_a_delivered_document_is_done(db: Database) -> None:
    """It is not due again, and says when and with what result it arrived."""
    delivery_id = sealed(db)
    assert DeliveryState.DELIVERED is claims.finish_attempt(db, claimed(db), DELIVERED, "3 bytes seen")
    delivery, [attempt] = deliveries.delivery(db, delivery_id)

    assert (DeliveryState.DELIVERED, []) == (delivery.state, due_ids(db))
    assert delivery.delivered_at is not None
    assert (1, "delivered", "3 bytes seen") == (attempt.number, attempt.outcome, attempt.detail)


@pytest.mark.parametrize(("outcome", "again"), [(FAILED, True), (REFUSED, False)])
def test_a_dead_letter_is_sent_again_only_when_asked(db: Database, outcome: Outcome, again: bool) -> None:
    """Retries used up, or a refusal, end it; `retry` makes it due at once, and a refused one never arrived."""
    delivery_id = sealed(db)
    end(db, outcome)

    assert (DeliveryState.DEAD, []) == (state(db, delivery_id), due_ids(db))
    deliveries.retry(db, delivery_id)
    assert [delivery_id] == due_ids(db)
    assert again is claimed(db).again


def test_a_retried_dead_letter_has_its_whole_schedule_before_it(db: Database) -> None:
    """Who retries by hand does not lose the file again at the first failure."""
    delivery_id = sealed(db)
    end(db, FAILED)
    deliveries.retry(db, delivery_id)

    assert (0, 2) == ((again := claimed(db)).failures, again.number)


def test_a_waiting_delivery_can_be_hurried(db: Database) -> None:
    """`retry` does not wait for the schedule."""
    delivery_id = sealed(db)
    claims.finish_attempt(db, claimed(db), FAILED, "", utc_now() + LATER)
    assert [] == due_ids(db)
    deliveries.retry(db, delivery_id)

    assert [delivery_id] == due_ids(db)


def test_all_dead_letters_of_a_destination_are_retried_at_once(db: Database) -> None:
    """Only those of that destination, and only those in that state."""
    ours = [sealed(db), sealed(db)]
    for _ in ours:
        end(db, FAILED)
    sealed(db, "other.edi")
    end(db, FAILED, destination="other.edi")
    waiting = sealed(db)
    claims.finish_attempt(db, claimed(db), FAILED, "", utc_now() + LATER)

    assert 2 == deliveries.retry_all(db, EDI, DeliveryState.DEAD)
    assert (ours, []) == (due_ids(db), due_ids(db, "other.edi"))
    assert 0 == deliveries.retry_all(db, EDI, DeliveryState.DELIVERED)
    assert DeliveryState.RETRYING is state(db, waiting)


def test_what_needs_no_retry_gets_none(db: Database) -> None:
    """A delivery still under way, or one nobody knows, is told so."""
    delivery_id = sealed(db)
    with pytest.raises(LookupError, match="is sealed: there is nothing to retry"):
        deliveries.retry(db, delivery_id)
    for asked in (deliveries.retry, deliveries.skip, deliveries.delivery):
        with pytest.raises(LookupError, match="no delivery 7"):
            asked(db, 7)


def test_a_skipped_file_is_given_up_until_somebody_retries_it(db: Database) -> None:
    """It is not sent; what was delivered cannot be skipped."""
    skipped, sent = sealed(db), sealed(db)
    deliveries.skip(db, skipped)
    assert (DeliveryState.SKIPPED, [sent]) == (state(db, skipped), due_ids(db))

    end(db, DELIVERED)
    with pytest.raises(LookupError, match="is delivered: there is nothing to skip"):
        deliveries.skip(db, sent)
    deliveries.retry(db, skipped)
    assert [skipped] == due_ids(db)


def test_what_is_being_sent_cannot_be_skipped(db: Database) -> None:
    """Who wants to give it up has to wait for the end of the attempt."""
    delivery_id = sealed(db)
    claimed(db)
    with pytest.raises(LookupError, match="is being sent by here: wait until attempt 1 has ended"):
        deliveries.skip(db, delivery_id)


def test_dead_letters_are_an_alarm_until_none_is_left(db: Database) -> None:
    """It names the latest and what to do."""
    first, second = sealed(db), sealed(db)
    for _ in range(2):
        end(db, REFUSED)
    deliveries.tell_dead_letters(db, EDI)
    [alarm] = alarms(db)
    assert (AlarmKind.DEAD_LETTER, EDI) == (alarm.kind, alarm.subject)
    assert f"2 dead letters, the latest is delivery {second}" in alarm.text

    deliveries.skip(db, second)
    assert f"1 dead letters, the latest is delivery {first}" in alarms(db)[0].text
    deliveries.retry(db, first)
    assert [] == alarms(db)


def test_deliveries_are_listed_newest_first_by_destination_and_state(db: Database) -> None:
    """Filters narrow the list together."""
    first, second, other = sealed(db), sealed(db), sealed(db, "other.edi")
    end(db, DELIVERED)

    assert [other, second, first] == [delivery.id for delivery in deliveries.deliveries(db)]
    assert [second, first] == [delivery.id for delivery in deliveries.deliveries(db, destination=EDI)]
    assert [first] == [delivery.id for delivery in deliveries.deliveries(db, state=DeliveryState.DELIVERED)]
