"""Test mode against a real daemon: test data on all outputs, told apart from live data and from other customers'."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from standardwebhooks import Webhook

from edi_gateway.model import Status
from edi_gateway.store import api_keys, subscriptions
from edi_gateway.store.engine import Database
from edi_gateway.store.shipments import overview, unmapped
from tests.acceptance.gateway import Gateway, wait_until
from tests.guards.project import ROOT
from tests.receiver import Receiver, receiving
from tests.servers import ServerUnderTest, openssh_server
from tests.tracking_codes import CODES
from tests.webhooks import BEARER, address, scan, webhook_gateway, write_webhook

LIVE: Final = "1Z00000000LIVE0001"
SAME: Final = "1Z00000000SAME0001"  # a live shipment's number, simulated by globex as well
PLAYED: Final = "SIM2000000001"
SECRET: Final = "whsec_" + base64.b64encode(b"a key of thirty-two bytes length").decode()
_FOLDERS: Final = (*(f"hooli/{name}" for name in ("live", "test", "x12", "json", "csv")), "globex/live", "globex/test")
_PLACES: Final = {
    "rows": 'for_each: ROW\nevent: {tracking_number: "@Number", code: "@Status", occurred_at: "@At"}',
    "tree": "syntax: json\nfor_each: events\nevent: {tracking_number: number, code: status, occurred_at: at}",
}
_CUSTOMER: Final = """\
customer: NAME
receives: [{carrier: "*"}]
api: {per_second: 1000, burst: 1000}
destinations:
  edi:
    sink: {SERVER, path: "ROOT/NAME/live"}
    format: {type: edifact, recipient: "NAME:14"}
    mapping: globex/tracking_events
    batch: {every: 0s}
    file_name: "live_{control:06}.edi"
  edi-test:
    test: true
    sink: {SERVER, path: "ROOT/NAME/test"}
    format: {type: edifact, recipient: "NAME:14"}
    mapping: globex/tracking_events
    batch: {every: 0s}
    file_name: "test_{control:06}.edi"
"""
_MORE: Final = """\
  x12-test:
    test: true
    sink: {SERVER, path: "ROOT/hooli/x12"}
    format: {type: x12, sender: "HUB:ZZ", recipient: "HOOLI:02"}
    mapping: hooli/tracking_events
    batch: {every: 0s}
    unencodable: replace
    only: [{status: [STATUSES]}] # this layout has no word for UNKNOWN
    file_name: "{control:09}.x12"
  json-test:
    test: true
    sink: {SERVER, path: "ROOT/hooli/json"}
    format: {type: json, recipient: hooli}
    mapping: own/tree
    batch: {every: 0s}
    file_name: "{control:09}.json"
  csv-test:
    test: true
    sink: {SERVER, path: "ROOT/hooli/csv"}
    format: {type: delimited, recipient: hooli, columns: [Number, Status, At]}
    mapping: own/rows
    batch: {every: 0s}
    file_name: "{control:09}.csv"
  hook-test:
    test: true
    sink: {type: webhook, url: "URL/test", secret: "${file:FOLDER/hook}", allow: [http, private]}
    events: all
  hook:
    sink: {type: webhook, url: "URL/live", secret: "${file:FOLDER/hook}", allow: [http, private]}
    events: all
