"""Who is at the other end: host keys pinned, unknown, changed and certified; and what we show of ourselves."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from edi_gateway.errors import TransientError
from edi_gateway.transports.sftp.hostkeys import HostKeyError, fetch_host_keys
from edi_gateway.transports.sftp.source import SftpSource
from tests.integration.sftp_support import Recall, options, password, poll
from tests.servers import PASSWORD, USERNAME, ServerUnderTest, own_server

OTHER_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ServerUnderTest]:
    with own_server(tmp_path / "remote") as server:
        yield server


def public_line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def known_hosts(tmp_path: Path, *lines: str) -> dict[str, Any]:
    path = tmp_path / "known_hosts"
    path.write_text("".join(f"{line}\n" for line in lines))
    return {"host_key": (), "known_hosts": str(path)}


async def look(server: ServerUnderTest, **more: Any) -> None:
    source = SftpSource(**options(server, "out", **more))
    try:
        await poll(source, Recall())
    finally:
        await source.close()


async def test_a_pinned_key_among_several_opens_the_connection(sftp_server: ServerUnderTest) -> None:
    """Any of the pinned keys will do, so that a server can change its key without an outage."""
    pinned = sftp_server.known_hosts_line.split(" ", 1)[1]
    await look(sftp_server, host_key=[public_line(asyncssh.generate_private_key("ssh-ed25519")), pinned])


async def test_a_known_hosts_file_opens_the_connection(sftp_server: ServerUnderTest, tmp_path: Path) -> None:
    """The file is in OpenSSH's format; other hosts in it do not matter."""
    other = f"elsewhere.example {public_line(asyncssh.generate_private_key('ssh-ed25519'))}"
    await look(sftp_server, **known_hosts(tmp_path, other, sftp_server.known_hosts_line))


async def test_an_unknown_host_is_told_with_its_fingerprint(sftp_server: ServerUnderTest, tmp_path: Path) -> None:
    """The error shows the key that was seen and how to come to trust it."""
    shown = asyncssh.import_public_key(sftp_server.known_hosts_line.split(" ", 1)[1]).get_fingerprint()
    with pytest.raises(HostKeyError) as caught:
        await look(sftp_server, **known_hosts(tmp_path))
    assert "unknown host key" in str(caught.value)
    assert shown in str(caught.value)
    assert "edi-gateway trust 127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("algorithm", OTHER_KEYS)
async def test_a_changed_key_is_told_with_both_fingerprints(sftp_server: ServerUnderTest, algorithm: str) -> None:
    """A key other than the pinned one, be it of the same or of another type, is not taken for an unknown host."""
    pinned = asyncssh.generate_private_key(algorithm)
    shown = asyncssh.import_public_key(sftp_server.known_hosts_line.split(" ", 1)[1])
    with pytest.raises(HostKeyError) as caught:
        await look(sftp_server, host_key=public_line(pinned))
    assert "changed host key" in str(caught.value)
    assert shown.get_fingerprint() in str(caught.value)
    assert pinned.get_fingerprint() in str(caught.value)


async def test_a_revoked_key_is_refused(sftp_server: ServerUnderTest, tmp_path: Path) -> None:
    """A known_hosts line marked @revoked outweighs the one that trusts the key."""
    lines = known_hosts(tmp_path, sftp_server.known_hosts_line, f"@revoked {sftp_server.known_hosts_line}")
    with pytest.raises(HostKeyError, match="revoked"):
        await look(sftp_server, **lines)


async def test_a_known_hosts_file_that_is_gone_is_told(own: ServerUnderTest, tmp_path: Path) -> None:
    """A missing file does not mean that everybody is trusted, be it missing from the start or later."""
    file = tmp_path / "gone"
    with pytest.raises(ValueError, match="there is no file"):
        SftpSource(**options(own, "out", host_key=(), known_hosts=str(file)))
    file.touch()
    source = SftpSource(**options(own, "out", host_key=(), known_hosts=str(file)))
    file.unlink()
    with pytest.raises(HostKeyError, match=r"known_hosts .*gone cannot be used"):
        await poll(source, Recall())


