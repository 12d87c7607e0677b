"""Notifications: which events are told to whom, in which words, and with which number."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edi_gateway.model import Classifier, Direction, Location, Status, TrackingEvent, utc_now
from edi_gateway.pipeline.seal import reissue, seal_due
from edi_gateway.store import deliveries, outbox, subscriptions
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import DeliveryState
from tests import configured
from tests.guards.project import ROOT
from tests.notified import LIVE, destination, hear, seal_all, sealed, told, wire_hooli
from tests.unit.store.building import CANCELLATION, START, message, tracking

pytestmark = pytest.mark.usefixtures("hook")
DELIVERED, EXCEPTION, IN_TRANSIT, LOST, OUT, PICKED_UP = (
    Status.DELIVERED, Status.EXCEPTION, Status.IN_TRANSIT, Status.LOST, Status.OUT_FOR_DELIVERY, Status.PICKED_UP,
)  # fmt: skip
STATUS, REASON, ESTIMATE = "status_change", "reason_change", "estimated_delivery_change"


def estimate(hour: float, **more: Any) -> TrackingEvent:
    return tracking(DELIVERED, hour, classifier=Classifier.EST, **more)


def test_a_change_of_status_is_told_with_the_status_before(db: Database, tmp_path: Path) -> None:
    """By default; another scan of the same status, a late one and an estimate are not."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(PICKED_UP, 7), tracking(IN_TRANSIT, 8), tracking(IN_TRANSIT, 9), estimate(30)))
    hear(db, wired, message(tracking(EXCEPTION, 7.5)))
    hear(db, wired, message(tracking(DELIVERED, 20)))
    assert 3 == seal_all(db, wired)

    assert [
        (STATUS, "PICKED_UP", "UNKNOWN", "PICKED_UP"),
        (STATUS, "IN_TRANSIT", "PICKED_UP", "IN_TRANSIT"),
        (STATUS, "DELIVERED", "IN_TRANSIT", "DELIVERED"),
    ] == told(db)
    assert [1, 2, 3] == [each["sequence"] for each in sealed(db)]


def test_a_change_of_reason_is_told_to_those_who_ask_for_it(db: Database, tmp_path: Path) -> None:
    """Also where the status changes with it."""
    wired = wire_hooli(tmp_path, "events: reason_changes")
    hear(db, wired, message(tracking(IN_TRANSIT, 7), tracking(EXCEPTION, 8, reason="delay.weather")))
    hear(db, wired, message(tracking(EXCEPTION, 9, reason="customs.documents"), tracking(EXCEPTION, 10)))
    seal_all(db, wired)

    assert [
        (REASON, "EXCEPTION", "IN_TRANSIT", "EXCEPTION"),
        (REASON, "EXCEPTION", "EXCEPTION", "EXCEPTION"),
        (REASON, "EXCEPTION", "EXCEPTION", "EXCEPTION"),
    ] == told(db)
    assert ["delay.weather", "customs.documents", ""] == [each["event"]["reason"] for each in sealed(db)]


def test_of_several_triggers_the_weightiest_is_named(db: Database, tmp_path: Path) -> None:
    """Each event is told once, whatever it changed."""
    wired = wire_hooli(tmp_path, "events: [reason_changes, status_changes]")
    hear(db, wired, message(tracking(EXCEPTION, 8, reason="delay.weather"), tracking(EXCEPTION, 9)))
    seal_all(db, wired)

    assert [STATUS, REASON] == [each["trigger"] for each in sealed(db)]


def test_every_event_is_told_to_those_who_ask_for_all(db: Database, tmp_path: Path) -> None:
    """With what it changed, if it changed anything."""
    wired = wire_hooli(tmp_path, "events: all")
    hear(db, wired, message(tracking(IN_TRANSIT, 8), tracking(IN_TRANSIT, 9), estimate(30)))
    hear(db, wired, message(tracking(IN_TRANSIT, 8)))
    seal_all(db, wired)

    assert [STATUS, "event", ESTIMATE] == [each["trigger"] for each in sealed(db)]