"""


@dataclass(frozen=True)
class Scene:
    """A gateway at work, and all that came out of it."""

    gateway: Gateway
    url: str
    keys: dict[str, str]
    db: Database
    mailbox: ServerUnderTest
    receiver: Receiver

    def client(self, key: str) -> httpx.Client:
        """Who calls with that key."""
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def files(self, folder: str) -> str:
        """All that lies there, one after the other."""
        found = sorted((self.mailbox.root / folder).iterdir())
        return "".join(path.read_bytes().decode("latin-1") for path in found)

    def idle(self) -> bool:
        """Whether nothing waits, live or test."""
        counted = [overview(self.db, test=test) for test in (False, True)]
        waiting = (each.documents.get("received") or each.pending for each in counted)
        return not any(waiting) and {state for each in counted for _, state in each.deliveries} <= {"delivered"}

    def notified(self, path: str) -> list[dict[str, Any]]:
        """What the webhook was told there."""
        return [json.loads(each.body) for each in self.receiver.received if f" {path} " in each.line]


def _write(folder: Path, mailbox: ServerUnderTest, receiver: Receiver) -> Path:
    config = write_webhook(folder)
    gateway = config / "gateway.yaml"
    own = folder / "mappings/own"
    own.mkdir(parents=True)
    statuses = json.dumps({status: {"code": status} for status in Status} | {"EST": {"code": "EXPECTED"}})
    for name, places in _PLACES.items():
        (own / f"{name}.yaml").write_text(f"{places}\nstatuses: {statuses}\n", encoding="utf-8")
    both = f"mappings: [{folder}/mappings, {ROOT}/mappings]\n"
    gateway.write_text(gateway.read_text().replace(f"mappings: {ROOT}/mappings\n", both), encoding="utf-8")
    (folder / "hook").write_text(SECRET, encoding="utf-8")
    key = mailbox.known_hosts_line.partition(" ")[2]
    server = (
        f'type: sftp, host: {mailbox.host}, port: {mailbox.port}, username: {mailbox.username}, host_key: "{key}",'
        f' private_key: "${{file:{mailbox.private_key}}}"'
    )
    values = {"SERVER": server, "ROOT": mailbox.remote_root, "URL": receiver.url, "FOLDER": str(folder)}
    (config / "customers").mkdir()
    values["STATUSES"] = ", ".join(status for status in Status if status is not Status.UNKNOWN)
    for name, text in {"hooli": _CUSTOMER + _MORE, "globex": _CUSTOMER}.items():
        for mark, meant in {"NAME": name, **values}.items():
            text = text.replace(mark, meant)  # noqa: PLW2901
        (config / f"customers/{name}.yaml").write_text(text, encoding="utf-8")
    return config


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Live scans, all test tracking codes for one customer, a simulated history for the other; all is delivered."""
    folder = tmp_path_factory.mktemp("test_mode")
    with (
        openssh_server(folder / "mailboxes", _FOLDERS) as mailbox,
        receiving() as receiver,
        webhook_gateway(folder, lambda: _write(folder, mailbox, receiver)) as gateway,
    ):
        gateway.start()
        url = address(gateway)
        db = Database(f"sqlite:///{folder}/data/edi-gateway.db")
        keys = {
            f"{customer} {'test' if test else 'live'}": api_keys.create(db, customer, "", test=test)
            for customer in ("hooli", "globex")
            for test in (True, False)
        }
        found = Scene(gateway, url, keys, db, mailbox, receiver)
        for number in (LIVE, SAME):
            assert 200 == httpx.post(f"{url}/inbound/ups/alerts", content=scan(number), headers=BEARER).status_code
        with found.client("hooli test") as client:
            answer = client.post("/v1/track", json={"items": [_item(code) for code in CODES]})
            assert 200 == answer.status_code, answer.text
        play = ("simulate", "--customer", "globex", "--carrier", "ups")
        gateway.command(*play, "--scenario", "two_failed_attempts", "--tracking-number", PLAYED)
        gateway.command(*play, "--scenario", "unknown_code", "--tracking-number", SAME)
        wait_until(found.idle, 60, "all delivered")
        yield found
        db.close()
        assert 0 == gateway.stop()
        assert [] == gateway.complaints()


def _item(code: str) -> dict[str, str]:
    return {"tracking_number": code, "carrier": "ESTAFETA"}


def _shipments(client: httpx.Client) -> dict[str, Any]:
    return {each["tracking_number"]: each for each in client.get("/v1/shipments?limit=200").json()["shipments"]}


@pytest.mark.parametrize(("code", "status"), CODES.items())
def test_a_test_tracking_code_answers_its_status_with_a_plausible_history(scene: Scene, code: str, status: str) -> None:
    """At once, without a tracker; events in order, with places, offsets and references, ending now."""
    with scene.client("hooli test") as client:
        [result] = client.post("/v1/track", json={"items": [_item(code)]}).json()["results"]
    shipment = result["shipment"]
    assert (status, "estafeta", code) == (shipment["status"], shipment["carrier"], shipment["tracking_number"])
    happened = [event for event in shipment["tracking_events"] if event["classifier"] == "ACT"]
    times = [datetime.fromisoformat(event["occurred_at"]) for event in happened]
    assert len(happened) >= 2
    assert times == sorted(times)
    assert timedelta(0) < datetime.now(UTC) - times[-1] < timedelta(minutes=15)
    assert all(event["location"]["unlocode"] and event["text"] and event["references"]["CU"] for event in happened)
    assert status in {"UNKNOWN", "PENDING"} or len({time.utcoffset() for time in times}) == 1
    assert (shipment["estimated_delivery_at"] is None) == (status == "UNKNOWN")


def test_a_code_asked_for_again_is_answered_from_what_is_there(scene: Scene) -> None:
    """Neither events nor documents are added by asking, with or without the carrier's name."""
    before = overview(scene.db, test=True)
    with scene.client("hooli test") as client:
        for item in (_item("K1000000005"), {"tracking_number": "k1000000005"}):
            [result] = client.post("/v1/track", json={"items": [item]}).json()["results"]
            assert "DELIVERED" == result["shipment"]["status"]
    after = overview(scene.db, test=True)
    assert (before.events, before.documents) == (after.events, after.documents)


