"""A gateway whose carrier sends by webhook: its configuration, requests, and where to send them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx

from edi_gateway.config.load import load_config
from edi_gateway.pipeline.gate import Gate
from edi_gateway.pipeline.receiving import Receiving
from edi_gateway.store.engine import Database
from edi_gateway.web.app import Front
from edi_gateway.web.inbound import Inbound
from edi_gateway.web.listener import Listener, Place
from edi_gateway.web.refusals import Refusals
from edi_gateway.wiring import wire
from tests.acceptance.gateway import Gateway, wait_until
from tests.guards.project import ROOT
from tests.servers import ServerUnderTest

TOKEN: Final = "bearer-token-nobody-may-see"
SECRET: Final = "signing-secret-nobody-may-see"
SCAN: Final = (ROOT / "mappings/ups/samples/track_alert/delivered.json").read_bytes()
BEARER: Final = {"authorization": f"Bearer {TOKEN}"}

_GATEWAY: Final = """\
data: {data}
mappings: {mappings}
identity: "HUB:ZZZ"
stop_timeout: 15s
log: {{format: json, level: debug}}
http: {{address: "127.0.0.1:0"{http}}}
"""
_CARRIER: Final = """\
carrier: ups
channels:
  alerts:
    source: {{type: webhook, auth: {auth}{source}}}
    mapping: ups/track_alert
{more}"""


def scan(number: int | str, text: str = "Delivered") -> bytes:
    """A request's body: one scan of one parcel."""
    said = json.loads(SCAN)
    said["trackingNumber"] = f"1ZTEST{number:012}" if isinstance(number, int) else number
    said["activityStatus"]["description"] = text
    return json.dumps(said).encode()


def sign(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    """The keyed hash of these bytes."""
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).digest()


def basic(user: str, password: str) -> dict[str, str]:
    """The header with these credentials."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def write_webhook(
    folder: Path, auth: str = "", source: str = "", http: str = "", more: str = "", gateway: str = ""
) -> Path:
    """Write a carrier whose channel is a webhook; its secrets lie in files. Returns the configuration's folder."""
    config = folder / "config"
    (config / "carriers").mkdir(parents=True, exist_ok=True)
    for name, secret in (("token", TOKEN), ("secret", SECRET), ("old", f"old {SECRET}")):
        (folder / name).write_text(secret, encoding="utf-8")
    values = {
        "data": folder / "data",
        "mappings": ROOT / "mappings",
        "http": http and f", {http}",
        "source": source and f", {source}",
        "auth": auth or f'{{type: bearer, token: "${{file:{folder}/token}}"}}',
        "more": more,
    }
    (config / "gateway.yaml").write_text(_GATEWAY.format(**values) + gateway, encoding="utf-8")
    (config / "carriers/ups.yaml").write_text(_CARRIER.format(**values), encoding="utf-8")
    return config


def webhook_gateway(folder: Path, configure: Callable[[], object]) -> Gateway:
    """A gateway of that configuration, which has no server to go to; not started."""
    return Gateway(folder, cast(ServerUnderTest, None), lambda *_: cast(Path, configure()))


@contextmanager
def running(folder: Path, **options: str) -> Iterator[tuple[Gateway, httpx.Client]]:
    """That gateway at work, and a client who knows where it listens."""
    with webhook_gateway(folder, lambda: write_webhook(folder, **options)) as gateway:
        gateway.start()
        with httpx.Client(base_url=address(gateway), timeout=20) as client:
            yield gateway, client


@dataclass(frozen=True, slots=True)
class Server:
    """The HTTP server alone, in this process, with what it stores in."""

    listener: Listener
    gate: Gate
    woken: list[str]  # channels, once for each commit

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.address.rpartition(":")[2])


@asynccontextmanager
async def serving(db: Database, folder: Path, patience: float = 10.0, **options: str) -> AsyncIterator[Server]:
    """That server at work; stopped in an orderly way."""
    config = load_config(write_webhook(folder, **options))
    channels, http = wire(config).channels, config.installation.gateway.http
    gate, woken = Gate(db, None, 0), list[str]()
    await gate.look()
    receiving = Receiving(db, gate, woken.append, patience=patience)
    inbound = Inbound(channels.get, receiving, Refusals(lambda *_: None), http)
    listener = Listener(Front(inbound), Place(http, folder))
    running = asyncio.create_task(listener.serve())
    try:
        yield Server(listener, gate, woken)
    finally:
        listener.stop()
        await running


def address(gateway: Gateway) -> str:
    """Where the latest life of the gateway listens, waited for."""
    wait_until(gateway.has_started, 60, "started")
    heard: list[dict[str, Any]] = [
        json.loads(line)
        for line in gateway.log.read_text(encoding="utf-8").splitlines()
        if '"event": "http.listening"' in line
    ]
    return str(heard[-1]["address"])