async def test_a_check_names_the_host_key_as_the_failed_step(own: ServerUnderTest, tmp_path: Path) -> None:
    """Login is not tried at a server that cannot prove who it is."""
    source = SftpSource(**options(own, "out", **known_hosts(tmp_path)))
    steps = [step async for step in source.check()]
    assert [("DNS", True), ("TCP", True), ("host key", False)] == [(step.name, step.ok) for step in steps]


async def test_host_keys_are_fetched_for_a_person_to_compare(sftp_server: ServerUnderTest) -> None:
    """Algorithm, fingerprint and known_hosts line are those of the server."""
    keys = await fetch_host_keys(sftp_server.host, sftp_server.port)
    fingerprint = asyncssh.import_public_key(sftp_server.known_hosts_line.split(" ", 1)[1]).get_fingerprint()
    assert [(sftp_server.known_hosts_line.split()[1], fingerprint, sftp_server.known_hosts_line)] == keys


async def test_a_server_that_does_not_answer_has_no_host_keys() -> None:
    """The reason is told, not an empty list."""
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1: cannot get a host key: .*check host and port"):
        await fetch_host_keys("127.0.0.1", 1)


class OneUser(asyncssh.SSHServer):
    """Lets the user in who knows the password."""

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USERNAME, PASSWORD)


class Silence(asyncssh.SSHServerSession[bytes]):
    """Starts sFTP and never says a word."""

    def subsystem_requested(self, subsystem: str) -> bool:  # noqa: ARG002
        return True


class SilentServer(OneUser):
    """Answers until the login, and then nothing."""

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        return Silence()


@asynccontextmanager
async def asyncssh_server(tmp_path: Path, **more: Any) -> AsyncIterator[ServerUnderTest]:
    """A third server, for what the other two do not have: host certificates and algorithms of yesterday."""
    root = tmp_path / "remote"
    (root / "out").mkdir(parents=True)
    key = asyncssh.generate_private_key("ssh-rsa")
    settings = {"server_factory": OneUser, "server_host_keys": [key], **more}

    def jailed(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(root).encode())

    listener = await asyncssh.listen("127.0.0.1", 0, **{"sftp_factory": jailed, **settings})
    async with listener:
        port = listener.get_port()
        line = f"[127.0.0.1]:{port} {public_line(key)}"
        yield ServerUnderTest("asyncssh", "127.0.0.1", port, USERNAME, tmp_path, PASSWORD, line, root, "")


async def test_a_certified_host_needs_no_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An @cert-authority line trusts every host its authority vouches for, and no other."""
    authority, host = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_host_certificate(host, "sftp.speedy.example", principals=["127.0.0.1"])
    foreign = asyncssh.generate_private_key("ssh-ed25519")
    more = password(monkeypatch)
    async with asyncssh_server(tmp_path, server_host_keys=[(host, certificate)]) as server:
        await look(server, **more, **known_hosts(tmp_path, f"@cert-authority * {public_line(authority)}"))
        with pytest.raises(HostKeyError):
            await look(server, **more, **known_hosts(tmp_path, f"@cert-authority * {public_line(foreign)}"))


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
@pytest.mark.parametrize(
    ("server_offers", "name"),
    [
        ({"kex_algs": ["diffie-hellman-group1-sha1"]}, "diffie-hellman-group1-sha1"),
        ({"kex_algs": ["diffie-hellman-group14-sha1"]}, "diffie-hellman-group14-sha1"),
        ({"encryption_algs": ["aes128-cbc"]}, "aes128-cbc"),
    ],
)
async def test_outdated_algorithms_are_used_only_where_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_offers: dict[str, Any], name: str
) -> None:
    """A server of yesterday is refused with the way out, and reached once its host is marked."""
    more = password(monkeypatch)
    async with asyncssh_server(tmp_path, **server_offers) as server:
        with pytest.raises(TransientError, match="legacy_algorithms"):
            await look(server, **more)
        await look(server, **more, legacy_algorithms=[name])


async def test_a_server_that_hangs_after_the_login_is_left_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for connecting covers the start of sFTP."""
    async with asyncssh_server(tmp_path, server_factory=SilentServer, sftp_factory=None) as server:
        with pytest.raises(TransientError, match="cannot start sFTP: no answer within 1 s"):
            await look(server, **password(monkeypatch), connect_timeout="1s")


