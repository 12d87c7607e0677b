"""Recording: what is new, what was known, what is void, and where the shipment stands then."""

from dataclasses import replace
from datetime import timedelta

import pytest

from edi_gateway.model import Classifier, Direction, Location, Status
from edi_gateway.store.engine import Database
from edi_gateway.store.shipments import history
from tests.unit.store.building import (
    CANCELLATION,
    REPLACEMENT,
    START,
    facts,
    kinds,
    message,
    new_document,
    on_day,
    record,
    statuses,
    stored,
    tracking,
)

DELIVERED, IN_TRANSIT, UNKNOWN = Status.DELIVERED, Status.IN_TRANSIT, Status.UNKNOWN
PICKED_UP = Status.PICKED_UP


def test_new_events_move_the_shipment_step_by_step(db: Database) -> None:
    """Each new event of a batch says from where to where it moved its shipment, in the order things happened."""
    recorded = record(db, message(tracking(DELIVERED, 9), tracking(IN_TRANSIT, 8)))

    assert (2, 0, 0) == (recorded.new, recorded.duplicates, recorded.retracted)
    assert [
        ("new", IN_TRANSIT, True, UNKNOWN, IN_TRANSIT),
        ("new", DELIVERED, True, IN_TRANSIT, DELIVERED),
    ] == kinds(recorded)
    assert [(1, DELIVERED)] == statuses(db)


def test_a_late_event_is_new_but_moves_nothing(db: Database) -> None:
    """What happened before the present state is history, and is told as such."""
    record(db, message(tracking(DELIVERED, 9)))

    assert [("new", IN_TRANSIT, False, DELIVERED, DELIVERED)] == kinds(record(db, message(tracking(IN_TRANSIT, 8))))


def test_a_change_of_reason_is_a_move_without_a_change_of_status(db: Database) -> None:
    """Delay upon delay: the status stays, the reason does not."""
    record(db, message(tracking(Status.EXCEPTION, 8, reason="delay.weather")))
    [change] = record(db, message(tracking(Status.EXCEPTION, 9, reason="delay.strike"))).changes

    assert (True, False, True) == (change.moved, change.status_changed, change.reason_changed)


@pytest.mark.parametrize("still", [
    tracking(UNKNOWN, 9, mapped=False, raw_code="ZZ9"),
    tracking(DELIVERED, 9, classifier=Classifier.EST),
    tracking(DELIVERED, 9, classifier=Classifier.PLN),
])  # fmt: skip
def test_unmapped_codes_and_estimates_are_kept_and_move_nothing(db: Database, still: object) -> None:
    """They are events of the history all the same."""
    record(db, message(tracking(IN_TRANSIT, 8)))
    recorded = record(db, message(still))  # type: ignore[arg-type]

    assert [("new", False)] == [(change.kind, change.moved) for change in recorded.changes]
    assert (2, [(1, IN_TRANSIT)]) == (len(facts(db)), statuses(db))


def test_the_same_fact_from_another_file_is_one_event_with_two_sources(db: Database) -> None:
    """Other seconds and other words make no second event; both places are on record."""
    record(db, message(tracking(IN_TRANSIT, 8, text="Hub")))
    recorded = record(db, message(tracking(IN_TRANSIT, 8 + 30 / 3600, text="HUB Leipzig")))
    [shipment] = history(db, "P1")

    assert (0, 1, []) == (recorded.new, recorded.duplicates, recorded.changes)
    assert [("Hub", [1, 2])] == [
        (known.event.text, [source.document_id for source in known.sources]) for known in shipment.events
    ]


def test_the_same_fact_twice_in_one_message_is_told_once(db: Database) -> None:
    """Two segments, one event, two places on record."""
    recorded = record(db, message(tracking(IN_TRANSIT, 8), tracking(IN_TRANSIT, 8)))
    [shipment] = history(db, "P1")

    assert (1, 1) == (recorded.new, recorded.duplicates)
    assert [[2, 3]] == [[source.provenance.segment for source in known.sources] for known in shipment.events]


