"""The delaying proxy: a delay line, measured on the bytes themselves and under a real client."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from sftp_test_server.proxy import delaying_proxy, main
from sftp_test_server.server import SftpTestServer
from sftp_test_server.users import User
from tests.sftp_clients import user

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LARGE = 100 * 1024 * 1024


@asynccontextmanager
async def through_proxy(
    handler: Handler, delay: float
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a server behind a proxy; the connection is over on both sides when the block has ended."""
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await handler(reader, writer)
            writer.close()
            await writer.wait_closed()
        served.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    async with server:
        with delaying_proxy("127.0.0.1", server.sockets[0].getsockname()[1], delay) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
            try:
                yield reader, writer
            finally:
                writer.close()
                await served.wait()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**18):
        writer.write(data)
        await writer.drain()


async def test_a_round_trip_takes_twice_the_delay() -> None:
    """A byte and its echo take twice the delay and little more."""
    async with through_proxy(echo, 0.025) as (reader, writer):
        taken = []
        for _ in range(10):
            begun = time.monotonic()
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            taken.append(time.monotonic() - begun)
    assert 0.05 <= min(taken) < 0.08  # 0.051 on an idle machine


async def test_a_large_transfer_is_late_but_not_slow() -> None:
    """100 MB arrive whole and in order, at far more than one buffer per round trip."""
    piece = bytes(range(256)) * 4096

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _number in range(LARGE // len(piece)):
            writer.write(piece)
            await writer.drain()

    digest, received = hashlib.sha256(), 0
    async with through_proxy(send, 0.025) as (reader, _writer):
        begun = time.monotonic()
        while data := await reader.read(2**20):
            digest.update(data)
            received += len(data)
        taken = time.monotonic() - begun
    assert received == LARGE
    assert digest.digest() == hashlib.sha256(piece * (LARGE // len(piece))).digest()
    assert taken < 10  # under 1 on an idle machine; one buffer of 256 KB per round trip would take 20


async def test_the_end_of_one_direction_leaves_the_other_open() -> None:
    """A half-closed connection still brings the answer, and then ends."""
    async with through_proxy(echo, 0.01) as (reader, writer):
        writer.write(b"x" * 500_000)
        writer.write_eof()
        assert await reader.read(-1) == b"x" * 500_000


async def test_a_receiver_that_does_not_read_holds_the_sender() -> None:
    """The proxy takes what a line holds, and no more, for somebody who does not read."""
    sent, unread = 0, asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await unread.wait()

    async with through_proxy(silent, 0.001) as (_, writer):
        with suppress(TimeoutError):
            while sent < 300 * 2**20:
                writer.write(bytes(2**20))
                await asyncio.wait_for(writer.drain(), 1)
                sent += 2**20
        unread.set()
        writer.transport.abort()
    assert sent < 150 * 2**20


async def test_sftp_works_through_it_with_the_round_trips_it_has(tmp_path: Path) -> None:
    """A real client logs in and works; each request that waits for its answer takes a round trip."""
    with SftpTestServer(tmp_path, [User("acme", "secret")]) as server:
        (server.home("acme") / "out/a.edi").write_bytes(b"UNB" * 100_000)
        with delaying_proxy(server.host, server.port, 0.01) as port:
            line = server.host_key_line.replace(f":{server.port} ", f":{port} ")
            async with user(server, "acme", line=line) as sftp:
                begun = time.monotonic()
                for _ in range(5):
                    await sftp.stat("/out/a.edi")
                assert time.monotonic() - begun >= 0.1
                await sftp.get("/out/a.edi", tmp_path / "a.edi")
    assert (tmp_path / "a.edi").read_bytes() == b"UNB" * 100_000


async def test_a_server_that_is_not_there_ends_the_connection() -> None:
    """Behind the proxy a refused connection shows as one that ends, and the proxy goes on."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    closed = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with delaying_proxy("127.0.0.1", closed, 0.001) as port:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with suppress(ConnectionError):
                assert await reader.read(1) == b""
            writer.close()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--to", "127.0.0.1:22", "--delay", "25"], "expected a number and a unit, such as 25ms"),
        (["--to", "127.0.0.1", "--delay", "25ms"], "expected HOST:PORT, such as 127.0.0.1:2222"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A delay without a unit or an address without a port is refused with an example."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert complaint in capsys.readouterr().err
