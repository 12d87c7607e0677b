"""Starts the gateway's command line in a tenth of a second: a process that has imported it all forks, and becomes it.

What runs is the real command in a process of its own, with real signals and a real end; only its imports are done,
and two of its constants are smaller.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from edi_gateway.pipeline import process
from edi_gateway.store import claims
from tests.acceptance import steps
from tests.command import import_all
from tests.guards.project import ROOT

_LOOK_AGAIN: Final = 0.002  # seconds
_STOPPED: Final = "stopped"
_EVENTS_PER_TRANSACTION: Final = 5  # so that small documents, too, can be killed between two of theirs
_LEASE: Final = timedelta(seconds=2)  # so that on PostgreSQL a life sends again what the one before had begun to


class Forked:
    """A process of a fork server, as `subprocess.Popen` would show it."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._code: int | None = None
        self._stopped = False

    def poll(self) -> int | None:
        """Its exit code, a signal's number below zero, or None while it lives."""
        if self._code is None:
            state = self._server.ask(look=self.pid)
            if state == _STOPPED:
                self._stopped = True
            else:
                self._code = state
        return self._code

    def stopped(self) -> bool:
        """Whether it has been stopped (SIGSTOP) and was not told to go on."""
        return self.poll() is None and self._stopped

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit code, raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + (timeout or 60)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 60)
            time.sleep(_LOOK_AGAIN)
        return code

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:  # until it is asked for, its number is not given away
            os.kill(self.pid, number)
            self._stopped = self._stopped and number != signal.SIGCONT


class ForkServer:
    """A process with the gateway's modules imported, perhaps with one of `mutants` in force."""

    def __init__(self, mutant: str = "") -> None:
        command = [sys.executable, "-m", "tests.acceptance.forkserver", *([mutant] if mutant else [])]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        try:
            assert self.ask() == "ready"
        except BaseException:
            self._process.communicate()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def start(
        self, arguments: Sequence[str | Path], log: IO[bytes], page: Path | None, trip: steps.Trip | None
    ) -> Forked:
        """Start the command; it writes its errors to ``log``, counts its steps on ``page``, ends at the trip-wire."""
        return self._fork(arguments, log.name, "", page, trip)

    def run(self, arguments: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; what it says is kept in ``folder``."""
        out, err = folder / "command.out", folder / "command.err"
        err.unlink(missing_ok=True)
        code = self._fork(arguments, str(err), str(out), None, None).wait(60)
        return subprocess.CompletedProcess(list(arguments), code, out.read_text("utf-8"), err.read_text("utf-8"))

    def ask(self, **question: Any) -> Any:
        """Put a question to the server and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            answer = ""
        else:
            answer = self._process.stdout.readline()
        assert answer, "the fork server has ended; its error stands above"
        return json.loads(answer)

    def _fork(
        self, arguments: Sequence[str | Path], err: str, out: str, page: Path | None, trip: steps.Trip | None
    ) -> Forked:
        watched = {"page": str(page), "trip": trip} if page else {}
        return Forked(self, self.ask(run=[str(each) for each in arguments], out=out or os.devnull, err=err, **watched))


def _serve() -> int:
    """Answer questions until there are no more; returns, in a child, the exit code of its command."""
    children: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        answer: Any = "ready"
        if "run" in question:
            answer = os.fork()
            if not answer:
                return _become(question)
            children.add(answer)
        elif "look" in question:
            answer = _look(question["look"], children)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return 0


def _look(child: int, children: set[int]) -> int | str | None:
    pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
    if not pid:
        return None
    if os.WIFSTOPPED(status):
        return _STOPPED
    children.discard(pid)
    return os.waitstatus_to_exitcode(status)


def _become(question: dict[str, Any]) -> int:
    """Be the command from here on."""
    for number, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, question["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, question["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(path, mode)
        os.dup2(opened, number)
        os.close(opened)
    if "page" in question:
        steps.watch(Path(question["page"]), steps.Trip(*question["trip"]) if question["trip"] else None)
    sys.argv = ["edi-gateway", *question["run"]]
    main: Callable[[], None] = import_module("edi_gateway.cli.main").main
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _prepare(mutants: Sequence[str]) -> None:
    import_all()
    assert process.EVENTS_PER_TRANSACTION > _EVENTS_PER_TRANSACTION
    process.EVENTS_PER_TRANSACTION = _EVENTS_PER_TRANSACTION
    assert claims.LEASE > _LEASE
    setattr(claims, "LEASE", _LEASE)  # noqa: B010 -- it is Final, and smaller here
    steps.install()
    for mutant in mutants:
        import_module(f"tests.acceptance.mutants.{mutant}").apply()


if __name__ == "__main__":
    _prepare(sys.argv[1:])
    sys.exit(_serve())
