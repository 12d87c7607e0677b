"""``python -m demo``: carriers, customers, an sFTP server and the gateway at work, and a verdict on what came of it."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from demo import expected
from demo.checks import checks
from demo.configuration import keys, users, write_configuration
from demo.gateway import CommandError, Daemon, ask
from demo.http_partners import CarrierApi, Shop, post, served
from demo.outcome import Outcome, collect
from demo.progress import Progress
from demo.report import show
from demo.scene import POSTS, UPLOADS, Carriers, Post, Upload
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
    logins, secrets = users(), keys()
    mailboxes = folder / "mailboxes"
    api, shop = CarrierApi(secrets["fjordpak"]), Shop(secrets["umbra"])
    with ExitStack() as running:
        server = running.enter_context(SftpTestServer(mailboxes, logins, faults=faults))
        asked_at, posted_to = running.enter_context(served(api.answer)), running.enter_context(served(shop.answer))
        config = write_configuration(folder, server, logins, secrets, asked_at, posted_to)
        _console.print(
            f"[bold]sFTP server[/] on {server.host} port {server.port}; mailboxes of nordlog, kurier (carriers)"
        )
        _console.print("            and globex, initech (customers)")
        _console.print(
            f"[bold]HTTP[/]        tracking API of fjordpak (carrier) on {asked_at}; velopost (carrier) posts;"
        )
        _console.print(f"            web shop of umbra (customer) on {posted_to}")
        for customer, carrier, number in expected.SUBSCRIPTIONS:
            ask(config, "subscribe", customer, number, "--carrier", carrier)
            _console.print(f"subscribed  {customer} to {number} of {carrier}, beyond its rules")
        boxes = {name: server.home(name) / "out" for name in sorted({each.carrier for each in UPLOADS})}
        scene = _Scene(Carriers(boxes), secrets["velopost"], shop)
        with Daemon(config, folder / "daemon.log") as daemon:
            _watch(daemon, scene, seconds)
            outcome = collect(config, mailboxes, scene.carriers, shop, scene.answered, daemon, daemon.stop())
    return _judge(outcome)


@dataclass(slots=True)
class _Scene:
    """Who acts, and what came back to those that post."""

    carriers: Carriers
    secret: str  # of velopost
    shop: Shop
    answered: list[int] = field(default_factory=list)

    def act(self, elapsed: float, address: str) -> Iterator[str]:
        """Do what is due that many seconds after the start, and say so."""
        for upload in self.carriers.act(elapsed):
            yield _written(upload, whole=upload.name in self.carriers.completed)
        for due in POSTS[len(self.answered) :]:
            if due.at <= elapsed and address:
                self.answered.append(post(address, due, self.secret))
                yield _posted(due, self.answered[-1])


def _watch(daemon: Daemon, scene: _Scene, seconds: float) -> None:
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
        if _complete(progress, scene):
            return
        started = started or (now if progress.started else 0.0)
        for line in scene.act(now - started, progress.address) if started else ():
            _tell(now - begun, line)
        time.sleep(_TICK)


def _posted(due: Post, status: int) -> str:
    return f"velopost   posted: {due.about}; answered {status}"


def _written(upload: Upload, *, whole: bool) -> str:
    if not upload.lasting:
        return f"{upload.carrier:<9}  wrote {upload.name} ({upload.about})"
    if whole:
        return f"{upload.carrier:<9}  completed {upload.name}"
    return f"{upload.carrier:<9}  is writing {upload.name} ({upload.about})"


def _complete(progress: Progress, scene: _Scene) -> bool:
    """Whether every file was read and every request made, and as many events were delivered as are expected."""
    read = all(upload.name in progress.processed | progress.copies for upload in UPLOADS)
    owed = {f"{customer}/edi": len(told) for customer, told in expected.TOLD.items()}
    owed["umbra/shop"] = len(expected.NOTIFIED)
    told = all(progress.delivered.get(name, 0) >= count for name, count in owed.items())
    return read and told and len(scene.answered) == len(POSTS)


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
