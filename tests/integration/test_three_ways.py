"""One scan, told by a file, by a webhook and by a polled API: one event, told each customer once, three who told it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import pytest
from standardwebhooks import Webhook

from edi_gateway.store.engine import Database
from edi_gateway.store.inbox import documents
from edi_gateway.store.shipments import history, overview
from tests.acceptance.gateway import wait_until
from tests.carrier_api import Asked, CarrierApi, Reply
from tests.guards.project import ROOT
from tests.servers import ServerUnderTest, own_server
from tests.webhooks import BEARER, address, webhook_gateway, write_webhook

ORDERS: Final = {
    "PFILE1": ("file", "webhook", "poll"),
    "PHOOK2": ("webhook", "poll", "file"),
    "PPOLL3": ("poll", "file", "webhook"),
}
_FILE: Final = """\
format: {type: delimited, delimiter: semicolon, encoding: cp1252}
for_each: ROW
event:
  tracking_number: "@Sendung"
  code: "@Status"
  text: "@Text"
  occurred_at: {path: "@Zeit", format: "%d.%m.%Y %H:%M:%S"}
  location: {name: "@Ort"}
codes: {ZUG: DELIVERED}
"""
_JSON: Final = """\
syntax: json
format: {type: json}
for_each: "EACH"
event: {tracking_number: number, code: code, text: text, occurred_at: {path: time}, location: {name: city}}
codes: {CODE: DELIVERED}
"""
_CARRIER: Final = """\
carrier: ups
timezone: Europe/Berlin
channels:
  alerts:
    source: {type: webhook, auth: {type: bearer, token: "${file:FOLDER/token}"}}
    mapping: ways/webhook
  files:
    every: 250ms
    source: {SERVER, path: "ROOT/ups/out", pattern: "*.csv", after: delete}
    mapping: ways/file
  api:
    every: 250ms
    mapping: ways/poll
    source:
      type: api_poll
      allow_http: true
      request: {url: "API/track/{number}"}
      errors: {not_yet: {where: pending}}
      schedule: {phases: [{until: 90d, every: 1s}], after_delivery: {checks: 3, every: 1s}}
"""
_CUSTOMER: Final = """\
customer: globex
receives: [{carrier: ups}]
destinations:
  edi:
    sink: {SERVER, path: "ROOT/globex/in"}
    format: {type: edifact, version: "D:01B", syntax: "UNOC:3", recipient: "GLOBEX:14"}
    mapping: globex/tracking_events
    batch: {every: 0s, at_most: 60}
    file_name: "globex_{control:06}.edi"
"""
_SECRET: Final = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
_NOTIFIED: Final = """\
customer: hooli
receives: [{carrier: ups}]
destinations:
  live:
    sink: {type: webhook, url: "SHOP/hook", secret: "${file:FOLDER/whsec}", allow: [http, private]}
"""


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "mailboxes", ["ups/out", "globex/in"]) as server:
        yield server


@pytest.fixture
def api() -> Iterator[CarrierApi]:
    with CarrierApi().running() as running:
        yield running


@pytest.fixture
def shop() -> Iterator[CarrierApi]:
    """Where the second customer's notifications go; like an API it keeps what it was sent."""
    with CarrierApi().running() as running:
        running.answer = lambda _: Reply(204)
        yield running


def configure(folder: Path, mailbox: ServerUnderTest, api: CarrierApi, shop: CarrierApi) -> Path:
    """One carrier with three ways to us, and two customers of all it brings: files for one, a webhook for the other."""
    config = write_webhook(folder)
    (folder / "whsec").write_text(_SECRET, encoding="utf-8")
    mappings = folder / "mappings/ways"
    mappings.mkdir(parents=True)
    for name, text in {
        "file": _FILE,
        "webhook": _JSON.replace("EACH", "@").replace("CODE", "D"),
        "poll": _JSON.replace("EACH", "scans").replace("CODE", "delivered"),
    }.items():
        (mappings / f"{name}.yaml").write_text(text, encoding="utf-8")
    gateway = config / "gateway.yaml"
    both = f"mappings: [{folder}/mappings, {ROOT}/mappings]\n"
    gateway.write_text(gateway.read_text().replace(f"mappings: {ROOT}/mappings\n", both), encoding="utf-8")
    key = mailbox.known_hosts_line.partition(" ")[2]
    server = (
        f'type: sftp, host: {mailbox.host}, port: {mailbox.port}, username: {mailbox.username}, host_key: "{key}",'
        f' private_key: "${{file:{mailbox.private_key}}}"'
    )
    (config / "customers").mkdir()
    for name, text in {"carriers/ups": _CARRIER, "customers/globex": _CUSTOMER, "customers/hooli": _NOTIFIED}.items():
        marks = {"FOLDER": folder, "SERVER": server, "ROOT": mailbox.remote_root, "API": api.url, "SHOP": shop.url}
        for mark, meant in marks.items():
            text = text.replace(mark, str(meant))  # noqa: PLW2901
        (config / f"{name}.yaml").write_text(text, encoding="utf-8")
    return config


