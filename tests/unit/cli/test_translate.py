"""``edi-gateway translate``: what a person and a program are told of a file, and the exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.command import run
from tests.unit.pipeline.iftsta import interchange, message, sts

ROOT = Path(__file__).parents[3]


def translate(*arguments: object, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return run(["--config", config or ROOT / "nowhere", "translate", *arguments])


def test_events_are_told_with_exit_code_0(tmp_path: Path) -> None:
    """One JSON object a line, times in UTC."""
    file = tmp_path / "a.edi"
    file.write_bytes(interchange(message(sts("K1", "21", 30, "LOC+175+DEHAM:139:6:HAMBURG"))))
    done = translate(file, "--mapping", "standard/iftsta", "--json")
    (line,) = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0, done.stderr
    assert {
        key: line[key] for key in ("kind", "tracking_number", "status", "classifier", "raw_code", "occurred_at")
    } == {
        "kind": "event",
        "tracking_number": "K1",
        "status": "DELIVERED",
        "classifier": "ACT",
        "raw_code": "21",
        "occurred_at": "2026-10-12T06:30:00Z",
    }
    assert line["location"] == {"name": "HAMBURG", "unlocode": "DEHAM", "country": "DE"}


def test_what_was_set_aside_gives_exit_code_1(tmp_path: Path) -> None:
    """The place, what was found and what is expected; the neighbours are told all the same."""
    file = tmp_path / "a.edi"
    bad = "CNI+1+K2'STS+1+21'DTM+334:20020148:102'"
    file.write_bytes(interchange(message(sts("K1", "21", 30), bad)))
    done = translate(file, "--mapping", "standard/iftsta", "--timezone", "Europe/Berlin", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert sorted(line["kind"] for line in lines) == ["event", "quarantine"]
    aside = next(line for line in lines if line["kind"] == "quarantine")
    assert (aside["at"], aside["found"]) == (
        "interchange I1, message 1, segment 9 DTM, element 1, component 2",
        "20020148",
    )
    assert aside["expected"]


def test_people_read_the_same_in_sentences(tmp_path: Path) -> None:
    """Without --json."""
    file = tmp_path / "a.edi"
    file.write_bytes(interchange(message(sts("K1", "QX", 30))))
    done = translate(file, "--mapping", "standard/iftsta", "--timezone", "Europe/Berlin")
    assert "1 events, 0 quarantined, 1 warnings" in done.stdout
    assert "found QX" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothere.edi", "--mapping", "standard/iftsta"], "nothere.edi"),
        (["README.md", "--mapping", "standard/iftsat"], "did you mean 'standard/iftsta'"),
        (["README.md"], "exactly one of --mapping and --carrier"),
        (["README.md", "--carrier", "speedy"], "gateway.yaml"),
        (["README.md", "--mapping", "standard/tracking_events"], "tracking_events"),
        (["README.md", "--nonsense"], "--nonsense"),
    ],
)
def test_a_call_that_cannot_be_used_gives_exit_code_2(arguments: list[str], said: str) -> None:
    """It says why, on standard error, and prints nothing else."""
    done = translate(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_carriers_file_is_read_by_its_own_channel(tmp_path: Path) -> None:
    """Format, mapping and time zone come from the configuration."""
    from tests import configured

    config = configured.write(tmp_path / "config")
    file = tmp_path / "a.edi"
    file.write_bytes(interchange(message(sts("K1", "21", 30))))
    done = translate(file, "--carrier", "speedy", "--json", config=config)
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["carrier"], line["time_basis"]) == ("speedy", "partner")


SAMPLES = ROOT.parent / "shared" / "domain" / "samples"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the third-party sample files are not beside this checkout")
@pytest.mark.parametrize(
    "file", [path for folder in ("iftsta", "ugly_edifact") for path in sorted((SAMPLES / folder).glob("*"))], ids=str
)
def test_no_real_file_is_lost(file: Path) -> None:
    """Every sample gives events, or a quarantine that names its place, what was found and what is expected."""
    done = translate(file, "--mapping", "standard/iftsta", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    aside = [line for line in lines if line["kind"] == "quarantine"]
    assert lines, done.stderr
    assert done.returncode == (1 if aside else 0)
    assert all(line["at"] and line["expected"] for line in aside)
    assert aside or any(line["kind"] == "event" for line in lines)
