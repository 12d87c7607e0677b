"""Carriers' webhooks: a request is kept before it is answered, and becomes events like any file."""

from __future__ import annotations

import gzip
import itertools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from edi_gateway.store.alarms import alarms
from edi_gateway.store.engine import Database
from edi_gateway.store.inbox import documents
from edi_gateway.store.shipments import history, overview
from edi_gateway.store.tables import Document
from tests.acceptance.dropping import FULL
from tests.acceptance.gateway import Gateway, wait_until
from tests.servers import ServerUnderTest, own_server
from tests.webhooks import (
    BEARER,
    SCAN,
    TOKEN,
    address,
    running,
    scan,
    webhook_gateway,
    write_webhook,
)

POST = "/inbound/ups/alerts"
KILLS = 20 if FULL else 1


@contextmanager
def looking(folder: Path) -> Iterator[Database]:
    """Into the gateway's database, beside it."""
    db = Database(f"sqlite:///{folder}/data/edi-gateway.db")
    try:
        yield db
    finally:
        db.close()


def processed(folder: Path, count: int) -> list[Document]:
    """All documents, newest first, once there are so many and each has been read."""
    found: list[Document] = []

    def done() -> bool:
        found[:] = documents(db)
        return len(found) == count and all(document.state != "received" for document in found)

    with looking(folder) as db:
        wait_until(done, 30, f"{count} documents processed")
    return found


def sources(folder: Path, number: str) -> list[list[int]]:
    """Of each event of a parcel, the documents that told it."""
    with looking(folder) as db:
        (shipment,) = history(db, number)
    return [[source.document_id for source in event.sources] for event in shipment.events]


def test_a_post_becomes_an_event(tmp_path: Path) -> None:
    """What a carrier posts is kept as it came, answered with the document's id, and read like a file."""
    with running(tmp_path) as (gateway, client):
        answer = client.post(POST, content=SCAN, headers=BEARER)
        assert answer.status_code == 200, answer.text
        (document,) = processed(tmp_path, 1)
        assert document.id == answer.json()["document"]
        assert document.channel == "ups/alerts"
        assert gateway.command("documents", "show", str(document.id), "--raw").encode().strip() == SCAN.strip()
        (shipment,) = gateway.ask("events", "1ZTEST000300000017")
        assert [event["status"] for event in shipment["events"]] == ["DELIVERED"]
        assert gateway.stop() == 0
        assert gateway.complaints() == []


def test_a_carriers_retry_is_a_copy_and_a_retelling_no_other_event(tmp_path: Path) -> None:
    """The same request again is a copy; the same scan in other words, packed, is one event with two sources."""
    with running(tmp_path) as (_, client):
        first, again = (client.post(POST, content=scan(1), headers=BEARER).json()["document"] for _ in range(2))
        told = json.loads(scan(1, "DELIVERED to neighbour"))
        told["gmtActivityTime"] = "171529"
        packed = gzip.compress(json.dumps(told, indent=2).encode())
        other = client.post(POST, content=packed, headers=BEARER | {"content-encoding": "gzip"}).json()["document"]
        states = {document.id: document.state for document in processed(tmp_path, 3)}
        assert states == {first: "processed", again: "ignored", other: "processed"}
        assert sources(tmp_path, "1ZTEST000000000001") == [[first, other]]


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "mailboxes", ["ups/out"]) as server:
        yield server


def test_one_scan_by_file_and_by_webhook_is_one_event(tmp_path: Path, mailbox: ServerUnderTest) -> None:
    """Other text, other case, other seconds, another way: one event, which knows both."""
    told = json.loads(scan("1ZTEST000000000002", "DELIVERED, LEFT AT DOOR"))
    told["gmtActivityTime"], told["activityLocation"]["city"] = "171544", "Denver"
    (mailbox.root / "ups/out/scan.json").write_text(json.dumps(told), encoding="utf-8")
    key = mailbox.known_hosts_line.partition(" ")[2]
    files = f"""\
  files:
    every: 250ms
    source: {{type: sftp, host: {mailbox.host}, port: {mailbox.port}, username: {mailbox.username}, host_key: "{key}",
      private_key: "${{file:{mailbox.private_key}}}", path: "{mailbox.remote_root}/ups/out", after: delete}}
    mapping: ups/track_alert
"""
    with running(tmp_path, more=files) as (_, client):
        posted = client.post(POST, content=scan("1ZTEST000000000002"), headers=BEARER).json()["document"]
        brought = {document.channel: document.id for document in processed(tmp_path, 2)}
        assert brought["ups/alerts"] == posted
        (told_by,) = sources(tmp_path, "1ZTEST000000000002")
        assert set(told_by) == set(brought.values())


def test_a_carrier_that_gets_in_no_more_is_an_alarm_until_it_does(tmp_path: Path) -> None:
    """Three refusals in a row raise it, the next document clears it; neither it nor the log shows a secret."""

    def standing() -> list[tuple[str, str]]:
        return [(str(one.kind), one.subject) for one in alarms(db)]

    with running(tmp_path) as (gateway, client), looking(tmp_path) as db:
        for _ in range(3):
            client.post(POST, content=SCAN, headers={"authorization": "Bearer tell-nobody"})
        wait_until(lambda: standing() == [("channel_failing", "ups/alerts")], 20, "an alarm")
        assert client.post(POST, content=SCAN, headers=BEARER).status_code == 200
        wait_until(lambda: standing() == [], 20, "no alarm")
        log = gateway.log.read_text(encoding="utf-8")
        assert "token does not fit" in log
        assert TOKEN not in log
        assert "tell-nobody" not in log
        assert gateway.logged("request.refused") < 3  # a flood does not fill the disk


