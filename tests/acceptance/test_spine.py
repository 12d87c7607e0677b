"""The main job against real servers: everything in, everything out, each fact once; and the same under SIGKILL."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.received import control_numbers, facts
from tests.acceptance.running import Gateway, install
from tests.acceptance.scenario import SUBSCRIBED, Scenario, build
from tests.servers import ServerUnderTest

# The everyday size keeps the suite quick; EDI_ACCEPTANCE_FULL=1 is the size that is promised.
_FULL = os.environ.get("EDI_ACCEPTANCE_FULL") == "1"
FILES, KILLS = (200, 30) if _FULL else (60, 8)


def check(gateway: Gateway, scenario: Scenario) -> None:
    """What the customers hold is exactly what the scenario expects, and every part of the way is in order."""
    for customer, expected in scenario.expected.items():
        got = facts(gateway.mailbox(customer))
        assert {fact: n for fact, n in got.items() if n} == {fact: n for fact, n in expected.items() if n}
        numbers = control_numbers(gateway.mailbox(customer))
        assert numbers == list(range(1, len(numbers) + 1))
        assert [path.name for path in gateway.mailbox(customer).iterdir() if path.suffix != ".edi"] == []
    documents = gateway.ask("documents", "list", "--limit", "1000")
    states = Counter(row["state"] for row in documents)
    assert states["ignored"] >= scenario.copies
    assert states["processed"] + states["partly_processed"] == len(scenario.files) - scenario.copies
    quarantine = gateway.ask("quarantine", "list")
    assert len(quarantine) == scenario.quarantined
    assert all(row["at"] and row["expected"] for row in quarantine)
    assert all(row["state"] == "delivered" for row in gateway.ask("deliveries", "list", "--limit", "1000"))


def test_everything_arrives_once(tmp_path: Path, sftp_server: ServerUnderTest) -> None:
    """Files of both carriers, copies and bad messages among them, become exactly the expected events."""
    scenario, gateway = build(FILES, seed=1), install(tmp_path, sftp_server)
    gateway.call("subscribe", "initech", SUBSCRIBED)
    gateway.start()
    for carrier, name, content in scenario.files:
        gateway.drop(carrier, name, content)
    gateway.wait(gateway.idle, 90, "everything is processed and delivered")
    assert gateway.stop() == 0
    check(gateway, scenario)


def test_sigkill_at_any_moment_changes_nothing(tmp_path: Path, sftp_server: ServerUnderTest) -> None:
    """The daemon is killed again and again while files keep coming; the customers cannot tell."""
    scenario, gateway, chance = build(FILES, seed=2), install(tmp_path, sftp_server), random.Random(3)
    gateway.call("subscribe", "initech", SUBSCRIBED)
    left = list(scenario.files)
    for _ in range(KILLS):
        gateway.start()
        _drop(gateway, left, len(scenario.files) // KILLS)
        # From the middle of start-up to well into delivering: a start takes about a second.
        time.sleep(chance.uniform(0.6, 4.0))
        gateway.kill()
    _drop(gateway, left, len(left))
    gateway.start()
    gateway.wait(gateway.idle, 90, "everything is processed and delivered after the last kill")
    assert gateway.stop() == 0
    check(gateway, scenario)


def _drop(gateway: Gateway, left: list[tuple[str, str, bytes]], count: int) -> None:
    for _ in range(min(count, len(left))):
        gateway.drop(*left.pop(0))
