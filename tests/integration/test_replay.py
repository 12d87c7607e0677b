"""``edi-gateway replay`` as a person calls it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edi_gateway.model import RawDocument
from edi_gateway.pipeline.process import process_pending
from edi_gateway.store import inbox, replays, shipments
from edi_gateway.store.engine import Database
from tests import configured
from tests.acceptance.gateway import wait_until
from tests.command import run
from tests.guards.project import ROOT
from tests.unit.pipeline.iftsta import interchange, message, sts

COUNT = 60
WRONG = "extends: standard/iftsta\n"
MENDED = WRONG + "code_lists: [{agency: '87', codes: {QX: DELIVERED}}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose database holds documents with a code nobody had mapped; by now somebody has."""
    own = tmp_path / "mappings" / "speedy.yaml"
    own.parent.mkdir()
    own.write_text(WRONG)
    files = {
        "gateway": f"data: ../data\nmappings: [{own.parent}, {configured.MAPPINGS}]\nidentity: HUB\n",
        "carriers__speedy": configured.CARRIER.replace("standard/iftsta", "speedy"),
    }
    wired = configured.wired(tmp_path / "config", **files)
    db = database(tmp_path)
    db.migrate()
    for number in range(COUNT):
        content = interchange(message(sts(f"K{number}", "QX::87", number % 60)), ref=f"I{number}")
        document = RawDocument("speedy/files", f"{number}.edi", content, datetime(2026, 10, 12, 12, tzinfo=UTC))
        inbox.receive(db, "speedy", [document])
    while process_pending(db, wired.channels, wired.destinations):
        pass
    db.close()
    own.write_text(MENDED)
    return tmp_path


def database(folder: Path) -> Database:
    (folder / "data").mkdir(exist_ok=True)
    return Database(f"sqlite:///{folder / 'data' / 'edi-gateway.db'}")


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "edi_gateway.cli.main", "--config", str(folder / "config"), "replay", *arguments]


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(["--config", folder / "config", "replay", *arguments])


def unmapped(folder: Path) -> int:
    """How many events are left of which no mapping knew the code."""
    db = database(folder)
    try:
        return sum(code.count for code in shipments.unmapped(db))
    finally:
        db.close()


def test_it_says_what_would_change_and_does_nothing_unless_told_to(folder: Path) -> None:
    """Without anybody to ask it ends with an error; with --dry-run it was only a question."""
    asked = call(folder, "--channel", "speedy/files")
    assert asked.returncode == 1
    assert f"{COUNT} would be new" in asked.stdout
    assert f"globex/edi would hear of {COUNT} events" in asked.stdout
    assert "--yes" in asked.stderr
    assert f"preview: {COUNT} of {COUNT}" in asked.stderr
    told = call(folder, "--since", "2026-10-12", "--dry-run", "--json")
    row = json.loads(told.stdout)
    assert (told.returncode, row["events_new"], row["events_retracted"], row["preview"]) == (0, COUNT, COUNT, True)
    assert row["destinations"] == [{"destination": "globex/edi", "report": COUNT, "cancel": 0, "files": COUNT // 3}]
    assert unmapped(folder) == COUNT


def _held(pipe: int) -> int:
    """How many bytes wait to be read."""
    held: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return held


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_replay_that_is_ended_goes_on_when_called_again(folder: Path, sign: signal.Signals, code: int) -> None:
    """By a power cut or by Ctrl-C; until then another one is refused."""
    first = f"replay: {COUNT // 10} of {COUNT}\n".encode()
    here, there = os.pipe()  # with room for one line: it cannot get to its end before it is told to
    size = fcntl.fcntl(there, fcntl.F_SETPIPE_SZ, 4096)
    os.write(there, b"." * (size - len(first)))
    ended = command(folder, "--channel", "speedy/files", "--yes")
    with (
        subprocess.Popen(ended, stderr=there, stdout=subprocess.DEVNULL, cwd=ROOT) as running,
        os.fdopen(here, "rb") as said,
    ):
        os.close(there)
        wait_until(lambda: _held(here) == size, 30, "a tenth of it")
        running.send_signal(sign)
        assert first in said.read()
        assert running.wait(30) == code
    db = database(folder)
    left = len(replays.left(db))
    db.close()
    assert 0 < left < COUNT
    assert unmapped(folder) == left
    refused = call(folder, "1")
    assert (refused.returncode, f"{left} documents left" in refused.stderr) == (2, True)
    resumed = call(folder, "--resume", "--yes", "--json")
    assert (resumed.returncode, json.loads(resumed.stdout)["documents"]) == (0, left)
    assert unmapped(folder) == 0


def test_on_a_terminal_it_asks_and_shows_a_bar(folder: Path) -> None:
    """What the answer is counts; the bar is on standard error."""
    for answer, left in (("n", COUNT), ("y", COUNT - 1)):
        here, there = pty.openpty()
        running = subprocess.Popen(
            command(folder, "7"), stdin=there, stdout=there, stderr=there, cwd=ROOT, env=os.environ | {"TERM": "xterm"}
        )
        os.close(there)
        said = b""
        with running:
            while b"again?" not in said:
                said += os.read(here, 1000)
            os.write(here, answer.encode() + b"\n")
            try:
                while chunk := os.read(here, 1000):
                    said += chunk
            except OSError:
                pass  # the terminal is closed by the last who wrote to it
            assert running.wait(30) == 0
        os.close(here)
        assert b"preview" in said
        assert unmapped(folder) == left


def test_what_cannot_be_read_again_is_said(folder: Path) -> None:
    """A number that is not there, a time that is none, no condition at all."""
    assert "99999" in call(folder, "99999").stdout
    assert "expected a date" in call(folder, "--since", "yesterday").stderr
    assert call(folder).returncode == 2
