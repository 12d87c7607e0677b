"""The sFTP source against our own server, which can be made to fail, and against OpenSSH's."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edi_gateway.errors import TransientError
from edi_gateway.plugins import Arrival, Source
from edi_gateway.transports.sftp.source import SftpSource
from sftp_test_server.faults import Delay, Drop, Fault, Faults, Refuse, Stall, WrongSize
from tests.integration.sftp_support import LONG_AGO, Recall, commit, names, options, password, poll, poll_twice, put
from tests.servers import ServerUnderTest, openssh_server, own_server


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


async def test_two_hundred_files_arrive_once_and_are_deleted(sftp_server: ServerUnderTest) -> None:
    """Every file arrives complete, in the order of names and in batches within the limit, and is gone afterwards."""
    folder = sftp_server.root / "out"
    sent = {f"{number:03}.edi": os.urandom(number * 40) for number in range(200)}
    for name, content in sent.items():
        put(folder, name, content)
    memory = Recall()
    async with source(sftp_server, after="delete", batch_files=30) as channel:
        assert isinstance(channel, Source)
        assert await poll(channel, memory) == {}
        arrived: dict[str, bytes] = {}
        async for batch in channel.poll(memory):
            assert len(batch) <= 30
            await commit(batch, memory)
            arrived |= {arrival.name: arrival.content for arrival in batch}
        assert list(arrived) == sorted(sent)
        assert arrived == sent
        assert names(folder) == []
        assert await poll(channel, memory) == {}
        assert memory.committed == set()  # what is gone is forgotten


async def test_a_growing_file_waits_until_two_looks_agree(sftp_server: ServerUnderTest) -> None:
    """Neither a file that grows nor one whose uploader preserves an old time is taken half-written."""
    folder = sftp_server.root / "out"
    memory = Recall()
    async with source(sftp_server) as channel:
        for length in (1, 2, 3):
            put(folder, "a.edi", b"x" * length)
            assert await poll(channel, memory) == {}
        assert await poll(channel, memory) == {"a.edi": b"xxx"}


@pytest.mark.parametrize("mtime", [0, 4_000_000_000])
async def test_no_clock_is_asked(sftp_server: ServerUnderTest, mtime: int) -> None:
    """A file from 1970 or from the next century is as good as any other."""
    put(sftp_server.root / "out", "a.edi", b"x", mtime)
    async with source(sftp_server) as channel:
        assert await poll_twice(channel, Recall()) == {"a.edi": b"x"}


async def test_a_file_that_is_left_arrives_again_only_when_it_changed(sftp_server: ServerUnderTest) -> None:
    """Known copies are not read again, not even after a restart; new bytes under an old name are."""
    folder = sftp_server.root / "out"
    put(folder, "a.edi", b"first")
    memory = Recall()
    async with source(sftp_server, after="leave") as channel:
        assert await poll_twice(channel, memory) == {"a.edi": b"first"}
        memory.restart()
        assert await poll(channel, memory) == {}
        assert await poll(channel, memory) == {}
        put(folder, "a.edi", b"other", LONG_AGO + 1)
        assert await poll_twice(channel, memory) == {"a.edi": b"other"}
    assert names(folder) == ["a.edi"]


async def test_a_file_is_moved_under_a_name_that_is_free(sftp_server: ServerUnderTest) -> None:
    """Moving makes the folder, never overwrites what lies there, and works when one name comes every day."""
    folder = sftp_server.root / "out"
    done = folder / "archive" / "2026"
    memory = Recall()
    async with source(sftp_server, after={"move": "archive/2026"}) as channel:
        for day in range(3):
            put(folder, "a.edi", b"day %d" % day, LONG_AGO + day)
            assert await poll_twice(channel, memory) == {"a.edi": b"day %d" % day}
        put(folder, "a.edi", b"once more", LONG_AGO + 2)
        assert await poll_twice(channel, memory) == {"a.edi": b"once more"}
    assert names(folder) == []
    assert {path.name: path.read_bytes() for path in done.iterdir()} == {
        "a.edi": b"day 0",
        f"a.edi.{LONG_AGO + 1}": b"day 1",
        f"a.edi.{LONG_AGO + 2}": b"day 2",
        f"a.edi.{LONG_AGO + 2}.2": b"once more",
    }


async def test_a_done_file_vouches_for_its_file(sftp_server: ServerUnderTest) -> None:
    """With done_file one look is enough, a file without its done-file waits, and both are cleared."""
    folder = sftp_server.root / "out"
    put(folder, "a.edi", b"a")
    put(folder, "b.edi", b"b")
    put(folder, "a.edi.done", b"")
    memory = Recall()
    async with source(sftp_server, done_file="{name}.done", after="delete") as channel:
        assert await poll(channel, memory) == {"a.edi": b"a"}
        assert await poll(channel, memory) == {}
        assert names(folder) == ["b.edi"]


async def test_a_done_file_that_outlives_a_refused_delete_does_not_hold_the_file(
    own: ServerUnderTest, faults: Faults
) -> None:
    """When only the done-file could be deleted, the committed file is cleared at a later poll."""
    folder = own.root / "out"
    put(folder, "a.edi", b"a")
    put(folder, "a.edi.done", b"")
    memory = Recall()
    faults.set(Refuse(operation="remove", path="*.edi"))
    async with source(own, done_file="{name}.done", after="delete") as channel:
        with pytest.raises(TransientError, match=r"out/a\.edi: cannot delete it: .*ask the other side for this right"):
            await poll(channel, memory)
        assert names(folder) == ["a.edi"]
        faults.clear()
        assert await poll(channel, memory) == {}
    assert names(folder) == []


async def test_only_wanted_names_are_taken(sftp_server: ServerUnderTest) -> None:
    """Globs choose, unfinished uploads are passed over, and folders and links are no files."""
    folder = sftp_server.root / "out"
    for name in ("a.edi", "b.EDI", "c.csv", "d.edi.part", "d.edi.filepart", ".e.edi", "f.edi.tmp", "g.txt"):
        put(folder, name, b"x")
    (folder / "h.edi").mkdir()
    (folder / "i.edi").symlink_to(folder / "a.edi")
    async with source(sftp_server, pattern=["*.edi*", "*.csv"]) as channel:
        assert sorted(await poll_twice(channel, Recall())) == ["a.edi", "c.csv"]


async def test_an_empty_file_arrives_empty(sftp_server: ServerUnderTest) -> None:
    """A file without bytes is handed over as what it is."""
    put(sftp_server.root / "out", "a.edi", b"")
    async with source(sftp_server) as channel:
        assert await poll_twice(channel, Recall()) == {"a.edi": b""}


async def test_a_large_file_arrives_complete(sftp_server: ServerUnderTest) -> None:
    """A file of many reads comes together again byte for byte."""
    content = os.urandom(3_000_001)
    put(sftp_server.root / "out", "a.edi", content)
    async with source(sftp_server, after="delete") as channel:
        assert (await poll_twice(channel, Recall()))["a.edi"] == content


async def test_a_file_beyond_the_limit_stays_with_a_warning(sftp_server: ServerUnderTest) -> None:
    """Every poll says that a file is too large; it is neither read nor cleared."""
    folder = sftp_server.root / "out"
    put(folder, "a.edi", b"x" * 1001)
    memory = Recall()
    async with source(sftp_server, max_size="1KB", after="delete") as channel:
        for _ in range(2):
            with capture_logs() as logs:
                await poll_twice(channel, memory)
            assert {"file.too_large"} == {entry["event"] for entry in logs}
            memory.restart()
    assert names(folder) == ["a.edi"]


async def test_a_name_that_is_no_utf8_arrives(tmp_path: Path) -> None:
    """A name in another character set is shown in hexadecimal, read and deleted."""
    with openssh_server(tmp_path / "remote") as server:
        folder = server.root / "out"
        (folder / os.fsdecode(b"M\xfcnchen.edi")).write_bytes(b"x")
        async with source(server, after="delete") as channel:
            assert await poll_twice(channel, Recall()) == {r"M\xfcnchen.edi": b"x"}
        assert names(folder) == []


async def test_a_refused_delete_is_repeated_without_reading_again(own: ServerUnderTest, faults: Faults) -> None:
    """What is committed and still there is only cleared; a folder that stays read-only costs a warning."""
    put(own.root / "out", "a.edi", b"x")
    memory = Recall()
    no_delete = Refuse(operation="remove")
    faults.set(no_delete)
    async with source(own, after="delete") as channel:
        assert await poll(channel, memory) == {}
        with pytest.raises(TransientError, match="cannot delete it"):
            await poll(channel, memory)
        faults.set(no_delete, Refuse(operation="open"))  # from now on reading is an error
        with capture_logs() as logs:
            assert await poll(channel, memory) == {}
        assert ["document.not_cleared"] == [entry["event"] for entry in logs]
        faults.set(Refuse(operation="open"))
        assert await poll(channel, memory) == {}
    assert names(own.root / "out") == []


async def test_a_newer_file_of_the_same_name_is_not_cleared_unread(sftp_server: ServerUnderTest) -> None:
    """What replaces a file between its reading and its deletion stays, and arrives later."""
    folder = sftp_server.root / "out"
    put(folder, "a.edi", b"old")
    memory = Recall()
    async with source(sftp_server, after="delete") as channel:
        await poll(channel, memory)
        async for batch in channel.poll(memory):
            put(folder, "a.edi", b"newer", LONG_AGO + 1)
            await commit(batch, memory)
        assert await poll_twice(channel, memory) == {"a.edi": b"newer"}
    assert names(folder) == []


async def test_a_file_that_vanishes_is_skipped(sftp_server: ServerUnderTest) -> None:
    """A file that somebody else fetched between listing and reading is no error, nor is one gone before its ack."""
    folder = sftp_server.root / "out"
    for name in ("a.edi", "b.edi", "c.edi"):
        put(folder, name, b"x")
    memory = Recall()
    async with source(sftp_server, after="delete") as channel:
        await poll(channel, memory)
        memory.before_reading = (folder / "b.edi").unlink
        async for batch in channel.poll(memory):
            assert [arrival.name for arrival in batch] == ["a.edi", "c.edi"]
            (folder / "c.edi").unlink()
            await commit(batch, memory)
    assert names(folder) == []


async def test_one_unreadable_file_does_not_hold_the_others(own: ServerUnderTest, faults: Faults) -> None:
    """The rest arrives, then the poll fails naming server, user, path and what to do."""
    for name in ("a.edi", "b.edi", "c.edi"):
        put(own.root / "out", name, b"x")
    faults.set(Refuse(operation="open", path="*b.edi"))
    memory = Recall()
    async with source(own, after="delete") as channel:
        await poll(channel, memory)
        with pytest.raises(TransientError) as caught:
            await poll(channel, memory)
        assert str(caught.value).startswith(f"mailbox@127.0.0.1:{own.port} /out/b.edi: cannot open it: ")
        assert names(own.root / "out") == ["b.edi"]
        faults.clear()
        assert await poll(channel, memory) == {"b.edi": b"x"}


async def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(sftp_server: ServerUnderTest) -> None:
    """A missing folder is an error, and what was seen and committed before is not forgotten for it."""
    memory = Recall()
    memory.committed = {"earlier"}
    async with source(sftp_server, path="/nowhere/at/all") as channel:
        with pytest.raises(TransientError, match=r"/nowhere/at/all: cannot list the folder: .*check the path"):
            await poll(channel, memory)
    assert memory.committed == {"earlier"}


@pytest.mark.parametrize("size", [0, None])
async def test_a_size_the_server_does_not_know_does_not_empty_the_file(
    own: ServerUnderTest, faults: Faults, size: int | None
) -> None:
    """A size of nothing in listings is no statement about the bytes; they are read to their end."""
    content = os.urandom(100_000)
    put(own.root / "out", "a.edi", content)
    faults.set(WrongSize(size=size))
    async with source(own, after="delete") as channel:
        assert await poll_twice(channel, Recall()) == {"a.edi": content}
    assert names(own.root / "out") == []


@pytest.mark.parametrize("size", [999, 1001])
async def test_a_file_of_another_size_than_listed_is_left(own: ServerUnderTest, faults: Faults, size: int) -> None:
    """When the bytes are not as many as the listing says, the file waits for two more looks that agree."""
    put(own.root / "out", "a.edi", b"x" * 1000)
    lie = WrongSize(size=size)
    faults.set(lie)
    memory = Recall()
    async with source(own, after="delete") as channel:
        with capture_logs() as logs:
            assert await poll_twice(channel, memory) == {}
        assert [("file.size_differs", size, 1000)] == [(log["event"], log["size"], log["read"]) for log in logs]
        assert memory.looks == {}
        faults.clear()
        assert await poll_twice(channel, memory) == {"a.edi": b"x" * 1000}


async def test_a_connection_that_drops_loses_nothing_and_doubles_nothing(own: ServerUnderTest, faults: Faults) -> None:
    """After a cut in the middle of a file, the next poll goes on with what is missing."""
    sent = {f"{number}.edi": os.urandom(50_000) for number in range(6)}
    for name, content in sent.items():
        put(own.root / "out", name, content)
    memory = Recall()
    arrived: list[Arrival] = []
    async with source(own, after="delete", in_flight=1, batch_files=2) as channel:
        await poll(channel, memory)
        faults.set(Drop(operation="read", path="*3.edi", after_bytes=20_000, times=1))
        with pytest.raises(TransientError, match=r"3\.edi"):
            await poll(channel, memory, arrived)
        await poll(channel, memory, arrived)
    assert sorted((arrival.name, arrival.content) for arrival in arrived) == sorted(sent.items())


@pytest.mark.parametrize("operation", ["list", "open", "read", "close", "lstat", "remove"])
async def test_a_cut_in_any_request_heals_at_the_next_poll(
    own: ServerUnderTest, faults: Faults, operation: str
) -> None:
    """Wherever the connection breaks, the file arrives exactly once and is cleared in the end."""
    put(own.root / "out", "a.edi", b"x" * 1000)
    memory = Recall()
    arrived: list[Arrival] = []
    async with source(own, after="delete") as channel:
        await poll(channel, memory)
        drop = Drop(operation=operation, times=1)
        faults.set(drop)
        for _ in range(3):
            with suppress(TransientError):
                await poll(channel, memory, arrived)
    assert faults.fired()[drop] == 1
    assert [arrival.name for arrival in arrived] == ["a.edi"]
    assert names(own.root / "out") == []


@pytest.mark.parametrize("operation", ["login", "list", "open", "read", "lstat", "remove"])
async def test_a_server_that_hangs_is_left_in_time(own: ServerUnderTest, faults: Faults, operation: str) -> None:
    """No request waits for ever; the error says how long it was, and the next poll connects anew."""
    put(own.root / "out", "a.edi", b"x")
    memory = Recall()
    async with source(own, after="delete", request_timeout="200ms", connect_timeout="1s") as channel:
        await poll(channel, memory)
        await channel.close()
        faults.set(Stall(operation=operation))
        begun = time.monotonic()
        with pytest.raises(TransientError, match=r"no answer within (0\.2|1) s"):
            await poll(channel, memory)
        assert time.monotonic() - begun < 3
        faults.clear()
        await poll(channel, memory)
        await poll(channel, memory)
    assert names(own.root / "out") == []


async def test_acks_that_wait_for_one_login_share_its_failure(own: ServerUnderTest, faults: Faults) -> None:
    """Twenty files to be cleared at a server that hangs cost one time limit, not twenty."""
    for number in range(20):
        put(own.root / "out", f"{number:02}.edi", b"x")
    memory = Recall()
    async with source(own, after="delete", connect_timeout="500ms") as channel:
        await poll(channel, memory)
        async for batch in channel.poll(memory):
            await channel.close()
            faults.set(Stall(operation="login"))
            begun = time.monotonic()
            outcomes = await asyncio.gather(*(arrival.ack() for arrival in batch), return_exceptions=True)
            assert time.monotonic() - begun < 3
            assert {TransientError} == {type(outcome) for outcome in outcomes}
            faults.clear()
            await commit(batch, memory)
    assert names(own.root / "out") == []


async def test_a_poll_that_is_cancelled_at_a_hanging_server_ends_at_once(own: ServerUnderTest, faults: Faults) -> None:
    """Stopping the gateway does not wait for an answer that never comes."""
    put(own.root / "out", "a.edi", b"x")
    memory = Recall()
    stall = Stall(operation="read")
    async with source(own, request_timeout="60s") as channel:
        await poll(channel, memory)
        faults.set(stall)
        polling = asyncio.create_task(poll(channel, memory))
        assert await asyncio.to_thread(faults.wait_until_fired, stall)
        begun = time.monotonic()
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling
        assert time.monotonic() - begun < 2


async def test_slow_answers_are_not_a_hanging_server(own: ServerUnderTest, faults: Faults) -> None:
    """The time limit is for one answer, not for the whole poll."""
    sent = {f"{number}.edi": b"x" for number in range(8)}
    for name in sent:
        put(own.root / "out", name, b"x")
    memory = Recall()
    async with source(own, request_timeout="400ms", in_flight=1) as channel:
        await poll(channel, memory)
        faults.set(Delay(operation="open", seconds=0.1))
        assert await poll(channel, memory) == sent


async def test_a_server_that_comes_back_is_polled_again(tmp_path: Path) -> None:
    """A connection that was closed between two polls is opened again without a failed poll."""
    with own_server(tmp_path / "remote") as server:
        put(server.root / "out", "a.edi", b"x")
        async with source(server) as channel:
            memory = Recall()
            await poll(channel, memory)
            await channel.close()
            assert await poll(channel, memory) == {"a.edi": b"x"}


async def test_a_password_logs_in(own: ServerUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password from the environment opens the account."""
    put(own.root / "out", "a.edi", b"x")
    async with source(own, **password(monkeypatch)) as channel:
        assert await poll_twice(channel, Recall()) == {"a.edi": b"x"}


