"""Servers as they are met in the field: each switch is proved against a server that behaves so."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edi_gateway.errors import TransientError
from edi_gateway.model import OutboundDocument
from edi_gateway.transports.sftp.sink import SftpSink
from edi_gateway.transports.sftp.source import SftpSource
from sftp_test_server.faults import Drop, Fault, Faults, Limits, OneShot, ReadsInFlight, Refuse, ShortRead, WrongSize
from tests.integration.sftp_support import LONG_AGO, Leaks, Recall, commit, full, names, options, poll, poll_twice, put
from tests.servers import ServerUnderTest, openssh_server, own_server

CONTENT = os.urandom(1_000_003)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def own(tmp_path: Path, faults: Faults) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "remote", faults=faults) as server:
        yield server


@asynccontextmanager
async def source(server: ServerUnderTest, **more: Any) -> AsyncIterator[SftpSource]:
    made = SftpSource(**options(server, "out", **more))
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize(
    "quirks",
    [
        (ShortRead(at_most=10_000),),
        (ShortRead(at_most=10_000), WrongSize(size=None)),
        (ShortRead(at_most=10_000), WrongSize(size=0)),
        (WrongSize(size=0),),
        (Limits(advertise=False),),
        (Limits(), Refuse(operation="stat,lstat,fstat", answer="unsupported")),
    ],
)
async def test_odd_answers_lose_no_byte(own: ServerUnderTest, faults: Faults, quirks: tuple[Fault, ...]) -> None:
    """Short reads, sizes that are not told and small packets need no switch; nothing is cut off, nothing is doubled."""
    put(own.root / "out", "a.edi", CONTENT)
    put(own.root / "out", "b.edi", CONTENT[:10_000])
    put(own.root / "out", "c.edi", CONTENT[:20_000])
    faults.set(*quirks)
    async with source(own, after="delete") as channel:
        assert await poll_twice(channel, Recall()) == {
            "a.edi": CONTENT,
            "b.edi": CONTENT[:10_000],
            "c.edi": CONTENT[:20_000],
        }
    assert names(own.root / "out") == []


@pytest.mark.parametrize("length", [1, 32 * 1024 - 1, 32 * 1024, 256 * 1024, 512 * 1024 + 1])
async def test_a_file_of_any_length_arrives_whole(sftp_server: ServerUnderTest, length: int) -> None:
    """Whether a file ends with a request or in the middle of one does not matter, nor whether its size is known."""
    content = CONTENT[:length]
    put(sftp_server.root / "out", "a.edi", content)
    async with source(sftp_server) as channel:
        assert await poll_twice(channel, Recall()) == {"a.edi": content}


@pytest.mark.parametrize("size", [1, 999_999, 2_000_000])
async def test_wrong_sizes_are_overlooked_where_told_so(own: ServerUnderTest, faults: Faults, size: int) -> None:
    """trust_sizes: false takes what there is, be it more or less than listed, and clears it."""
    put(own.root / "out", "a.edi", CONTENT)
    faults.set(WrongSize(size=size, operation="list"))
    async with source(own, after="delete", trust_sizes=False) as channel:
        assert await poll_twice(channel, Recall()) == {"a.edi": CONTENT}
    assert names(own.root / "out") == []


@pytest.mark.parametrize("most", [1, 2])
async def test_a_server_that_stalls_at_many_reads_is_asked_for_few(
    own: ServerUnderTest, faults: Faults, most: int
) -> None:
    """in_flight bounds what is asked of the server at a time, over all files and all parts of a large one."""
    for name in ("a.edi", "b.edi", "c.edi"):
        put(own.root / "out", name, CONTENT)
    memory = Recall()
    faults.set(ReadsInFlight(at_most=most, watch=0.01))
    async with source(own, request_timeout="500ms") as channel:
        await poll(channel, memory)
        with pytest.raises(TransientError, match=r"no answer within 0\.5 s"):
            await poll(channel, memory)
    async with source(own, request_timeout="2s", in_flight=most) as channel:
        assert list(await poll(channel, memory)) == ["a.edi", "b.edi", "c.edi"]


async def test_a_file_that_is_given_away_once_is_kept_until_it_is_committed(
    own: ServerUnderTest, faults: Faults
) -> None:
    """one_shot closes a file only after the commit, as its close is what makes the server forget it."""
    put(own.root / "out", "a.edi", b"a")
    put(own.root / "out", "b.edi", CONTENT)
    faults.set(OneShot())
    memory = Recall()
    async with source(own, one_shot=True) as channel:
        await poll(channel, memory)
        arrived: dict[str, bytes] = {}
        async for batch in channel.poll(memory):
            assert names(own.root / "out") == ["a.edi", "b.edi"]
            await commit(batch, memory)
            arrived |= {arrival.name: arrival.content for arrival in batch}
        assert arrived == {"a.edi": b"a", "b.edi": CONTENT}
        assert names(own.root / "out") == []
        assert await poll(channel, memory) == {}
        assert memory.committed == set()


async def test_a_file_given_away_once_survives_a_commit_that_fails(own: ServerUnderTest, faults: Faults) -> None:
    """What could not be committed is never closed: the connection is cut, and the server still has it."""
    put(own.root / "out", "a.edi", CONTENT)
    faults.set(OneShot())
    memory = Recall()
    leaks = Leaks()
    async with source(own, one_shot=True) as channel:
        await poll(channel, memory)
        batches = channel.poll(memory)
        assert len(await anext(batches)) == 1
        await batches.aclose()  # type: ignore[attr-defined]  # as it ends when the commit raises
        await leaks.none()
        assert names(own.root / "out") == ["a.edi"]
        assert await poll(channel, memory) == {"a.edi": CONTENT}
    assert names(own.root / "out") == []


@pytest.mark.parametrize("batch_files", [1, 64])
async def test_a_file_given_away_once_that_is_not_taken_stays_and_is_not_held_open(
    own: ServerUnderTest, faults: Faults, batch_files: int
) -> None:
    """It is neither closed, which would give it away, nor kept open until there are too many; the others arrive."""
    put(own.root / "out", "a.edi", CONTENT)
    put(own.root / "out", "b.edi", b"b")
    faults.set(OneShot())
    memory = Recall()
    async with source(own, one_shot=True, trust_sizes=False, max_size="1kB", batch_files=batch_files) as channel:
        await poll(channel, memory)
        leaks = Leaks()
        assert await poll(channel, memory) == {"b.edi": b"b"}
        await leaks.none()
        assert names(own.root / "out") == ["a.edi"]


async def test_a_file_given_away_once_survives_a_connection_that_drops(own: ServerUnderTest, faults: Faults) -> None:
    """A file read in part is not closed, which would be taken for its end."""
    put(own.root / "out", "a.edi", CONTENT)
    faults.set(OneShot(), Refuse(operation="read", times=1, answer="failure"))
    memory = Recall()
    async with source(own, one_shot=True) as channel:
        await poll(channel, memory)
        with pytest.raises(TransientError, match="cannot read it"):
            await poll(channel, memory)
        assert await poll(channel, memory) == {"a.edi": CONTENT}


async def test_a_committed_file_that_was_not_given_away_is_not_read_again(own: ServerUnderTest, faults: Faults) -> None:
    """When the connection drops at the close after the commit, the file stays at the server and is only deleted."""
    put(own.root / "out", "a.edi", CONTENT)
    memory = Recall()
    arrived: list[Any] = []
    async with source(own, one_shot=True, after="delete") as channel:
        await poll(channel, memory)
        faults.set(OneShot(), Drop(operation="close", times=1))
        with pytest.raises(TransientError, match="cannot close it"):
            await poll(channel, memory, arrived)
        assert names(own.root / "out") == ["a.edi"]
        faults.set(Refuse(operation="open"))
        await poll(channel, memory, arrived)
        await poll(channel, memory, arrived)
    assert len(arrived) == 1
    assert names(own.root / "out") == []


@pytest.mark.parametrize("answer", ["permission_denied", "unsupported", "failure"])
async def test_a_server_that_tells_nothing_of_single_files_is_cleared(
    own: ServerUnderTest, faults: Faults, answer: str
) -> None:
    """Where stat is refused the folder is listed again, once for all, before anything is deleted."""
    for number in range(10):
        put(own.root / "out", f"{number}.edi", b"x")
    faults.set(Refuse(operation="stat,lstat,fstat", answer=answer))
    memory = Recall()
    async with source(own, after="delete") as channel:
        assert len(await poll_twice(channel, memory)) == 10
    assert names(own.root / "out") == []


async def test_a_newer_file_is_not_cleared_unread_where_stat_is_refused(own: ServerUnderTest, faults: Faults) -> None:
    """The listing tells that the file has changed since it was read."""
    put(own.root / "out", "a.edi", b"old")
    faults.set(Refuse(operation="stat,lstat,fstat"))
    memory = Recall()
    async with source(own, after="delete") as channel:
        await poll(channel, memory)
        async for batch in channel.poll(memory):
            put(own.root / "out", "a.edi", b"newer", LONG_AGO + 1)
            await commit(batch, memory)
        assert names(own.root / "out") == ["a.edi"]
        assert await poll_twice(channel, memory) == {"a.edi": b"newer"}


@pytest.mark.parametrize(("after", "operation"), [("delete", "remove"), ({"move": "done"}, "rename,posix_rename")])
async def test_a_folder_that_nobody_may_clear_costs_little(
    own: ServerUnderTest, faults: Faults, after: Any, operation: str
) -> None:
    """Files that stay for ever are not read again; each poll tries some of them, in turn, and warns once."""
    count = 250
    for number in range(count):
        put(own.root / "out", f"{number:03}.edi", b"x")
    memory = Recall()
    memory.committed = {f"/out/{number:03}.edi|1|{LONG_AGO}" for number in range(count)}
    may_not, others = (Refuse(operation=operation, path=path) for path in ("/out/[01]*", "/out/2[0-3]*"))
    faults.set(may_not, others, Refuse(operation="open"))
    async with source(own, after=after, in_flight=10) as channel:
        await poll(channel, memory)  # the first look clears nothing: the files may be changing
        assert faults.fired()[may_not] == 0
        for _ in range(3):
            with capture_logs() as logs:
                assert await poll(channel, memory) == {}
            assert [log["event"] for log in logs] == ["document.not_cleared"]
            assert 100 <= logs[0]["files"] <= 110
    assert names(own.root / "out") == [f"{number:03}.edi" for number in range(240)]  # the last ten had their turn
    assert faults.fired()[may_not] + faults.fired()[others] <= 3 * 110


async def test_a_full_folder_does_not_stall_the_event_loop(tmp_path: Path) -> None:
    """However many files lie there, no turn of the event loop takes long, and a second look keeps nothing more."""
    count, most = (100_000, 0.1) if full() else (10_000, 0.012)
    with openssh_server(tmp_path / "remote") as server:
        folder = server.root / "out"
        for number in range(count):
            (folder / f"{number * 7919 % count:06}.edi").touch()
        memory = Recall()
        async with source(server, pattern=["*.edi", "*.EDI"]) as channel, watched() as longest:
            await poll(channel, memory)
            assert len(memory.looks) == count
            memory.committed = {f"{server.remote_root}/out/{name}|{look}" for name, look in memory.looks.items()}
            assert await poll(channel, memory) == {}
        assert longest[0] < most


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """Measures the longest turn of the event loop, in seconds of its own work: others use the machine too."""
    longest = [0.0]

    async def watch() -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0.001)
            longest[0] = max(longest[0], time.thread_time() - begun)

    gc.collect()
    gc.freeze()  # what other tests left behind is no work of this one
    watching = asyncio.create_task(watch())
    try:
        yield longest
    finally:
        watching.cancel()
        gc.unfreeze()


async def test_a_large_file_is_held_once(tmp_path: Path) -> None:
    """Reading takes the room of the file and of what is under way, not of a second copy; comparing takes none."""
    content = os.urandom(30_000_000)
    room = len(content) + 18_000_000
    with openssh_server(tmp_path / "remote") as server:
        put(server.root / "out", "a.edi", content)
        put(server.root / "in", "a.edi", content)
        memory = Recall()
        async with source(server) as channel:
            await poll(channel, memory)
            tracemalloc.start()
            try:
                assert await poll(channel, memory) == {"a.edi": content}
                assert tracemalloc.get_traced_memory()[1] < room
                tracemalloc.reset_peak()
                sink = SftpSink(**options(server, "in"))
                already = tracemalloc.get_traced_memory()[0]
                assert (await sink.send(OutboundDocument("a.edi", content), again=True)).startswith("already there")
                assert tracemalloc.get_traced_memory()[1] - already < room - len(content)
                tracemalloc.reset_peak()
                await sink.send(OutboundDocument("b.edi", content), again=False)
                assert tracemalloc.get_traced_memory()[1] - already < room - len(content)
                await sink.close()
            finally:
                tracemalloc.stop()
    assert (server.root / "in" / "b.edi").read_bytes() == content
