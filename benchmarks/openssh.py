"""OpenSSH on both sides: the sshd that the gateway and its peer talk to, and the peer itself, ``sftp -b``."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from benchmarks.contest import MissingError, seconds
from benchmarks.product import write_configuration
from edi_gateway.config.load import load_config
from edi_gateway.wiring import Wired, wire
from sftp_test_server.proxy import delaying_proxy
from tests.servers import ServerUnderTest, openssh_server

AGAINST: Final = "OpenSSH sftp -b"
ONE_WAY: Final = 0.025  # seconds; 50 ms to an answer


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A login at sshd, on this machine or 50 ms away, and local folders for both who use it."""

    server: ServerUnderTest
    port: int
    scratch: Path

    @property
    def outgoing(self) -> Path:
        """Where the carrier puts files to be pulled."""
        return self.server.root / "out"

    @property
    def incoming(self) -> Path:
        """Where files are pushed to."""
        return self.server.root / "in"

    @property
    def local(self) -> Path:
        """Where the peer keeps its own files; the gateway keeps them in memory, or in its database."""
        return self.scratch / "local"

    def clear(self) -> None:
        """Empty folders for the next run."""
        for folder in (self.outgoing, self.incoming, self.local):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def wired(self) -> Wired:
        """Channel and destination of a gateway that has not connected yet."""
        return wire(load_config(self.configure()))

    def configure(self) -> Path:
        """Write the gateway's configuration; returns its folder."""
        key = self.server.known_hosts_line.partition(" ")[2]
        place = f"type: sftp, host: {self.server.host}, port: {self.port}, username: {self.server.username}"
        login = f'host_key: "{key}", private_key: "${{file:{self.server.private_key}}}"'
        return write_configuration(self.scratch, f"{place}, {login}", self.server.remote_root)

    def batch(self, commands: Sequence[str]) -> float:
        """Let ``sftp -b`` do the commands; returns how long it took from start to end. Raises when one failed."""
        script = self.scratch / "commands"
        script.write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
        known = self.scratch / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {self.server.known_hosts_line.partition(' ')[2]}\n", "utf-8")
        options = [f"UserKnownHostsFile={known}", "IdentitiesOnly=yes", f"IdentityFile={self.server.private_key}"]
        command = ["sftp", "-q", "-F", "none", "-P", str(self.port), "-b", str(script)]
        command += [word for option in options for word in ("-o", option)]
        command.append(f"{self.server.username}@127.0.0.1")
        return seconds(partial(subprocess.run, command, check=True, cwd=self.local, capture_output=True))


@contextmanager
def mailbox(*, far: bool = False) -> Iterator[Mailbox]:
    """Start sshd, and where it is to be far away, the proxy before it. Raises MissingError."""
    if shutil.which("sftp") is None:
        raise MissingError("OpenSSH's sftp is not installed (Debian: apt install openssh-client)")
    with tempfile.TemporaryDirectory(prefix="edi-bench-") as scratch:
        try:
            running = openssh_server(Path(scratch) / "remote", ("in", "out"))
            with running as server, _way(server, far=far) as port:
                yield Mailbox(server, port, Path(scratch))
        except pytest.skip.Exception as error:
            raise MissingError(f"{error.msg} (Debian: apt install openssh-server)") from error


def _way(server: ServerUnderTest, *, far: bool) -> AbstractContextManager[int]:
    return delaying_proxy(server.host, server.port, ONE_WAY) if far else nullcontext(server.port)
