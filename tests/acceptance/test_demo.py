"""The demo as a newcomer runs it: it proves what it shows, notices what is off, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo import expected
from demo.checks import checks
from demo.outbound import Outbound
from demo.outcome import Outcome
from demo.scene import POSTS, UPLOADS, Carriers
from tests.guards.project import ROOT


def _demo(scratch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TMPDIR": str(scratch), "COLUMNS": "160"}
    command = [sys.executable, "-m", "demo", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


def _processes_of(folder: Path) -> list[str]:
    """Command lines of running processes that name the folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended meanwhile
            continue
    return [line for line in lines if str(folder) in line]


def test_demo_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The whole scene plays within a minute, every claim holds, and neither a process nor a file stays."""
    begun = datetime.now(UTC)
    done = _demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert datetime.now(UTC) - begun < timedelta(minutes=1)
    for line in (
        "the same bytes as document",
        "segment 9 DTM",
        "202503181075",
        "H7",
        "RFF+CU:GLX-20881'",
        "STS+1+21:::Delivered'",
        "everything holds",
        "make test",
    ):
        assert line in done.stdout
    assert "✗" not in done.stdout
    assert [] == _processes_of(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_demo_fails_when_nothing_can_be_delivered(tmp_path: Path) -> None:
    """A server that refuses to be written to lets no file arrive: the demo ends in time and says what is missing."""
    done = _demo(tmp_path, "--refuse", "write", "--seconds", "7")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "after 7 seconds not everything has arrived" in done.stdout
    assert "missing nordlog NLGU4428167 21 " in done.stdout
    assert [] == _processes_of(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_file_is_written_bit_by_bit(tmp_path: Path) -> None:
    """What the carrier takes its time over lies there unfinished, and is announced when begun and when complete."""
    (slow,) = (upload for upload in UPLOADS if upload.lasting)
    carriers = Carriers(dict.fromkeys(("nordlog", "kurier"), tmp_path))
    said = list(carriers.act(slow.at + slow.lasting / 2))
    assert 0 < (tmp_path / slow.name).stat().st_size < len(slow.content)
    assert slow.name not in carriers.completed
    said += carriers.act(slow.at + slow.lasting)
    assert slow.content == (tmp_path / slow.name).read_bytes()
    assert [slow.name, slow.name] == [upload.name for upload in said if upload is slow]


@pytest.fixture
def outcome() -> Outcome:
    """A run as it should be, in memory."""
    now = datetime.now(UTC)
    ids = {upload.name: number for number, upload in enumerate(UPLOADS, 1)}
    documents: list[dict[str, Any]] = [
        {
            "id": ids[upload.name],
            "channel": "nordlog/status-files",
            "name": upload.name,
            "size": len(upload.content),
            "duplicate_of": ids.get(upload.copy_of),
            "state": "partly_processed" if upload.name == expected.QUARANTINED[0] else "processed",
            "events_new": 0,
            "events_duplicate": 0,
        }
        for upload in UPLOADS
    ]
    documents += [
        {
            "id": 90 + number,
            "name": f"post{number}",
            "channel": "velopost/scans",
            "duplicate_of": 90 if number == 1 else None,
        }
        | {"size": 0, "state": "processed", "events_new": 0, "events_duplicate": 0}
        for number in range(len(POSTS))
    ]
    documents[0] |= {"events_new": expected.EVENTS, "events_duplicate": expected.EVENTS_TOLD_TWICE}
    file, message, segment, tag, found = expected.QUARANTINED
    carrier, code, events = expected.UNMAPPED
    files = {
        customer: [Outbound(f"{customer}00001.edi", "", *expected.RECIPIENTS[customer], "1", told, ())]
        for customer, told in expected.TOLD.items()
    }
    return Outcome(
        documents=documents,
        quarantine=[{"document": ids[file], "at": f"message {message}, segment {segment} {tag}", "found": found}],
        unmapped=[{"carrier": carrier, "code": code, "count": events}],
        deliveries=[
            {"name": f"{name}00001.edi", "destination": f"{name}/edi", "state": "delivered", "attempts": 1}
            for name in files
        ],
        outbox={"pending": {}, "refused": {}},
        received=files,
        notified=[{"shipment": {"tracking_number": number}, "status": status} for number, status in expected.NOTIFIED],
        forged=(),
        answered=[200] * len(POSTS),
        left=(),
        completed={upload.name: now for upload in UPLOADS},
        taken={upload.name: now for upload in UPLOADS},
        exit_code=0,
    )


def _tampered(outcome: Outcome) -> Iterator[Outcome]:
    """The same run with one thing off each time."""
    files = dict(outcome.received)
    (file,) = files["initech"]
    yield replace(outcome, received=files | {"initech": [replace(file, told=file.told[1:])]})
    yield replace(outcome, received=files | {"initech": [replace(file, told=(*file.told, file.told[0]))]})
    yield replace(outcome, received=files | {"initech": [replace(file, control="2")]})
    yield replace(outcome, received=files | {"initech": [replace(file, defects=("UNT",))]})
    yield replace(outcome, documents=outcome.documents[1:])
    yield replace(outcome, documents=[one | {"events_new": 1} for one in outcome.documents])
    yield replace(outcome, documents=[one | {"duplicate_of": None} for one in outcome.documents])
    yield replace(outcome, quarantine=())
    yield replace(outcome, unmapped=())
    yield replace(outcome, deliveries=[one | {"attempts": 2} for one in outcome.deliveries])
    yield replace(outcome, outbox={"pending": {"globex/edi": 1}, "refused": {}})
    yield replace(outcome, left=("NL.edi",))
    yield replace(outcome, notified=outcome.notified[1:])
    yield replace(outcome, notified=[*outcome.notified, outcome.notified[0]])
    yield replace(outcome, notified=outcome.notified[::-1])
    yield replace(outcome, forged=["/webhook/shipment"])
    yield replace(outcome, answered=[200, 401, 200])
    yield replace(outcome, documents=[one | {"duplicate_of": 1} for one in outcome.documents])
    yield replace(outcome, taken={name: when - timedelta(seconds=1) for name, when in outcome.taken.items()})
    yield replace(outcome, exit_code=-9)


def test_checks_notice_whatever_is_off(outcome: Outcome) -> None:
    """A run as it should be passes every check; with any one thing changed, some check speaks up."""
    assert [] == [check for check in checks(outcome) if check.deviations]
    silent = [
        index for index, run in enumerate(_tampered(outcome)) if not any(check.deviations for check in checks(run))
    ]
    assert [] == silent