async def test_an_account_without_sftp_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that leads to no file transfer is told from one that fails."""
    async with asyncssh_server(tmp_path, sftp_factory=None) as server:
        with pytest.raises(TransientError, match=r"cannot start sFTP: .*the account may not use sFTP"):
            await look(server, **password(monkeypatch))


async def test_an_encrypted_key_logs_in(
    sftp_server: ServerUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passphrase opens the key; without it, or with another, the configuration is refused."""
    assert sftp_server.private_key is not None
    key = asyncssh.read_private_key(sftp_server.private_key)
    (tmp_path / "encrypted").write_bytes(key.export_private_key("openssh", passphrase="open sesame", rounds=50))
    monkeypatch.setenv("RIGHT", "open sesame")
    monkeypatch.setenv("WRONG", "open barley")
    encrypted = {"private_key": f"${{file:{tmp_path / 'encrypted'}}}"}
    await look(sftp_server, **encrypted, passphrase="${env:RIGHT}")
    with pytest.raises(ValueError, match="the passphrase does not fit"):
        SftpSource(**options(sftp_server, "out", **encrypted, passphrase="${env:WRONG}"))
    with pytest.raises(ValueError, match="give its passphrase"):
        SftpSource(**options(sftp_server, "out", **encrypted))


@pytest.fixture
def agent(own: ServerUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A running ssh-agent that holds the key of our own server's user."""
    with tempfile.TemporaryDirectory(prefix="edi-agent-") as scratch:  # a socket's path must be short
        socket = Path(scratch) / "socket"
        command = ["ssh-agent", "-D", "-a", str(socket)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it listens
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            subprocess.run(["ssh-add", "-q", str(own.private_key)], check=True)
            yield
            process.terminate()


@pytest.mark.usefixtures("agent")
async def test_an_agent_is_asked_only_when_told_to(own: ServerUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """``agent: true`` uses the keys that a running ssh-agent holds; otherwise it is as if there were none."""
    await look(own, private_key=None, agent=True)
    with pytest.raises(TransientError, match="check username and key or password"):
        await look(own, **password(monkeypatch, "wrong"))


async def test_an_agent_that_does_not_run_is_told(own: ServerUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an agent there is an error that says so."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(TransientError, match="ssh-agent"):
        await look(own, private_key=None, agent=True)


async def test_nothing_is_taken_from_the_home_folder(
    sftp_server: ServerUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a default key nor a known host nor a setting of ~/.ssh opens or redirects a connection."""
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    assert sftp_server.private_key is not None
    (home / "id_ed25519").write_bytes(sftp_server.private_key.read_bytes())
    (home / "known_hosts").write_text(f"{sftp_server.known_hosts_line}\n")
    (home / "config").write_text("Host *\n  Port 1\n  Ciphers 3des-cbc\n")
    monkeypatch.setenv("HOME", str(home.parent))
    with pytest.raises(TransientError, match=r"cannot log in: .*check username and key or password"):
        await look(sftp_server, **password(monkeypatch, "wrong"))
    with pytest.raises(HostKeyError, match="unknown host key"):
        await look(sftp_server, **known_hosts(tmp_path))


async def test_no_error_tells_a_secret(own: ServerUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a refused login nor the text of the source itself holds the password."""
    more = password(monkeypatch, "hunter2")
    with pytest.raises(TransientError) as caught:
        await look(own, **more)
    source = SftpSource(**options(own, "out", **more))
    assert "hunter2" not in f"{caught.value!r} {source!r} {source} {source.model_dump()} {source.model_dump_json()}"
