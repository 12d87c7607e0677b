"""Trackers against a real daemon: made in every way, told on every way out, and carriers asked while one waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from edi_gateway.store.tables import METADATA
from tests.acceptance.gateway import wait_until
from tests.carrier_api import Reply, events
from tests.tracking_gateway import Place, create, told, tracking_gateway


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A gateway with a carrier that sends, one that is asked once an hour, and two customers."""
    with tracking_gateway(tmp_path_factory.mktemp("trackers")) as running:
        yield running


def test_a_tracker_is_made_once(place: Place) -> None:
    """201 and UNKNOWN at first, 200 and the same tracker afterwards, however the number is written."""
    with place.client() as client:
        first, again = create(client, "1ZMADE1", "UPS"), create(client, " 1z made1", "ups")
        one = client.get(first.headers["location"])
    assert (201, "UNKNOWN", "ups") == (first.status_code, first.json()["status"], first.json()["carrier"])
    assert (200, first.json()["id"]) == (again.status_code, again.json()["id"])
    assert first.json() == one.json()


def test_what_is_known_of_a_number_is_told_on_every_way_out(place: Place) -> None:
    """Its event came before the tracker: the feed tells it, a file will, and the tracker shows it."""
    place.scans("1ZEARLY1")
    wait_until(lambda: place.known("1ZEARLY1"), 20, "known")
    with place.client() as client:
        made = create(client, "1ZEARLY1")
        shown = client.get(f"/v1/trackers/{made.json()['id']}").json()
        fed = client.get("/v1/events", params={"limit": 200}).json()["events"]
        assert 200 == create(client, "1ZEARLY1").status_code
    assert ("UNKNOWN", "DELIVERED") == (made.json()["status"], shown["status"])
    assert ["DELIVERED"] == [each["event"]["status"] for each in fed if each["tracking_number"] == "1ZEARLY1"]
    assert ["hooli/edi"] == place.owed("1ZEARLY1")


def test_a_paused_tracker_is_told_of_nowhere_until_it_is_resumed(place: Place) -> None:
    """Neither by the feed nor in a file; the shipment itself shows what happened."""
    with place.client() as client, place.client("initech") as other:
        create(client, "1ZPAUSE1")
        create(other, "1ZPAUSE1")
        place.scans("1ZPAUSE1")
        wait_until(lambda: place.owed("1ZPAUSE1") == ["hooli/edi"], 20, "owed")
        [tracker] = client.get("/v1/trackers", params={"tracking_number": "1ZPAUSE1"}).json()["trackers"]
        paused = client.post(f"/v1/trackers/{tracker['id']}/pause")
        assert (200, "paused") == (paused.status_code, paused.json()["state"])
        assert 404 == other.post(f"/v1/trackers/{tracker['id']}/resume").status_code
        place.scans("1ZPAUSE1", 18)
        wait_until(lambda: len(told(other, "1ZPAUSE1")) == 2, 20, "told to the other")
        assert (1, 1) == (len(told(client, "1ZPAUSE1")), len(place.owed("1ZPAUSE1")))
        assert "active" == client.post(f"/v1/trackers/{tracker['id']}/resume").json()["state"]


def test_a_deleted_tracker_is_gone(place: Place) -> None:
    """With its events; another customer cannot delete it, and what comes later is told nowhere."""
    with place.client() as client, place.client("initech") as other:
        path = create(client, "1ZGONE1").headers["location"]
        place.scans("1ZGONE1")
        wait_until(lambda: bool(told(client, "1ZGONE1")), 20, "told")
        assert (404, 404) == (other.delete(path).status_code, other.get(path).status_code)
        deleted = client.delete(path)
        assert (204, b"") == (deleted.status_code, deleted.content)
        assert {404} == {client.get(path).status_code, client.delete(path).status_code}
        assert [] == told(client, "1ZGONE1")
        [answer] = client.post("/v1/track", json={"items": [{"tracking_number": "1ZGONE1"}]}).json()["results"]
    assert "not_found" == answer["error"]["code"]


