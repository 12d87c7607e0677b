"""The sFTP test server, seen by two independent clients, and beside OpenSSH where both must agree."""

import asyncio
import json
import signal
import stat
import subprocess
import sys
import threading
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from io import BytesIO
from itertools import starmap
from pathlib import Path

import asyncssh
import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftp_test_server.control import main as control
from sftp_test_server.control import send_command
from sftp_test_server.faults import (
    OPERATIONS,
    Delay,
    DiskFull,
    Drop,
    Fault,
    Faults,
    Refuse,
    Stall,
    WrongSize,
    describe_fault,
    parse_fault,
)
from sftp_test_server.server import SftpTestServer, load_host_key
from sftp_test_server.users import User
from tests.servers import ServerUnderTest, own_server

Client = asyncssh.SFTPClient
Action = Callable[[Client], Awaitable[object]]
# What asyncssh raises when the line breaks depends on whether it is waiting, sending, or has noticed before.
LOST = (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, ConnectionError)


def connect(line: str, username: str, **login: object) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
    """Connect with asyncssh to the server of a known_hosts line, and to no other."""
    address = line.split(maxsplit=1)[0]
    host, port = address.removeprefix("[").split("]:")
    nothing = {"config": None, "agent_path": None, "client_keys": None}
    known_hosts = asyncssh.import_known_hosts(line + "\n")
    return asyncssh.connect(host, int(port), username=username, known_hosts=known_hosts, **(nothing | login))


@asynccontextmanager
async def client(server: ServerUnderTest) -> AsyncGenerator[Client]:
    """Log in by key and open sFTP."""
    async with (
        connect(server.known_hosts_line, server.username, client_keys=[str(server.private_key)]) as connection,
        connection.start_sftp_client() as sftp,
    ):
        yield sftp


@asynccontextmanager
async def user(server: SftpTestServer, name: str, password: str = "secret") -> AsyncGenerator[Client]:
    """Log in by password and open sFTP."""
    async with (
        connect(server.host_key_line, name, password=password) as connection,
        connection.start_sftp_client() as sftp,
    ):
        yield sftp


async def test_files_are_listed_with_size_time_and_kind(sftp_server: ServerUnderTest) -> None:
    """A listing carries each entry's size, modification time and kind."""
    file = sftp_server.root / "out/a.edi"
    file.write_bytes(b"UNA:+.? '")
    async with client(sftp_server) as sftp:
        listed = {str(entry.filename): entry.attrs async for entry in sftp.scandir(f"{sftp_server.remote_root}/out")}
    assert listed.keys() - {".", ".."} == {"a.edi", "done"}
    assert (listed["a.edi"].size, listed["a.edi"].mtime) == (9, int(file.stat().st_mtime))
    assert listed["done"].type == asyncssh.FILEXFER_TYPE_DIRECTORY


