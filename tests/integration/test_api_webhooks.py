"""Webhook endpoints that customers make, at a real daemon: each notification goes to a receiver that verifies it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from edi_gateway.store import api_keys
from edi_gateway.store.engine import Database
from tests.guards.project import ROOT
from tests.receiver import Received, Receiver, fine, says
from tests.unit.pipeline.outbound import until
from tests.webhooks import BEARER, address, scan, webhook_gateway, write_webhook

AGREED: Final = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
HOOKS: Final = "/v1/webhook-endpoints"
_HOOLI: Final = """\
customer: hooli
receives: [{{carrier: ups}}]
api: {{allow: [http, private], burst: 1000}}
destinations:
  agreed:
    sink: {{type: webhook, url: "{url}/agreed", secret: "${{file:{folder}/whsec}}", allow: [http, private]}}
    retry: [1s]
"""
_INITECH: Final = "customer: initech\nreceives: [{carrier: ups}]\napi: {burst: 1000}\n"


@dataclass
class World:
    """A gateway, two of its customers, and where they are notified."""

    url: str
    hooli: httpx.AsyncClient
    initech: httpx.AsyncClient
    reader: httpx.AsyncClient
    rehearsing: httpx.AsyncClient
    receiver: Receiver

    async def scan(self, number: int) -> None:
        """The carrier sends a scan."""
        async with httpx.AsyncClient(base_url=self.url, timeout=20) as carrier:
            answer = await carrier.post("/inbound/ups/alerts", content=scan(number), headers=BEARER)
        assert 200 == answer.status_code

    async def make(self, path: str = "/own", **options: Any) -> dict[str, Any]:
        """An endpoint of hooli's, which the daemon knows of."""
        answer = await self.hooli.post(HOOKS, json={"url": self.receiver.url + path, **options})
        assert 201 == answer.status_code, answer.text
        made: dict[str, Any] = answer.json()
        await self.tested(made)
        return made

    async def tested(self, made: dict[str, Any]) -> None:
        """Until a test has arrived: from then on the daemon serves it."""
        answer = await self.hooli.post(f"{HOOKS}/{made['id']}/test")
        assert 202 == answer.status_code, answer.text
        sent = answer.json()
        await until(lambda: sent["id"] in self.receiver.ids)

    def at(self, path: str) -> list[Received]:
        """What came there, without tests."""
        return [
            each
            for each in self.receiver.received
            if each.line.startswith(f"POST {path} ") and b"TEST0000000001" not in each.body
        ]

    async def deliveries(self, endpoint: str, **query: Any) -> list[dict[str, Any]]:
        """Those of an endpoint, without tests."""
        answer = await self.hooli.get(f"{HOOKS}/{endpoint}/deliveries", params=query)
        assert 200 == answer.status_code, answer.text
        return [each for each in answer.json()["deliveries"] if not each["test"]]

    async def waited_for(self, endpoint: str, state: str) -> list[dict[str, Any]]:
        """Its deliveries in that state, once there are any."""
        async with asyncio.timeout(20):
            while not (found := await self.deliveries(endpoint, state=state)):  # noqa: ASYNC110 -- another process
                await asyncio.sleep(0.05)
        return found


@asynccontextmanager
async def world(folder: Path, *, secrets: bool = True) -> AsyncIterator[World]:
    def configure() -> Path:
        (folder / "whsec").write_text(AGREED, encoding="utf-8")
        (folder / "master").write_text("m" * 40, encoding="utf-8")
        http = f'webhook_secrets: "${{file:{folder}/master}}"' if secrets else ""
        config = write_webhook(folder, http=http)
        (config / "customers").mkdir(exist_ok=True)
        hooli = _HOOLI.format(url=receiver.url, folder=folder)
        (config / "customers/hooli.yaml").write_text(hooli, encoding="utf-8")
        (config / "customers/initech.yaml").write_text(_INITECH, encoding="utf-8")
        return config

    async with Receiver().running() as receiver:
        with webhook_gateway(folder, configure) as gateway:
            gateway.start()
            url = await asyncio.to_thread(address, gateway)
            db = Database(f"sqlite:///{folder}/data/edi-gateway.db")
            keys = [api_keys.create(db, customer, "") for customer in ("hooli", "initech")]
            keys += [api_keys.create(db, "hooli", "", ["read"]), api_keys.create(db, "hooli", "", test=True)]
            db.close()
            clients = [
                httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20) for key in keys
            ]
            try:
                yield World(url, clients[0], clients[1], clients[2], clients[3], receiver)
            finally:
                for client in clients:
                    await client.aclose()
            assert 0 == await asyncio.to_thread(gateway.stop)
            assert [
                each for each in gateway.complaints() if '"dead_letter"' not in each and "delivery.dead" not in each
            ] == []