def estimates(db: Database) -> list[tuple[str, str]]:
    """Of each notification the trigger, and the day and hour of the estimate that stands."""
    return [(each["trigger"], each["shipment"]["estimated_delivery_at"][8:13]) for each in sealed(db)]


def test_the_estimate_that_was_stated_last_counts(db: Database, tmp_path: Path) -> None:
    """An older statement that comes late changes nothing, nor does the same instant stated once more."""
    wired = wire_hooli(tmp_path, "events: estimated_delivery_changes")
    for issued, hour in ((1, 30), (3, 50), (2, 40), (4, 50)):
        hear(db, wired, message(tracking(PICKED_UP, 7), estimate(hour), issued=issued))
        seal_all(db, wired)

    assert [(ESTIMATE, "02T06"), (ESTIMATE, "03T02")] == estimates(db)


def test_an_estimate_that_is_stated_again_is_told_again(db: Database, tmp_path: Path) -> None:
    """Thursday, Friday, Thursday: three notifications, though Thursday is one event; a copy of the last is none."""
    wired = wire_hooli(tmp_path, "events: estimated_delivery_changes")
    for issued, hour in ((1, 30), (2, 50), (3, 30), (3, 30)):
        hear(db, wired, message(estimate(hour), issued=issued))
        seal_all(db, wired)

    assert [(ESTIMATE, "02T06"), (ESTIMATE, "03T02"), (ESTIMATE, "02T06")] == estimates(db)
    assert [1, 2, 3] == [each["sequence"] for each in sealed(db)]


def test_what_says_not_when_it_was_issued_is_dated_by_its_arrival(db: Database, tmp_path: Path) -> None:
    """So whoever states estimates without a date has the last word with the last file."""
    wired = wire_hooli(tmp_path, "events: estimated_delivery_changes")
    for arrival, hour in ((1, 50), (2, 30)):
        hear(db, wired, message(estimate(hour)), received_at=START + timedelta(hours=arrival))
        seal_all(db, wired)

    assert [(ESTIMATE, "03T02"), (ESTIMATE, "02T06")] == estimates(db)


def test_a_retracted_estimate_gives_way_to_the_one_before(db: Database, tmp_path: Path) -> None:
    """The cancellation says what stands now."""
    wired = wire_hooli(tmp_path, "events: estimated_delivery_changes")
    for issued, hour in ((1, 30), (2, 50)):
        hear(db, wired, message(estimate(hour), number=f"N{issued}", issued=issued))
    seal_all(db, wired)
    hear(db, wired, message(function=CANCELLATION, number="N2", issued=3))
    seal_all(db, wired)

    assert ("cancellation", "02T06") == estimates(db)[-1]
    assert 3 == len(sealed(db))


def test_a_retracted_event_that_was_told_is_told_as_void(db: Database, tmp_path: Path) -> None:
    """With the status before and after it, and the shipment as it stands now."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(IN_TRANSIT, 8)), message(tracking(DELIVERED, 9), number="N1"))
    seal_all(db, wired)
    hear(db, wired, message(function=CANCELLATION, number="N1"))
    assert 1 == seal_all(db, wired)

    last = sealed(db)[-1]
    assert ("cancellation", "DELIVERED", "DELIVERED", "IN_TRANSIT") == told(db)[-1]
    assert (True, 3, "IN_TRANSIT") == (
        last["event"]["retracted"], last["sequence"], last["shipment"]["current"]["status"]
    )  # fmt: skip
    assert sealed(db)[1]["event"]["id"] == last["event"]["id"]


def test_a_retracted_event_that_was_not_told_yet_is_not_told_at_all(db: Database, tmp_path: Path) -> None:
    """Neither the event nor that it is void; no number is used up."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(DELIVERED, 9), number="N1"))
    hear(db, wired, message(function=CANCELLATION, number="N1"))

    assert 0 == seal_all(db, wired)


