"""What the sFTP tests share: options for a server under test, and a memory that a test can look into."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from edi_gateway.plugins import Arrival
from edi_gateway.transports.sftp.source import SftpSource
from tests.servers import PASSWORD, ServerUnderTest

LONG_AGO = 1_000_000_000  # seconds: a time no test could produce by chance


def options(server: ServerUnderTest, folder: str, **more: Any) -> dict[str, Any]:
    """YAML keys for a source or sink at that folder of the server, logging in with the key."""
    assert server.private_key is not None
    return {
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "private_key": f"${{file:{server.private_key}}}",
        "host_key": server.known_hosts_line.split(" ", 1)[1],
        "path": f"{server.remote_root}/{folder}",
        "request_timeout": "5s",
        **more,
    }


def password(monkeypatch: Any, text: str = PASSWORD) -> dict[str, Any]:
    """The key that logs in by password in place of the private key."""
    monkeypatch.setenv("SFTP_PASSWORD", text)
    return {"private_key": None, "password": "${env:SFTP_PASSWORD}"}


class Recall:
    """A memory that lives as long as its object."""

    def __init__(self) -> None:
        self.looks: dict[str, str] = {}
        self.committed: set[str] = set()
        self.incomplete: set[str] = set()
        self.before_reading: Callable[[], None] = lambda: None

    async def known(self, keys: Collection[str]) -> set[str]:
        self.before_reading()
        return self.committed & set(keys)

    async def forget(self, key: str) -> None:
        self.committed.discard(key)

    async def retain(self, keys: Collection[str]) -> None:
        self.committed &= set(keys)

    def held(self, key: str) -> bool:
        return key in self.incomplete

    def restart(self) -> None:
        """What a new process still knows."""
        self.looks = {}


async def poll(source: SftpSource, memory: Recall, arrived: list[Arrival] | None = None) -> dict[str, bytes]:
    """One poll as the pipeline does it; returns name → content, and adds to ``arrived`` even when it fails later."""
    arrived = [] if arrived is None else arrived
    before = len(arrived)
    async for batch in source.poll(memory):
        arrived += batch
        await commit(batch, memory)
    return {arrival.name: arrival.content for arrival in arrived[before:]}


async def commit(batch: Collection[Arrival], memory: Recall) -> None:
    """Remember a batch, then let the source clear it."""
    memory.committed |= {arrival.key for arrival in batch}
    await asyncio.gather(*(arrival.ack() for arrival in batch))


async def poll_twice(source: SftpSource, memory: Recall) -> dict[str, bytes]:
    """Two looks: the fewest after which a file may arrive."""
    assert await poll(source, memory) == {}
    return await poll(source, memory)


def put(folder: Path, name: str, content: bytes, mtime: int = LONG_AGO) -> Path:
    """Lay a file in a mailbox, with a time that says nothing about when."""
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (mtime, mtime))
    return path


def names(folder: Path) -> list[str]:
    """Names of the files in a folder, in order."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())
