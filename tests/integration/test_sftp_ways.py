"""Jump hosts and certificates, proved at OpenSSH's sshd."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.hostkeys import HostKeyError, fetch_host_keys
from edi_gateway.transports.sftp.opening import LoginError, through_jump
from edi_gateway.transports.sftp.source import SftpSource
from sftp_test_server.faults import Faults, Stall
from tests.integration.sftp_support import Leaks, Recall, options, poll, poll_twice, put
from tests.servers import ServerUnderTest, openssh_server, own_server


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def own(tmp_path: Path, faults: Faults) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "remote", faults=faults) as server:
        yield server


@pytest.fixture
def bastion(tmp_path: Path) -> Iterator[ServerUnderTest]:
    with openssh_server(tmp_path / "bastion") as server:
        yield server


def public_line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def through(jump: ServerUnderTest, **more: Any) -> dict[str, Any]:
    """The option that leads through that server."""
    keys = ("host", "port", "username", "private_key", "host_key")
    return {"jump": {**{key: options(jump, "")[key] for key in keys}, **more}}


async def test_files_arrive_through_a_jump_host(own: ServerUnderTest, bastion: ServerUnderTest) -> None:
    """Host keys and logins of both are proved; closing ends both connections."""
    put(own.root / "out", "a.edi", b"x" * 300_000)
    leaks = Leaks()
    source = SftpSource(**options(own, "out", after="delete", **through(bastion)))
    assert await poll_twice(source, Recall()) == {"a.edi": b"x" * 300_000}
    await source.close()
    await leaks.none()


async def test_a_jump_host_with_another_key_is_not_passed(own: ServerUnderTest, bastion: ServerUnderTest) -> None:
    """The jump host's own pin counts, and it is named."""
    source = SftpSource(
        **options(own, "out", **through(bastion, host_key=public_line(asyncssh.generate_private_key("ssh-ed25519"))))
    )
    with pytest.raises(HostKeyError, match=rf"127\.0\.0\.1:{bastion.port}: changed host key"):
        await poll(source, Recall())


async def test_a_server_with_another_key_is_not_trusted_behind_a_jump_host(
    own: ServerUnderTest, bastion: ServerUnderTest
) -> None:
    """A jump host vouches for nobody, and nothing stays open at it."""
    leaks = Leaks()
    other = public_line(asyncssh.generate_private_key("ssh-ed25519"))
    source = SftpSource(**options(own, "out", host_key=other, **through(bastion)))
    with pytest.raises(HostKeyError, match=rf"127\.0\.0\.1:{own.port}: changed host key"):
        await poll(source, Recall())
    await leaks.none()


async def test_a_jump_host_that_refuses_the_login_is_named(own: ServerUnderTest, bastion: ServerUnderTest) -> None:
    """The error is about the account at the jump host."""
    key = f"${{file:{own.private_key}}}"
    source = SftpSource(**options(own, "out", **through(bastion, private_key=key)))
    with pytest.raises(LoginError, match=rf"@127\.0\.0\.1:{bastion.port}: cannot log in"):
        await poll(source, Recall())


async def test_a_server_the_jump_host_cannot_reach_is_told(own: ServerUnderTest, bastion: ServerUnderTest) -> None:
    """The way ends behind the jump host, which is said."""
    source = SftpSource(**{**options(own, "out", **through(bastion)), "port": 1})
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1: cannot connect through the jump host: "):
        await poll(source, Recall())


