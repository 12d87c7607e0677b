"""The gateway as operations know it: a process that logs, and a command that answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

Json = dict[str, Any]
_COMMAND: Final = (sys.executable, "-m", "edi_gateway.cli.main", "--config")
_STOPPING: Final = 15.0  # seconds; the daemon's own stop_timeout is 10s


class CommandError(Exception):
    """A command of the gateway ended with an error; the text is what it said."""


class Daemon:
    """``edi-gateway run`` as a process of its own; its log goes to a file that is read as it grows."""

    def __init__(self, config: Path, log: Path) -> None:
        self._config = config
        self._log = log
        self._read = 0
        self.records: list[Json] = []

    def __enter__(self) -> Self:
        """Start the process."""
        command = [*_COMMAND, str(self._config), "run"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)  # noqa: S603  ours
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no process behind, whatever happened."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def new_records(self) -> Iterator[Json]:
        """What was logged since the last call; a line that is no JSON comes as an event of level error."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            grown = log.read()
        whole = grown[: grown.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            record = _record(line)
            self.records.append(record)
            yield record

    def stop(self) -> int:
        """Ask it to stop as a service manager would (SIGTERM); return its exit code, 0 when it stopped cleanly."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def ask(config: Path, *arguments: str) -> list[Json]:
    """Run a command of the gateway and return the objects it printed, one a line. Raises CommandError."""
    command = [*_COMMAND, str(config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  ours
    if done.returncode:
        raise CommandError(f"edi-gateway {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ask_all(config: Path, *commands: tuple[str, ...]) -> list[list[Json]]:
    """Run several commands side by side; their answers in order. Raises CommandError."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda command: ask(config, *command, "--json"), commands))


def _record(line: str) -> Json:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"event": "log.text", "level": "error", "why": line}