def test_a_batch_has_a_result_for_each_item(place: Place) -> None:
    """In their order: new, there already, and an error that does not keep the others from being made."""
    items = [{"tracking_number": f"1ZBATCH{number}"} for number in (1, 2, 1)]
    with place.client() as client:
        answer = client.post(
            "/v1/trackers/batch", json={"trackers": [*items, {"tracking_number": "X", "carrier": "nobody"}]}
        ).json()
        refused = client.post("/v1/trackers/batch", json={"trackers": [{"tracking_number": "1Z"}] * 1001})
    assert (2, 1, 1) == (answer["created"], answer["existing"], answer["failed"])
    assert [True, True, False, False] == [each["created"] for each in answer["results"]]
    assert answer["results"][0]["id"] == answer["results"][2]["id"]
    assert "unknown_carrier" == answer["results"][3]["error"]["code"]
    assert 422 == refused.status_code


def test_a_file_has_a_result_for_each_line(place: Place) -> None:
    """As it is, or as a field of a form; semicolons and a mark of its encoding are no trouble."""
    file = "\ufeffTracking Number;Carrier;Note\n1ZFILE1;UPS;a\n;ups;b\n\n1ZFILE2;elsewhere;c\n1ZFILE1;;d\n".encode()
    with place.client() as client:
        plain = client.post("/v1/trackers/upload", content=file, headers={"Content-Type": "text/csv"}).json()
        form = client.post("/v1/trackers/upload", files={"file": ("numbers.csv", file, "text/csv")}).json()
        other = client.post("/v1/trackers/upload", content=file, headers={"Content-Type": "application/json"})
        nothing = client.post("/v1/trackers/upload", content=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
    said = [(each["line"], each["created"], (each["error"] or {}).get("code")) for each in plain["results"]]
    assert [(2, True, None), (3, False, "invalid"), (5, False, "unknown_carrier"), (6, False, None)] == said
    assert (0, 2, 2) == (form["created"], form["existing"], form["failed"])
    assert (415, 422) == (other.status_code, nothing.status_code)


def test_trackers_are_listed_page_by_page(place: Place) -> None:
    """Each once, and only the customer's own."""
    with place.client() as client:
        for number in range(5):
            create(client, f"1ZLIST{number}", "ups")
        found, after = [], ""
        while after is not None:
            page = client.get("/v1/trackers", params={"limit": 3, "after": after, "carrier": "UPS"}).json()
            found += [each["tracking_number"] for each in page["trackers"]]
            after = page["next"]
    with place.client("initech") as other:
        theirs = [each["tracking_number"] for each in other.get("/v1/trackers").json()["trackers"]]
    assert [f"1ZLIST{number}" for number in range(5)] == [each for each in found if each.startswith("1ZLIST")]
    assert len(found) == len(set(found))
    assert not [each for each in theirs if each.startswith("1ZLIST")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"tracking_number": ""}, 422),
        ({"tracking_number": "1Z", "carrier": "nobody"}, 404),
        ({"tracking_number": "1Z", "stranger": 1}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_tracked_is_a_problem(place: Place, body: dict[str, Any], status: int) -> None:
    """With the field it is about."""
    with place.client() as client:
        refused = client.post("/v1/trackers", json=body)
    assert status == refused.status_code
    assert refused.json()["errors"][0]["field"].startswith("body.")


def test_a_key_without_the_scope_changes_nothing(place: Place) -> None:
    """A key that may read does not track, not even by the way."""
    with place.client("reader") as client:
        assert 403 == create(client, "1ZSCOPE1").status_code
        asked = {"items": [{"tracking_number": "1ZSCOPE1"}], "subscribe": True}
        assert 403 == client.post("/v1/track", json=asked).status_code


def test_unknown_numbers_are_tracked_in_the_call_that_asks_for_them(place: Place) -> None:
    """From then on they have an id; asked once more they are the same, and their first event is told."""
    asked = {"items": [{"tracking_number": "1ZSUB1"}], "subscribe": True}
    with place.client() as client:
        [first] = client.post("/v1/track", json=asked).json()["results"]
        [again] = client.post("/v1/track", json=asked).json()["results"]
        place.scans("1ZSUB1")
        wait_until(lambda: bool(told(client, "1ZSUB1")), 20, "told")
    assert ("UNKNOWN", 0) == (first["shipment"]["status"], first["shipment"]["epoch"])
    assert first["shipment"]["id"] == again["shipment"]["id"]


def test_a_carrier_is_waited_for(place: Place) -> None:
    """Its channel is polled once an hour: a tracker that waits has what the carrier says, and the feed tells it."""
    with place.client() as client:
        made = create(client, "WAIT1", "Asked", **{"async": False})
    assert (201, "IN_TRANSIT", "asked") == (made.status_code, made.json()["status"], made.json()["carrier"])


def test_a_look_up_asks_the_carriers_now(place: Place) -> None:
    """Each item says what came of it: the answer is in, or the carrier sends by itself; soon after, nobody asks."""
    items = [{"tracking_number": number} for number in ("NOW1", "1ZNOW1", "NOBODY1")]
    with place.client() as client:
        create(client, "NOW1", "asked")
        create(client, "1ZNOW1", "ups")
        asked = {"items": items, "refresh": "wait"}
        polled, sent, unknown = client.post("/v1/track", json=asked).json()["results"]
        before = place.carrier.numbers.count("NOW1")
        [again, *_] = client.post("/v1/track", json=asked).json()["results"]
    assert ("answered", "IN_TRANSIT") == (polled["refresh"], polled["shipment"]["status"])
    assert ("not_asked", "UNKNOWN") == (sent["refresh"], sent["shipment"]["status"])
    assert ("not_asked", "not_found") == (unknown["refresh"], unknown["error"]["code"])
    assert ("answered", 1, 1) == (again["refresh"], before, place.carrier.numbers.count("NOW1"))
    assert "NOBODY1" not in place.carrier.numbers


def test_a_carrier_that_fails_is_said_to_and_what_is_known_istold(place: Place) -> None:
    """It answers with an error: no waiting until the end, and the other items have their answers."""
    with place.client() as client:
        create(client, "FAIL1", "asked", **{"async": False})
        create(client, "FINE1", "asked")
        place.carrier.answer = lambda asked: Reply(500) if asked.number == "FAIL1" else events(asked.number)
        _make_stale(place, "FAIL1")
        begun = time.monotonic()
        asked = {"items": [{"tracking_number": "FAIL1"}, {"tracking_number": "FINE1"}], "refresh": "wait"}
        failed, fine = client.post("/v1/track", json=asked).json()["results"]
    assert ("unanswered", "IN_TRANSIT") == (failed["refresh"], failed["shipment"]["status"])
    assert ("answered", "IN_TRANSIT") == (fine["refresh"], fine["shipment"]["status"])
    assert time.monotonic() - begun < 20


def _make_stale(place: Place, number: str) -> None:
    check = METADATA.tables["tracking_check"]
    with place.db.write() as connection:
        old = check.update().where(check.c.tracking_number == number)
        connection.execute(old.values(checked_at=None))


def test_others_are_answered_while_many_wait(place: Place) -> None:
    """The carrier takes its time: of one customer eight requests wait, more are answered at once, and others go on."""
    goes_on = threading.Event()
    with place.client() as client:
        create(client, "HANG1", "asked")
        place.carrier.answer = lambda asked: events(asked.number) if goes_on.wait(20) else Reply(500)
        asked = {"items": [{"tracking_number": "HANG1"}], "refresh": "wait"}

        def ask(_: int) -> str:
            return str(client.post("/v1/track", json=asked).json()["results"][0]["refresh"])

        with ThreadPoolExecutor(12) as pool:
            answers = [pool.submit(ask, number) for number in range(12)]
            wait_until(lambda: sum(each.done() for each in answers) == 4, 15, "answered at once")
            assert {"unanswered"} == {each.result() for each in answers if each.done()}
            with place.client("initech") as other:
                assert 200 == other.get("/v1/trackers").status_code
            assert 4 == sum(each.done() for each in answers)
            goes_on.set()
            assert 8 == [each.result() for each in answers].count("answered")


def test_a_tracker_whose_carrier_is_no_longer_asked_is_reactivated(place: Place) -> None:
    """The schedule had given it up; then it is due at once."""
    with place.client() as client:
        path = create(client, "OVER1", "asked", **{"async": False}).headers["location"]
        check = METADATA.tables["tracking_check"]
        with place.db.write() as connection:
            over = check.update().where(check.c.tracking_number == "OVER1")
            connection.execute(over.values(state="expired", due_at=None))
        client.post(f"{path}/pause")
        again = client.post(f"{path}/reactivate").json()
        with place.db.read() as connection:
            row = connection.execute(select(check).where(check.c.tracking_number == "OVER1")).one()
    assert ("active", "active", "active") == (again["state"], again["tracking_state"], row.state.value)
    assert row.due_at is not None
