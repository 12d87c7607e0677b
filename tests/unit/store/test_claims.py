"""One attempt at a time, whoever asks; what comes back late changes nothing; nobody's claim is for ever."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from edi_gateway.model import utc_now
from edi_gateway.store import claims, deliveries
from edi_gateway.store.claims import Blocking
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState, Outcome
from tests.unit.store.building import EDI, claimed, due_ids, end, sealed, second_node

LATER = timedelta(hours=1)
OVER = timedelta(seconds=-1)
DELIVERED, FAILED = Outcome.DELIVERED, Outcome.FAILED


def test_sealed_documents_are_sent_in_the_order_they_were_sealed(db: Database) -> None:
    """Each destination sees its own, and what is claimed is not given away again."""
    mine = [sealed(db), sealed(db)]
    sealed(db, "other.edi")

    assert mine == [claimed(db).delivery_id, claimed(db).delivery_id]
    assert claims.claim(db, EDI, "here") is None


def test_a_failure_waits_for_its_next_attempt_which_may_be_a_repeat(db: Database) -> None:
    """The failed attempt may have arrived all the same, so the next one is told."""
    delivery_id = sealed(db)
    first = claimed(db)
    state = claims.finish_attempt(db, first, FAILED, "reset\0", utc_now() + LATER)

    assert (DeliveryState.RETRYING, []) == (state, due_ids(db))
    assert (1, 0, False) == (first.number, first.failures, first.again)
    deliveries.retry(db, delivery_id)
    assert (2, True) == ((second := claimed(db)).number, second.again)
    assert "reset\ufffd" == deliveries.delivery(db, delivery_id)[0].last_error


def test_failures_count_for_the_schedule_and_unknown_ends_do_not(db: Database) -> None:
    """A gateway that is killed again and again while sending does not use the retries up."""
    sealed(db)
    for _ in range(3):
        claims.release(db, claimed(db), "stopped")
    claims.finish_attempt(db, claimed(db), FAILED, "", utc_now())

    assert (5, 1) == ((fifth := claimed(db)).number, fifth.failures)


def test_an_attempt_nobody_saw_the_end_of_makes_the_next_a_repeat(db: Database) -> None:
    """When the claim of a process that died has run out the delivery is due again, and the next attempt knows."""
    delivery_id = sealed(db)
    claimed(db, lease=OVER)

    assert [delivery_id] == due_ids(db)
    assert claimed(db).again
    assert ["started", "started"] == [attempt.outcome for attempt in deliveries.delivery(db, delivery_id)[1]]


def test_a_renewed_claim_does_not_run_out(db: Database) -> None:
    """Who renews it in time keeps it, however long the sending takes."""
    sealed(db)
    claim = claimed(db, lease=OVER)

    assert claims.renew(db, claim)
    assert claims.claim(db, EDI, "there") is None
    assert DeliveryState.DELIVERED is claims.finish_attempt(db, claim, DELIVERED)


@pytest.mark.parametrize("outcome", [DELIVERED, FAILED, Outcome.REFUSED])
def test_an_attempt_that_was_overtaken_changes_nothing(db: Database, outcome: Outcome) -> None:
    """Its end is noted in its own row; delivery and claim belong to the later attempt."""
    delivery_id = sealed(db)
    late = claimed(db, lease=OVER)
    current = claimed(db)

    assert not claims.renew(db, late)
    claims.release(db, late, "stopped")
    assert claims.finish_attempt(db, late, outcome, "late", utc_now()) is None
    delivery, attempts = deliveries.delivery(db, delivery_id)
    assert (DeliveryState.SEALED, "here", 2) == (delivery.state, delivery.claimed_by, delivery.attempts)
    assert [outcome, Outcome.STARTED] == [attempt.outcome for attempt in attempts]
    assert claims.claim(db, EDI, "there") is None
    assert DeliveryState.DELIVERED is claims.finish_attempt(db, current, DELIVERED)


def test_an_attempt_cannot_reopen_what_a_person_has_given_up(db: Database) -> None:
    """A process that slept through its lease wakes up after the delivery was skipped."""
    delivery_id = sealed(db)
    late = claimed(db, lease=OVER)
    deliveries.skip(db, delivery_id)

    assert claims.finish_attempt(db, late, FAILED, "late", utc_now()) is None
    assert not claims.renew(db, late)
    assert DeliveryState.SKIPPED is deliveries.delivery(db, delivery_id)[0].state


def test_a_claim_given_back_is_due_at_once_and_says_why(db: Database) -> None:
    """Stopping in the middle costs no lease; the end of the attempt stays unknown."""
    delivery_id = sealed(db)
    claims.release(db, claimed(db), "stopped")

    assert [delivery_id] == due_ids(db)
    [attempt] = deliveries.delivery(db, delivery_id)[1]
    assert ("started", "stopped") == (attempt.outcome, attempt.detail)
    assert claimed(db).again


def test_a_process_that_is_alone_frees_what_its_forerunner_had_claimed(db: Database) -> None:
    """After a crash of the only daemon nothing has to wait for a lease to run out."""
    delivery_id = sealed(db)
    claimed(db)

    assert 1 == claims.release_all(db)
    assert [delivery_id] == due_ids(db)


def test_no_two_of_many_get_the_same_delivery(db: Database) -> None:
    """Twenty threads of two nodes share thirty files; each file is claimed once."""
    wanted = {sealed(db) for _ in range(30)}
    with second_node(db) as other, ThreadPoolExecutor(20) as pool:

        def take_all(node: Database) -> list[int]:
            taken: list[int] = []
            while len(taken) < 40 and (claim := claims.claim(node, EDI, "here")):
                taken.append(claim.delivery_id)
            return taken

        taken = [each for some in pool.map(take_all, [db, other] * 10) for each in some]

    assert sorted(wanted) == sorted(taken)


def test_in_strict_order_a_file_waits_for_the_one_before_it(db: Database) -> None:
    """While the first is under way, fails and waits, nothing else is given away; once it is delivered, the next is."""
    first, second = sealed(db), sealed(db)
    claim = claimed(db, in_order=True)
    assert (first, []) == (claim.delivery_id, due_ids(db, in_order=True))
    claims.finish_attempt(db, claim, FAILED, "", utc_now() + LATER)
    assert ([], None) == (due_ids(db, in_order=True), claims.blocking(db, EDI))
    assert [second] == due_ids(db)  # without strict order it would not have to wait

    deliveries.retry(db, first)
    end(db, DELIVERED, in_order=True)
    assert [second] == due_ids(db, in_order=True)


@pytest.mark.parametrize("way_out", ["retry", "skip"])
def test_in_strict_order_a_dead_letter_holds_back_what_is_behind_it(db: Database, way_out: str) -> None:
    """Until somebody decides; a destination of its own is not concerned."""
    first = sealed(db)
    end(db, FAILED)
    assert claims.blocking(db, EDI) is None  # nothing is behind it
    second, other = sealed(db), sealed(db, "other.edi")

    assert ([], [other]) == (due_ids(db, in_order=True), due_ids(db, "other.edi", in_order=True))
    assert Blocking(first, "1.edi") == claims.blocking(db, EDI)
    getattr(deliveries, way_out)(db, first)
    assert claims.blocking(db, EDI) is None
    assert [first if way_out == "retry" else second] == due_ids(db, in_order=True)
