"""The daemon between a carrier that sends by webhook and a customer who is told by webhook."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import httpx
from standardwebhooks import Webhook

from tests.acceptance.gateway import Gateway
from tests.receiver import Received, Receiver, fine, says
from tests.unit.pipeline.outbound import until
from tests.webhooks import BEARER, address, scan, webhook_gateway, write_webhook

SECRET: Final = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
LIVE: Final = "globex/live"
_CUSTOMER: Final = """\
customer: globex
receives: [{{carrier: ups}}]
destinations:
  live:
    sink: {{type: webhook, url: "{url}", secret: "${{file:{folder}/whsec}}", allow: [http, private], timeout: 2s}}
    retry: [1s, 1s, 1s, 1s, 1s, 1h]
"""


def gateway_to(folder: Path, url: str) -> Gateway:
    def configure() -> Path:
        config = write_webhook(folder)
        (folder / "whsec").write_text(SECRET, encoding="utf-8")
        (config / "customers").mkdir(exist_ok=True)
        (config / "customers/globex.yaml").write_text(_CUSTOMER.format(url=url, folder=folder), encoding="utf-8")
        return config

    return webhook_gateway(folder, configure)


async def life(gateway: Gateway) -> httpx.AsyncClient:
    """Begin one; returns a carrier that knows where to send."""
    gateway.start()
    return httpx.AsyncClient(base_url=await asyncio.to_thread(address, gateway), timeout=20)


async def send(carrier: httpx.AsyncClient, *numbers: int) -> None:
    async with carrier:
        for number in numbers:
            answer = await carrier.post("/inbound/ups/alerts", content=scan(number), headers=BEARER)
            assert 200 == answer.status_code


def verified(request: Received) -> dict[str, Any]:
    """What the request says, verified as a customer does."""
    said: dict[str, Any] = Webhook(SECRET).verify(request.body, dict(request.headers))
    return said


async def test_a_daemon_that_is_killed_while_it_notifies_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Every shipment has one message; what was on its way at a kill comes again under its id, and no other bytes."""

    async def slowly(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        verified(request)
        await asyncio.sleep(0.05)
        await fine(receiver, request, writer)

    def heard(count: int) -> bool:
        return len({request.id for request in receiver.received}) >= count

    numbers, kills, in_flight = range(20), 2, 4
    async with Receiver(slowly).running() as receiver:
        with gateway_to(tmp_path, receiver.url) as gateway:
            await send(await life(gateway), *numbers)
            for kill in range(kills):
                await until(lambda goal=3 + 6 * kill: heard(goal))  # type: ignore[misc]
                gateway.kill()
                await (await life(gateway)).aclose()
            await until(lambda: heard(len(numbers)))
            with gateway.idle() as idle:
                await until(idle)
            assert 0 == await asyncio.to_thread(gateway.stop)
    told = defaultdict(set)
    for request in receiver.received:
        told[verified(request)["shipment"]["tracking_number"]].add((request.id, request.body))
    assert {f"1ZTEST{number:012}": 1 for number in numbers} == {number: len(ids) for number, ids in told.items()}
    assert len(receiver.received) <= len(numbers) + kills * in_flight


async def test_a_customer_who_is_gone_hears_of_everything_once_he_is_enabled(tmp_path: Path) -> None:
    """By the commands a person has: what the alarm names, what the status counts, and what brings all of it."""
    async with Receiver(says(410, b"we moved")).running() as receiver:
        with gateway_to(tmp_path, receiver.url) as gateway:
            await send(await life(gateway), 1)
            await until(lambda: receiver.received)
            await until(lambda: "destination_disabled" in gateway.command("status"))
            await send(httpx.AsyncClient(base_url=address(gateway), timeout=20), 2, 3)
            await until(lambda: 3 == gateway.ask("destinations", "list")[0]["waiting"])
            [row] = gateway.ask("destinations", "show", LIVE)
            assert ("disabled", 3, 0) == (row["state"], row["waiting"], row["dead"])
            assert "answers 410: we moved" in row["disabled_why"]
            [known] = gateway.ask("status")[0]["destinations"]
            assert (LIVE, "disabled", 3) == (known["destination"], known["state"], known["waiting"])
            [first] = gateway.ask("deliveries", "show", "1")
            [tried] = first["tried"]
            assert (410, "we moved") == (tried["status"], tried["answer"])
            assert "is not sent to now" in gateway.command("deliveries", "retry", "1")
            assert 1 == len(receiver.received)

            receiver.answer = fine
            assert "3 deliveries" in gateway.command("destinations", "enable", LIVE)
            await until(lambda: 3 == len(receiver.taken))
            with gateway.idle() as idle:
                await until(idle)
            assert [] == gateway.ask("status")[0]["alarms"]
            gateway.command("destinations", "disable", LIVE, "--because", "they move")
            assert "they move" in gateway.command("destinations", "show", LIVE)
    assert 3 == len({json.loads(request.body)["shipment"]["tracking_number"] for request in receiver.received})