def verified(request: Received, secret: str) -> dict[str, Any]:
    """What the request says, verified as a customer does."""
    said: dict[str, Any] = Webhook(secret).verify(request.body, dict(request.headers))
    return said


async def test_an_endpoint_is_served_from_its_making_to_its_deletion(tmp_path: Path) -> None:
    """Made without a restart, tested, notified under its secret, moved, and told nothing more once it is gone."""
    async with world(tmp_path) as at:
        made = await at.make(layout="tracker", order="shipment", description="the shop")
        assert ("nine_status", "tracker", "shipment", ["status_changes"]) == (
            made["vocabulary"], made["layout"], made["order"], made["events"],
        )  # fmt: skip
        test = verified(at.receiver.received[-1], made["secret"])
        assert (True, "TRACKER_UPDATED") == (test["test"], test["topic"])

        await at.scan(1)
        await until(lambda: len(at.at("/own")) == len(at.at("/agreed")) == 1)
        told = verified(at.at("/own")[0], made["secret"])
        assert "1ZTEST000000000001" == told["data"]["trackingCode"]
        with pytest.raises(WebhookVerificationError):
            verified(at.at("/own")[0], AGREED)

        moved = await at.hooli.patch(f"{HOOKS}/{made['id']}", json={"url": at.receiver.url + "/moved"})
        assert (200, f"{at.receiver.url}/moved") == (moved.status_code, moved.json()["url"])
        await at.tested(made)
        await until_served(at, made, "/moved")
        await at.scan(2)
        await until(lambda: len(at.at("/moved")) == 1)

        assert 204 == (await at.hooli.delete(f"{HOOKS}/{made['id']}")).status_code
        assert 404 == (await at.hooli.get(f"{HOOKS}/{made['id']}")).status_code
        await at.make("/other")  # whoever serves this one knows that the other is gone
        await at.scan(3)
        await until(lambda: len(at.at("/agreed")) == 3)
        assert (1, 1) == (len(at.at("/own")), len(at.at("/moved")))


async def until_served(at: World, made: dict[str, Any], path: str) -> None:
    """Until a test arrives at that path."""
    for _ in range(40):
        await at.tested(made)
        if at.receiver.received[-1].line.startswith(f"POST {path} "):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{path} is not served")


async def test_a_rotated_secret_signs_beside_the_one_before(tmp_path: Path) -> None:
    """Both verify what comes after; neither is shown anywhere again."""
    async with world(tmp_path) as at:
        made = await at.make()
        rotated = (await at.hooli.post(f"{HOOKS}/{made['id']}/rotate")).json()
        assert made["secret"] != rotated["secret"]
        for _ in range(40):
            await at.tested(made)
            if len(at.receiver.received[-1].headers["webhook-signature"].split()) == 2:
                break
            await asyncio.sleep(0.2)
        for secret in (made["secret"], rotated["secret"]):
            assert verified(at.receiver.received[-1], secret)["test"]
        shown = (await at.hooli.get(HOOKS)).text + (await at.hooli.get(f"{HOOKS}/{made['id']}")).text
        stored = (tmp_path / "data/edi-gateway.db").read_bytes() + (tmp_path / "data/edi-gateway.db-wal").read_bytes()
        for secret in (made["secret"], rotated["secret"]):
            assert secret not in shown
            assert secret.encode() not in stored