def test_an_event_that_decides_only_now_is_told_in_a_file_now(db: Database, tmp_path: Path) -> None:
    """It came too late to change anything; since what came after it is void, it says where the shipment stands."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(DELIVERED, 9, account="77"), number="N1"))
    hear(db, wired, message(tracking(OUT, 8, account="77", location=Location("Graz"))))
    seal_all(db, wired, "initech/edi")
    hear(db, wired, message(function=CANCELLATION, number="N1"))
    seal_all(db, wired, "initech/edi")

    assert 2 == deliveries.deliveries(db, destination="initech/edi")[0].event_count
    seal_all(db, wired)
    assert [(STATUS, "OUT_FOR_DELIVERY", "UNKNOWN", "OUT_FOR_DELIVERY")] == told(db)  # it heard nothing else


def test_whoever_heard_something_hears_where_the_shipment_stands(db: Database, tmp_path: Path) -> None:
    """Though the event that is void now was never told: the same status twice; and when nothing is left, that."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(PICKED_UP, 7)), message(tracking(IN_TRANSIT, 8), number="N1"))
    seal_all(db, wired)
    hear(db, wired, message(tracking(IN_TRANSIT, 9), number="N2"))
    hear(db, wired, message(function=CANCELLATION, number="N1"))
    hear(db, wired, message(function=CANCELLATION, number="N2"))
    seal_all(db, wired)

    assert [
        ("cancellation", "IN_TRANSIT", "IN_TRANSIT", "IN_TRANSIT"),
        (STATUS, "PICKED_UP", "IN_TRANSIT", "PICKED_UP"),
    ] == told(db)[2:]