def test_recording_a_document_again_adds_nothing(db: Database) -> None:
    """After a crash a document is read once more; no event and no source doubles."""
    document_id = new_document(db)
    told = message(tracking(IN_TRANSIT, 8), on_day(DELIVERED))
    record(db, told, document_id=document_id)
    before = stored(db)
    recorded = record(db, told, document_id=document_id)

    assert (0, 2, []) == (recorded.new, recorded.duplicates, recorded.changes)
    assert before == stored(db)


def test_a_later_report_fills_blanks_and_overwrites_nothing(db: Database) -> None:
    """Place, text, signatory and account are filled where empty; references are joined."""
    first = tracking(
        DELIVERED, 8, signatory="Smith", location=Location(country="DE"), references={"CN": ("1",), "AAS": ("7",)}
    )
    later = tracking(
        DELIVERED, 8, signatory="Jones", text="left at the door", account="4711",
        location=Location("Berlin", "DEBER", "PL"), references={"CN": ("2", "1"), "SRN": ("9",)},
    )  # fmt: skip
    record(db, message(first))
    record(db, message(later))
    event = history(db, "P1")[0].events[0].event

    assert ("Smith", "left at the door", "4711") == (event.signatory, event.text, event.account)
    assert Location("Berlin", "DEBER", "DE") == event.location
    assert {"CN": ("1", "2"), "AAS": ("7",), "SRN": ("9",)} == event.references


def test_every_word_of_an_event_comes_back(db: Database) -> None:
    """What is stored reads as it was told, in the carrier's own offset."""
    told = replace(
        tracking(
            IN_TRANSIT, 8, reason="customs.hold", direction=Direction.RETURN, correction=True, piece="2/3",
            raw_code="Z1", code_list="87", code_agency="ZZZ", raw_reason="7", text="Zoll\u2026", account="4711",
            signatory="S", location=Location("Köln", "DECGN", "DE"), references={"CN": ("1",)},
        ),
        occurred_at=(START + timedelta(hours=8)).astimezone().fromisoformat("2026-03-01T13:30:00+05:30"),
    )  # fmt: skip
    record(db, message(told))
    known = history(db, "P1")[0].events[0].event

    assert told == known
    assert "2026-03-01T13:30:00+05:30" == known.occurred_at.isoformat()


def test_a_report_without_time_joins_the_earliest_of_its_day(db: Database) -> None:
    """The day's report is no event of its own where a timed one tells the same."""
    record(db, message(tracking(IN_TRANSIT, 15), tracking(IN_TRANSIT, 9), tracking(IN_TRANSIT, 33)))
    recorded = record(db, message(on_day(IN_TRANSIT)))
    known = history(db, "P1")[0].events

    assert (0, 1) == (recorded.new, recorded.duplicates)
    assert [[1, 2], [1], [1]] == [[source.document_id for source in one.sources] for one in known]


def test_a_report_with_its_time_completes_the_one_without(db: Database) -> None:
    """The event known by its day learns its time and stays the same event: nobody hears of it twice."""
    [change] = record(db, message(on_day(DELIVERED, text="by day"))).changes
    recorded = record(db, message(tracking(DELIVERED, 9)))
    [known] = history(db, "P1")[0].events

    assert (0, 1, []) == (recorded.new, recorded.duplicates, recorded.changes)
    assert (change.event_id, False, "by day") == (known.id, known.event.date_only, known.event.text)
    assert START + timedelta(hours=9) == history(db, "P1")[0].status_at


def test_the_day_is_the_carriers_own(db: Database) -> None:
    """Half past midnight in Berlin belongs to that day there, though UTC is still on the day before."""
    late = tracking(DELIVERED, 0)
    berlin = replace(late, occurred_at=late.occurred_at.fromisoformat("2026-03-02T00:30:00+01:00"))
    record(db, message(berlin))

    assert 0 == record(db, message(on_day(DELIVERED, day=1))).new
    assert 1 == record(db, message(on_day(DELIVERED, day=0))).new


