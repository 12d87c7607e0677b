"""Requests of carriers: a daemon that takes webhooks, beside a bare FastAPI route that commits a row."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.contest import Contest, Sides

_SECONDS: Final = 4
_CONNECTIONS: Final = 32
_TOKEN: Final = "a token for this benchmark"  # noqa: S105
_CHECKOUT: Final = Path(__file__).resolve().parents[1]
_GATEWAY: Final = """\
data: {data}
mappings: {mappings}
identity: "HUB:ZZZ"
log: {{format: json}}
http: {{address: "127.0.0.1:{port}"}}
"""
_CARRIER: Final = """\
carrier: ups
channels:
  alerts:
    source:
      type: webhook
      auth: {type: bearer, token: "${env:BENCHMARK_TOKEN}"}
      rate: {per_second: 1000000, burst: 1000000}
    mapping: ups/track_alert
"""


def _ours() -> float:
    with TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        (folder / "config/carriers").mkdir(parents=True)
        gateway = _GATEWAY.format(data=folder / "data", mappings=_CHECKOUT / "mappings", port=port)
        (folder / "config/gateway.yaml").write_text(gateway, encoding="utf-8")
        (folder / "config/carriers/ups.yaml").write_text(_CARRIER, encoding="utf-8")
        command = ["edi_gateway.cli.main", "--config", str(folder / "config"), "run"]
        with server(command, port):
            return _load(port, "/inbound/ups/alerts", f"authorization: Bearer {_TOKEN}")


def _bare() -> float:
    with TemporaryDirectory() as name:
        port = free_port()
        with server(["benchmarks.bare_fastapi", str(port), f"sqlite:///{name}/bare.db"], port):
            return _load(port, "/inbound")


def _load(port: int, path: str, *headers: str) -> float:
    command = ["-m", "benchmarks.http_load", str(port), path, str(_SECONDS), str(_CONNECTIONS), *headers]
    command = [sys.executable, *command]
    done = subprocess.run(command, cwd=_CHECKOUT, capture_output=True, text=True, check=True)  # noqa: S603  ours
    return float(json.loads(done.stdout)["per_second"])


@contextmanager
def server(module: Sequence[str], port: int) -> Iterator[None]:
    """A module as a process that listens on that port."""
    environment = os.environ | {"BENCHMARK_TOKEN": _TOKEN}
    command = [sys.executable, "-m", *module]
    process = subprocess.Popen(command, cwd=_CHECKOUT, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603  ours
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _open() -> Iterator[Sides]:
    yield Sides(_ours, _bare)


CONTESTS: Final = (
    Contest(
        "inbound_requests_vs_bare_fastapi",
        "requests/s",
        "FastAPI, a route that commits one row to SQLite; 32 clients",
        _open,
        runs=3,
        warm_up=False,
    ),
)
