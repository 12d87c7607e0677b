"""What the sFTP tests share: options for a server under test, and a memory that a test can look into."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Collection
from contextlib import closing, suppress
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


def full() -> bool:
    """Whether tests are run in the promised size."""
    return os.environ.get("EDI_ACCEPTANCE_FULL") == "1"


class Leaks:
    """Notes what a process holds, to see later that it holds no more: descriptors, threads, tasks."""

    def __init__(self) -> None:
        self._before = self._held()

    async def none(self) -> None:
        """Wait until nothing more is held than at the start: servers in this process need a moment to see an end."""
        deadline = time.monotonic() + 10
        while any(now > before for now, before in zip(self._held(), self._before, strict=True)):
            assert time.monotonic() < deadline, f"held before: {self._before}, now: {self._held()}"
            await asyncio.sleep(0.02)

    @staticmethod
    def _held() -> tuple[int, int, int]:
        threads = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]  # its pool
        return len(list(Path("/proc/self/fd").iterdir())), len(threads), len(asyncio.all_tasks())


class Road:
    """A TCP connection to a server that can be blocked: nothing is lost, nothing arrives, nobody is told."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = asyncio.Event()
        self._open.set()
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        """Cut everything."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def block(self) -> None:
        """From now on every byte waits."""
        self._open.clear()

    def clear(self) -> None:
        """Everything goes on."""
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError), closing(sink):
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)


class Recall:
    """A memory that lives as long as its object."""

    def __init__(self) -> None:
        self.looks: dict[str, str] = {}
        self.committed: set[str] = set()
        self.incomplete: set[str] = set()
        self.before_reading: Callable[[], None] = lambda: None

    async def known(self, keys: Collection[str]) -> set[str]:
        self.before_reading()
        return await asyncio.to_thread(lambda: self.committed & set(keys))

    async def forget(self, key: str) -> None:
        self.committed.discard(key)

    async def retain(self, keys: Collection[str]) -> None:
        self.committed = await asyncio.to_thread(lambda: self.committed & set(keys))

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
