"""What docs/api.md shows is what happens: each example on the page is run against a real daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api_daemon import Daemon, daemon, share
from tests.guards.project import ROOT

_PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
_KNOWN = "1ZTEST000000000001"


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("docs")) as running:
        share(running, "hooli", _KNOWN)
        yield running


def _environment(at: Daemon) -> dict[str, str]:
    commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"GATEWAY": at.url, "KEY": at.keys["hooli"], "PATH": commands}


def test_every_command_of_the_page_works(at: Daemon) -> None:
    """From the key to the last call, one after the other, in one shell."""
    script = "\n".join(["set -eo pipefail", *_blocks("sh")])
    script = script.replace("--config DIR", f"--config {at.gateway.config}").replace("globex", "hooli")
    done = subprocess.run(["bash", "-c", script], check=False, env=_environment(at), capture_output=True, text=True)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert done.stdout.count(_KNOWN) > 4
    assert "304\n" in done.stdout


def test_the_client_of_the_page_works(at: Daemon) -> None:
    """It finds what there is, is told what there is not, and reads the feed to its end."""
    [client] = _blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", client], check=False, env=_environment(at), capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stderr
    assert f"{_KNOWN} DELIVERED\n" in done.stdout
    assert "not_found" in done.stdout
    assert f"report {_KNOWN} DELIVERED" in done.stdout


def test_every_call_is_on_a_page(at: Daemon) -> None:
    """Each described operation has a curl example, here or on the page of its own."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    paths = httpx.get(f"{at.url}/v1/openapi.json").json()["paths"]
    shown = [re.sub(r"\{\w+\}", r"$\\w+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")) for path in paths]
    missing = [path for path in shown if not re.search(rf"\$GATEWAY{path.replace('$', '[$]')}[\"? ]", pages)]
    assert [] == missing
