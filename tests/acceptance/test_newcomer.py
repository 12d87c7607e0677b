"""A newcomer with a test key, who has read the docs: everything that customers can integrate, tried out in one go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import httpx
from standardwebhooks import Webhook

from tests.acceptance.gateway import wait_until
from tests.receiver import receiving
from tests.servers import ServerUnderTest, own_server
from tests.tracking_codes import CODES
from tests.webhooks import address, webhook_gateway, write_webhook

# Exactly as it is written in the docs of the API it is to stand in for.
MUTATION: Final = (
    "mutation trackerCreate($input: TrackerCreateInput!) { trackerCreate(input: $input) { tracker { id trackingCode"
    " status estimatedDeliveryAt deliveredAt carrier checkpoints { id message status scannedAt } }"
    " trackerUserErrors { code message field } } }"
)
VARIABLES: Final = {"input": {"trackingCode": "K1000000003", "carrier": "ESTAFETA", "async": False}}
_CUSTOMER: Final = """\
customer: hooli
receives: [{carrier: "*"}]
api: {per_second: 1000, burst: 1000, allow: [http, private]}
destinations:
  edi-test:
    test: true
    sink:
      type: sftp
      host: HOST
      port: PORT
      username: USER
      host_key: "KEY"
      private_key: "${file:PRIVATE}"
      path: "ROOT/hooli/test"
    format: {type: edifact, recipient: "HOOLI:14"}
    mapping: globex/tracking_events
    batch: {every: 0s}
    file_name: "test_{control:06}.edi"
"""


def _configure(folder: Path, mailbox: ServerUnderTest) -> Path:
    (folder / "master").write_text("master secret of endpoints, 40 characters", encoding="utf-8")
    config = write_webhook(folder, http=f'webhook_secrets: "${{file:{folder}/master}}"')
    text = _CUSTOMER
    for mark, meant in {
        "HOST": mailbox.host,
        "PORT": str(mailbox.port),
        "USER": mailbox.username,
        "KEY": mailbox.known_hosts_line.partition(" ")[2],
        "PRIVATE": str(mailbox.private_key),
        "ROOT": str(mailbox.remote_root),
    }.items():
        text = text.replace(mark, meant)
    (config / "customers").mkdir()
    (config / "customers/hooli.yaml").write_text(text, encoding="utf-8")
    return config


def test_a_newcomer_gets_all_there_is_to_integrate(tmp_path: Path) -> None:
    """A key, an endpoint and its test, a tracker, a look-up, GraphQL to the letter, and the codes in an EDI file."""
    with (
        own_server(tmp_path / "mailboxes", ["hooli/test"]) as mailbox,
        receiving() as receiver,
        webhook_gateway(tmp_path, lambda: _configure(tmp_path, mailbox)) as gateway,
    ):
        gateway.start()
        key = json.loads(gateway.command("keys", "create", "hooli", "--test", "--json"))["key"]
        with httpx.Client(base_url=address(gateway), headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            endpoint = _made(client.post("/v1/webhook-endpoints", json={"url": receiver.url, "events": ["all"]}))
            test = f"/v1/webhook-endpoints/{endpoint['id']}/test"
            wait_until(lambda: client.post(test).status_code == 202, 20, "a test is sent")
            wait_until(lambda: bool(receiver.received), 20, "the test has arrived")

            tracker = _made(client.post("/v1/trackers", json={"tracking_number": "K1000000005", "carrier": "ESTAFETA"}))
            assert ("K1000000005", "UNKNOWN") == (tracker["tracking_number"], tracker["status"])

            asked = {"items": [{"tracking_number": code, "carrier": "ESTAFETA"} for code in CODES]}
            results = client.post("/track", json=asked).json()["results"]
            assert CODES == {each["tracking_number"]: each["shipment"]["status"] for each in results}
            assert all(each["shipment"]["tracking_events"] for each in results)

            answer = client.post("/graphql", json={"query": MUTATION, "variables": VARIABLES}).json()
            said = answer["data"]["trackerCreate"]
            assert [] == said["trackerUserErrors"]
            assert ("K1000000003", "OUT_FOR_DELIVERY") == (said["tracker"]["trackingCode"], said["tracker"]["status"])
            assert said["tracker"]["id"].startswith("gid://edi-gateway/Tracker/")
            assert said["tracker"]["checkpoints"]

            def notified() -> set[tuple[str, str]]:
                verified = [
                    Webhook(endpoint["secret"]).verify(one.body, dict(one.headers)) for one in receiver.received
                ]
                told = [one for one in verified if one.get("shipment")]
                return {(one["shipment"]["tracking_number"], one["shipment"]["current"]["status"]) for one in told}

            wait_until(lambda: ("K1000000005", "DELIVERED") in notified(), 20, "the tracker's update has arrived")
            wait_until(lambda: all(code in _files(mailbox) for code in CODES), 20, "all codes are in EDI files")
        files = _files(mailbox)
        assert gateway.stop() == 0
    envelopes = [segment for segment in files.split("'") if segment.startswith(("UNA", "UNB"))]
    assert all(segment.endswith("+1") for segment in envelopes if "UNB" in segment)  # UNB 0035: a test
    assert any("UNB" in segment for segment in envelopes)


def _made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _files(mailbox: ServerUnderTest) -> str:
    return "".join(path.read_text("latin-1") for path in sorted((mailbox.root / "hooli/test").glob("*.edi")))
