"""GnuPG's gpg, each time in a home of its own that is gone afterwards: nothing is shared with the machine's user.

The home holds keys while gpg works with them, so it lies in memory where the machine has a place for that. gpg asks
nobody, neither a person nor the network; its agent ends with the home.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Thread, Timer
from typing import IO, Final

_SECONDS: Final = 120.0  # for one run, however large the file is
_STALE: Final = 3600.0  # seconds; a home that old was left by a process that was killed
_PREFIX: Final = "edi-gateway-gpg-"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- only folders that nobody else may enter are made there
_STEP: Final = 1 << 16
_ALWAYS: Final = (
    "--no-options",
    "--batch",
    "--no-tty",
    "--quiet",
    "--no-permission-warning",
    "--no-random-seed-file",
    "--disable-dirmngr",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--trust-model=always",  # which key is whose is said in the configuration
    "--pinentry-mode=loopback",
)


@dataclass(frozen=True, slots=True)
class Said:
    """How a run of gpg ended: its status lines, its last complaint, and what it put out."""

    status: Sequence[Sequence[str]]
    complaint: str
    output: bytes
    good: bool  # exit code 0
    too_large: bool = False  # it was stopped, since it put out more than it may

    def told(self, *keywords: str) -> list[Sequence[str]]:
        """Its status lines of these kinds, without the keyword."""
        return [line[1:] for line in self.status if line[0] in keywords]


def missing() -> str:
    """What is to be done before gpg can be used here; "" when it is there."""
    if shutil.which("gpg") and shutil.which("gpgconf"):
        return ""
    return "PGP needs the program gpg, which is not installed: install GnuPG (Debian: apt install gpg gpg-agent)"


class Home:
    """A folder of keys that only this process may enter, and gpg working in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, keys: str) -> list[str]:
        """Import armoured keys, public or private; returns the fingerprints of all that could be used."""
        said = self.run(["--import"], keys.encode())
        return list(dict.fromkeys(line[1] for line in said.told("IMPORT_OK")))

    def run(self, arguments: Sequence[str], content: bytes, passphrase: str = "", most: int = 1 << 40) -> Said:
        """Run gpg on ``content``; it is stopped when it puts out more than ``most`` bytes.

        Raises TimeoutError when it takes too long, OSError when it cannot be started.
        """
        status, log = self.folder / "status", self.folder / "log"
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb") as secret:
                secret.write(passphrase.encode())
            call = ["gpg", "--homedir", str(self.folder), *_ALWAYS, "--status-file", str(status)]
            call += ["--passphrase-fd", str(reading), *arguments]
            with log.open("wb") as complaints:
                output, code, too_large = _converse(call, content, most, complaints, reading)
        finally:
            os.close(reading)
        lines = status.read_text("utf-8", "replace").splitlines() if status.exists() else []
        said = [line.removeprefix("[GNUPG:] ").split() for line in lines]
        complaint = log.read_text("utf-8", "replace").strip().rpartition("\n")[2].removeprefix("gpg: ")
        return Said([line for line in said if line], complaint, output, code == 0, too_large)


@contextmanager
def home() -> Iterator[Home]:
    """A home without a key, until the end of the block."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    _sweep(Path(place or tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place, ignore_cleanup_errors=True) as folder:
        # The agent protects anew what it imports; working out how slowly would take seconds, for the life of a second.
        Path(folder, "gpg-agent.conf").write_text("s2k-count 65536\n", encoding="ascii")
        try:
            yield Home(Path(folder))
        finally:
            stop = ["gpgconf", "--homedir", folder, "--kill", "gpg-agent"]
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(stop, capture_output=True, check=False, timeout=10)  # noqa: S603 -- nothing from outside


def _converse(
    call: Sequence[str], content: bytes, most: int, complaints: IO[bytes], inherited: int
) -> tuple[bytes, int, bool]:
    """Output, exit code, and whether there would have been more; both pipes are kept moving."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    output, too_large, began = BytesIO(), False, time.monotonic()
    with subprocess.Popen(  # noqa: S603 -- no part of the call comes from outside
        call,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        pass_fds=[inherited],
        env=environment,
        start_new_session=True,  # a signal to our group lets it finish
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        limit = Timer(_SECONDS, process.kill)
        feeder = Thread(target=_feed, args=(process.stdin, content), daemon=True)
        limit.start()
        feeder.start()
        try:
            while part := process.stdout.read(_STEP):
                if output.tell() + len(part) > most:
                    too_large = True
                    break
                output.write(part)
            if not too_large:
                process.wait()
        finally:
            process.kill()
            limit.cancel()
            feeder.join()
    if not too_large and time.monotonic() - began > _SECONDS:
        raise TimeoutError(f"gpg did not finish within {_SECONDS:.0f} seconds")
    return output.getvalue(), process.returncode, too_large


def _feed(pipe: IO[bytes], content: bytes) -> None:
    with suppress(BrokenPipeError), pipe:
        pipe.write(content)


def _sweep(place: Path) -> None:
    """Remove what processes left that were killed; an agent that is still there ends with its home."""
    for left in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)