async def test_a_check_tells_every_step_and_leaves_nothing(sftp_server: ServerUnderTest) -> None:
    """Name, TCP, host key, login, listing and clearing are proved, and the folder is as before."""
    folder = sftp_server.root / "out"
    put(folder, "a.edi", b"x")
    put(folder, "b.part", b"x")
    async with source(sftp_server, after={"move": "done"}) as channel:
        steps = [step async for step in channel.check()]
    assert ["DNS", "TCP", "host key", "login", "list", "clear"] == [step.name for step in steps]
    assert all(step.ok for step in steps), steps
    details = {step.name: step.detail for step in steps}
    assert details["TCP"].startswith("SSH-2.0-")
    assert "SHA256:" in details["host key"]
    assert details["list"].startswith("2 files in ")
    assert details["list"].endswith(", 1 of them wanted")
    assert names(folder) == ["a.edi", "b.part"]
    assert names(folder / "done") == []


@pytest.mark.parametrize(
    ("fault", "failed"),
    [
        (Refuse(operation="login"), "login"),
        (Refuse(operation="list"), "list"),
        (Refuse(operation="remove"), "clear"),
    ],
)
async def test_a_check_ends_at_the_first_step_that_fails(
    own: ServerUnderTest, faults: Faults, fault: Fault, failed: str
) -> None:
    """The last step told is the one that failed, with the server's words and an advice."""
    faults.set(fault)
    async with source(own, after="delete") as channel:
        steps = [step async for step in channel.check()]
    assert [step.name for step in steps if not step.ok] == [failed]
    assert steps[-1].name == failed
    assert "ermission denied" in steps[-1].detail
    assert "; " in steps[-1].detail


