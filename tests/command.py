"""``edi-gateway COMMAND`` run to its end: the real command line in a process of its own, its imports done already.

One process for all tests of a worker imports the gateway; each call is a child of it, with the caller's environment.
"""

from __future__ import annotations

import atexit
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Final

import edi_gateway
from tests.guards.project import ROOT

_ASKING: Final = Lock()


def run(arguments: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """Run the command in the project's folder, with nothing on its standard input; returns its exit code and words."""
    with tempfile.TemporaryDirectory(prefix="command-") as scratch:
        said = {name: Path(scratch, name) for name in ("out", "err")}
        words = [*map(str, arguments)]
        question = {
            "arguments": words,
            "environment": dict(os.environ),
            "said": {name: str(path) for name, path in said.items()},
        }
        with _ASKING:
            server = _server()
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps(question) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
        out, err = (path.read_text("utf-8") for path in said.values())
    return subprocess.CompletedProcess(words, code, out, err)


@cache
def _server() -> subprocess.Popen[str]:
    """It ends with this process, or when that is killed: then its standard input is closed."""
    command = [sys.executable, "-m", "tests.command"]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


def import_all() -> None:
    """Import every module a command may need, so that no child has to."""
    for module in pkgutil.walk_packages(edi_gateway.__path__, "edi_gateway."):
        if "migrations" not in module.name:
            import_module(module.name)
    import_module("alembic.command")


def _serve() -> int:
    """Answer with exit codes; returns, in a child, its own."""
    for line in sys.stdin:
        question = json.loads(line)
        child = os.fork()
        if not child:
            return _become(question)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    return 0


def _become(question: dict[str, Any]) -> int:
    os.environ.clear()
    os.environ.update(question["environment"])
    writing = os.O_WRONLY | os.O_CREAT
    said = question["said"]
    for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, said["out"], writing), (2, said["err"], writing)):
        opened = os.open(path, mode)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["edi-gateway", *question["arguments"]]
    try:
        import_module("edi_gateway.cli.main").main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    import_all()
    sys.exit(_serve())