def test_files_of_test_data_say_so_in_every_format(scene: Scene) -> None:
    """EDIFACT by 0035, X12 by ISA15, JSON by test: true, rows by the file's name; the codes are in all of them."""
    folders = {name: scene.mailbox.root / "hooli" / name for name in ("test", "x12", "json", "csv")}
    for path in folders["test"].iterdir():
        header = path.read_text("latin-1").partition("UNB")[2].partition("'")[0].split("+")
        assert "1" == header[11], header
    assert {"T"} == {path.read_text()[102] for path in folders["x12"].iterdir()}
    assert all(json.loads(path.read_bytes())["test"] is True for path in folders["json"].iterdir())
    assert all(path.name.startswith("TEST_") for path in folders["csv"].iterdir())
    for name in folders:
        said = scene.files(f"hooli/{name}")
        assert [code for code in CODES if code not in said] == (["K1000000000"] if name == "x12" else []), name


def test_test_webhooks_are_signed_and_say_so(scene: Scene) -> None:
    """Every event of the codes is told once, signed, with test: true; live notifications do not have the word."""
    for each in scene.receiver.received:
        assert Webhook(SECRET).verify(each.body, dict(each.headers))
    told = scene.notified("/test")
    assert set(CODES) == {each["shipment"]["tracking_number"] for each in told}
    assert all(each["test"] is True for each in told)
    assert overview(scene.db, test=True).deliveries["test:hooli/hook-test", "delivered"] == len(told)
    assert {LIVE, SAME} == {each["shipment"]["tracking_number"] for each in scene.notified("/live")}
    assert not any("test" in each for each in scene.notified("/live"))


def test_live_and_test_data_never_meet(scene: Scene) -> None:
    """Not in files, sequences of control numbers, keys' answers, feeds, counts or the list of unmapped codes."""
    for customer, theirs in {"hooli": set(CODES), "globex": {PLAYED, SAME}}.items():
        live, test = scene.files(f"{customer}/live"), scene.files(f"{customer}/test")
        assert {number for number in (LIVE, SAME, PLAYED, *CODES) if number in live} == {LIVE, SAME}
        assert {number for number in (LIVE, SAME, PLAYED, *CODES) if number in test} == theirs
        names = sorted(path.name for path in (scene.mailbox.root / customer / "live").iterdir())
        assert names == [f"live_{number:06}.edi" for number in range(1, len(names) + 1)]
        with scene.client(f"{customer} live") as client:
            assert {LIVE, SAME} == set(_shipments(client))
            assert {LIVE, SAME} == {each["tracking_number"] for each in client.get("/v1/events").json()["events"]}
        with scene.client(f"{customer} test") as client:
            assert theirs == set(_shipments(client))
            page = client.get("/v1/events?limit=200").json()["events"]
            assert theirs == {each["tracking_number"] for each in page}
            assert {"ups", "estafeta"} >= {each["carrier"] for each in page}
    found = overview(scene.db)
    assert (2, 2, 0) == (found.shipments, found.events, found.unmapped_codes)
    assert [] == unmapped(scene.db)
    assert not any(at.startswith("test:") for at, _ in found.deliveries)
    assert overview(scene.db, test=True).unmapped_codes == 1


def test_a_live_key_knows_no_test_tracking_code(scene: Scene) -> None:
    """It is a number like any other, of which nothing is known; nor can a test key see a live shipment."""
    with scene.client("hooli live") as client:
        [result] = client.post("/v1/track", json={"items": [{"tracking_number": "K1000000005"}]}).json()["results"]
        assert "not_found" == result["error"]["code"]
    with scene.client("hooli test") as client:
        [result] = client.post("/v1/track", json={"items": [{"tracking_number": LIVE}]}).json()["results"]
        assert "not_found" == result["error"]["code"]
        assert 404 == client.get(f"/v1/shipments/{_id(scene, LIVE)}").status_code


def test_a_test_key_subscribes_to_test_data_alone(scene: Scene) -> None:
    """Neither is a live carrier asked for the number, nor does a live event of it come to the test key."""
    number = "1Z00000000LATER001"
    with scene.client("hooli test") as client:
        for asked, carrier in ((number, "ups"), (f"{number}2", "")):
            items = [{"tracking_number": asked, "carrier": carrier}]
            assert 200 == client.post("/v1/track", json={"items": items, "subscribe": True}).status_code
        kept = {(each.customer, each.carrier) for each in subscriptions.subscriptions(scene.db)}
        assert {("test:hooli", "test:hooli:ups"), ("test:hooli", "")} == kept
        assert 200 == httpx.post(f"{scene.url}/inbound/ups/alerts", content=scan(number), headers=BEARER).status_code
        with scene.client("hooli live") as live:
            wait_until(lambda: number in _shipments(live), 20, "the live key hears of it")
        assert [] == _shipments(client)[number]["tracking_events"]
    with scene.db.write() as connection:  # as the other tests found it
        connection.exec_driver_sql("DELETE FROM subscription")


def _id(scene: Scene, number: str) -> str:
    with scene.client("hooli live") as client:
        return str(_shipments(client)[number]["id"])
