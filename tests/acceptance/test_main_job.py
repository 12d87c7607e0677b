"""The main job end to end: two carriers' files in, two customers' files out, real servers, the real daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.acceptance.dropping import FULL, all_taken, drop
from tests.acceptance.gateway import FOLDERS, Gateway, wait_until
from tests.acceptance.verdict import deviations
from tests.acceptance.world import make_world
from tests.servers import ServerUnderTest, openssh_server, own_server

ServerFactory = Callable[[Path, Iterable[str]], AbstractContextManager[ServerUnderTest]]


@pytest.mark.parametrize("open_server", [own_server, openssh_server])
def test_customers_receive_exactly_what_happened(open_server: ServerFactory, tmp_path: Path) -> None:
    """Of files with copies, retellings, mistakes and cancellations, each customer gets each of its facts once."""
    world = make_world(200 if FULL else 20, seed=20250303)
    half = len(world.files) // 2
    with open_server(tmp_path / "remote", FOLDERS) as server, Gateway(tmp_path, server) as gateway:
        gateway.command("subscribe", "globex", *world.subscriptions())
        gateway.start()
        for file in world.files[:half]:
            drop(server.root, file)
        wait_until(lambda: "delivery.delivered" in gateway.events(), 30, "anything delivered")
        assert gateway.stop() == 0  # in the middle of its work
        gateway.start()
        for file in world.files[half:]:
            drop(server.root, file)
        wait_until(lambda: all_taken(server.root), 60, "everything taken")
        for file in world.again:
            drop(server.root, file)
        with gateway.idle() as nothing_waits:
            wait_until(lambda: all_taken(server.root) and nothing_waits(), 60, "everything delivered")
        assert gateway.stop() == 0
        assert deviations(world, gateway, server.root) == []