def test_when_nothing_is_left_of_what_was_heard_that_is_told(db: Database, tmp_path: Path) -> None:
    """By the event that was the last to count."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(IN_TRANSIT, 8), number="N1"))
    seal_all(db, wired)
    hear(db, wired, message(tracking(IN_TRANSIT, 9), number="N2"))
    hear(db, wired, message(function=CANCELLATION, number="N1"))
    hear(db, wired, message(function=CANCELLATION, number="N2"))
    seal_all(db, wired)

    assert ("cancellation", "IN_TRANSIT", "IN_TRANSIT", "UNKNOWN") == told(db)[-1]
    assert "UNKNOWN" == sealed(db)[-1]["shipment"]["current"]["status"]


def test_nobody_hears_that_something_is_void_of_a_shipment_that_is_not_his(db: Database, tmp_path: Path) -> None:
    """Neither by a cancellation nor by what stands instead."""
    wired = wire_hooli(tmp_path, 'only: [{account: "77"}]')
    hear(db, wired, message(tracking(PICKED_UP, 7)), message(tracking(IN_TRANSIT, 8), number="N1"))
    hear(db, wired, message(function=CANCELLATION, number="N1"))

    assert 0 == seal_all(db, wired)


def test_conditions_narrow_what_a_destination_gets(db: Database, tmp_path: Path) -> None:
    """Carrier, status, reason and reference; of what was subscribed to as well."""
    only = 'only: [{reason: "attempt.*"}, {carrier: speedy, status: DELIVERED, reference: {prefix: GX}}]'
    wired = wire_hooli(tmp_path, only, customers__initech=configured.INITECH.replace("events:", f"{only}\n    events:"))
    subscriptions.subscribe(db, "initech", ["P1"])
    hear(
        db,
        wired,
        message(
            tracking(IN_TRANSIT, 7),
            tracking(Status.ATTEMPT_FAILURE, 8, reason="attempt.not_home"),
            tracking(Status.ATTEMPT_FAILURE, 9, reason="address.incomplete"),
            tracking(DELIVERED, 10),
            tracking(DELIVERED, 10, tracking_number="P2", references={"CU": ("GX-1",)}),
        ),
    )
    seal_all(db, wired)

    assert [("P1", "attempt.not_home"), ("P2", "")] == [
        (each["shipment"]["tracking_number"], each["event"]["reason"]) for each in sealed(db)
    ]
    with db.write() as connection:
        [row] = outbox.pending_events(connection, "initech/edi", 10)
    assert "attempt.not_home" == row.event.reason


def test_files_know_the_same_triggers(db: Database, tmp_path: Path) -> None:
    """A destination that gets files may ask for one thing or a list as well."""
    file = configured.INITECH.replace("status_changes", "[reason_changes, estimated_delivery_changes]")
    wired = wire_hooli(tmp_path, customers__initech=file.replace("77*", "*"))
    hear(db, wired, message(tracking(IN_TRANSIT, 8), tracking(EXCEPTION, 9, reason="delay.weather"), estimate(30)))
    with db.write() as connection:
        rows = outbox.pending_events(connection, "initech/edi", 10)

    assert [EXCEPTION, DELIVERED] == [row.event.status for row in rows]


def test_numbers_are_those_of_the_shipment_at_the_destination(db: Database, tmp_path: Path) -> None:
    """Each shipment is counted by itself, each destination too."""
    more = configured.GLOBEX.partition("destinations:")[0].replace("globex", "acme") + "destinations:\n  x:\n"
    wired = wire_hooli(tmp_path, customers__acme=more + "    sink: {type: hook}\n    events: all\n")
    hear(db, wired, message(tracking(PICKED_UP, 7), tracking(PICKED_UP, 7, tracking_number="P2")))
    hear(
        db, wired, message(tracking(PICKED_UP, 8), tracking(DELIVERED, 9), tracking(DELIVERED, 9, tracking_number="P2"))
    )
    seal_all(db, wired)
    seal_all(db, wired, "acme/x")

    numbered = [(each["shipment"]["tracking_number"], each["sequence"]) for each in sealed(db)]
    assert [("P1", 1), ("P1", 2), ("P2", 1), ("P2", 2)] == sorted(numbered)
    acme = sealed(db, "acme/x")
    assert [1, 2, 3] == [each["sequence"] for each in acme if each["shipment"]["tracking_number"] == "P1"]
    ids = {each["shipment"]["id"] for each in acme} | {each["shipment"]["id"] for each in sealed(db)}
    assert 4 == len(ids)  # two shipments, and no id is known to two customers


def test_many_are_sealed_in_one_go(db: Database, tmp_path: Path) -> None:
    """A hundred in one transaction, whatever the number that may be on its way."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(*(tracking(tracking_number=f"P{number}") for number in range(150))))

    assert 100 == seal_due(db, destination(wired), utc_now(), 4)
    assert 50 == seal_due(db, destination(wired), utc_now(), 4)
    assert 150 == len({row.name for row in deliveries.deliveries(db, destination=LIVE, limit=200)})


def test_what_cannot_be_told_is_set_aside_with_its_reason(db: Database, tmp_path: Path) -> None:
    """The others go on, no number is lost, and reopening it makes it the next."""
    words = own_words(tmp_path, DELIVERED="DLV", LOST='""')
    wired = wire_hooli(tmp_path, f"vocabulary: {words}", gateway=own_gateway(tmp_path))
    hear(db, wired, message(tracking(LOST, 8), tracking(DELIVERED, 9)))
    assert 1 == seal_all(db, wired)

    [aside] = outbox.refused(db)
    assert "the vocabulary has no word for LOST" in aside.error
    assert [("DLV", 1)] == [(each["event"]["status"], each["sequence"]) for each in sealed(db)]
    assert sealed(db)[0]["previous_status"] is None

    better = wire_hooli(tmp_path, "vocabulary: nine_status", gateway=own_gateway(tmp_path))
    outbox.reopen(db, [aside.outbox_id])
    seal_all(db, better)
    assert [1, 2] == [each["sequence"] for each in sealed(db)]


