"""The gateway as operations run it: a configuration folder, a process, its log, its commands, and signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Protocol, Self

from edi_gateway.store.engine import Database
from edi_gateway.store.shipments import overview
from tests import command
from tests.guards.project import ROOT
from tests.servers import ServerUnderTest

Json = dict[str, Any]
MAILBOXES: Final = {"globex": "globex/in", "initech": "initech/in", "initech status": "initech/status"}
ZONES: Final = {"globex": "UTC", "initech": "Europe/Berlin", "initech status": "Europe/Berlin"}
FOLDERS: Final = ("nordlog/out", "kurier/out", *MAILBOXES.values())
_COMMAND: Final = (sys.executable, "-m", "edi_gateway.cli.main")
_LOOK_AGAIN: Final = 0.05  # seconds between two looks at something another process changes

_GATEWAY: Final = """\
data: {data}
mappings: {mappings}
{database}identity: "HUB:ZZZ"
retry: [0s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]
stop_timeout: 15s
log: {{format: json, level: debug}}
"""
_NORDLOG: Final = """\
carrier: nordlog
timezone: Europe/Copenhagen
channels:
  status:
    every: {poll}
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
    every: {poll}
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
    batch: {{every: {batch}, at_most: 60}}
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
    batch: {{every: {batch}, at_most: 60}}
    file_name: "INI{{control:05}}.edi"
  status:
    events: status_changes
    sink: {{{server}, path: "{root}/initech/status"}}
    format: {{type: edifact, version: "D:96A", syntax: "UNOB:2", recipient: "INITECH-STATUS:ZZZ"}}
    mapping: initech/tracking_events
    unencodable: replace
    batch: {{every: {batch}}}
    file_name: "INS{{control:05}}.edi"
"""


class Pace(NamedTuple):
    """How eager the gateway is; ``time_outs`` are those of every mailbox."""

    poll: str = "250ms"
    batch: str = "500ms"
    time_outs: str = ""


EVERYDAY: Final = Pace()


def write_configuration(folder: Path, server: ServerUnderTest, pace: Pace = EVERYDAY, database: str = "") -> Path:
    """Write two carriers and two customers, all with mailboxes on that server; return the configuration's folder."""
    key = server.known_hosts_line.partition(" ")[2]
    place = f"type: sftp, host: {server.host}, port: {server.port}, username: {server.username}"
    values = {
        "data": folder / "data",
        "mappings": ROOT / "mappings",
        "root": server.remote_root,
        "server": f'{place}, host_key: "{key}", private_key: "${{file:{server.private_key}}}"{pace.time_outs}',
        "poll": pace.poll,
        "batch": pace.batch,
        "database": f"database: {database}\n" if database else "",
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


class Process(Protocol):
    """What `subprocess.Popen` is for the gateway's tests."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...

    def send_signal(self, number: int, /) -> None: ...


Arguments = Sequence[str | Path]
Start = Callable[[Arguments, IO[bytes]], Process]
Run = Callable[[Arguments], subprocess.CompletedProcess[str]]


def start_as_usual(arguments: Arguments, log: IO[bytes]) -> Process:
    """Start the command as operations do; it writes its errors to ``log``."""
    return subprocess.Popen([*_COMMAND, *arguments], stdin=subprocess.DEVNULL, stderr=log)


class Gateway:
    """``edi-gateway run`` as a process that may be killed and started again; one log for all its lives."""

    def __init__(
        self,
        folder: Path,
        server: ServerUnderTest,
        configure: Callable[[Path, ServerUnderTest], Path] = write_configuration,
        *,
        database: str = "",
        run: Run = command.run,
    ) -> None:
        self.config = configure(folder, server)
        self.log = folder / "gateway.log"
        self.log.touch()
        self._database = database or f"sqlite:///{folder / 'data' / 'edi-gateway.db'}"
        self._process: Process | None = None
        self._run = run
        self._read = 0
        self._begun = 0  # where in the log the present life begins

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def start(self, start: Start = start_as_usual) -> Process:
        """Start the daemon; `events` begin with it."""
        list(self.events())
        self._begun = self._read
        with self.log.open("ab") as log:
            self._process = start(["--config", self.config, "run"], log)
        return self._process

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

    def has_started(self) -> bool:
        """Whether this life has come so far as to work."""
        return b'"daemon.started"' in self.log.read_bytes()[self._begun :]

    def logged(self, event: str) -> int:
        """How often that was logged in all lives."""
        return self.log.read_bytes().count(f'"event": "{event}"'.encode())

    def last_words(self) -> str:
        """The end of the log."""
        return self.log.read_text(encoding="utf-8")[-2000:]

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
        done = self._run(["--config", self.config, *arguments])
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    @contextmanager
    def idle(self) -> Iterator[Callable[[], bool]]:
        """A question to ask over and over: whether nothing waits to be processed, sealed or delivered.

        Only while no crash is to come: whoever looks into a SQLite database may be the one to recover it.
        """
        db = Database(self._database)

        def nothing_waits() -> bool:
            assert self._running().poll() is None, f"the daemon ended by itself:\n{self.last_words()}"
            found = overview(db)
            open_deliveries = {at for at, state in found.deliveries if state != "delivered"}
            return not (found.documents.get("received") or any(found.pending.values()) or open_deliveries)

        try:
            yield nothing_waits
        finally:
            db.close()

    def _running(self) -> Process:
        assert self._process is not None, "the daemon was not started"
        return self._process

    def _new_records(self) -> Iterator[Json]:
        if self.log.stat().st_size == self._read:
            return
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
