"""The gateway as operations run it: a configuration folder, a process, its log, its commands, and signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from edi_gateway.store.engine import Database
from edi_gateway.store.shipments import overview
from tests.guards.project import ROOT
from tests.servers import ServerUnderTest

Json = dict[str, Any]
MAILBOXES: Final = {"globex": "globex/in", "initech": "initech/in", "initech status": "initech/status"}
ZONES: Final = {"globex": "UTC", "initech": "Europe/Berlin", "initech status": "Europe/Berlin"}
FOLDERS: Final = ("nordlog/out", "kurier/out", *MAILBOXES.values())
_COMMAND: Final = (sys.executable, "-m", "edi_gateway.cli.main", "--config")
_LOOK_AGAIN: Final = 0.01  # seconds between two looks at something another process changes

_GATEWAY: Final = """\
data: {data}
mappings: {mappings}
identity: "HUB:ZZZ"
retry: [0s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]
stop_timeout: 15s
log: {{format: json, level: debug}}
"""
_NORDLOG: Final = """\
carrier: nordlog
timezone: Europe/Copenhagen
channels:
  status:
    every: 250ms
    patience: 1s
    source: {{{server}, path: "{root}/nordlog/out", after: {{move: done}}}}
    format: {{type: edifact}}
    mapping: nordlog/iftsta
"""
_KURIER: Final = """\
carrier: kurier
timezone: Europe/Berlin
channels:
  scans:
    every: 250ms
    patience: 1s
    source: {{{server}, path: "{root}/kurier/out", after: delete}}
    format: {{type: edifact}}
    mapping: kurier/iftsta
"""
_GLOBEX: Final = """\
customer: globex
receives:
  - {{carrier: nordlog, account: "4402*"}}
  - {{carrier: kurier, account: "4711*"}}
destinations:
  edi:
    sink: {{{server}, path: "{root}/globex/in"}}
    format: {{type: edifact, version: "D:01B", syntax: "UNOC:3", recipient: "GLOBEX:14"}}
    mapping: globex/tracking_events
    batch: {{every: 500ms, at_most: 60}}
    file_name: "tracking_events_{{control:09}}.edi"
"""
# Which events change a status depends on the order in which files arrive, so that the exact comparison is made where
# all are sent; of `status` only what holds in any order is asked (see verdict.py).
_INITECH: Final = """\
customer: initech
receives:
  - {{reference: {{qualifier: BM, prefix: INI}}}}
  - {{carrier: kurier, account: "8150"}}
  - {{carrier: kurier, account: "6000", status: [DELIVERED, ATTEMPT_FAILURE, EXCEPTION]}}
destinations:
  edi:
    sink: {{{server}, path: "{root}/initech/in"}}
    format:
      {{type: edifact, version: "D:96A", syntax: "UNOB:2", recipient: "INITECH:ZZZ", una: false, line_breaks: crlf}}
    mapping: initech/tracking_events
    unencodable: replace
    batch: {{every: 500ms, at_most: 60}}
    file_name: "INI{{control:05}}.edi"
  status:
    events: status_changes
    sink: {{{server}, path: "{root}/initech/status"}}
    format: {{type: edifact, version: "D:96A", syntax: "UNOB:2", recipient: "INITECH-STATUS:ZZZ"}}
    mapping: initech/tracking_events
    unencodable: replace
    batch: {{every: 500ms}}
    file_name: "INS{{control:05}}.edi"
"""


def write_configuration(folder: Path, server: ServerUnderTest) -> Path:
    """Write two carriers and two customers, all with mailboxes on that server; return the configuration's folder."""
    key = server.known_hosts_line.partition(" ")[2]
    place = f"type: sftp, host: {server.host}, port: {server.port}, username: {server.username}"
    values = {
        "data": folder / "data",
        "mappings": ROOT / "mappings",
        "root": server.remote_root,
        "server": f'{place}, host_key: "{key}", private_key: "${{file:{server.private_key}}}"',
    }
    files = {
        "gateway": _GATEWAY,
        "carriers/nordlog": _NORDLOG,
        "carriers/kurier": _KURIER,
        "customers/globex": _GLOBEX,
        "customers/initech": _INITECH,
    }
    for name, text in files.items():
        path = folder / "config" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**values), encoding="utf-8")
    return folder / "config"


class Gateway:
    """``edi-gateway run`` as a process that may be killed and started again; one log for all its lives."""

    def __init__(
        self,
        folder: Path,
        server: ServerUnderTest,
        configure: Callable[[Path, ServerUnderTest], Path] = write_configuration,
    ) -> None:
        self.config = configure(folder, server)
        self.log = folder / "gateway.log"
        self.log.touch()
        self._database = f"sqlite:///{folder / 'data' / 'edi-gateway.db'}"
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start the daemon; `events` begin with it."""
        list(self.events())
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*_COMMAND, self.config, "run"], stdin=subprocess.DEVNULL, stderr=log)

    def kill(self) -> None:
        """End the daemon as a power cut would (SIGKILL)."""
        process = self._running()
        process.kill()
        process.wait()

    def stop(self) -> int:
        """Ask the daemon to stop (SIGTERM); return its exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        return process.wait(30)

    @property
    def pid(self) -> int:
        """The running process's id."""
        return self._running().pid

    def hang_up(self) -> None:
        """Ask the daemon to load its configuration anew (SIGHUP)."""
        self._running().send_signal(signal.SIGHUP)

    def events(self) -> Iterator[str]:
        """What was logged since the last look, by name."""
        return (record["event"] for record in self._new_records())

    def complaints(self) -> list[str]:
        """Everything in the log of all lives that speaks of a defect, and every line that is no record."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [
            line for line in lines if not line.startswith("{") or json.loads(line)["level"] in {"error", "critical"}
        ]

    def ask(self, *arguments: str) -> list[Json]:
        """The objects a command prints with --json."""
        done = self.command(*arguments, "--json")
        return [json.loads(line) for line in done.splitlines()]

    def command(self, *arguments: str) -> str:
        """What a command prints; it has to succeed."""
        command = [*_COMMAND, str(self.config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    @contextmanager
    def idle(self) -> Iterator[Callable[[], bool]]:
        """A question to ask over and over: whether nothing waits to be processed, sealed or delivered.

        Only while no crash is to come: whoever looks into a SQLite database may be the one to recover it.
        """
        db = Database(self._database)

        def nothing_waits() -> bool:
            assert self._running().poll() is None, f"the daemon ended by itself:\n{self.log.read_text()[-2000:]}"
            found = overview(db)
            open_deliveries = {at for at, state in found.deliveries if state != "delivered"}
            return not (found.documents.get("received") or any(found.pending.values()) or open_deliveries)

        try:
            yield nothing_waits
        finally:
            db.close()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the daemon was not started"
        return self._process

    def _new_records(self) -> Iterator[Json]:
        with self.log.open("rb") as log:
            log.seek(self._read)
            grown = log.read()
        whole = grown[: grown.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            if line.startswith(b"{"):
                yield json.loads(line)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Look again and again until it holds; fail with ``what`` when it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:.0f} seconds still not {what}"
        time.sleep(_LOOK_AGAIN)