def test_a_notification_issued_anew_keeps_its_place(db: Database, tmp_path: Path) -> None:
    """Another message id, the number it had, what is true now."""
    wired = wire_hooli(tmp_path)
    hear(db, wired, message(tracking(IN_TRANSIT, 8)))
    hear(db, wired, message(tracking(DELIVERED, 9)))
    seal_all(db, wired)
    first, second = sealed(db)
    new = reissue(db, destination(wired), deliveries.deliveries(db, destination=LIVE)[1].id, utc_now())

    issued = json.loads(deliveries.document(db, deliveries.delivery(db, new)[0]).content)
    assert (first["sequence"], first["event"]) == (issued["sequence"], issued["event"])
    assert issued["id"] not in {first["id"], second["id"]}
    assert "DELIVERED" == issued["shipment"]["current"]["status"]
    assert DeliveryState.SUPERSEDED is deliveries.deliveries(db, destination=LIVE)[2].state
    hear(db, wired, message(tracking(Status.RETURN_TO_SENDER, 10, direction=Direction.RETURN)))
    seal_all(db, wired)
    assert 3 == sealed(db)[-1]["sequence"]


def own_gateway(folder: Path) -> str:
    return configured.GATEWAY.replace(str(configured.MAPPINGS), f"[{folder / 'mappings'}, {configured.MAPPINGS}]")


def own_words(folder: Path, **codes: str) -> str:
    """A mapping that only says what statuses are called; its name."""
    lines = "".join(f"  {status}: {code}\n" for status, code in codes.items())
    path = folder / "mappings" / "hooli" / "words.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"extends: standard/tracking_events\nstatuses:\n{lines}")
    return "hooli/words"


def test_history_leaves_out_what_is_void_and_is_in_the_order_of_time(db: Database, tmp_path: Path) -> None:
    """However the events came."""
    wired = wire_hooli(tmp_path, "history: true")
    hear(db, wired, message(tracking(OUT, 9), number="N1"), message(estimate(30), tracking(PICKED_UP, 7)))
    hear(db, wired, message(function=CANCELLATION, number="N1"))
    hear(db, wired, message(tracking(DELIVERED, 10), tracking(IN_TRANSIT, 8)))
    seal_all(db, wired)

    assert ["PICKED_UP", "IN_TRANSIT", "DELIVERED", "DELIVERED"] == [
        each["status"] for each in sealed(db)[-1]["history"]
    ]
    assert ["ACT", "ACT", "ACT", "EST"] == [each["classifier"] for each in sealed(db)[-1]["history"]]


def test_the_nine_statuses_keep_a_reason_that_tells_them_apart(db: Database, tmp_path: Path) -> None:
    """The carrier's, or one that says which status it was."""
    wired = wire_hooli(tmp_path, "vocabulary: nine_status")
    said = {EXCEPTION: "delay.weather", LOST: "", Status.RETURNED: "", Status.CANCELLED: ""}
    parcels = [tracking(status, 8, tracking_number=f"P{status}", reason=why) for status, why in said.items()]
    hear(db, wired, message(*parcels))
    seal_all(db, wired)

    expected = {
        ("IN_TRANSIT", "delay.weather"), ("IN_TRANSIT", "loss.reported"),
        ("RETURN_TO_SENDER", "return.completed"), ("UNKNOWN", "cancel.shipment"),
    }  # fmt: skip
    assert expected == {(each["event"]["status"], each["event"]["reason"]) for each in sealed(db)}
    assert expected == {
        (each["shipment"]["current"]["status"], each["shipment"]["current"]["reason"]) for each in sealed(db)
    }


