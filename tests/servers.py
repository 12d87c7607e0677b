"""sFTP servers for tests: our own fault-injecting server and OpenSSH's sshd behind one small description.

A test asks for `sftp_server` (it runs against both), or opens `own_server` / `openssh_server` itself. Every server
listens on 127.0.0.1 and a port of its own, so tests may run in parallel.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import asyncssh
import pytest

from sftp_test_server.faults import Faults
from sftp_test_server.server import SftpTestServer
from sftp_test_server.users import User

USERNAME = "mailbox"
PASSWORD = "correct horse"
FOLDERS = ("in", "out", "out/done")
_SSHD_PLACES = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/opt/homebrew/sbin/sshd")


@dataclass(frozen=True, slots=True)
class ServerUnderTest:
    """A running sFTP server and all a client needs to reach it.

    What a client calls `f"{server.remote_root}/out/a.edi"` lies locally at `server.root / "out/a.edi"`.
    """

    name: str
    host: str
    port: int
    username: str
    private_key: Path | None
    password: str | None
    known_hosts_line: str
    root: Path
    remote_root: str


@contextmanager
def own_server(
    root: Path, folders: Iterable[str] = FOLDERS, faults: Faults | None = None
) -> Generator[ServerUnderTest]:
    """Run `sftp_test_server` over `root` for one user, by key or password; `faults` may be changed while it runs."""
    with tempfile.TemporaryDirectory(prefix="edi-sftp-") as scratch:
        private_key = _write_key(Path(scratch) / "id_ed25519")
        user = User(USERNAME, PASSWORD, (_public_half(private_key),), home=root.name, folders=tuple(folders))
        with SftpTestServer(root.parent, [user], faults=faults) as server:
            yield ServerUnderTest(
                name="own",
                host=server.host,
                port=server.port,
                username=USERNAME,
                private_key=private_key,
                password=PASSWORD,
                known_hosts_line=server.host_key_line,
                root=root,
                remote_root="",
            )


@contextmanager
def openssh_server(
    root: Path, folders: Iterable[str] = FOLDERS, *, authority: asyncssh.SSHKey | None = None
) -> Generator[ServerUnderTest]:
    """Run OpenSSH's sshd as the current user (root or not), with `folders` made below `root`; key login only.

    With an `authority`, only keys that it certified log in, and its certificate is what the host shows.

    The test is skipped when sshd is not installed, or fails when EDI_REQUIRE_SSHD=1.
    """
    executable = _find_sshd()
    _make_folders(root, folders)
    with tempfile.TemporaryDirectory(prefix="edi-sshd-") as scratch:
        base = Path(scratch)
        host_key, private_key = _write_key(base / "host_key"), _write_key(base / "id_ed25519")
        process, port = _start_sshd(executable, base, _certify(base, authority) if authority else "")
        try:
            yield ServerUnderTest(
                name="openssh",
                host="127.0.0.1",
                port=port,
                username=_current_user(),
                private_key=private_key,
                password=None,
                known_hosts_line=f"[127.0.0.1]:{port} {_public_half(host_key)}",
                root=root,
                remote_root=str(root.resolve()),
            )
        finally:
            _stop(process)


def closed_port() -> int:
    """Return a port at which nobody listens."""
    return _free_port()


@pytest.fixture(params=["own", "openssh"])
def sftp_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerUnderTest]:
    """Each sFTP server in turn, over an empty mailbox with the folders in, out and out/done."""
    kinds: dict[str, Callable[[Path], AbstractContextManager[ServerUnderTest]]]
    kinds = {"own": own_server, "openssh": openssh_server}
    with kinds[request.param](tmp_path / "remote") as server:
        yield server


def _make_folders(root: Path, folders: Iterable[str]) -> None:
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)


def _write_key(path: Path) -> Path:
    """Write a fresh ed25519 key, readable by its owner alone as sshd insists, and its public half at `path`.pub."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.touch(mode=0o600)
    key.write_private_key(path)
    key.write_public_key(path.with_suffix(".pub"))
    return path


def _public_half(private_key: Path) -> str:
    algorithm, key = private_key.with_suffix(".pub").read_text().split()[:2]
    return f"{algorithm} {key}"


def _current_user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _find_sshd() -> str:
    """Find sshd's absolute path: it starts itself anew for each connection and refuses to do so from a relative one."""
    for candidate in (shutil.which("sshd"), *_SSHD_PLACES):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    if os.environ.get("EDI_REQUIRE_SSHD") == "1":
        pytest.fail("OpenSSH's sshd is not installed, and EDI_REQUIRE_SSHD=1 asks for it: install openssh-server")
    pytest.skip("OpenSSH's sshd is not installed")


def _sshd_config(base: Path, port: int) -> str:
    return f"""\
ListenAddress 127.0.0.1
Port {port}
HostKey {base / "host_key"}
AuthorizedKeysFile {base / "id_ed25519.pub"}
PidFile none
StrictModes no
UsePAM no
UseDNS no
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 200:30:400
MaxSessions 100
Subsystem sftp internal-sftp
"""


def _certify(base: Path, authority: asyncssh.SSHKey) -> str:
    """Certify host and user; return what sshd must be told for that."""
    authority.write_public_key(base / "authority.pub")
    host, user = (asyncssh.read_public_key(base / f"{name}.pub") for name in ("host_key", "id_ed25519"))
    authority.generate_host_certificate(host, "host", principals=["127.0.0.1"]).write_certificate(
        base / "host_key-cert.pub"
    )
    authority.generate_user_certificate(user, "user", principals=[_current_user()]).write_certificate(
        base / "id_ed25519-cert.pub"
    )
    return (
        f"HostCertificate {base / 'host_key-cert.pub'}\nTrustedUserCAKeys {base / 'authority.pub'}\n"
        "AuthorizedKeysFile none\n"
    )


def _start_sshd(executable: str, base: Path, first: str) -> tuple[subprocess.Popen[str], int]:
    """Start sshd on a free port; another process may take the port between choosing and binding it, so try thrice."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's empty folder, gone after a reboot of a container
    complaint = ""
    for _ in range(3):
        port = _free_port()
        config = base / "sshd_config"
        config.write_text(first + _sshd_config(base, port))  # of two values, the first one holds
        process = subprocess.Popen(
            [executable, "-D", "-e", "-f", str(config), *_without_penalties(executable, config)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        complaint = _wait_until_listening(process)
        if not complaint:
            return process, port
    pytest.fail(f"sshd did not start:\n{complaint}")


def _without_penalties(executable: str, config: Path) -> list[str]:
    """Ask for no back-off after failed logins, which OpenSSH 9.8 brought; an older sshd does not know the option."""
    option = ["-o", "PerSourcePenalties=no"]
    known = subprocess.run([executable, "-t", "-f", str(config), *option], capture_output=True, check=False)
    return option if known.returncode == 0 else []


def _wait_until_listening(process: subprocess.Popen[str]) -> str:
    """Return "" once sshd listens, or what it said before it ended. Its later log lines are read and dropped."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("Server listening on"):
            threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
            return ""
    process.stderr.close()
    process.wait()
    return "".join(said)


def _drain(log: IO[str]) -> None:
    with log:
        log.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
