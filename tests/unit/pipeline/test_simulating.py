"""Test data in the pipeline: whatever comes in whatever order, nobody hears of what is not of their world."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edi_gateway.acknowledgements import Kind, Statement, Verdict
from edi_gateway.model import OutboundDocument, RawDocument, utc_now
from edi_gateway.pipeline.process import process_pending
from edi_gateway.pipeline.seal import seal_due
from edi_gateway.pipeline.simulating import enter, tell
from edi_gateway.simulation.play import reports
from edi_gateway.simulation.scenario import names, scenario, tracking_codes
from edi_gateway.store import claims, deliveries, inbox, shipments, statements, subscriptions
from edi_gateway.store.engine import Database
from edi_gateway.store.sealed import Terms
from edi_gateway.store.sealed import enter as enter_sealed
from edi_gateway.store.tables import DeliveryState, DocumentState, Outcome
from edi_gateway.wiring import Wired
from edi_gateway.worlds import world_for, world_of
from tests import configured
from tests.unit.pipeline.iftsta import interchange, message, sts

NUMBERS: Final = ("K1000000005", "P1", "P2")
_TEST: Final = "test:globex/edi-test"


def _customer(text: str) -> str:
    """The customer with everything to see, test data beside live data, and the API."""
    name = text.splitlines()[0].partition(": ")[2]
    text = text.replace("receives: [{carrier: speedy}]", 'receives: [{carrier: "*"}]')
    text = text.replace('receives: [{account: "77*"}]', 'receives: [{carrier: "*"}]')
    head, body = text.split("  edi:\n")
    test = body.replace("path: /in", "path: /test").replace(f"{name}_", f"test_{name}_")
    return f"{head}  edi:\n{body}  edi-test:\n    test: true\n{test}api: {{}}\n"


@pytest.fixture
def wired(tmp_path: Path) -> Wired:
    """Two customers of all carriers."""
    files = {"customers__globex": _customer(configured.GLOBEX), "customers__initech": _customer(configured.INITECH)}
    return configured.wired(tmp_path / "config", **files)


def _live(db: Database, numbers: Sequence[str], reference: int) -> None:
    content = interchange(message(*(sts(number, "21", reference) for number in numbers)), ref=f"I{reference}")
    raw = RawDocument("speedy/files", f"{reference}.edi", content, utc_now())
    inbox.receive(db, "speedy", [raw])


def _rows(db: Database, query: str) -> list[Any]:
    with db.read() as connection:
        return list(connection.exec_driver_sql(query).all())


_WORLDS = st.sampled_from(["", "globex", "initech"])
_STEP = st.tuples(_WORLDS, st.sampled_from(NUMBERS), st.sampled_from(names()), st.sampled_from(["speedy", "ESTAFETA"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(steps=st.lists(_STEP, min_size=3, max_size=6))
@example(steps=[(world, "P1", "delivered", "speedy") for world in ("", "globex", "initech")])
def test_every_event_reaches_its_world_and_no_other(sqlite_template: Path, wired: Wired, steps: list[Any]) -> None:
    """Same numbers, same carriers, subscriptions everywhere: outbox, feeds, trackers and shipments stay apart."""
    db = Database(_copied(sqlite_template))
    for customer in ("globex", world_for("globex"), world_for("initech")):
        subscriptions.subscribe(db, customer, NUMBERS)
        subscriptions.subscribe(db, customer, NUMBERS, "speedy")
    for place, (owner, number, name, carrier) in enumerate(steps):
        if owner:
            enter(db, world_for(owner), carrier, reports(scenario(name), number, utc_now() + timedelta(minutes=place)))
        else:
            _live(db, [number], place)
        process_pending(db, wired.channels, wired.audience)
    of_events = "FROM event JOIN {0} ON {0}.event_id = event.id"
    for destination, customer, carrier in _rows(
        db, "SELECT destination, customer, event.carrier " + of_events.format("outbox")
    ):
        assert world_of(destination) == world_of(customer) == world_of(carrier)
    for customer, carrier in _rows(db, "SELECT customer, event.carrier " + of_events.format("feed")):
        assert world_of(customer) == world_of(carrier)
    for customer, carrier in _rows(
        db, "SELECT customer, shipment.carrier FROM tracker JOIN shipment ON shipment.id = tracker.shipment_id"
    ):
        assert world_of(customer) == world_of(carrier)
    heard = {world_of(row[0]) for row in _rows(db, "SELECT DISTINCT customer FROM feed")}
    assert heard == {world_for(owner) if owner else "" for owner, *_ in steps}
    live = shipments.overview(db)
    assert live.shipments == len({number for owner, number, *_ in steps if not owner})
    assert not any(world_of(name) for name in live.pending)
    db.close()


def _copied(template: Path) -> str:
    """A database of its own for every example."""
    copy = Path(tempfile.mkdtemp(dir=template.parent)) / "copy.db"
    shutil.copy(template, copy)
    return f"sqlite:///{copy}"


@pytest.mark.parametrize("name", names())
def test_a_scenario_is_read_without_a_remark(db: Database, wired: Wired, name: str) -> None:
    """Every report of it says something, and nothing of it is set aside."""
    world = world_for("globex")
    documents = enter(db, world, "any", reports(scenario(name), "P1", utc_now()))
    process_pending(db, wired.channels, wired.audience)
    found = [inbox.document(db, one) for one in documents]
    assert {DocumentState.PROCESSED} == {document.state for document in found}
    assert (name == "unknown_code") == any(document.findings for document in found)
    [shipment] = shipments.history(db, "P1")
    assert "test:globex:any" == shipment.carrier
    ends = {
        "two_failed_attempts": "RETURNED", "customs_hold": "DELIVERED", "late_and_out_of_order": "DELIVERED",
        "lost": "LOST", "cancelled_report": "OUT_FOR_DELIVERY", "replaced_report": "ATTEMPT_FAILURE",
        "found_again": "DELIVERED", "moving_estimate": "DELIVERED", "told_twice": "DELIVERED", "damaged": "RETURNED",
        "two_pieces": "DELIVERED", "unknown_code": "DELIVERED", "cancelled": "CANCELLED",
    }  # fmt: skip
    assert ends.get(name, name.upper()) == shipment.status
    if name == "told_twice":
        assert 3 == sum(not event.retracted for event in shipment.events)


def test_a_code_told_anew_takes_the_place_of_what_was_told(db: Database, wired: Wired) -> None:
    """Asked for within the same minute or day nothing is added; told anew, the older history is void."""
    world, now = world_for("globex"), datetime(2026, 10, 12, 12, 0, 30, tzinfo=UTC)
    for code, name in tracking_codes().items():
        first = tell(db, world, "ESTAFETA", code, now, anew=False)
        assert len(scenario(name).steps) == len(first)
        assert first == tell(db, world, "estafeta", code, now + timedelta(seconds=20), anew=True)
    process_pending(db, wired.channels, wired.audience)
    assert [] == tell(db, world, "ESTAFETA", "K1000000005", utc_now(), anew=False)
    tell(db, world, "ESTAFETA", "K1000000005", now + timedelta(hours=5), anew=True)
    process_pending(db, wired.channels, wired.audience)
    [shipment] = shipments.history(db, "K1000000005")
    events = [(event.event.status, event.event.occurred_at) for event in shipment.events if not event.retracted]
    assert 8 == len(events)
    assert min(at for _, at in events) > now + timedelta(hours=5) - scenario("delivered").lasts - timedelta(hours=1)


def test_live_and_test_files_are_counted_apart(db: Database, wired: Wired) -> None:
    """One partnership, two sequences, both from 1; only test files say that they are tests."""
    _live(db, ["P1"], 1)
    enter(db, world_for("globex"), "speedy", reports(scenario("cancelled"), "P1", utc_now()))
    process_pending(db, wired.channels, wired.audience)
    for destination in wired.destinations:
        seal_due(db, destination, utc_now() + timedelta(hours=1))
    sealed = {each.destination: each for each in deliveries.deliveries(db)}
    assert {"globex/edi", "initech/edi", _TEST} == set(sealed)
    assert (1, 1) == (sealed["globex/edi"].control_number, sealed[_TEST].control_number)
    texts = {name: deliveries.document(db, each).content.decode("latin-1") for name, each in sealed.items()}
    headers = {name: text.partition("UNB")[2].partition("'")[0].split("+") for name, text in texts.items()}
    assert "1" == headers[_TEST][11]
    assert all(len(headers[name]) < 12 for name in ("globex/edi", "initech/edi"))


@pytest.mark.parametrize("test", [True, False])
def test_a_test_acknowledges_a_test(db: Database, test: bool) -> None:
    """Of a live and a test file with one number, an acknowledgement is of the one it is marked as."""
    with db.write() as connection:
        for customer, at in (("globex", "globex/edi"), (world_for("globex"), _TEST)):
            terms = Terms(f"EDIFACT HUB GLOBEX {at}", "HUB", "GLOBEX", "", 0)
            enter_sealed(connection, at, customer, 1, OutboundDocument(at, b"x"), terms=terms)
    for at in ("globex/edi", _TEST):
        claim = claims.claim(db, at, "here")
        assert claim
        claims.finish_attempt(db, claim, Outcome.DELIVERED, "there")
    said = Statement(Kind.CONTRL, Verdict.ACCEPTED, "1", "HUB", "GLOBEX", test=test)
    [document] = inbox.receive(db, "globex", [RawDocument("globex/acks", "a", b"a", utc_now())])
    with db.write() as connection:
        statements.enter(connection, document.document_id, utc_now(), "globex", [said])
    states = {each.destination: each.state for each in deliveries.deliveries(db)}
    about, other = (_TEST, "globex/edi") if test else ("globex/edi", _TEST)
    assert (DeliveryState.ACKNOWLEDGED, DeliveryState.DELIVERED) == (states[about], states[other])


def test_a_test_subscription_names_no_live_carrier(db: Database) -> None:
    """So that no live carrier is ever asked for its number; it is ended as it was made."""
    world = world_for("globex")
    subscriptions.subscribe(db, world, ["P1"], "speedy")
    subscriptions.subscribe(db, "globex", ["P1"], "speedy")
    kept = {(each.customer, each.carrier) for each in subscriptions.subscriptions(db)}
    assert {("globex", "speedy"), (world, f"{world}:speedy")} == kept
    assert 1 == subscriptions.unsubscribe(db, world, ["P1"], "speedy")