def test_a_mappings_statuses_are_the_customers_words(db: Database, tmp_path: Path) -> None:
    """In the event, in what it changed, in the shipment and its milestones."""
    words = own_words(tmp_path, DELIVERED="zugestellt", IN_TRANSIT="unterwegs")
    wired = wire_hooli(tmp_path, f"vocabulary: {words}", gateway=own_gateway(tmp_path))
    hear(db, wired, message(tracking(IN_TRANSIT, 8), tracking(DELIVERED, 9)))
    seal_all(db, wired)

    assert (STATUS, "zugestellt", "unterwegs", "zugestellt") == told(db)[-1]
    assert {"zugestellt", "unterwegs"} == set(sealed(db)[-1]["shipment"]["milestones"])
    assert "zugestellt" == sealed(db)[-1]["shipment"]["current"]["status"]


def test_the_tracker_layout_is_the_tracker_as_it_stands_now(db: Database, tmp_path: Path) -> None:
    """Its checkpoints are what happened, in the carrier's own time; what is void or expected is none."""
    wired = wire_hooli(tmp_path, "layout: tracker")
    zone = timezone(timedelta(hours=-6))
    scan = replace(tracking(EXCEPTION, 8, text="Held in Querétaro"), occurred_at=datetime(2026, 3, 1, 2, tzinfo=zone))
    hear(db, wired, message(scan, estimate(30)), message(tracking(OUT, 9), number="N1"))
    seal_all(db, wired)
    hear(db, wired, message(function=CANCELLATION, number="N1"))
    hear(db, wired, message(tracking(DELIVERED, 10)))
    seal_all(db, wired)

    bodies = sealed(db)
    assert {"TRACKER_UPDATED"} == {each["topic"] for each in bodies}
    assert 1 == len({each["data"]["id"] for each in bodies})
    assert bodies[0]["data"]["id"].startswith("gid://edi-gateway/Tracker/")
    first, last = bodies[0]["data"], bodies[-1]["data"]
    assert "OUT_FOR_DELIVERY" == first["status"]
    assert ("P1", "speedy", "DELIVERED", "2026-03-02T06:00:00Z", "2026-03-01T10:00:00Z") == (
        last["trackingCode"], last["carrier"], last["status"], last["estimatedDeliveryAt"], last["deliveredAt"],
    )  # fmt: skip
    assert [
        ("Held in Querétaro", "IN_TRANSIT", "2026-03-01T02:00:00-06:00"),
        ("Delivered", "DELIVERED", "2026-03-01T10:00:00+00:00"),
    ] == [(each["message"], each["status"], each["scannedAt"]) for each in last["checkpoints"]]
    assert first["checkpoints"][0]["id"] == last["checkpoints"][0]["id"]


OWN = """\
syntax: json
for_each: scans
header:
  message: "{id}"
  count: "{sequence}"
  why: "{trigger}"
  function: "{function}"
  was: "{previous_status}"
  becomes: "{new_status}"
  now.status: "{shipment.status}"
  now.since: "{shipment.status_at:iso}"
  now.expected: "{shipment.estimated_delivery_at:%d.%m.%Y}"
event: {tracking_number: number, code: code, text: text, occurred_at: at}
"""


def test_a_customers_own_layout_names_what_changed(db: Database, tmp_path: Path) -> None:
    """One document for each event, laid out by a mapping, statuses in its words."""
    path = tmp_path / "mappings" / "hooli" / "own.yaml"
    path.parent.mkdir(parents=True)
    words = dict.fromkeys(Status, "?") | {DELIVERED: "D", IN_TRANSIT: "T"}
    path.write_text(OWN + "statuses:\n" + "".join(f'  {status}: "{word}"\n' for status, word in words.items()))
    lines = ("format: {type: json}", "mapping: hooli/own")
    wired = wire_hooli(tmp_path, *lines, gateway=own_gateway(tmp_path))
    hear(db, wired, message(estimate(30), tracking(IN_TRANSIT, 8), tracking(DELIVERED, 9, text="{id}")))
    seal_all(db, wired)

    newest = deliveries.deliveries(db, destination=LIVE)[0]
    assert {
        "message": newest.name,
        "count": "2",
        "why": "status_change",
        "function": "9",
        "was": "T",
        "becomes": "D",
        "now": {"status": "D", "since": "2026-03-01T09:00:00+00:00", "expected": "02.03.2026"},
        "scans": [{"number": "P1", "code": "D", "text": "{id}", "at": "2026-03-01T09:00:00+00:00"}],
    } == sealed(db)[-1]


