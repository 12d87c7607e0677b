"""The customers' API against a real daemon: what is a customer's own is found, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from edi_gateway.store import api_keys, subscriptions
from edi_gateway.store.engine import Database
from tests.acceptance.gateway import wait_until
from tests.webhooks import BEARER, address, scan, webhook_gateway, write_webhook

SCAN_OF_HOOLI = "1Z00000000HOOLI001"
SCAN_OF_BOTH = "1Z0000000000BOTH01"
SCAN_OF_NOBODY = "1Z00000000NOBODY01"


def _configure(folder: Path) -> Path:
    config = write_webhook(folder)
    (config / "customers").mkdir(exist_ok=True)
    for customer in ("hooli", "initech"):
        (config / f"customers/{customer}.yaml").write_text(f"customer: {customer}\napi: {{}}\n", encoding="utf-8")
    return config


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A gateway's address, and the keys of two customers; three scans have come."""
    folder = tmp_path_factory.mktemp("api")
    with webhook_gateway(folder, lambda: _configure(folder)) as gateway:
        gateway.start()
        url = address(gateway)
        db = Database(f"sqlite:///{folder}/data/edi-gateway.db")
        subscriptions.subscribe(db, "hooli", [SCAN_OF_HOOLI, SCAN_OF_BOTH])
        subscriptions.subscribe(db, "initech", [SCAN_OF_BOTH])
        keys = {customer: api_keys.create(db, customer, "") for customer in ("hooli", "initech")}
        keys["reader"] = api_keys.create(db, "hooli", "", ["trackers"])
        for number in (SCAN_OF_HOOLI, SCAN_OF_BOTH, SCAN_OF_NOBODY):
            done = httpx.post(f"{url}/inbound/ups/alerts", content=scan(number), headers=BEARER)
            assert 200 == done.status_code
        with _client(url, keys["hooli"]) as client:
            wait_until(lambda: len(client.get("/v1/shipments").json()["shipments"]) == 2, 20, "two shipments")
        db.close()
        yield url, keys


@contextmanager
def _client(url: str, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
        yield client


def _track(client: httpx.Client, *numbers: str, **more: Any) -> list[dict[str, Any]]:
    asked = {"items": [{"tracking_number": number} for number in numbers], **more}
    answer = client.post("/v1/track", json=asked)
    assert 200 == answer.status_code, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_each_number_is_answered_on_its_own(api: tuple[str, dict[str, str]]) -> None:
    """What is the customer's is told with its events; another's number is answered as one that does not exist."""
    url, keys = api
    with _client(url, keys["hooli"]) as client:
        mine, foreign, unknown = _track(client, SCAN_OF_HOOLI.lower(), SCAN_OF_NOBODY, "1Z0000000000000000")
    assert ("DELIVERED", SCAN_OF_HOOLI) == (mine["shipment"]["status"], mine["shipment"]["tracking_number"])
    assert ["DELIVERED"] == [event["status"] for event in mine["shipment"]["tracking_events"]]
    assert mine["shipment"]["delivered_at"] is not None
    assert "not_found" == foreign["error"]["code"]
    assert {**foreign, "tracking_number": ""} == {**unknown, "tracking_number": ""}


def test_customers_see_the_same_shipment_under_different_ids(api: tuple[str, dict[str, str]]) -> None:
    """Both may know of it; the id of one is unknown to the other."""
    url, keys = api
    with _client(url, keys["hooli"]) as hooli, _client(url, keys["initech"]) as initech:
        [mine] = _track(hooli, SCAN_OF_BOTH)
        [theirs] = _track(initech, SCAN_OF_BOTH)
        assert mine["shipment"]["id"] != theirs["shipment"]["id"]
        assert 200 == hooli.get(f"/v1/shipments/{mine['shipment']['id']}").status_code
        refused = initech.get(f"/v1/shipments/{mine['shipment']['id']}")
    assert 404 == refused.status_code
    assert "application/problem+json" == refused.headers["content-type"]
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_a_shipment_that_has_not_changed_is_not_sent_again(api: tuple[str, dict[str, str]]) -> None:
    """If-None-Match with the tag of the last answer is 304 without a body."""
    url, keys = api
    with _client(url, keys["hooli"]) as client:
        [mine] = _track(client, SCAN_OF_HOOLI)
        path = f"/v1/shipments/{mine['shipment']['id']}"
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (304, b"") == (again.status_code, again.content)


def test_the_feed_tells_each_event_once(api: tuple[str, dict[str, str]]) -> None:
    """Pages follow on each other by their cursors and hold the customer's own events; then there is nothing."""
    url, keys = api
    with _client(url, keys["hooli"]) as client:
        told, after = [], ""
        for _ in range(3):
            page = client.get("/v1/events", params={"limit": 1, "after": after}).json()
            told += [event["tracking_number"] for event in page["events"]]
            after = page["next"]
    with _client(url, keys["initech"]) as client:
        theirs = [event["tracking_number"] for event in client.get("/v1/events").json()["events"]]
    assert sorted([SCAN_OF_BOTH, SCAN_OF_HOOLI]) == sorted(told)
    assert [SCAN_OF_BOTH] == theirs


@pytest.mark.parametrize("key", ["-", "egw_live_nobody", "egw_live_" + "a" * 60, "x" * 5000])
def test_nobody_gets_in_without_a_key(api: tuple[str, dict[str, str]], key: str) -> None:
    """No key, a wrong one and one that is far too long are refused with how to do it right."""
    with _client(api[0], key) as client:
        refused = client.get("/v1/shipments")
    assert (401, "Unauthorized") == (refused.status_code, refused.json()["title"])
    assert "Bearer" in refused.headers["www-authenticate"]


def test_a_key_may_do_what_its_scopes_say(api: tuple[str, dict[str, str]]) -> None:
    """A key without the scope read does not read."""
    with _client(api[0], api[1]["reader"]) as client:
        assert 403 == client.get("/v1/shipments").status_code


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 422), (b'{"items": []}', 422), (b"x" * 2_000_000, 413)]
)
def test_what_is_no_request_is_a_problem(api: tuple[str, dict[str, str]], body: bytes, status: int) -> None:
    """Each is told as a problem, with the place where there is one."""
    with _client(api[0], api[1]["hooli"]) as client:
        refused = client.post("/v1/track", content=body, headers={"Content-Type": "application/json"})
    assert status == refused.status_code
    assert "application/problem+json" == refused.headers["content-type"]


def test_more_requests_than_allowed_are_told_when_to_come_again(api: tuple[str, dict[str, str]]) -> None:
    """Beyond what a key may, 429 with Retry-After; every answer says how much is left."""
    with _client(api[0], api[1]["initech"]) as client:
        answers = [client.get("/v1/shipments", params={"limit": 1}) for _ in range(120)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert "40" == answers[0].headers["ratelimit-limit"]
