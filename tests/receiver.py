"""A customer's webhook receiver on a loopback port: it takes requests apart by itself, and answers as told."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """The message's."""
        return self.headers.get("webhook-id", "")


Answer = Callable[["Receiver", Received, asyncio.StreamWriter], Awaitable[None]]


async def fine(_receiver: Receiver, _request: Received, writer: asyncio.StreamWriter) -> None:
    """200 with a short answer."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nthx!")


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer with that status; of headers, _ is -."""

    async def answer(_receiver: Receiver, _request: Received, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} So", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return answer


def sends(*pieces: bytes, drip: float = 0.0, close: bool = True) -> Answer:
    """These bytes, one piece after the other; then the connection is closed, or left hanging."""

    async def answer(receiver: Receiver, _request: Received, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(drip)
        if close:
            writer.close()
        else:
            await receiver.ended.wait()

    return answer


@dataclass
class Receiver:
    """The server. ``answer`` is what it does, and may be changed while it runs."""

    answer: Answer = fine
    received: list[Received] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)  # ids of messages that were answered by ``fine``
    connections: int = 0
    port: int = 0
    tls: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def ids(self) -> list[str]:
        """The message of each request, in order."""
        return [request.id for request in self.received]

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
        """While the block lasts."""
        self.tls = tls is not None
        talks: set[asyncio.Task[None]] = set()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            talks.add(task)
            self.connections += 1
            try:
                with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
                    await self._talk(reader, writer)
            finally:
                writer.close()
                with suppress(ConnectionError, ssl.SSLError):
                    await writer.wait_closed()

        server = await asyncio.start_server(talk, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.ended.set()
            server.close()
            for task in talks:
                task.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
            await server.wait_closed()
            await asyncio.sleep(0)  # sockets are closed a turn later than their writers

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Received(head[0], headers, body, asyncio.get_running_loop().time())
            self.received.append(request)
            answer = self.answer
            await answer(self, request, writer)
            if answer is fine:
                self.taken.append(request.id)
            await writer.drain()


def certify(folder: Path, name: str = "localhost") -> ssl.SSLContext:
    """A certificate for that name that vouches for itself, as cert.pem; returns the server's side of it."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A webhook receiver in a thread of its own."""
    receiver, ready, ended = Receiver(), threading.Event(), threading.Event()

    async def serve() -> None:
        async with receiver.running():
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield receiver
    finally:
        ended.set()
        thread.join()