def test_nothing_of_others_or_of_the_gateways_inside_is_told(db: Database, tmp_path: Path) -> None:
    """Neither another customer nor the account, nor where it was read."""
    wired = wire_hooli(tmp_path, "history: true", "events: all")
    subscriptions.subscribe(db, "globex", ["P1"])
    hear(db, wired, message(tracking(IN_TRANSIT, 8, account="ACCOUNT-OF-GLOBEX"), number="NUMBER-OF-REPORT"))
    seal_all(db, wired)
    [delivery] = deliveries.deliveries(db, destination=LIVE)
    said = deliveries.document(db, delivery).content.decode()

    for inside in ("globex", "ACCOUNT", "NUMBER-OF-REPORT", "m.yaml", "I1", "M1", "document", "channel"):
        assert inside not in said


def test_times_are_utc_but_those_of_events_are_the_carriers(db: Database, tmp_path: Path) -> None:
    """An event's own clock is part of what was said."""
    wired = wire_hooli(tmp_path)
    zone = timezone(timedelta(hours=2))
    hear(db, wired, message(replace(tracking(), occurred_at=datetime(2026, 3, 1, 10, tzinfo=zone))))
    seal_all(db, wired)
    [body] = sealed(db)

    assert "2026-03-01T10:00:00+02:00" == body["event"]["occurred_at"]
    assert "2026-03-01T08:00:00Z" == body["shipment"]["current"]["status_at"]
    assert {"first": "2026-03-01T08:00:00Z", "last": "2026-03-01T08:00:00Z"} == body["shipment"]["milestones"][
        "IN_TRANSIT"
    ]
    assert datetime.fromisoformat(body["created_at"]).tzinfo == UTC


def run_node(what: str, db: Database, folder: Path) -> str:
    url = db._url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.unit.pipeline.notifying_process", what, url, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def each_told_once_in_order(db: Database) -> bool:
    """Whether each of three parcels has its ten events in ten notifications without a gap, in their order."""
    bodies = sorted(sealed(db), key=lambda each: (each["shipment"]["tracking_number"], each["sequence"]))
    numbers = [(each["shipment"]["tracking_number"], each["sequence"]) for each in bodies]
    times = [each["event"]["occurred_at"] for each in bodies]
    wanted = [(f"P{parcel}", number) for parcel in range(3) for number in range(1, 11)]
    return numbers == wanted and all(times[n : n + 10] == sorted(times[n : n + 10]) for n in (0, 10, 20))


def owe_ten_of_each(db: Database, folder: Path) -> None:
    wired = wire_hooli(folder, "events: all", "order: shipment")
    for hour in range(10):
        hear(db, wired, message(*(tracking(IN_TRANSIT, hour, tracking_number=f"P{parcel}") for parcel in range(3))))


def test_processes_that_seal_at_the_same_time_leave_no_gap(db: Database, tmp_path: Path) -> None:
    """Two nodes of eight threads each."""
    owe_ten_of_each(db, tmp_path)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: run_node("many", db, tmp_path), range(2)))

    assert each_told_once_in_order(db)


def test_a_kill_at_any_step_loses_and_repeats_nothing(db: Database, tmp_path: Path) -> None:
    """Every statement, the commit, and the moment after it."""
    owe_ten_of_each(db, tmp_path)
    assert int(run_node("kills", db, tmp_path).splitlines()[-1]) >= 10
    seal_all(db, wire_hooli(tmp_path, "events: all", "order: shipment"))

    assert each_told_once_in_order(db)
