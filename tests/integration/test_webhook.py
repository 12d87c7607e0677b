"""Carriers' webhooks: a request is kept before it is answered, and becomes events like any file."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.gateway import Gateway, Json, wait_until
from tests.webhooks import BEARER, SCAN, running


def events(gateway: Gateway, number: str) -> list[Json]:
    return gateway.ask("events", number)


def processed(gateway: Gateway, count: int) -> list[Json]:
    """All documents, once there are so many and each has been read."""
    found: list[Json] = []

    def done() -> bool:
        found[:] = gateway.ask("documents", "list")
        return len(found) == count and all(document["state"] != "received" for document in found)

    wait_until(done, 30, f"{count} documents processed")
    return found


def test_a_post_becomes_an_event(tmp_path: Path) -> None:
    """What a carrier posts is kept as it came, answered with the document's id, and read like a file."""
    with running(tmp_path) as (gateway, client):
        answer = client.post("/inbound/ups/alerts", content=SCAN, headers=BEARER)
        assert answer.status_code == 200, answer.text
        (document,) = processed(gateway, 1)
        assert document["id"] == answer.json()["document"]
        assert document["channel"] == "ups/alerts"
        assert gateway.command("documents", "show", str(document["id"]), "--raw").encode().strip() == SCAN.strip()
        assert [event["status"] for event in events(gateway, "1ZTEST000300000017")] == ["DELIVERED"]
        assert gateway.stop() == 0