async def test_what_did_not_arrive_can_be_seen_and_sent_again(tmp_path: Path) -> None:
    """A delivery shows its attempts; redelivered it comes under its id, caught up under another, and only once."""
    async with world(tmp_path) as at:
        agreed = next(
            each for each in (await at.hooli.get(HOOKS)).json()["endpoints"] if each["managed_by"] == "operator"
        )
        assert ("agreed", False) == (agreed["name"], "secret" in agreed)
        at.receiver.answer = says(500, b"out of order")
        await at.scan(1)

        found = await at.waited_for(agreed["id"], "dead")
        [lost] = found
        assert [(500, "out of order", "failed")] * 2 == [
            (each["status"], each["answer"], each["outcome"]) for each in lost["attempts"]
        ]
        span = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
        missed = (await at.reader.get("/v1/catch-up", params={**span, "destination": "agreed"})).json()
        assert [(1, 0, 0, 1)] == [
            (each["owed"], each["delivered"], each["waiting"], each["missing"]) for each in missed["destinations"]
        ]
        assert [("1ZTEST000000000001", "dead")] == [
            (each["tracking_number"], each["why"]) for each in missed["missing"]
        ]

        at.receiver.answer = fine
        ask = {**span, "destination": "agreed", "as": "webhooks"}
        rehearsed = (await at.hooli.post("/v1/catch-up", json=ask)).json()
        assert (True, 1) == (rehearsed["dry_run"], rehearsed["events"])
        sent = [(await at.hooli.post("/v1/catch-up", json={**ask, "dry_run": False})).json() for _ in range(2)]
        assert [1, 0] == [each["events"] for each in sent]
        await until(lambda: len(at.receiver.taken) == 1)
        anew = at.receiver.received[-1]
        assert lost["id"] != anew.id
        assert 1 == verified(anew, AGREED)["sequence"]
        await at.waited_for(agreed["id"], "delivered")
        assert 409 == (await at.hooli.post(f"{HOOKS}/{agreed['id']}/deliveries/{lost['id']}/redeliver")).status_code

        again = await at.hooli.post(f"{HOOKS}/{agreed['id']}/deliveries/{anew.id}/redeliver")
        assert 202 == again.status_code
        await until(lambda: at.receiver.taken == [anew.id, anew.id])
        assert anew.body == at.receiver.received[-1].body
        replayed = await at.hooli.post(f"{HOOKS}/{agreed['id']}/replay", json={"events": "all"})
        assert (202, 0) == (replayed.status_code, replayed.json()["events"])


async def test_nothing_is_known_of_another_customers_endpoints(tmp_path: Path) -> None:
    """Whatever is asked of a foreign endpoint is answered as it is for one that does not exist."""
    async with world(tmp_path) as at:
        made = await at.make()
        agreed = next(each for each in (await at.hooli.get(HOOKS)).json()["endpoints"] if each["name"] == "agreed")
        [delivery] = (await at.hooli.get(f"{HOOKS}/{made['id']}/deliveries")).json()["deliveries"]
        nobodys = "00000000-0000-4000-8000-000000000000"
        assert [] == (await at.initech.get(HOOKS)).json()["endpoints"]
        for method, rest, body in (
            ("GET", "", None),
            ("PATCH", "", {"description": "mine"}),
            ("DELETE", "", None),
            ("POST", "/rotate", None),
            ("POST", "/enable", None),
            ("POST", "/test", None),
            ("GET", "/deliveries", None),
            ("GET", f"/deliveries/{delivery['id']}", None),
            ("POST", f"/deliveries/{delivery['id']}/redeliver", None),
            ("POST", "/replay", {"from": "2020-01-01T00:00:00Z", "events": "all"}),
        ):
            answers = []
            for endpoint in (made["id"], agreed["id"], nobodys):
                said = await (at.hooli if endpoint == nobodys else at.initech).request(
                    method, f"{HOOKS}/{endpoint}{rest}", json=body
                )
                answers.append((said.status_code, {**said.json(), "request_id": ""} if said.content else b""))
            assert [answers[2]] * 2 == answers[:2]
            assert 404 == answers[0][0]
        span = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
        for destination in ("agreed", made["id"]):
            for said in (
                await at.initech.get("/v1/catch-up", params={**span, "destination": destination}),
                await at.initech.post("/v1/catch-up", json={**span, "destination": destination}),
            ):
                assert 404 == said.status_code
        assert [] == (await at.initech.get("/v1/catch-up", params=span)).json()["destinations"]