def test_window_sets_how_far_times_may_differ(db: Database) -> None:
    """A carrier whose channels disagree by minutes gets a wider fingerprint."""
    record(db, message(tracking(IN_TRANSIT, 8)), window=15)

    assert 0 == record(db, message(tracking(IN_TRANSIT, 8.2)), window=15).new
    assert 1 == record(db, message(tracking(IN_TRANSIT, 8.3)), window=15).new


def test_carriers_share_tracking_numbers_without_mixing(db: Database) -> None:
    """The same number at another carrier is another shipment."""
    record(db, message(tracking()), message(tracking(carrier="nordlog"), carrier="nordlog"))

    assert [("nordlog", 1), ("speedy", 1)] == [(one.carrier, len(one.events)) for one in history(db, "P1")]
    assert ["speedy"] == [one.carrier for one in history(db, "P1", "speedy")]


def test_a_cancellation_retracts_what_it_lists(db: Database) -> None:
    """The event stays on record, counts for nothing, and the shipment steps back."""
    record(db, message(tracking(IN_TRANSIT, 8), tracking(DELIVERED, 9), number="N1"))
    recorded = record(db, message(tracking(DELIVERED, 9), function=CANCELLATION, number="N1"))

    assert (0, 0, 1) == (recorded.new, recorded.duplicates, recorded.retracted)
    assert [("retracted", DELIVERED, True, DELIVERED, IN_TRANSIT)] == kinds(recorded)
    assert [("IN_TRANSIT", "01 08:00", False), ("DELIVERED", "01 09:00", True)] == facts(db)
    assert [(1, IN_TRANSIT)] == statuses(db)
    assert [] == record(db, message(tracking(DELIVERED, 9), function=CANCELLATION, number="N1")).changes


def test_an_original_that_comes_after_its_cancellation_stays_void(db: Database) -> None:
    """Files overtake each other: nobody ever hears of the event."""
    first = record(db, message(tracking(DELIVERED, 9), function=CANCELLATION, number="N1", issued=2))
    second = record(db, message(tracking(DELIVERED, 9), number="N1", issued=1))

    assert ([], []) == (first.changes, second.changes)
    assert ([("DELIVERED", "01 09:00", True)], [(1, UNKNOWN)]) == (facts(db), statuses(db))


def test_a_report_issued_after_the_cancellation_stands(db: Database) -> None:
    """A carrier may say again what it took back; the event is told again."""
    record(db, message(tracking(DELIVERED, 9), number="N1", issued=1))
    record(db, message(tracking(DELIVERED, 9), function=CANCELLATION, number="N1", issued=2))
    recorded = record(db, message(tracking(DELIVERED, 9), number="N2", issued=3))

    assert [("new", DELIVERED, True, UNKNOWN, DELIVERED)] == kinds(recorded)


def test_a_cancellation_that_lists_nothing_retracts_its_whole_document(db: Database) -> None:
    """Only events nobody else reported go; those under other numbers stay."""
    record(db, message(tracking(PICKED_UP, 7), tracking(IN_TRANSIT, 8), number="N1"))
    record(db, message(tracking(PICKED_UP, 7), tracking(DELIVERED, 9, tracking_number="P2"), number="N2"))
    recorded = record(db, message(function=CANCELLATION, number="N1"))

    assert [("retracted", IN_TRANSIT, True, IN_TRANSIT, PICKED_UP)] == kinds(recorded)
    assert [("PICKED_UP", False), ("IN_TRANSIT", True), ("DELIVERED", False)] == [
        (status, retracted) for status, _, retracted in facts(db)
    ]


def test_a_cancellation_of_another_carriers_number_retracts_nothing(db: Database) -> None:
    """Document numbers are each carrier's own."""
    record(db, message(tracking(), number="N1"))

    assert [] == record(db, message(function=CANCELLATION, number="N1", carrier="nordlog")).changes
    assert [] == record(db, message(function=CANCELLATION)).changes


