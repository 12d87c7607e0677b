"""No server holds a poll or a delivery for ever, at whatever point it falls silent, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edi_gateway.errors import TransientError
from edi_gateway.model import OutboundDocument
from edi_gateway.transports.sftp.sink import SftpSink
from edi_gateway.transports.sftp.source import SftpSource
from sftp_test_server.faults import Drop, Faults, Fsync, SlowList, Stall, Trickle
from tests.integration.sftp_support import Leaks, Recall, Road, full, names, options, poll, put
from tests.servers import ServerUnderTest, own_server

ROUNDS = 20 if full() else 2
CONNECTING = ("accept", "banner", "kex", "login", "subsystem", "init")
PULLING = (*CONNECTING, "list", "readdir", "open", "read", "close", "lstat", "remove")
PUSHING = (*CONNECTING, "stat", "open", "write", "fsync", "close", "rename")
QUICK = {
    "connect_timeout": "1s",
    "request_timeout": "300ms",
    "circuit": {"failures": 0},  # here every attempt is to reach the server
}
DOCUMENT = OutboundDocument("a.edi", b"x" * 1000)


@pytest.fixture
def faults() -> Faults:
    return Faults(Fsync())


@pytest.fixture
def own(tmp_path: Path, faults: Faults) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "remote", faults=faults) as server:
        yield server


@asynccontextmanager
async def source(server: ServerUnderTest, **more: Any) -> AsyncIterator[SftpSource]:
    made = SftpSource(**options(server, "out", **{"after": "delete", **more}))
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def sink(server: ServerUnderTest, **more: Any) -> AsyncIterator[SftpSink]:
    made = SftpSink(**options(server, "in", **more))
    try:
        yield made
    finally:
        await made.close()


async def fails_in_time(attempt: Callable[[], Awaitable[object]]) -> None:
    begun = time.monotonic()
    with pytest.raises(TransientError, match=r"no answer within (0\.3|1) s"):
        await attempt()
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("operation", PULLING)
async def test_a_poll_that_is_stalled_again_and_again_leaves_nothing_behind(
    own: ServerUnderTest, faults: Faults, operation: str
) -> None:
    """Every stall ends within its limit; no descriptor, thread or task stays; the next poll takes and clears it all."""
    memory = Recall()
    leaks = Leaks()
    async with source(own, **QUICK) as channel:
        for number in range(ROUNDS):
            put(own.root / "out", f"{number}.edi", b"x")
            await poll(channel, memory)
            if operation in CONNECTING:
                await channel.close()
            faults.set(Stall(operation=operation))
            if operation == "close":  # the bytes are there: what comes after them does not matter
                await poll(channel, memory)
            else:
                await fails_in_time(lambda: poll(channel, memory))
            faults.clear()
            await poll(channel, memory)
        await poll(channel, memory)
        assert names(own.root / "out") == []
        assert memory.committed == set()
    await leaks.none()


@pytest.mark.parametrize("operation", PULLING)
async def test_a_poll_that_is_cut_again_and_again_leaves_nothing_behind(
    own: ServerUnderTest, faults: Faults, operation: str
) -> None:
    """Wherever the connection breaks, every file arrives once and is cleared, and nothing of the breaks remains."""
    memory = Recall()
    leaks = Leaks()
    arrived: list[Any] = []
    async with source(own, **QUICK) as channel:
        for number in range(ROUNDS):
            put(own.root / "out", f"{number}.edi", b"x")
            await poll(channel, memory, arrived)
            if operation in CONNECTING:
                await channel.close()
            drop = Drop(operation=operation, times=1)
            faults.set(drop)
            with suppress(TransientError):
                await poll(channel, memory, arrived)
            assert faults.fired()[drop] == 1
            await poll(channel, memory, arrived)
        await poll(channel, memory, arrived)
        assert sorted(each.name for each in arrived) == sorted(f"{number}.edi" for number in range(ROUNDS))
        assert names(own.root / "out") == []
    await leaks.none()


@pytest.mark.parametrize("operation", PUSHING)
async def test_a_delivery_that_is_stalled_again_and_again_leaves_one_file(
    own: ServerUnderTest, faults: Faults, operation: str
) -> None:
    """Every stall ends within its limit, nothing stays open, and the next attempt leaves exactly the document."""
    leaks = Leaks()
    async with sink(own, **QUICK) as destination:
        for _ in range(ROUNDS):
            faults.set(Fsync())
            if operation in CONNECTING:
                await destination.close()
            else:
                await destination.send(OutboundDocument("other.edi", b""), again=True)
            faults.set(Fsync(), Stall(operation=operation))
            await fails_in_time(lambda: destination.send(DOCUMENT, again=False))
            faults.set(Fsync())
            await destination.send(DOCUMENT, again=True)
            assert (own.root / "in" / "a.edi").read_bytes() == DOCUMENT.content
            assert set(names(own.root / "in")) <= {"a.edi", "other.edi"}
            (own.root / "in" / "a.edi").unlink()
    await leaks.none()


async def test_a_file_that_trickles_is_left_when_its_time_is_up(own: ServerUnderTest, faults: Faults) -> None:
    """Bytes that arrive one by one keep each request alive, not the whole file."""
    put(own.root / "out", "a.edi", b"x" * 10_000)
    memory = Recall()
    async with source(own, transfer_timeout="500ms", in_flight=1) as channel:
        await poll(channel, memory)
        faults.set(Trickle(bytes_per_second=500, operation="read"))
        begun = time.monotonic()
        with pytest.raises(TransientError, match=r"out/a\.edi: cannot read it: not done within 0\.5 s"):
            await poll(channel, memory)
        assert time.monotonic() - begun < 3
        faults.clear()
        assert await poll(channel, memory) == {"a.edi": b"x" * 10_000}


async def test_a_listing_that_trickles_is_left_when_its_time_is_up(own: ServerUnderTest, faults: Faults) -> None:
    """A name now and then does not hold a poll for ever, and what was committed before is not forgotten for it."""
    for number in range(50):
        put(own.root / "out", f"{number}.edi", b"x")
    memory = Recall()
    memory.committed = {"earlier"}
    async with source(own, transfer_timeout="500ms") as channel:
        faults.set(SlowList(seconds=0.05))
        with pytest.raises(TransientError, match=r"out: cannot list the folder: not done within 0\.5 s"):
            await poll(channel, memory)
    assert memory.committed == {"earlier"}


async def test_a_listing_that_takes_longer_than_one_answer_may_is_read_to_its_end(
    own: ServerUnderTest, faults: Faults
) -> None:
    """The limit for silence is for silence: a folder that comes in many answers is a folder that comes."""
    for number in range(25):
        put(own.root / "out", f"{number:02}.edi", b"x")
    faults.set(SlowList(seconds=0.06))
    async with source(own, request_timeout="1s") as channel:
        memory = Recall()
        await poll(channel, memory)
        assert len(memory.looks) == 25


async def test_an_upload_that_trickles_is_left_when_its_time_is_up(own: ServerUnderTest, faults: Faults) -> None:
    """A partner who takes a byte now and then does not hold a destination for ever."""
    faults.set(Trickle(bytes_per_second=40_000, operation="write"))
    async with sink(own, transfer_timeout="500ms") as destination:
        with pytest.raises(TransientError, match=r"a\.edi\.tmp: cannot write it: not done within 0\.5 s"):
            await destination.send(OutboundDocument("a.edi", os.urandom(200_000)), again=False)


async def test_a_line_that_goes_dead_between_polls_is_found_by_the_keepalive(own: ServerUnderTest) -> None:
    """Nobody says that the peer is gone, and yet the next poll connects anew instead of waiting on the dead line."""
    put(own.root / "out", "a.edi", b"x")
    road = Road(own.port)
    async with road as port, source(own, port=port, keepalive="50ms") as channel:
        await poll(channel, Recall())
        session = await channel._link.session()
        road.block()
        async with asyncio.timeout(5):
            await session._hops[0].wait_closed()
        road.clear()
        await poll(channel, Recall())
        assert road.connections == 2


async def test_a_line_that_goes_dead_in_a_request_is_found_by_the_keepalive(
    own: ServerUnderTest, faults: Faults
) -> None:
    """The keepalive does not wait for the time limit of the request."""
    put(own.root / "out", "a.edi", b"x")
    memory = Recall()
    road = Road(own.port)
    stall = Stall(operation="read")
    async with road as port, source(own, port=port, keepalive="100ms", request_timeout="60s") as channel:
        await poll(channel, memory)
        faults.set(stall)
        polling = asyncio.create_task(poll(channel, memory))
        assert await asyncio.to_thread(faults.wait_until_fired, stall)
        road.block()
        async with asyncio.timeout(5):
            with pytest.raises(TransientError, match="not responding to keepalive"):
                await polling


@pytest.mark.parametrize("operation", ["accept", "kex", "login", "read"])
async def test_closing_does_not_wait_for_a_server_that_hangs(
    own: ServerUnderTest, faults: Faults, operation: str
) -> None:
    """Stopping takes no longer than a good-bye may, whatever is under way; what was under way ends with an error."""
    put(own.root / "out", "a.edi", b"x")
    memory = Recall()
    leaks = Leaks()
    async with source(own, connect_timeout="60s", request_timeout="60s") as channel:
        await poll(channel, memory)
        if operation in CONNECTING:
            await channel.close()
        stall = Stall(operation=operation)
        faults.set(stall)
        polling = asyncio.create_task(poll(channel, memory))
        assert await asyncio.to_thread(faults.wait_until_fired, stall)
        begun = time.monotonic()
        await channel.close()
        with pytest.raises(TransientError):
            await polling
        assert time.monotonic() - begun < 2
    faults.clear()
    await leaks.none()


async def test_closing_does_not_wait_for_a_dead_line(own: ServerUnderTest) -> None:
    """A good-bye that nobody hears ends by itself."""
    road = Road(own.port)
    async with road as port, source(own, port=port) as channel:
        await poll(channel, Recall())
        road.block()
        begun = time.monotonic()
        await channel.close()
        assert time.monotonic() - begun < 2
