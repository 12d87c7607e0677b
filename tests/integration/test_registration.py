"""A carrier that keeps subscriptions: it is told where to send, sends there, and is told again before it forgets."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.gateway import wait_until
from tests.carrier_api import Asked, CarrierApi, Reply
from tests.integration.test_webhook import processed
from tests.webhooks import address, running, scan

PUBLIC = "https://hub.example"
HOLDS = 9.0  # seconds
CALLS = """\
    registration:
      allow_http: true
      auth: {type: basic, username: hub, password: "${file:FOLDER/secret}"}
      register:
        url: "{api}/subscriptions"
        json: {url: "{callback_url}", token: "{secret}"}
        subscription_id: id
        expires_in: seconds
      renew: {method: PUT, url: "{api}/subscriptions/{subscription_id}", expires_in: seconds}
      remove: {method: DELETE, url: "{api}/subscriptions/{subscription_id}"}
"""


class Subscriptions:
    """The carrier's side: who wants to be told, until when."""

    def __init__(self, api: CarrierApi) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.lapsed = 0  # renewals that came too late
        self.renewed = 0
        self._lock = threading.Lock()
        api.answer = self._answer

    def tell(self, base: str, body: bytes) -> int:
        """Post to whoever is subscribed and has not lapsed; ``base`` is what the public address leads to."""
        [one] = [each for each in self.there.values() if each["until"] > time.monotonic()]
        url = one["url"].replace(PUBLIC, base)
        return httpx.post(url, content=body, headers={"authorization": f"Bearer {one['token']}"}).status_code

    def _answer(self, asked: Asked) -> Reply:
        until = time.monotonic() + HOLDS
        with self._lock:
            if not asked.headers.get("authorization", "").startswith("Basic "):
                return Reply(401)
            if asked.method == "POST":
                name = f"sub-{len(self.there) + 1}"
                self.there[name] = {**json.loads(asked.body), "until": until}
                return Reply(201, json.dumps({"id": name, "seconds": HOLDS}).encode())
            if asked.method == "DELETE":
                del self.there[asked.number]
                return Reply(204)
            self.renewed += 1
            self.lapsed += self.there[asked.number]["until"] < time.monotonic()
            self.there[asked.number]["until"] = until
            return Reply(body=json.dumps({"seconds": HOLDS}).encode())


def test_a_carrier_is_told_sends_is_told_again_in_time_and_told_to_stop(tmp_path: Path) -> None:
    """Registered by a command, renewed by the daemon alone before it ends, removed by a command."""
    with CarrierApi().running() as api:
        carrier = Subscriptions(api)
        more = CALLS.replace("{api}", api.url).replace("FOLDER", str(tmp_path))
        with running(tmp_path, http=f'public_url: "{PUBLIC}"', more=more) as (gateway, _):
            base = address(gateway)
            [before] = gateway.ask("callback", "ups/alerts", "status")
            assert before["state"] == "not registered"
            [after] = gateway.ask("callback", "ups/alerts", "register")
            assert (after["state"], after["same_url"]) == ("registered", True)
            assert after["subscription_id"] == "sub-1"
            assert carrier.tell(base, scan(1)) == 200
            wait_until(lambda: carrier.renewed >= 1, 60, "renewed")
            assert carrier.tell(base, scan(2)) == 200
            assert {document.state for document in processed(tmp_path, 2)} == {"processed"}
            [removed] = gateway.ask("callback", "ups/alerts", "remove")
            assert removed["state"] == "not registered"
            assert carrier.there == {}
            assert gateway.stop() == 0
            assert gateway.complaints() == []
        assert carrier.lapsed == 0
