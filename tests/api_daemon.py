"""A real daemon with customers who use the API: its address, its database, and keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from edi_gateway.store import api_keys, subscriptions
from edi_gateway.store.engine import Database
from tests.acceptance.gateway import Gateway, wait_until
from tests.webhooks import BEARER, address, scan, webhook_gateway, write_webhook

CUSTOMERS: Final = ("hooli", "initech")
_CUSTOMER: Final = "customer: {name}\napi: {{per_second: 100000, burst: 100000, allow: [http, private]}}\n"


@dataclass(frozen=True, slots=True)
class Daemon:
    """One that runs. ``keys`` holds a key with all scopes for each customer."""

    url: str
    db: Database
    keys: dict[str, str]
    gateway: Gateway

    def client(self, key: str = "hooli") -> httpx.Client:
        """A client with the key of that customer, or with that key."""
        bearer = self.keys.get(key, key)
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {bearer}"}, timeout=20)

    def tell(self, *numbers: str) -> None:
        """The carrier scans these parcels."""
        for number in numbers:
            httpx.post(f"{self.url}/inbound/ups/alerts", content=scan(number), headers=BEARER).raise_for_status()


def write_customers(folder: Path, database: str = "", customer: str = _CUSTOMER) -> Path:
    """The configuration of a carrier that posts webhooks, and of two customers with the API."""
    (folder / "master").write_text("master secret of endpoints, 40 characters", encoding="utf-8")
    http = f'webhook_secrets: "${{file:{folder}/master}}"'
    config = write_webhook(folder, http=http, gateway=f"database: {database}\n" if database else "")
    (config / "customers").mkdir(exist_ok=True)
    for name in CUSTOMERS:
        (config / f"customers/{name}.yaml").write_text(customer.format(name=name), encoding="utf-8")
    return config


@contextmanager
def daemon(folder: Path, database: str = "", customer: str = _CUSTOMER) -> Iterator[Daemon]:
    """That daemon at work; without a database named it has its own."""
    with webhook_gateway(folder, lambda: write_customers(folder, database, customer)) as gateway:
        gateway.start()
        url = address(gateway)
        db = Database(database or f"sqlite:///{folder}/data/edi-gateway.db")
        keys = {name: api_keys.create(db, name, "") for name in CUSTOMERS}
        try:
            yield Daemon(url, db, keys, gateway)
        finally:
            db.close()


def share(at: Daemon, customer: str, *numbers: str) -> None:
    """The customer asks for the numbers, the carrier scans them, and the customer sees them."""
    subscriptions.subscribe(at.db, customer, numbers)
    at.tell(*numbers)
    with at.client(customer) as client:
        asked = {"items": [{"tracking_number": number} for number in numbers]}

        def all_seen() -> bool:
            results = client.post("/v1/track", json=asked).json()["results"]
            return all(result["shipment"] for result in results)

        wait_until(all_seen, 20, "all numbers seen")