def test_refused_requests_are_counted_where_a_person_sees_them(tmp_path: Path) -> None:
    """By channel and status, over restarts, with why the last one was refused; a channel there is not is one, too."""
    with running(tmp_path) as (gateway, client):
        for path in (POST, POST, POST, "/inbound/ups/other"):
            assert client.post(path, content=SCAN).status_code == 401
        assert gateway.stop() == 0
        gateway.start()
        assert httpx.post(address(gateway) + POST, content=SCAN).status_code == 401
        assert gateway.stop() == 0
        [said] = gateway.ask("status")
        assert [("", 401, 1, "there is no such channel"), ("ups/alerts", 401, 4, "no Authorization: Bearer")] == [
            (one["channel"], one["status"], one["count"], one["why"]) for one in said["refused_requests"]
        ]
        assert "ups/alerts: 4 requests on" in gateway.command("status")


def test_requests_under_way_are_answered_when_the_gateway_stops(tmp_path: Path) -> None:
    """SIGTERM: who has begun is heard to the end, and what was answered is there after the next start."""
    with running(tmp_path) as (gateway, client):
        begun = threading.Event()

        def slowly() -> Iterator[bytes]:
            yield SCAN[:10]
            begun.set()
            wait_until(lambda: gateway.logged("daemon.stopping") > 0, 20, "stopping")
            yield SCAN[10:]

        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.post, POST, content=slowly(), headers=BEARER)
            assert begun.wait(20)
            process = gateway._running()
            process.send_signal(signal.SIGTERM)
            answer = asked.result(30)
            assert process.wait(30) == 0
        assert answer.status_code == 200
        with pytest.raises(httpx.TransportError):
            client.post(POST, content=SCAN, headers=BEARER)
        gateway.start()
        (document,) = processed(tmp_path, 1)
        assert document.id == answer.json()["document"]


def test_a_killed_gateway_loses_nothing_that_it_answered(tmp_path: Path, empty_url: str) -> None:
    """Kill -9 while many post at once: every request that got its 2xx is there, and is read then."""
    answered: dict[int, int] = {}  # number of the scan → document
    numbers = itertools.count()
    database = "" if empty_url.startswith("sqlite") else f"database: {empty_url}\n"
    with running(tmp_path, gateway=database) as (gateway, _):
        for kills in range(1, KILLS + 1):
            _post_until_killed(gateway, numbers, answered, 100 * kills)
            gateway.start()
        url = empty_url if database else f"sqlite:///{tmp_path}/data/edi-gateway.db"
        address(gateway)
        assert len(set(answered.values())) == len(answered) >= 100 * KILLS
        db = Database(url)
        wait_until(lambda: "received" not in overview(db).documents, 60, "all is read")
        with db.read() as connection:
            both = "SELECT document.id, chunk FROM document JOIN content USING (digest)"
            kept = {int(row[0]): bytes(row[1]) for row in connection.exec_driver_sql(both)}
        assert {number for number, document in answered.items() if kept.get(document) != scan(number)} == set()
        assert overview(db).events == len(kept)
        db.close()
        assert gateway.stop() == 0


def _post_until_killed(gateway: Gateway, numbers: Iterator[int], answered: dict[int, int], enough: int) -> None:
    """Sixteen carriers post one scan after another; the gateway is killed in the middle of it."""
    url = address(gateway)

    def post() -> None:
        with httpx.Client(base_url=url, timeout=20) as one:
            for number in numbers:
                try:
                    answer = one.post(POST, content=scan(number), headers=BEARER)
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    answered[number] = answer.json()["document"]

    with ThreadPoolExecutor(16) as pool:
        working = [pool.submit(post) for _ in range(16)]
        wait_until(lambda: len(answered) > enough, 30, f"{enough} requests answered")
        gateway.kill()
        for each in working:
            each.result(30)


def test_a_reload_opens_and_closes_channels(tmp_path: Path) -> None:
    """The first webhook brings the server with it; one that is taken out lets nobody in."""
    with webhook_gateway(tmp_path, lambda: write_webhook(tmp_path)) as gateway:
        carrier = gateway.config / "carriers/ups.yaml"
        text = carrier.read_text(encoding="utf-8")
        carrier.write_text(text.replace("    mapping", "    enabled: false\n    mapping"), encoding="utf-8")
        gateway.start()
        wait_until(gateway.has_started, 60, "started")
        assert gateway.logged("http.listening") == 0
        carrier.write_text(text, encoding="utf-8")
        gateway.hang_up()
        wait_until(lambda: gateway.logged("daemon.reloaded") == 1, 20, "reloaded")
        with httpx.Client(base_url=address(gateway)) as client:
            assert client.post(POST, content=SCAN, headers=BEARER).status_code == 200
            carrier.write_text(text.replace("alerts:", "others:"), encoding="utf-8")
            gateway.hang_up()
            wait_until(lambda: gateway.logged("daemon.reloaded") == 2, 20, "reloaded")
            assert client.post(POST, content=SCAN, headers=BEARER).status_code == 401
            assert client.post("/inbound/ups/others", content=SCAN, headers=BEARER).status_code == 200
        assert gateway.logged("http.listening") == 1


def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    """The gateway does not start without the server its carriers send to."""
    with running(tmp_path) as (_, client):
        other = tmp_path / "other"
        other.mkdir()
        config = write_webhook(other)
        path = config / "gateway.yaml"
        taken = f"127.0.0.1:{client.base_url.port}"
        path.write_text(path.read_text(encoding="utf-8").replace("127.0.0.1:0", taken), encoding="utf-8")
        command = [sys.executable, "-m", "edi_gateway.cli.main", "--config", str(config), "run"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert f"cannot listen on {taken}: Address already in use" in done.stderr