@pytest.mark.parametrize("operation", ["accept", "login", "read"])
async def test_a_server_that_hangs_behind_a_jump_host_is_left_in_time(
    own: ServerUnderTest, bastion: ServerUnderTest, faults: Faults, operation: str
) -> None:
    """The limits hold for the whole way, and nothing of it stays open."""
    put(own.root / "out", "a.edi", b"x")
    limits = {"connect_timeout": "2s", "request_timeout": "300ms"}
    leaks = Leaks()
    memory = Recall()
    source = SftpSource(**options(own, "out", **limits, **through(bastion)))
    await poll(source, memory)
    if operation != "read":
        await source.close()
    faults.set(Stall(operation=operation))
    begun = time.monotonic()
    with pytest.raises(TransientError, match="no answer within"):
        await poll(source, memory)
    assert time.monotonic() - begun < 5
    faults.clear()
    assert await poll(source, memory) == {"a.edi": b"x"}
    await source.close()
    await leaks.none()


async def test_a_check_tells_the_steps_through_a_jump_host(own: ServerUnderTest, bastion: ServerUnderTest) -> None:
    """Name and TCP are those of the jump host, which comes first; then the server's own steps."""
    source = SftpSource(**options(own, "out", after="delete", **through(bastion)))
    steps = [step async for step in source.check()]
    assert [step.name for step in steps] == ["DNS", "TCP", "jump", "host key", "login", "list", "clear"]
    assert all(step.ok for step in steps), steps
    assert steps[1].detail.startswith("SSH-2.0-OpenSSH")
    assert f"{bastion.username}@127.0.0.1:{bastion.port}" in steps[2].detail


async def test_a_check_ends_at_the_jump_host_that_fails(own: ServerUnderTest, bastion: ServerUnderTest) -> None:
    """A refused login there is no failure of the server behind it."""
    key = f"${{file:{own.private_key}}}"
    source = SftpSource(**options(own, "out", **through(bastion, private_key=key)))
    steps = [step async for step in source.check()]
    assert [(step.name, step.ok) for step in steps] == [("DNS", True), ("TCP", True), ("jump", False)]


async def test_host_keys_are_fetched_through_a_jump_host(own: ServerUnderTest, bastion: ServerUnderTest) -> None:
    """What is shown is the key of the server, not that of the jump host."""
    source = SftpSource(**options(own, "out", **through(bastion)))
    async with through_jump(source) as jump:
        keys = await fetch_host_keys(own.host, own.port, jump)
    assert [line for _, _, line in keys] == [own.known_hosts_line]


async def test_a_certified_key_logs_in_at_a_certified_host(tmp_path: Path) -> None:
    """An @cert-authority line trusts the host, and the certificate of our key, read at each login, lets us in."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"@cert-authority * {public_line(authority)}\n")
    with openssh_server(tmp_path / "remote", authority=authority) as server:
        assert server.private_key
        put(server.root / "out", "a.edi", b"x")
        trusting = {"host_key": (), "known_hosts": str(known_hosts)}
        certificate = server.private_key.with_name("id_ed25519-cert.pub")
        source = SftpSource(**options(server, "out", **trusting, certificate=str(certificate)))
        assert await poll_twice(source, Recall()) == {"a.edi": b"x"}
        await source.close()
        with pytest.raises(LoginError):
            await poll(SftpSource(**options(server, "out", **trusting)), Recall())
        known_hosts.write_text(f"@cert-authority * {public_line(asyncssh.generate_private_key('ssh-ed25519'))}\n")
        with pytest.raises(HostKeyError):
            await poll(source, Recall())
        certificate.unlink()
        known_hosts.write_text(f"@cert-authority * {public_line(authority)}\n")
        with pytest.raises(TransientError, match="cannot read its certificate: No such file"):
            await poll(source, Recall())


async def test_many_polls_through_one_jump_host_do_not_disturb_each_other(
    own: ServerUnderTest, bastion: ServerUnderTest
) -> None:
    """Each has its own way through."""
    put(own.root / "out", "a.edi", b"x")
    made = [SftpSource(**options(own, "out", **through(bastion))) for _ in range(4)]
    try:
        assert await asyncio.gather(*(poll_twice(source, Recall()) for source in made)) == [{"a.edi": b"x"}] * 4
    finally:
        await asyncio.gather(*(source.close() for source in made))
