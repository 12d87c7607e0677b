"""A PostgreSQL server of the tests' own, in a temporary folder, gone when they are done."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_USER = "gateway"
_MISSING = "no PostgreSQL server here: install postgresql or point PG_BIN at its bin folder"
_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=60")


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a cluster on 127.0.0.1 and yield its URL without a database name: append ``/name``.

    Without the server's binaries the test is skipped, or fails when EDI_REQUIRE_PG=1. They are looked for in $PG_BIN,
    where Debian puts them, and on the PATH.
    """
    binaries = _binaries()
    if binaries is None:
        if os.environ.get("EDI_REQUIRE_PG") == "1":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    folder = Path(tempfile.mkdtemp(prefix="edi-pg-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        server, port = _start(binaries, folder)
        yield f"postgresql+psycopg://{_USER}@127.0.0.1:{port}"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # "fast": ends sessions, then itself
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One server for the whole (worker's) session; every test makes its own database in it."""
    with postgres_server() as url:
        yield url


def _binaries() -> Path | None:
    if named := os.environ.get("PG_BIN"):
        return Path(named)
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    on_path = shutil.which("postgres")
    found = debian[-1] if debian else Path(on_path).resolve() if on_path else None
    return found.parent if found else None


def _start(binaries: Path, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    data, port, as_user = folder / "data", _free_port(), _unprivileged(folder)
    initdb = [
        str(binaries / "initdb"),
        "-D",
        str(data),
        "-U",
        _USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ]
    made = subprocess.run(initdb, check=False, capture_output=True, text=True, cwd=folder, **as_user)
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr}")
    options = [word for option in _QUICK for word in ("-c", option)]
    command = [
        str(binaries / "postgres"),
        "-D",
        str(data),
        "-k",
        str(folder),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        *options,
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **as_user)
    _await_ready(server, data / "postmaster.pid", folder / "log")
    return server, port


def _await_ready(server: subprocess.Popen[bytes], pid_file: Path, log: Path) -> None:
    """The last line of the pid file says "ready" once connections are taken."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if pid_file.exists() and pid_file.read_text().strip().endswith("ready"):
            return
        time.sleep(0.01)  # the server has no other way to tell a parent that did not daemonise it
    if server.poll() is None:
        server.kill()
        server.wait()
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}")


def _unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses root: run it as `postgres`, or `nobody`."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
