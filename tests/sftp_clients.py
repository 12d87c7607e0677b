"""Clients that the sFTP test server is tried with: asyncssh, paramiko, and OpenSSH's sftp."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import paramiko
import pytest

from sftp_test_server.server import SftpTestServer
from tests.servers import ServerUnderTest

Client = asyncssh.SFTPClient
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
async def user(server: SftpTestServer, name: str, password: str = "secret", line: str = "") -> AsyncGenerator[Client]:
    """Log in by password and open sFTP, at the server's address or that of another known_hosts line."""
    async with (
        connect(line or server.host_key_line, name, password=password) as connection,
        connection.start_sftp_client() as sftp,
    ):
        yield sftp


async def read(file: asyncssh.SFTPClientFile, size: int = -1, offset: int | None = None) -> bytes:
    """Read from a file opened for bytes."""
    data = await file.read(size, offset)
    assert isinstance(data, bytes)
    return data


def paramiko_client(server: ServerUnderTest) -> paramiko.SFTPClient:
    """Log in by password with paramiko's client."""
    transport = paramiko.Transport((server.host, server.port))
    transport.connect(username=server.username, password=server.password)
    sftp = paramiko.SFTPClient.from_transport(transport)
    assert sftp is not None
    return sftp


def is_ours(thread: threading.Thread) -> bool:
    """Tell whether a thread is the server's: its acceptor, a connection's or a channel's."""
    return type(thread).__module__.startswith(("paramiko", "sftp_test_server")) or thread.name == "sftp_test_server"


def openssh_sftp(server: ServerUnderTest, *commands: str) -> "subprocess.CompletedProcess[str]":
    """Run OpenSSH's `sftp -b` with these commands, or skip where it is not installed."""
    program = shutil.which("sftp")
    if program is None:
        pytest.skip("OpenSSH's sftp is not installed")
    with tempfile.TemporaryDirectory(prefix="edi-known-") as folder:
        known_hosts = Path(folder) / "known_hosts"
        known_hosts.write_text(server.known_hosts_line + "\n")
        options = {
            "BatchMode": "yes",
            "UserKnownHostsFile": known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "IdentityFile": server.private_key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
        }
        return subprocess.run(
            [
                *(program, "-F", "/dev/null", "-b", "-", "-P", str(server.port)),
                *(f"-o{name}={value}" for name, value in options.items()),
                f"{server.username}@{server.host}",
            ],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