class Carrier:
    """Tells one delivery of each parcel in three ways, each in its own words."""

    def __init__(self, mailbox: ServerUnderTest, api: CarrierApi, base: str) -> None:
        self._out = mailbox.root / "ups/out"
        self._base = base
        self._told: set[str] = set()  # numbers the API knows something of
        api.answer = self._answer

    def tell(self, way: str, number: str) -> None:
        """By file, by webhook, or the next time somebody asks."""
        if way == "file":
            text = f"Sendung;Status;Zeit;Ort;Text\n{number};ZUG;26.03.2025 18:15:44;KÖLN;ZUGESTELLT - BRIEFKASTEN\n"
            (self._out / f"{number}.csv").write_bytes(text.encode("cp1252"))
        elif way == "webhook":
            said = {"number": number, "code": "D", "text": "Delivered", "time": "2025-03-26T17:15:02Z", "city": "Köln"}
            answer = httpx.post(f"{self._base}/inbound/ups/alerts", json=said, headers=BEARER)
            assert answer.status_code == 200
        else:
            self._told.add(number)

    def _answer(self, asked: Asked) -> Reply:
        if asked.number not in self._told:
            return Reply(body=b'{"pending": true}')
        said = {"number": asked.number.lower(), "code": "delivered", "text": "delivered, mailbox", "city": "koeln"}
        return Reply(body=json.dumps({"scans": [{**said, "time": "2025-03-26T18:15:59.5+01:00"}]}).encode())


def test_one_scan_by_file_webhook_and_poll_is_one_event_with_three_provenances(
    tmp_path: Path, mailbox: ServerUnderTest, api: CarrierApi, shop: CarrierApi
) -> None:
    """Whichever way is first; other text, case, clock and seconds; and each customer hears of each once."""
    with webhook_gateway(tmp_path, lambda: configure(tmp_path, mailbox, api, shop)) as gateway:
        gateway.start()
        carrier = Carrier(mailbox, api, address(gateway))
        db = Database(f"sqlite:///{tmp_path}/data/edi-gateway.db")
        gateway.command("track", "ups", *ORDERS)

        def ways(number: str) -> list[str]:
            """The channels that told of the parcel's only event, in their order."""
            (shipment,) = history(db, number)
            (event,) = shipment.events
            by = {document.id: document.channel for document in documents(db)}
            return [by[source.document_id] for source in event.sources]

        def heard(times: int) -> bool:
            return all(history(db, number) and len(ways(number)) == times for number in ORDERS)

        for step in range(3):
            for number, order in ORDERS.items():
                carrier.tell(order[step], number)
            wait_until(partial(heard, step + 1), 30, f"all told {step + 1} times")
        with gateway.idle() as nothing_waits:
            wait_until(nothing_waits, 30, "all is delivered")
        channels = {"file": "ups/files", "webhook": "ups/alerts", "poll": "ups/api"}
        for number, order in ORDERS.items():
            assert [channels[way] for way in order] == ways(number)
        assert (3, 3) == (overview(db).shipments, overview(db).events)
        with db.read() as connection:
            owed = connection.exec_driver_sql("SELECT count(*), count(DISTINCT event_id) FROM outbox").one()
            told = connection.exec_driver_sql("SELECT count(*) FROM provenance").scalar_one()
        assert (6, 3, 9) == (*owed, told)
        db.close()
        assert gateway.stop() == 0
        assert gateway.complaints() == []
    notified = [Webhook(_SECRET).verify(asked.body, dict(asked.headers)) for asked in shop.asked]
    assert sorted(ORDERS) == sorted(said["shipment"]["tracking_number"] for said in notified)
    assert {(1, "DELIVERED")} == {(said["sequence"], said["status"]) for said in notified}
    said = "".join(path.read_text("latin-1") for path in (mailbox.root / "globex/in").iterdir())
    assert [1, 1, 1] == [said.count(f"+{number}'") for number in ORDERS]
    assert (3, 3) == (said.count("'STS+1+DEL:GLX:ZZZ"), said.count("'STS+"))
