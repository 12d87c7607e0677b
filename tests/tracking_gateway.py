"""A gateway whose customers track: one carrier sends, one is asked, and everything is told of in every way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from sqlalchemy import select

from edi_gateway.store import api_keys
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA
from tests.carrier_api import CarrierApi
from tests.webhooks import BEARER, address, scan, webhook_gateway, write_webhook

_CUSTOMER: Final = "customer: {name}\napi: {{per_second: 1000, burst: 1000}}\n"
_FILES: Final = """\
destinations:
  edi:
    sink: {type: sftp, host: sftp.example, username: hub, agent: true, host_key: "HOST_KEY", path: /in}
    format: {type: edifact, recipient: "HOOLI:14"}
    mapping: standard/tracking_events
    batch: {every: 1h}
    file_name: "hooli_{control:06}.edi"
"""
_HOST_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEQ2J4HbXcmGJvL0aBTQ0Rm0AZrvcqkW4Ydfl8FkE0sT"
_MAPPING: Final = """\
syntax: json
format: {type: json, records: "@"}
for_each: events
event: {tracking_number: number, code: code, occurred_at: {path: time}}
codes: {TRANSIT: IN_TRANSIT, DONE: DELIVERED}
"""
_POLLED: Final = """\
carrier: asked
timezone: UTC
channels:
  api:
    every: 1h
    mapping: api/track
    source:
      type: api_poll
      allow_http: true
      request: {{url: "{url}/track/{{number}}"}}
      schedule: safety_net
"""


class Place(NamedTuple):
    """The gateway, and who is there."""

    url: str
    keys: dict[str, str]
    carrier: CarrierApi
    db: Database

    @contextmanager
    def client(self, key: str = "hooli") -> Iterator[httpx.Client]:
        """Somebody with that key."""
        with httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.keys[key]}"}, timeout=40
        ) as client:
            yield client

    def scans(self, number: str, hour: int = 17) -> None:
        """The carrier that sends tells of a delivery at that hour."""
        content = scan(number).replace(b'"171500"', f'"{hour}1500"'.encode())
        done = httpx.post(f"{self.url}/inbound/ups/alerts", content=content, headers=BEARER)
        assert 200 == done.status_code

    def owed(self, number: str) -> list[str]:
        """The destinations that will hear of the number, once for each event."""
        outbox, event = METADATA.tables["outbox"], METADATA.tables["event"]
        theirs = select(outbox.c.destination).select_from(outbox.join(event, outbox.c.event_id == event.c.id))
        with self.db.read() as connection:
            return list(connection.execute(theirs.where(event.c.tracking_number == number)).scalars())

    def known(self, number: str) -> bool:
        """Whether anything was recorded of the number."""
        shipment = METADATA.tables["shipment"]
        with self.db.read() as connection:
            return bool(connection.execute(select(shipment).where(shipment.c.tracking_number == number)).first())


def _configure(folder: Path, url: str) -> Path:
    config = write_webhook(folder)
    (config / "customers").mkdir(exist_ok=True)
    mappings = folder / "mappings/api"
    mappings.mkdir(parents=True, exist_ok=True)
    (mappings / "track.yaml").write_text(_MAPPING, encoding="utf-8")
    (config / "customers/hooli.yaml").write_text(
        _CUSTOMER.format(name="hooli") + _FILES.replace("HOST_KEY", _HOST_KEY), encoding="utf-8"
    )
    (config / "customers/initech.yaml").write_text(_CUSTOMER.format(name="initech"), encoding="utf-8")
    (config / "carriers/asked.yaml").write_text(_POLLED.format(url=url), encoding="utf-8")
    gateway = config / "gateway.yaml"
    text = gateway.read_text(encoding="utf-8")
    gateway.write_text(
        text.replace("mappings: ", f"mappings: [{folder}/mappings, ").replace("/mappings\n", "/mappings]\n")
    )
    return config


@contextmanager
def tracking_gateway(folder: Path) -> Iterator[Place]:
    """It at work, with a key of each of two customers and one that only reads."""
    with CarrierApi().running() as carrier, webhook_gateway(folder, lambda: _configure(folder, carrier.url)) as gateway:
        gateway.start()
        url = address(gateway)
        db = Database(f"sqlite:///{folder}/data/edi-gateway.db")
        keys = {customer: api_keys.create(db, customer, "") for customer in ("hooli", "initech")}
        keys["reader"] = api_keys.create(db, "hooli", "", ["read"])
        yield Place(url, keys, carrier, db)
        db.close()


def create(client: httpx.Client, number: str, carrier: str = "", **more: Any) -> httpx.Response:
    """A tracker asked for."""
    return client.post("/v1/trackers", json={"tracking_number": number, "carrier": carrier, **more})


def told(client: httpx.Client, number: str) -> list[Any]:
    """What the feed tells of a number."""
    fed = client.get("/v1/events", params={"limit": 200}).json()["events"]
    return [each for each in fed if each["tracking_number"] == number]
