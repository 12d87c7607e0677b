"""The API's description of itself is the truth: schemathesis tries whatever it describes, and what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_daemon import Daemon, daemon, share
from tests.databases import made
from tests.guards.project import ROOT

EXAMPLES = 100 if os.environ.get("EDI_ACCEPTANCE_FULL") == "1" else 8
_METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def at(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("described")
    if request.param == "sqlite":
        with daemon(folder) as running:
            yield running
        return
    with made(request.getfixturevalue("postgres_url")) as url, daemon(folder, url) as running:
        yield running


def test_schemathesis_finds_no_violation(at: Daemon, tmp_path: Path) -> None:
    """All its checks over all operations: no status, header, body or refusal is otherwise than described."""
    share(at, "hooli", "1ZTEST1", "1ZTEST2")
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{at.url}/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {at.keys['hooli']}", "--checks", "all", "--max-examples", str(EXAMPLES)),
        *("--no-color", "--continue-on-failure", "--generation-database", "none", "--request-timeout", "60"),
    ]
    hooks = os.environ | {"SCHEMATHESIS_HOOKS": "tests.impatience", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, cwd=tmp_path, env=hooks, capture_output=True, text=True, timeout=3000)
    assert 0 == done.returncode, done.stdout[-8000:] + done.stderr[-2000:]
    # Endpoints that were made lead nowhere, and a person is told of that.
    assert [] == [each for each in at.gateway.complaints() if "hooli/api:" not in each]


def test_every_operation_is_described_with_examples(at: Daemon) -> None:
    """A summary, a description, each parameter with what it means and an example, and a body with one."""
    said = httpx.get(f"{at.url}/v1/openapi.json").json()
    missing = [
        f"{method} {path}: {what}"
        for path, each in said["paths"].items()
        for method, operation in each.items()
        if method in _METHODS
        for what in _missing(operation, said["components"]["schemas"])
    ]
    assert [] == missing


def _missing(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    if not operation.get("summary") or not operation.get("description"):
        yield "summary or description"
    for parameter in operation.get("parameters", ()):
        if "description" not in parameter or not ("examples" in parameter["schema"] or "example" in parameter):
            yield f"description or example of {parameter['name']}"
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if not ({"example", "examples"} & body.keys() or "examples" in schemas.get(name, {})):
            yield f"an example of a body of {kind}"
