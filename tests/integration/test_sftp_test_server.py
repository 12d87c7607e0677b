"""The sFTP test server without faults, seen by two independent clients, and beside OpenSSH where both must agree."""

import asyncio
import stat
import threading
import time
from contextlib import suppress
from functools import partial
from io import BytesIO
from itertools import starmap
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sftp_test_server.server import SftpTestServer, load_host_key
from sftp_test_server.users import User
from tests.servers import ServerUnderTest, own_server
from tests.sftp_clients import LOST, Client, client, connect, is_ours, paramiko_client, user


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
    with own_server(tmp_path / "remote") as server, paramiko_client(server) as sftp:
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
    assert {thread for thread in threading.enumerate() if thread not in before and is_ours(thread)} == set()
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
    with own_server(tmp_path / "remote") as server, paramiko_client(server) as sftp:
        assert sftp.putfo(BytesIO(content), "/in/a.edi").st_size == len(content)
        fetched = BytesIO()
        sftp.getfo("/in/a.edi", fetched)
        assert fetched.getvalue() == content
        assert sftp.listdir("/") == ["in", "out"]