async def test_a_check_accepts_an_account_that_may_not_write(own: ServerUnderTest, faults: Faults) -> None:
    """Clearing cannot be tried without the right to write, which a source does not need: said, not failed."""
    faults.set(Refuse(operation="open"))
    async with source(own, after="delete") as channel:
        steps = [step async for step in channel.check()]
    assert steps[-1].name == "clear"
    assert steps[-1].ok
    assert "not tried" in steps[-1].detail


def _refused(_tmp_path: Path) -> dict[str, Any]:
    return {"port": 1}


def _unknown_host(_tmp_path: Path) -> dict[str, Any]:
    return {"host": "no-such-host.invalid"}


@pytest.mark.parametrize(("change", "failed"), [(_refused, "TCP"), (_unknown_host, "DNS")])
async def test_a_check_tells_why_nothing_answers(
    own: ServerUnderTest, tmp_path: Path, change: Callable[[Path], dict[str, Any]], failed: str
) -> None:
    """A wrong host or port is told as such, and a poll fails with the same advice."""
    async with source(own, **change(tmp_path)) as channel:
        steps = [step async for step in channel.check()]
        assert (steps[-1].name, steps[-1].ok) == (failed, False)
        assert "check host" in steps[-1].detail
        with pytest.raises(TransientError, match="check host"):
            await poll(channel, Recall())


async def test_a_check_tells_a_server_that_does_not_speak_ssh(own: ServerUnderTest) -> None:
    """Something else on the port is recognised by its greeting."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            writer.write(b"220 ftp.example ready\r\n")
            await writer.drain()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, source(own, port=server.sockets[0].getsockname()[1]) as channel:
        steps = [step async for step in channel.check()]
    assert (steps[-1].name, steps[-1].ok) == ("TCP", False)
    assert "220 ftp.example ready" in steps[-1].detail


async def test_an_equal_looking_file_after_a_cleared_one_is_read(sftp_server: ServerUnderTest) -> None:
    """Same name, size and time as the file just cleared, other bytes: it is not cleared unread."""
    memory, folder = Recall(), sftp_server.root / "out"
    async with source(sftp_server, after="delete") as mailbox:
        put(folder, "status.edi", b"first")
        await poll(mailbox, memory)
        assert await poll(mailbox, memory) == {"status.edi": b"first"}
        put(folder, "status.edi", b"other")
        await poll(mailbox, memory)
        assert await poll(mailbox, memory) == {"status.edi": b"other"}