async def test_a_file_survives_the_way_there_and_back(sftp_server: ServerUnderTest, tmp_path: Path) -> None:
    """A file larger than any packet is stored and read back byte for byte."""
    content = bytes(range(256)) * 5000
    (tmp_path / "local").write_bytes(content)
    async with client(sftp_server) as sftp:
        await sftp.put(tmp_path / "local", f"{sftp_server.remote_root}/in/a.edi")
        await sftp.get(f"{sftp_server.remote_root}/in/a.edi", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (sftp_server.root / "in/a.edi").read_bytes() == content


async def test_open_flags_are_honoured(sftp_server: ServerUnderTest) -> None:
    """Append adds at the end, exclusive creation refuses what exists, truncation empties, and plain writing keeps."""
    path, local = f"{sftp_server.remote_root}/in/a.edi", sftp_server.root / "in/a.edi"
    local.write_bytes(b"UNB")
    async with client(sftp_server) as sftp:
        async with sftp.open(path, "ab") as file:
            await file.write(b"UNZ")
        assert local.read_bytes() == b"UNBUNZ"
        with pytest.raises(asyncssh.SFTPFailure):
            await sftp.open(path, "xb")
        async with sftp.open(path, "r+b") as file:
            await file.write(b"ISA")
        assert local.read_bytes() == b"ISAUNZ"
        async with sftp.open(path, "wb"):
            pass
    assert local.read_bytes() == b""


async def test_rename_does_not_replace(sftp_server: ServerUnderTest) -> None:
    """A rename moves a file, and refuses a name that exists, as sFTP version 3 has it."""
    root, local = sftp_server.remote_root, sftp_server.root
    (local / "out/a.edi").write_bytes(b"new")
    (local / "out/b.edi").write_bytes(b"old")
    async with client(sftp_server) as sftp:
        with pytest.raises(asyncssh.SFTPFailure):
            await sftp.rename(f"{root}/out/a.edi", f"{root}/out/b.edi")
        await sftp.rename(f"{root}/out/a.edi", f"{root}/out/done/a.edi")
    assert (local / "out/b.edi").read_bytes() == b"old"
    assert (local / "out/done/a.edi").read_bytes() == b"new"


async def test_folders_and_files_come_and_go(sftp_server: ServerUnderTest) -> None:
    """Folders are made and removed when empty, files deleted, and what is not there is reported as such."""
    root = sftp_server.remote_root
    (sftp_server.root / "out/a.edi").touch()
    async with client(sftp_server) as sftp:
        await sftp.mkdir(f"{root}/new")
        assert (sftp_server.root / "new").is_dir()
        await sftp.rmdir(f"{root}/new")
        assert not (sftp_server.root / "new").exists()
        with pytest.raises(asyncssh.SFTPFailure):
            await sftp.rmdir(f"{root}/out")
        await sftp.remove(f"{root}/out/a.edi")
        for request in (sftp.remove, sftp.stat, sftp.readdir, sftp.open):
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await request(f"{root}/out/a.edi")


async def test_attributes_can_be_set(sftp_server: ServerUnderTest) -> None:
    """Size, mode and times are changed on a path and on an open file; truncation keeps the bytes before the cut."""
    local = sftp_server.root / "in/a.edi"
    local.write_bytes(b"UNB+UNOC:3")
    async with client(sftp_server) as sftp:
        path = f"{sftp_server.remote_root}/in/a.edi"
        await sftp.setstat(path, asyncssh.SFTPAttrs(size=6, permissions=0o600))
        async with sftp.open(path, "r+b") as file:
            await file.setstat(asyncssh.SFTPAttrs(atime=1_700_000_000, mtime=1_600_000_000))
            assert (await file.stat()).mtime == 1_600_000_000
    assert (local.read_bytes(), stat.S_IMODE(local.stat().st_mode)) == (b"UNB+UN", 0o600)
    assert local.stat().st_mtime == 1_600_000_000


async def test_links_are_followed_or_not_as_asked(sftp_server: ServerUnderTest) -> None:
    """A link within the mailbox is followed by stat and open, shown by lstat, and deleted without its target."""
    root = sftp_server.remote_root
    (sftp_server.root / "out/a.edi").write_bytes(b"UNB")
    (sftp_server.root / "out/link").symlink_to("a.edi")
    async with client(sftp_server) as sftp:
        assert (await sftp.stat(f"{root}/out/link")).size == 3
        assert (await sftp.lstat(f"{root}/out/link")).type == asyncssh.FILEXFER_TYPE_SYMLINK
        await sftp.remove(f"{root}/out/link")
    assert [path.name for path in (sftp_server.root / "out").iterdir() if path.is_file()] == ["a.edi"]


async def test_paths_are_made_absolute(sftp_server: ServerUnderTest) -> None:
    """Realpath answers an absolute path without dots."""
    root = sftp_server.remote_root
    async with client(sftp_server) as sftp:
        assert await sftp.realpath(f"{root}/out/./done/../done") == f"{root}/out/done"


async def test_no_rename_that_replaces_is_on_offer(tmp_path: Path) -> None:
    """The server has no posix-rename, so that a client has to fall back."""
    with own_server(tmp_path / "remote") as server:
        (server.root / "out/a.edi").touch()
        async with client(server) as sftp:
            with pytest.raises(asyncssh.SFTPOpUnsupported):
                await sftp.posix_rename("/out/a.edi", "/out/b.edi")


async def test_the_root_is_the_home_and_dots_do_not_leave_it(tmp_path: Path) -> None:
    """The client's `/`, its current folder and any number of `..` above are all the user's home."""
    with own_server(tmp_path / "remote") as server:
        async with client(server) as sftp:
            names = {await sftp.realpath(path) for path in (".", "/", "..", "/../../..", "//")}
            assert names == {"/"}
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.rmdir("/")


def test_no_path_leads_out_of_the_mailbox(tmp_path: Path) -> None:
    """No mixture of dots, absolute paths and links lets a client read, change or make a file outside its home."""
    secret = tmp_path / "secret.edi"
    secret.write_bytes(b"secret")
    with own_server(tmp_path / "remote") as server, _paramiko(server) as sftp:
        (server.root / "up").symlink_to("..")
        (server.root / "in/root").symlink_to("/")
        (server.root / "in/secret").symlink_to(secret)
        (server.root / "in/new").symlink_to(tmp_path / "new.edi")
        (server.root / "in/mine").touch()
        parts = ("..", ".", "", "up", "in", "root", "secret", "new", "secret.edi", *tmp_path.parts[1:])

        @given(path=st.lists(st.sampled_from(parts), max_size=8).map("/".join))
        def attempt(path: str) -> None:
            for prefix in ("", "/", "in/secret/", str(tmp_path) + "/", "up/", "in/root" + str(tmp_path) + "/"):
                for mode in ("r", "w"):
                    with suppress(OSError), sftp.open(prefix + path, mode) as file:
                        assert file.read(1) == b""  # nothing but what it made itself, inside
                for request in (sftp.remove, sftp.mkdir, partial(sftp.rename, "/in/mine")):
                    with suppress(OSError):
                        request(f"{prefix}{path}/secret.edi")

        attempt()
    assert secret.read_bytes() == b"secret"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["remote", "secret.edi"]


async def test_login_by_password_key_or_not_at_all(tmp_path: Path) -> None:
    """A user gets in with the password or the key noted down, and nobody with anything else."""
    key, other = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    acme = User("acme", "secret", (key.export_public_key().decode(),))
    with SftpTestServer(tmp_path, [acme]) as server:
        async with connect(server.host_key_line, "acme", password="secret") as connection:
            assert connection.get_extra_info("username") == "acme"
        async with connect(server.host_key_line, "acme", client_keys=[key]):
            pass
        for name, login in (
            ("acme", {"password": "wrong"}),
            ("acme", {"client_keys": [other]}),
            ("nobody", {"password": "secret"}),
        ):
            with pytest.raises(asyncssh.PermissionDenied):
                await connect(server.host_key_line, name, **login)


async def test_each_user_has_a_mailbox_of_their_own(tmp_path: Path) -> None:
    """Users see their own home only, with the folders made for them."""
    users = [User("acme", "secret", folders=("orders",)), User("globex", "secret", home="shared/globex")]
    with SftpTestServer(tmp_path, users) as server:
        (server.home("acme") / "orders/a.edi").touch()
        async with user(server, "acme") as acme, user(server, "globex") as globex:
            assert await acme.listdir("/orders") == ["a.edi"]
            assert await globex.listdir("/") == ["in", "out"]
    assert server.home("globex") == tmp_path / "shared/globex"


def test_a_user_that_cannot_be_is_refused() -> None:
    """A user without credentials, with a broken key or with folders elsewhere is refused with the reason."""
    with pytest.raises(ValueError, match="user 'acme' cannot log in"):
        User("acme")
    with pytest.raises(ValueError, match="not a public key line: 'ssh-rsa'"):
        User("acme", public_keys=("ssh-rsa",))
    with pytest.raises(ValueError, match=r"folder '\.\./globex' leaves the mailbox"):
        User("acme", "secret", folders=("../globex",))


async def test_the_host_key_is_the_one_announced(tmp_path: Path) -> None:
    """A kept host key stays the same over a restart, a fresh one does not, and the fingerprint is OpenSSH's."""
    acme, kept = [User("acme", "secret")], tmp_path / "host_key"
    with SftpTestServer(tmp_path, acme, host_key=load_host_key(kept)) as first:
        async with connect(first.host_key_line, "acme", password="secret") as connection:
            host_key = connection.get_server_host_key()
            assert host_key is not None
            assert host_key.get_fingerprint() == first.fingerprint
    assert load_host_key(kept).fingerprint == first.fingerprint
    with SftpTestServer(tmp_path, acme) as other:
        impostor = f"{other.host_key_line.split(maxsplit=1)[0]} {first.host_key_line.split(maxsplit=1)[1]}"
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await connect(impostor, "acme", password="secret")


async def test_many_sessions_at_once_and_none_left_behind(tmp_path: Path) -> None:
    """Twenty clients work side by side; stopping cuts those still there and ends every thread."""
    before = set(threading.enumerate())
    with SftpTestServer(tmp_path, [User("acme", "secret")]) as server:
        connections = await asyncio.gather(
            *(connect(server.host_key_line, "acme", password="secret") for _ in range(20))
        )
        sessions = await asyncio.gather(*(connection.start_sftp_client() for connection in connections))

        async def work(number: int, sftp: Client) -> None:
            for turn in range(5):
                async with sftp.open(f"/in/{number}-{turn}.tmp", "wb") as file:
                    await file.write(b"x" * 4096)
                await sftp.rename(f"/in/{number}-{turn}.tmp", f"/in/{number}-{turn}.edi")

        await asyncio.gather(*starmap(work, enumerate(sessions)))
        stored = {path.name: path.stat().st_size for path in (server.home("acme") / "in").iterdir()}
        assert stored == {f"{number}-{turn}.edi": 4096 for number in range(20) for turn in range(5)}
    assert {thread for thread in threading.enumerate() if thread not in before and _is_ours(thread)} == set()
    with pytest.raises(LOST):
        await sessions[0].stat("/in")
    for connection in connections:
        await connection.wait_closed()


async def test_a_thousand_files_take_a_few_seconds(tmp_path: Path) -> None:
    """A thousand small files are fetched quickly with many requests in flight."""
    with own_server(tmp_path / "remote") as server:
        for number in range(1000):
            (server.root / f"out/{number}.edi").write_bytes(b"x" * 4096)
        slots = asyncio.Semaphore(32)
        async with client(server) as sftp:

            async def fetch(name: str) -> int:
                async with slots, sftp.open(f"/out/{name}", "rb", block_size=0) as file:
                    return len(await file.read(65536))

            begun = time.monotonic()
            names = [str(name) for name in await sftp.listdir("/out") if name != "done"]
            sizes = await asyncio.gather(*map(fetch, names))
    assert sizes == [4096] * 1000
    assert time.monotonic() - begun < 15  # under one on an idle machine


def test_paramikos_client_agrees(tmp_path: Path) -> None:
    """A second client, with requests sent ahead of their answers, stores and fetches as well."""
    content = bytes(range(256)) * 4000
    with own_server(tmp_path / "remote") as server, _paramiko(server) as sftp:
        assert sftp.putfo(BytesIO(content), "/in/a.edi").st_size == len(content)
        fetched = BytesIO()
        sftp.getfo("/in/a.edi", fetched)
        assert fetched.getvalue() == content
        assert sftp.listdir("/") == ["in", "out"]


async def read(file: asyncssh.SFTPClientFile, size: int = -1, offset: int | None = None) -> bytes:
    """Read from a file opened for bytes."""
    data = await file.read(size, offset)
    assert isinstance(data, bytes)
    return data


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
            ours = [thread for thread in threading.enumerate() if thread not in before and _is_ours(thread)]
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


FAULTS = st.builds(
    lambda kind, operations, **common: kind(operation=",".join(operations), **common),
    st.sampled_from([Refuse, Stall, Drop, DiskFull, WrongSize]),
    st.lists(st.sampled_from(OPERATIONS), min_size=1),
    user=st.text(),
    path=st.text(),
    times=st.none() | st.integers(min_value=1),
)


@given(fault=FAULTS | st.builds(Delay, seconds=st.floats(min_value=0, allow_infinity=False)))
def test_a_fault_reads_back_from_its_json_form(fault: Fault) -> None:
    """Writing a fault as JSON and reading it again gives the same fault."""
    assert parse_fault(json.loads(json.dumps(describe_fault(fault)))) == fault


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("refuse", "a fault is an object such as"),
        ({"fault": "explode"}, "unknown fault 'explode': known are refuse, delay"),
        ({"fault": "refuse", "operation": "renam"}, "unknown operation renam: known are login, open"),
        ({"fault": "refuse", "pth": "/out"}, "fault refuse has no 'pth': known are operation, user, path, times"),
        ({"fault": "drop", "after_bytes": "many"}, "fault drop: after_bytes is 'many', expected int"),
        ({"fault": "delay"}, "fault delay needs seconds"),
        ({"fault": "stall", "times": 0}, "times is 0: write 1 or more"),
    ],
)
def test_a_misspelt_fault_is_refused(document: object, complaint: str) -> None:
    """What cannot be a fault is refused with what was found and what would do."""
    with pytest.raises(ValueError, match=complaint):
        parse_fault(document)