async def test_an_endpoint_is_refused_where_nothing_may_be_sent(tmp_path: Path) -> None:
    """The guard lets nothing near us through, unless the operator allowed it; a key without the scope makes none."""
    async with world(tmp_path) as at:
        for url in ("http://127.0.0.1/x", "https://127.0.0.1/x", "https://169.254.169.254/", "https://localhost/"):
            refused = await at.initech.post(HOOKS, json={"url": url})
            assert (409, "body.url") == (refused.status_code, refused.json()["errors"][0]["field"])
        assert 403 == (await at.reader.post(HOOKS, json={"url": at.receiver.url})).status_code
        agreed = (await at.hooli.get(HOOKS)).json()["endpoints"][0]
        assert 409 == (await at.hooli.delete(f"{HOOKS}/{agreed['id']}")).status_code


async def test_without_a_secret_to_derive_from_none_can_be_made(tmp_path: Path) -> None:
    """The problem says what the operator has to do."""
    async with world(tmp_path, secrets=False) as at:
        refused = await at.hooli.post(HOOKS, json={"url": at.receiver.url})
    assert 409 == refused.status_code
    assert "webhook_secrets" in refused.json()["detail"]


async def test_an_endpoint_of_a_test_key_hears_of_test_data_alone(tmp_path: Path) -> None:
    """A test tracking code is notified there, signed, and nowhere else; what a carrier sends is not."""
    async with world(tmp_path) as at:
        live = await at.make("/live")
        made = (await at.rehearsing.post(HOOKS, json={"url": at.receiver.url + "/test", "history": True})).json()
        assert 404 == (await at.hooli.get(f"{HOOKS}/{made['id']}")).status_code
        assert 404 == (await at.rehearsing.get(f"{HOOKS}/{live['id']}")).status_code
        sent = (await at.rehearsing.post(f"{HOOKS}/{made['id']}/test")).json()
        await until(lambda: sent["id"] in at.receiver.ids)
        asked = {"items": [{"tracking_number": "K1000000005"}], "subscribe": True}
        assert 200 == (await at.rehearsing.post("/v1/track", json=asked)).status_code
        await until(lambda: any(verified(each, made["secret"])["status"] == "DELIVERED" for each in at.at("/test")))
        told = verified(at.at("/test")[-1], made["secret"])
        assert "K1000000005" == told["shipment"]["tracking_number"]
        assert not told["shipment"]["carrier"].startswith("test:")
        listed = (await at.rehearsing.get(f"{HOOKS}/{made['id']}/deliveries")).json()["deliveries"]
        assert told["shipment"]["carrier"] in {each["carrier"] for each in listed}
        heard = len(at.at("/test"))
        await at.scan(1)
        await until(lambda: len(at.at("/live")) == len(at.at("/agreed")) == 1)
        assert heard == len(at.at("/test"))


async def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    """From making an endpoint to deleting it, one after the other, in one shell; the shop verifies what it gets."""
    page = (ROOT / "docs/api-webhooks.md").read_text(encoding="utf-8")
    *blocks, delete = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)

    async def shell(*commands: str, **variables: str) -> None:
        script = "\n".join(["set -eo pipefail", *commands]).replace("https://shop.example", at.receiver.url)
        variables |= {"GATEWAY": at.url, "KEY": at.hooli.headers["authorization"].removeprefix("Bearer ")}
        running = asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", script],
            check=False,
            cwd=tmp_path,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        done = await running
        assert 0 == done.returncode, done.stdout + done.stderr

    async with world(tmp_path) as at:
        await shell(*blocks)
        made = json.loads((tmp_path / "endpoint.json").read_text(encoding="utf-8"))
        await until(lambda: len(at.receiver.received) == 2)
        await shell(delete, ENDPOINT=made["id"])
        first, again = at.receiver.received
    assert verified(first, made["secret"])["test"]
    assert first.id == again.id
