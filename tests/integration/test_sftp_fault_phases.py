"""Faults before any file is touched: TCP accept, banner, key exchange, login, the opening of sFTP."""

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path

import asyncssh
import pytest

from sftp_test_server.faults import Delay, Drop, Faults, OtherHostKey, Refuse, Stall
from sftp_test_server.server import SftpTestServer
from sftp_test_server.users import User
from tests.servers import own_server
from tests.sftp_clients import LOST, client, connect, is_ours, openssh_sftp, user

PHASES = ["accept", "banner", "kex", "login", "subsystem", "init"]
ACME = User("acme", "secret")


@pytest.mark.parametrize("phase", PHASES)
async def test_a_stalled_phase_hangs_until_released(tmp_path: Path, phase: str) -> None:
    """A client hangs in the phase named, and gets on with its work when the fault is taken away."""
    faults = Faults(stall := Stall(operation=phase))
    with own_server(tmp_path / "remote", faults=faults) as server:

        async def work() -> list[str]:
            async with client(server) as sftp:
                return [str(name) for name in await sftp.listdir("/")]

        hanging = asyncio.ensure_future(work())
        assert await asyncio.to_thread(faults.wait_until_fired, stall)
        assert not hanging.done()
        faults.clear()
        assert await hanging == ["in", "out"]


@pytest.mark.parametrize(
    ("phase", "heard"), [("accept", b""), ("banner", b""), ("kex", b"SSH-2.0-"), ("login", b"SSH-2.0-")]
)
async def test_a_stalled_phase_says_no_more_than_the_ones_before(tmp_path: Path, phase: str, heard: bytes) -> None:
    """A connection is taken by the kernel although nobody accepts it; the banner is sent before the key exchange."""
    stall = Stall(operation=phase)
    with SftpTestServer(tmp_path, [ACME], faults=Faults(stall)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"SSH-2.0-test\r\n")
        if phase != "login":
            assert await asyncio.to_thread(server.faults.wait_until_fired, stall)
        first = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2 if not heard else 5):
                first = await reader.read(8)
        assert first == heard
        writer.close()


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", [Drop, Refuse])
async def test_a_phase_that_fails_ends_the_attempt(
    tmp_path: Path, phase: str, fault: type[Drop] | type[Refuse]
) -> None:
    """A connection that is cut or refused in any phase fails for the client; once, and the next attempt succeeds."""
    strike = fault(operation=phase, times=1)
    with SftpTestServer(tmp_path, [ACME], faults=Faults(strike)) as server:
        with pytest.raises((*LOST, asyncssh.Error)):
            async with user(server, "acme"):
                pass
        assert server.faults.fired() == {strike: 1}
        async with user(server, "acme"):
            pass


@pytest.mark.parametrize("phase", PHASES)
async def test_a_delayed_phase_takes_its_time(tmp_path: Path, phase: str) -> None:
    """A delay holds the phase up, and then the connection works."""
    delay = Delay(operation=phase, seconds=0.2)
    with SftpTestServer(tmp_path, [ACME], faults=Faults(delay)) as server:
        begun = time.monotonic()
        async with user(server, "acme"):
            assert time.monotonic() - begun >= 0.2
        assert server.faults.fired() == {delay: 1}


@pytest.mark.parametrize("phase", ["banner", "kex", "login", "subsystem", "init"])
async def test_a_client_that_gives_up_frees_the_server(tmp_path: Path, phase: str) -> None:
    """The threads of a connection that hangs end when its client goes, although the stall is still set."""
    before = set(threading.enumerate())
    faults = Faults(stall := Stall(operation=phase))
    with SftpTestServer(tmp_path, [ACME], faults=faults) as server:
        attempt = asyncio.ensure_future(_open(server.host_key_line))
        assert await asyncio.to_thread(faults.wait_until_fired, stall)
        attempt.cancel()
        with suppress(asyncio.CancelledError):
            await attempt
        ours = [thread for thread in threading.enumerate() if thread not in before and is_ours(thread)]
        workers = [thread for thread in ours if thread.name != "sftp_test_server"]
        for thread in workers:
            await asyncio.to_thread(thread.join, 5)
        assert not any(thread.is_alive() for thread in workers)


async def test_stopping_ends_connections_in_any_phase(tmp_path: Path) -> None:
    """A server stops at once although clients hang in every phase, and leaves no thread behind."""
    before = set(threading.enumerate())
    with SftpTestServer(tmp_path, [ACME]) as server:
        hanging = []
        for phase in reversed(PHASES):
            server.faults.add(stall := Stall(operation=phase))
            hanging.append(asyncio.ensure_future(_open(server.host_key_line)))
            assert await asyncio.to_thread(server.faults.wait_until_fired, stall)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert {thread for thread in threading.enumerate() if thread not in before and is_ours(thread)} == set()
    for attempt in hanging:
        with pytest.raises((*LOST, asyncssh.Error)):
            await attempt


async def test_another_host_key_is_shown_for_as_long_as_told(tmp_path: Path) -> None:
    """The key changes under the client, is announced, stays the same while the fault is set, and changes back."""
    with SftpTestServer(tmp_path, [ACME]) as server:
        async with user(server, "acme") as sftp:
            server.faults.set(changed := OtherHostKey())
            for _ in range(2):
                with pytest.raises(asyncssh.HostKeyNotVerifiable):
                    await connect(server.host_key_line, "acme", password="secret")
                async with connect(server.other_host_key_line, "acme", password="secret") as connection:
                    key = connection.get_server_host_key()
                    assert key is not None
                    assert key.get_fingerprint() == server.other_fingerprint != server.fingerprint
            assert server.faults.fired() == {changed: 4}
            await sftp.listdir("/")  # a connection that stands keeps its key
            server.faults.clear()
        async with user(server, "acme"):
            pass


def test_openssh_sees_the_changed_host_key(tmp_path: Path) -> None:
    """OpenSSH's client warns of the changed key and shows its fingerprint."""
    with own_server(tmp_path / "remote", faults=Faults(OtherHostKey(times=1))) as server:
        refused = openssh_sftp(server, "ls /")
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.stderr
        assert openssh_sftp(server, "ls /").returncode == 0


async def _open(host_key_line: str) -> None:
    """Connect and open sFTP, until cancelled or cut off."""
    async with connect(host_key_line, "acme", password="secret") as connection, connection.start_sftp_client():
        pass
