"""What goes wrong at a request, seen by a client that knows nothing of faults."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest

from sftp_test_server.faults import Delay, DiskFull, Drop, Faults, Refuse, Stall, WrongSize
from sftp_test_server.server import SftpTestServer
from sftp_test_server.users import User
from tests.servers import own_server
from tests.sftp_clients import LOST, Client, client, connect, is_ours, read, user

Action = Callable[[Client], Awaitable[object]]


async def _rename(sftp: Client) -> None:
    await sftp.rename("/out/a.edi", "/out/z.edi")


async def _overwrite(sftp: Client) -> None:
    async with sftp.open("/out/a.edi", "wb") as file:
        await file.write(b"other")


async def _setstat(sftp: Client) -> None:
    await sftp.chmod("/out/a.edi", 0o600)


async def _remove(sftp: Client) -> None:
    await sftp.remove("/out/a.edi")


async def _list(sftp: Client) -> None:
    await sftp.readdir("/out")


async def _read(sftp: Client) -> None:
    async with sftp.open("/out/a.edi", "rb") as file:
        await file.read()


async def _realpath(sftp: Client) -> None:
    await sftp.realpath("/out/a.edi")


ACTIONS = [
    ("rename", _rename),
    ("overwrite", _overwrite),
    ("setstat", _setstat),
    ("remove", _remove),
    ("list", _list),
    ("read", _read),
    ("fstat", _read),
    ("close", _read),
    ("realpath", _realpath),
]


@pytest.mark.parametrize(("operation", "act"), ACTIONS)
async def test_a_refused_operation_fails_until_it_is_allowed_again(tmp_path: Path, operation: str, act: Action) -> None:
    """A refused operation is answered with an error and changes nothing; taking the fault away lets it pass."""
    faults = Faults(Refuse(operation=operation, path="/out*"))
    with own_server(tmp_path / "remote", faults=faults) as server:
        file = server.root / "out/a.edi"
        file.write_bytes(b"UNB")
        before = file.stat()
        async with client(server) as sftp:
            with pytest.raises((asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure)):
                await act(sftp)
            assert (file.read_bytes(), file.stat().st_mode) == (b"UNB", before.st_mode)
            faults.clear()
            await act(sftp)


@pytest.mark.parametrize(("operation", "act"), ACTIONS)
async def test_a_stalled_operation_hangs_until_released(tmp_path: Path, operation: str, act: Action) -> None:
    """A stalled operation is not answered until the fault is taken away, and then it succeeds."""
    stall = Stall(operation=operation)
    faults = Faults(stall)
    with own_server(tmp_path / "remote") as idle, own_server(tmp_path / "other", faults=faults) as server:
        for root in (idle.root, server.root):
            (root / "out/a.edi").write_bytes(b"UNB")
        async with client(idle) as control_group, client(server) as sftp:
            hanging = asyncio.ensure_future(act(sftp))
            assert await asyncio.to_thread(faults.wait_until_fired, stall)
            await act(control_group)
            assert not hanging.done()
            faults.clear()
            await hanging


async def test_a_client_that_leaves_frees_a_stalled_session(tmp_path: Path) -> None:
    """A session that hangs ends when its client closes the connection, although the stall is still set."""
    faults = Faults(stall := Stall(operation="list"))
    before = set(threading.enumerate())
    with own_server(tmp_path / "remote", faults=faults) as server:
        async with connect(
            server.known_hosts_line, server.username, client_keys=[str(server.private_key)]
        ) as connection:
            sftp = await connection.start_sftp_client()
            hanging = asyncio.ensure_future(sftp.readdir("/"))
            assert await asyncio.to_thread(faults.wait_until_fired, stall)
            ours = [thread for thread in threading.enumerate() if thread not in before and is_ours(thread)]
            connection.abort()
            with pytest.raises(LOST):
                await hanging
        workers = [thread for thread in ours if thread.name != "sftp_test_server"]
        for thread in workers:
            await asyncio.to_thread(thread.join, 5)
        assert [thread.is_alive() for thread in workers] == [False, False]


async def test_a_delay_holds_each_request_up(tmp_path: Path) -> None:
    """A delayed request is answered no earlier than the delay, and others are not held up."""
    faults = Faults(delay := Delay(operation="lstat", seconds=0.3))
    with own_server(tmp_path / "remote", faults=faults) as server:
        async with client(server) as sftp:
            await sftp.stat("/out")
            begun = time.monotonic()
            await sftp.lstat("/out")
            assert time.monotonic() - begun >= 0.3
    assert faults.fired() == {delay: 1}


async def test_a_login_fails_as_often_as_told(tmp_path: Path) -> None:
    """A login fault turns right credentials down, for the user named and as many times as said."""
    faults = Faults(Refuse(operation="login", user="acme", times=1))
    with SftpTestServer(tmp_path, [User("acme", "secret"), User("globex", "secret")], faults=faults) as server:
        async with user(server, "globex"):
            pass
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(server.host_key_line, "acme", password="secret")
        async with user(server, "acme"):
            pass


async def test_a_dropped_login_cuts_the_connection(tmp_path: Path) -> None:
    """A drop at login ends the connection instead of answering."""
    faults = Faults(Drop(operation="login"))
    with SftpTestServer(tmp_path, [User("acme", "secret")], faults=faults) as server:
        with pytest.raises((asyncssh.ConnectionLost, ConnectionError)):
            await connect(server.host_key_line, "acme", password="secret")
        faults.clear()
        async with user(server, "acme"):
            pass


async def test_a_download_breaks_off_at_the_byte_named(tmp_path: Path) -> None:
    """The connection is cut after that many bytes of the file, once; the next attempt gets it whole."""
    faults = Faults(drop := Drop(operation="read", path="*/a.edi", after_bytes=10_000, times=1))
    content = bytes(range(256)) * 400
    with own_server(tmp_path / "remote", faults=faults) as server:
        for name in ("a.edi", "b.edi"):
            (server.root / "out" / name).write_bytes(content)
        async with client(server) as sftp:
            assert await read(await sftp.open("/out/b.edi", "rb")) == content
            file = await sftp.open("/out/a.edi", "rb", block_size=0)
            assert await read(file, 32768, 0) == content[:10_000]
            with pytest.raises(LOST):
                await read(file, 32768, 10_000)
        async with client(server) as sftp:
            assert await read(await sftp.open("/out/a.edi", "rb")) == content
    assert faults.fired() == {drop: 1}


async def test_an_upload_breaks_off_at_the_byte_named(tmp_path: Path) -> None:
    """The connection is cut while a file is written, and exactly so many bytes of it have arrived."""
    faults = Faults()
    with own_server(tmp_path / "remote", faults=faults) as server:
        for times in (1, None):
            faults.set(Drop(operation="write", after_bytes=100_000, times=times))
            async with client(server) as sftp:
                file = await sftp.open("/in/a.edi", "wb", block_size=8192)  # many writes under way when it breaks
                with pytest.raises(LOST):
                    await file.write(b"x" * 300_000)
            assert (server.root / "in/a.edi").read_bytes() == b"x" * 100_000


async def test_a_drop_at_a_request_comes_before_it_is_carried_out(tmp_path: Path) -> None:
    """A connection dropped at a rename leaves the file under its old name."""
    with own_server(tmp_path / "remote", faults=Faults(Drop(operation="rename"))) as server:
        (server.root / "out/a.edi").touch()
        async with client(server) as sftp:
            with pytest.raises(LOST):
                await _rename(sftp)
        assert (server.root / "out/a.edi").exists()


async def test_a_full_disk_takes_what_fits(tmp_path: Path) -> None:
    """A write beyond the room left fails, the file keeps what fitted, and smaller files are taken."""
    with own_server(tmp_path / "remote", faults=Faults(DiskFull(path="/in/*", after_bytes=100))) as server:
        async with client(server) as sftp:
            file = await sftp.open("/in/a.edi", "wb")
            with pytest.raises(asyncssh.SFTPFailure):
                await file.write(b"x" * 101)
            await file.close()
            async with sftp.open("/in/b.edi", "wb") as small, sftp.open("/out/c.edi", "wb") as elsewhere:
                await small.write(b"x" * 100)
                await elsewhere.write(b"x" * 1000)
        sizes = {path.name: path.stat().st_size for path in server.root.rglob("*.edi")}
    assert sizes == {"a.edi": 100, "b.edi": 100, "c.edi": 1000}


@pytest.mark.parametrize("size", [0, 99, None])
async def test_sizes_can_be_wrong_or_missing(tmp_path: Path, size: int | None) -> None:
    """A file's size is misreported where the fault says, and nowhere else; its bytes are all there."""
    with own_server(tmp_path / "remote", faults=Faults(WrongSize(operation="list,fstat", size=size))) as server:
        (server.root / "out/a.edi").write_bytes(b"UNB")
        async with client(server) as sftp:
            listed = {entry.filename: entry.attrs.size for entry in await sftp.readdir("/out")}
            file = await sftp.open("/out/a.edi", "rb", block_size=0)
            assert listed["a.edi"] == (await file.stat()).size == size
            assert (await sftp.stat("/out/a.edi")).size == (await sftp.lstat("/out/a.edi")).size == 3
            assert await read(file, 100) == b"UNB"


async def test_a_fault_strikes_its_user_and_path_only(tmp_path: Path) -> None:
    """Globs pick the users and paths a fault is for; a rename is meant by either of its names."""
    faults = Faults(Refuse(operation="rename", user="ac*", path="/out/done/*.edi"))
    with SftpTestServer(tmp_path, [User("acme", "secret"), User("globex", "secret")], faults=faults) as server:
        for name in ("acme", "globex"):
            (server.home(name) / "out/done").mkdir()
            (server.home(name) / "out/a.edi").touch()
        async with user(server, "acme") as acme, user(server, "globex") as globex:
            await globex.rename("/out/a.edi", "/out/done/a.edi")
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await acme.rename("/out/a.edi", "/out/done/a.edi")
            await acme.rename("/out/a.edi", "/out/done/a.txt")