def test_a_replacement_retracts_what_it_does_not_repeat(db: Database) -> None:
    """What it repeats stays as it was, what it leaves out is void, what it adds is new."""
    record(db, message(tracking(PICKED_UP, 7), tracking(IN_TRANSIT, 8), number="N1", issued=1))
    replacing = message(tracking(PICKED_UP, 7), tracking(IN_TRANSIT, 8.5), number="N1", issued=2, function=REPLACEMENT)
    recorded = record(db, replacing)

    assert (1, 1, 1) == (recorded.new, recorded.duplicates, recorded.retracted)
    assert [
        ("PICKED_UP", "01 07:00", False), ("IN_TRANSIT", "01 08:00", True), ("IN_TRANSIT", "01 08:30", False),
    ] == facts(db)  # fmt: skip


@pytest.mark.parametrize("issued", [None, 1])
def test_a_replaced_original_that_comes_late_stays_replaced(db: Database, issued: float | None) -> None:
    """Whether or not the messages say when they were issued."""
    after = None if issued is None else issued + 1
    record(db, message(tracking(IN_TRANSIT, 8.5), number="N1", issued=after, function=REPLACEMENT))
    recorded = record(db, message(tracking(IN_TRANSIT, 8), number="N1", issued=issued))

    assert [] == recorded.changes
    assert [("IN_TRANSIT", "01 08:00", True), ("IN_TRANSIT", "01 08:30", False)] == facts(db)


def test_a_replacement_spread_over_messages_of_one_document_is_one(db: Database) -> None:
    """Messages of one file that replace the same number do not void each other."""
    parts = [
        message(tracking(IN_TRANSIT, hour), number="N1", issued=1, function=REPLACEMENT) for hour in (8, 9)
    ]  # told from the same segment of different messages
    other = [replace(event, provenance=replace(event.provenance, message="M2")) for event in parts[1].events]
    record(db, parts[0], replace(parts[1], events=other))

    assert [False, False] == [retracted for _, _, retracted in facts(db)]


def test_a_day_without_its_timed_report_stands_alone(db: Database) -> None:
    """When the timed report is taken back, the report that named the day still stands."""
    record(db, message(tracking(DELIVERED, 9), number="N1"))
    record(db, message(on_day(DELIVERED), number="N2"))
    recorded = record(db, message(function=CANCELLATION, number="N1"))

    assert ["retracted", "new"] == [kind for kind, *_ in kinds(recorded)]
    assert [("DELIVERED", "01 09:00", True), ("DELIVERED", "01 12:00", False)] == facts(db)


def test_a_number_used_again_after_a_gap_is_another_shipment(db: Database) -> None:
    """A long silence begins a new epoch, numbered in time order whatever arrives first."""
    record(db, message(tracking(PICKED_UP, 24 * 200)))
    later = history(db, "P1")[0].id
    record(db, message(tracking(DELIVERED, 8)))
    shipments = history(db, "P1")

    assert [(1, DELIVERED), (2, PICKED_UP)] == [(one.epoch, one.status) for one in shipments]
    assert later == shipments[1].id


def test_an_event_between_two_epochs_makes_them_one(db: Database) -> None:
    """Four epochs, then what bridges the first three: the fourth moves up, no row is left over."""
    gap = timedelta(days=10)
    record(db, message(*(tracking(IN_TRANSIT, 24 * day) for day in (0, 15, 30, 60))), gap=gap)
    assert [1, 2, 3, 4] == [epoch for epoch, _ in statuses(db)]

    recorded = record(db, message(tracking(DELIVERED, 24 * 22), tracking(PICKED_UP, 24 * 7)), gap=gap)
    assert [(1, DELIVERED), (2, IN_TRANSIT)] == statuses(db)
    assert [5, 1] == [len(shipment.events) for shipment in history(db, "P1")]
    assert {history(db, "P1")[0].id} == {change.shipment_id for change in recorded.changes}


