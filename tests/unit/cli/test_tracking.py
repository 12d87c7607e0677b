"""Which numbers a carrier is asked for, as a person decides it."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import configured
from tests.command import run

ASKED = """\
carrier: asked
channels:
  api:
    source:
      type: api_poll
      request: {url: "https://api.asked.example/track/{number}"}
      auth: {type: bearer, token: "${env:NOT_SET_HERE}"}
    format: {type: edifact}
    mapping: standard/iftsta
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return configured.write(tmp_path / "config", carriers__asked=ASKED)


def gateway(folder: Path, *words: str) -> CompletedProcess[str]:
    return run(["--config", folder, *words])


def test_a_person_tracks_and_untracks_numbers(folder: Path) -> None:
    """Without the carrier's secrets; what was stopped is tracked again by one call, and the status counts it all."""
    assert "2 tracking numbers are asked for by asked/api" in gateway(folder, "track", "asked", "p 1", "P2").stdout
    assert "1 tracking numbers are asked for no more" in gateway(folder, "untrack", "asked", "P1", "P3").stdout
    [told] = json.loads(gateway(folder, "status", "--json").stdout)["tracking"]
    assert ("asked/api", 1, 1, {"paused": 1}) == (told["channel"], told["waiting"], told["due"], told["stopped"])
    assert "asked/api: 1 numbers, 1 due, stopped: paused 1" in gateway(folder, "status").stdout.replace("  ", " ")
    gateway(folder, "track", "asked", "P1")
    assert 2 == json.loads(gateway(folder, "status", "--json").stdout)["tracking"][0]["due"]


@pytest.mark.parametrize("words", [("speedy", "P1"), ("asked", "P1", "--channel", "files")])
def test_a_carrier_that_is_not_asked_tracks_nothing(folder: Path, words: tuple[str, ...]) -> None:
    """The channels that ask are named."""
    refused = gateway(folder, "track", *words)
    assert (2, True) == (refused.returncode, "there are: asked/api" in refused.stderr)
