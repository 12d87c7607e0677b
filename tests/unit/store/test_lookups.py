"""What an operator asks: who wants what, what is unmapped, how much there is."""

from datetime import timedelta
from typing import Any

from edi_gateway.model import Finding, Level, Position, Severity, Status
from edi_gateway.store import findings, outbox, subscriptions
from edi_gateway.store.engine import Database
from edi_gateway.store.outbox import Owed
from edi_gateway.store.shipments import Overview, overview, unmapped
from edi_gateway.store.tables import Action
from tests.unit.store.building import START, message, new_document, record, tracking


def test_subscribers_are_found_by_carrier_and_number(db: Database) -> None:
    """A subscription without a carrier takes every carrier's number, one with a carrier only its own."""
    subscriptions.subscribe(db, "globex", ["P1", "P2", "P1"])
    subscriptions.subscribe(db, "globex", ["P1"])
    subscriptions.subscribe(db, "initech", ["P1"], "nordlog")
    with db.read() as connection:
        found = subscriptions.subscribers(
            connection, [("speedy", "P1"), ("nordlog", "P1"), ("speedy", "P2"), ("speedy", "P3")]
        )

    assert {
        ("speedy", "P1"): {"globex"},
        ("nordlog", "P1"): {"globex", "initech"},
        ("speedy", "P2"): {"globex"},
    } == found


def test_subscriptions_end_as_they_were_made(db: Database) -> None:
    """Ending the one for a carrier leaves the one for all, and says how many ended."""
    subscriptions.subscribe(db, "globex", ["P1", "P2"])
    subscriptions.subscribe(db, "globex", ["P1"], "speedy")
    subscriptions.subscribe(db, "initech", ["P1"])

    assert 1 == subscriptions.unsubscribe(db, "globex", ["P1", "P3"], "speedy")
    assert [("P1", ""), ("P2", "")] == [
        (one.tracking_number, one.carrier) for one in subscriptions.subscriptions(db, "globex")
    ]
    assert 3 == len(subscriptions.subscriptions(db))


def test_unmapped_codes_are_grouped_with_count_and_an_example(db: Database) -> None:
    """The most frequent comes first, with the latest report that bore it; mapped codes and void ones are no matter."""
    odd: dict[str, Any] = {"mapped": False, "status": Status.UNKNOWN, "code_list": "87", "code_agency": "ZZZ"}
    first, last = new_document(db), new_document(db)
    record(db, message(tracking(hour=1, raw_code="A", **odd), tracking(hour=2, raw_code="B", **odd)), document_id=first)
    again = message(tracking(Status.DELIVERED, 9), tracking(hour=3, raw_code="B", raw_reason="", **odd))
    record(db, again, document_id=last, received_at=START + timedelta(hours=1))
    void = new_document(db)
    record(db, message(tracking(hour=4, raw_code="C", **odd)), document_id=void)
    record(db, document_id=void, reprocess=True)

    assert [
        ("speedy", "87", "ZZZ", "B", 2, START, START + timedelta(hours=1), last, 3),
        ("speedy", "87", "ZZZ", "A", 1, START, START, first, 2),
    ] == [
        (one.carrier, one.code_list, one.code_agency, one.raw_code, one.count, one.first_seen, one.last_seen,
         one.document_id, one.segment)
        for one in unmapped(db)
    ]  # fmt: skip


def test_overview_of_nothing_is_nothing(db: Database) -> None:
    """A fresh gateway has counts too."""
    assert Overview({}, 0, 0, 0, 0, {}, {}, {}) == overview(db)


def test_overview_counts_everything(db: Database) -> None:
    """Documents by state, what is open, what waits where."""
    document_id = new_document(db)
    told = message(tracking(), tracking(Status.UNKNOWN, 9, mapped=False))
    changes = record(db, told, document_id=document_id).changes
    place = Finding(Severity.QUARANTINE, Level.MESSAGE, Position(), "x", "y")
    with db.write() as connection:
        findings.save(connection, document_id, [place])
        outbox.owe(connection, [Owed("globex.edi", "globex", one.event_id, 1, Action.REPORT) for one in changes])
        outbox.refuse(connection, [2], "no code")

    assert Overview(
        documents={"received": 1},
        open_findings=1,
        shipments=1,
        events=2,
        unmapped_codes=1,
        pending={"globex.edi": 1},
        refused={"globex.edi": 1},
        deliveries={},
    ) == overview(db)