def test_a_corrected_reading_takes_the_place_of_the_former(db: Database) -> None:
    """Reprocessing after a mapping was mended retracts what only the old reading said and tells the new."""
    document_id = new_document(db)
    record(
        db, message(tracking(UNKNOWN, 8, mapped=False, raw_code="Z1"), tracking(PICKED_UP, 7)), document_id=document_id
    )
    better = message(tracking(IN_TRANSIT, 8, raw_code="Z1"), tracking(PICKED_UP, 7))
    recorded = record(db, better, document_id=document_id, reprocess=True)

    assert [("retracted", UNKNOWN), ("new", IN_TRANSIT)] == [(kind, status) for kind, status, *_ in kinds(recorded)]
    assert [("PICKED_UP", False), ("IN_TRANSIT", False), ("UNKNOWN", True)] == [
        (status, retracted) for status, _, retracted in facts(db)
    ]


def test_reprocessing_leaves_what_others_report(db: Database) -> None:
    """An event that another document tells as well stands, even when this one no longer tells anything."""
    first = new_document(db)
    record(db, message(tracking(IN_TRANSIT, 8), tracking(PICKED_UP, 7)), document_id=first)
    record(db, message(tracking(IN_TRANSIT, 8)))
    recorded = record(db, document_id=first, reprocess=True)

    assert [("retracted", PICKED_UP, False, IN_TRANSIT, IN_TRANSIT)] == kinds(recorded)


def test_reprocessing_takes_back_a_replacement_too(db: Database) -> None:
    """When a document turns out to replace nothing, what it replaced stands again and is told again."""
    record(db, message(tracking(PICKED_UP, 7), number="N1"))
    wrong = new_document(db)
    record(db, message(tracking(IN_TRANSIT, 8), number="N1", function=REPLACEMENT), document_id=wrong)
    recorded = record(db, message(tracking(IN_TRANSIT, 8)), document_id=wrong, reprocess=True)

    assert [("new", PICKED_UP, False, IN_TRANSIT, IN_TRANSIT)] == kinds(recorded)


def test_a_misread_date_leaves_no_epoch_behind(db: Database) -> None:
    """The event as it was misread stays on record, but no longer makes a shipment of its own."""
    document_id = new_document(db)
    record(db, message(tracking(IN_TRANSIT, -24 * 20_000)), document_id=document_id)
    record(db, message(tracking(IN_TRANSIT, 8)), document_id=document_id, reprocess=True)

    assert [(1, IN_TRANSIT)] == statuses(db)


def test_text_no_database_takes_does_not_stop_a_message(db: Database) -> None:
    """NUL and broken bytes are replaced wherever a carrier's words go, and the fact is recognised again."""
    odd = tracking(text="a\0b", tracking_number="P\x001", location=Location("K\udcf6ln"), references={"C\0": ("\0",)})
    record(db, message(odd, number="N\0"))

    assert 0 == record(db, message(odd, number="N\0")).new
    assert Location("K\ufffdln") == history(db, "P\ufffd1")[0].events[0].event.location


def test_milestones_and_span_follow_the_standing_events(db: Database) -> None:
    """First and last time of each status, without what is retracted or only expected."""
    record(db, message(tracking(IN_TRANSIT, 8), tracking(IN_TRANSIT, 10), tracking(DELIVERED, 12), number="N1"))
    record(db, message(tracking(DELIVERED, 20, classifier=Classifier.EST)))
    record(db, message(tracking(DELIVERED, 12), function=CANCELLATION))
    [shipment] = history(db, "P1")

    assert {IN_TRANSIT: (START + timedelta(hours=8), START + timedelta(hours=10))} == shipment.milestones
    [row] = stored(db)[0]
    assert (START + timedelta(hours=8), START + timedelta(hours=10)) == (row["first_event_at"], row["last_event_at"])


def test_a_batch_of_nothing_changes_nothing(db: Database) -> None:
    """A document without events is recorded like any other."""
    assert (0, 0, 0, []) == tuple(getattr(record(db), name) for name in ("new", "duplicates", "retracted", "changes"))
