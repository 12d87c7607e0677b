"""``python -m demo``: carriers, customers, an sFTP server and the gateway at work, and a verdict on what came of it."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from demo import expected
from demo.checks import checks
from demo.configuration import users, write_configuration
from demo.gateway import CommandError, Daemon, ask
from demo.outcome import Outcome, collect
from demo.progress import Progress
from demo.report import show
from demo.scene import UPLOADS, Carriers, Upload
from sftp_test_server.faults import OPERATIONS, Faults, Refuse
from sftp_test_server.server import SftpTestServer

_TICK: Final = 0.05  # seconds
_console: Final = Console(highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when everything it claims holds, 1 when anything is off, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with _folder(keep=options.keep) as folder:
            sound = _run(
                folder, options.seconds, Faults(*(Refuse(operation=operation) for operation in options.refuse))
            )
            _say_what_next(folder if options.keep else None)
    except KeyboardInterrupt:
        _console.print("\ninterrupted; nothing is left running")
        return 130
    except CommandError as error:
        _console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1
    return 0 if sound else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="See the gateway at work, on this machine alone."
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep configuration, database and mailboxes to look around in"
    )
    parser.add_argument("--seconds", type=float, default=45, metavar="N", help="the longest everything may take (45)")
    parser.add_argument(
        "--refuse",
        action="append",
        default=[],
        choices=OPERATIONS,
        metavar="OPERATION",
        help="let the sFTP server refuse it, such as rename",
    )
    return parser


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="edi-gateway-demo-")).resolve()
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


def _run(folder: Path, seconds: float, faults: Faults) -> bool:
    """Play the scene below ``folder`` and show what came of it; whether every claim holds."""
    logins = users()
    mailboxes = folder / "mailboxes"
    with SftpTestServer(mailboxes, logins, faults=faults) as server:
        config = write_configuration(folder, server, logins)
        _console.print(
            f"[bold]sFTP server[/] on {server.host} port {server.port}; mailboxes of nordlog, kurier (carriers)"
        )
        _console.print("            and globex, initech (customers)")
        customer, carrier, number = expected.SUBSCRIPTION
        ask(config, "subscribe", customer, number, "--carrier", carrier)
        _console.print(f"subscribed  {customer} to {number} of {carrier}, beyond its rules")
        carriers = Carriers({name: server.home(name) / "out" for name in sorted({each.carrier for each in UPLOADS})})
        with Daemon(config, folder / "daemon.log") as daemon:
            _watch(daemon, carriers, seconds)
            outcome = collect(config, mailboxes, carriers, daemon, daemon.stop())
    return _judge(outcome)


def _watch(daemon: Daemon, carriers: Carriers, seconds: float) -> None:
    """Let carriers and gateway work, telling what happens, until all is there or the time is up."""
    begun = time.monotonic()
    progress, started = Progress(), 0.0
    while True:
        now, ended = time.monotonic(), daemon.ended
        for line in filter(None, map(progress.note, daemon.new_records())):
            _tell(now - begun, line)
        if ended or now - begun > seconds:
            why = "the daemon ended by itself" if ended else f"after {seconds:g} seconds not everything has arrived"
            _console.print(f"[red]{why}[/]")
            return
        if _complete(progress):
            return
        started = started or (now if progress.started else 0.0)
        for upload in carriers.act(now - started) if started else ():
            _tell(now - begun, _written(upload, whole=upload.name in carriers.completed))
        time.sleep(_TICK)


def _written(upload: Upload, *, whole: bool) -> str:
    if not upload.lasting:
        return f"{upload.carrier:<9}  wrote {upload.name} ({upload.about})"
    if whole:
        return f"{upload.carrier:<9}  completed {upload.name}"
    return f"{upload.carrier:<9}  is writing {upload.name} ({upload.about})"


def _complete(progress: Progress) -> bool:
    """Whether every file was read and as many events were delivered as are expected."""
    read = all(upload.name in progress.processed | progress.copies for upload in UPLOADS)
    return read and all(
        progress.delivered.get(f"{customer}/edi", 0) >= len(told) for customer, told in expected.TOLD.items()
    )


def _judge(outcome: Outcome) -> bool:
    verdicts = checks(outcome)
    show(_console, outcome, verdicts)
    off = sum(bool(check.deviations) for check in verdicts)
    _console.print(
        f"\n[bold red]{off} of {len(verdicts)} claims do not hold[/]" if off else "\n[bold green]everything holds[/]"
    )
    return not off


def _say_what_next(kept: Path | None) -> None:
    """Commands that work as they stand."""
    _console.print("\n[bold]Next[/]")
    if kept is None:
        sample = "mappings/nordlog/samples/iftsta/rail_and_delivery.edi"
        _console.print(f"  .venv/bin/edi-gateway translate {sample} --mapping nordlog/iftsta")
        _console.print("  make demo ARGS=--keep    the same, and the folder stays to look around in")
        _console.print("  make test")
        return
    command = f"  .venv/bin/edi-gateway --config {kept / 'config'}"
    _console.print(f"  everything is in {kept}; delete it when you are done")
    for arguments in ("status", "events NLGU4410023", "quarantine list", "unmapped", "deliveries list"):
        _console.print(f"{command} {arguments}", markup=False)


def _tell(seconds: float, line: str) -> None:
    _console.print(f"[dim]{seconds:5.1f} s[/]  {line}")


if __name__ == "__main__":
    sys.exit(main())