async def test_the_command_line_serves_and_its_faults_are_set_from_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Started as a program it says where it listens, obeys its control socket, and ends cleanly when told to."""
    config, socket = tmp_path / "users.yaml", tmp_path / "control"
    config.write_text(
        "users: {acme: {password: secret, folders: [out]}}\nfaults: [{fault: refuse, operation: remove}]\n"
    )
    command = [sys.executable, "-m", "sftp_test_server", "--root", str(tmp_path), "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, "--json", "--control", str(socket), stdout=PIPE)
    try:
        assert process.stdout is not None
        where = json.loads(await process.stdout.readline())
        (tmp_path / "acme/out/a.edi").touch()
        async with connect(where["known_hosts"], "acme", password="secret") as connection:
            sftp = await connection.start_sftp_client()
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.remove("/out/a.edi")
            assert control([str(socket), "set", "refuse", "operation=rename", "path=*", "times=1"]) == 0
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await _rename(sftp)
            assert [fault["fired"] for fault in send_command(socket, {"list": True})] == [1]
            assert control([str(socket), "add", "disk_full", "after_bytes=5"]) == 0
            assert len(capsys.readouterr().out.splitlines()) == 3
            assert control([str(socket), "clear"]) == 0
            await sftp.remove("/out/a.edi")
        assert control([str(socket), "set", "refuse", "operation=fly"]) == 1
        assert "unknown operation fly" in capsys.readouterr().err
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert not socket.exists()


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("users: [acme]", "expected `users`, a mapping"),
        ("users: {acme: {pasword: secret}}", "expected a mapping with some of password, public_keys, home, folders"),
        ("users: {acme: {password: x, folders: out}}", "user 'acme': folders is 'out'; expected a list"),
        ("{", "users.yaml"),
        ("users: {}", "nobody could log in: give --user"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_reason(tmp_path: Path, config: str, complaint: str) -> None:
    """The program does not start from a configuration it does not understand, and says what it expected."""
    file = tmp_path / "users.yaml"
    file.write_text(config)
    command = [sys.executable, "-m", "sftp_test_server", "--root", str(tmp_path), "--config", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert complaint in ended.stderr


def _paramiko(server: ServerUnderTest) -> paramiko.SFTPClient:
    transport = paramiko.Transport((server.host, server.port))
    transport.connect(username=server.username, password=server.password)
    sftp = paramiko.SFTPClient.from_transport(transport)
    assert sftp is not None
    return sftp


def _is_ours(thread: threading.Thread) -> bool:
    return type(thread).__module__.startswith("paramiko") or thread.name == "sftp_test_server"
