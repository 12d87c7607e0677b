"""The real daemon on a real configuration folder, beside a real sFTP server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import ServerUnderTest

ROOT = Path(__file__).parents[2]
FOLDERS = ("nordlog", "kurier", "globex", "initech")


@dataclass(slots=True)
class Gateway:
    """One installation: its configuration, its server, and the daemon while it runs."""

    folder: Path
    server: ServerUnderTest
    process: subprocess.Popen[bytes] | None = None

    def mailbox(self, name: str) -> Path:
        """The local folder behind a partner's mailbox."""
        return self.server.root / name

    def drop(self, carrier: str, name: str, content: bytes) -> None:
        """Upload as carriers should: under another name, then renamed."""
        part = self.mailbox(carrier) / f".{name}.part"
        part.write_bytes(content)
        part.rename(self.mailbox(carrier) / name)

    def start(self) -> None:
        """Start the daemon; its log goes to the folder."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command("run"), stderr=log, stdout=log, cwd=ROOT, env=_environment())

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def call(self, *arguments: str) -> bytes:
        """What the command line prints."""
        command = self._command(*arguments)
        return subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=_environment()).stdout

    def ask(self, *arguments: str) -> list[dict[str, Any]]:
        """What the command line answers, as JSON."""
        return [json.loads(line) for line in self.call(*arguments, "--json").splitlines()]

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something holds; the log's end is shown when it does not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                log = (self.folder / "log").read_text(errors="replace").splitlines()[-20:]
                raise TimeoutError("\n".join([f"not in {seconds} s: {what}", *log]))
            time.sleep(0.2)  # files on somebody else's server announce nothing

    def idle(self) -> bool:
        """Whether nothing waits anywhere: no file, no document, no event, no delivery."""
        if any(path.suffix == ".edi" for carrier in FOLDERS[:2] for path in self.mailbox(carrier).iterdir()):
            return False
        (found,) = self.ask("status")
        unsent = any(row["state"] in {"sealed", "retrying"} for row in found["deliveries"])
        return not (found["documents"].get("received") or found["outbox"]["pending"] or unsent)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "edi_gateway.cli.main", "--config", str(self.folder / "config"), *arguments]


def _environment() -> dict[str, str]:
    # Compiled modules make thirty starts bearable where the surroundings forbid writing them.
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}


def install(folder: Path, server: ServerUnderTest) -> Gateway:
    """Write the configuration of two carriers and two customers, all on that server."""
    config = folder / "config"
    for name in ("carriers", "customers"):
        (config / name).mkdir(parents=True)
    for name in FOLDERS:
        (server.root / name).mkdir(exist_ok=True)
    end = _end(folder, server)
    (config / "gateway.yaml").write_text(
        f"mappings: {ROOT}/mappings\nidentity: HUB:ZZZ\nlog: {{format: json}}\nretry: [0s, 1s, 1s, 2s, 5s]\n"
    )
    for carrier in FOLDERS[:2]:
        (config / "carriers" / f"{carrier}.yaml").write_text(
            f"carrier: {carrier}\nchannels:\n  files:\n    source: {{{end}, path: {server.remote_root}/{carrier},"
            f' pattern: "*.edi", after: delete}}\n    every: 500ms\n    format: {{type: edifact}}\n'
            f"    mapping: {carrier}/iftsta\n"
        )
    rules = {"globex": '[{carrier: nordlog}, {carrier: kurier, account: "47*"}]', "initech": '[{account: "8150"}]'}
    for customer, receives in rules.items():
        (config / "customers" / f"{customer}.yaml").write_text(
            f"customer: {customer}\nreceives: {receives}\ndestinations:\n  edi:\n"
            f"    sink: {{{end}, path: {server.remote_root}/{customer}}}\n"
            f'    format: {{type: edifact, recipient: "{customer.upper()}:14"}}\n'
            "    mapping: standard/tracking_events\n    batch: {every: 1s, at_most: 40}\n"
            f'    file_name: "{customer}_{{control:06}}.edi"\n'
        )
    return Gateway(folder, server)


def _end(folder: Path, server: ServerUnderTest) -> str:
    key = " ".join(server.known_hosts_line.split()[1:])
    end = f'type: sftp, host: {server.host}, port: {server.port}, username: {server.username}, host_key: "{key}"'
    secret = server.private_key.read_text() if server.private_key else server.password
    (folder / "secret").write_text(secret or "")
    return f'{end}, {"private_key" if server.private_key else "password"}: "${{file:{folder}/secret}}"'
