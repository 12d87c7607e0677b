"""The control socket: change the faults of a running server from another process.

A client connects to a Unix-domain socket and writes one JSON object a line; each is answered by one JSON line:

    {"set": [FAULT, ...]}   these faults and no others     {"clear": true}   no faults
    {"add": [FAULT, ...]}   these faults as well           {"list": true}    nothing changes

The answer is {"faults": [FAULT, ...]}, what is set now, each with the count of its strikes under "fired"; or
{"error": "..."}. `python -m sftp_test_server.control SOCKET add drop path=/out/* after_bytes=1000` does the same.
"""

import argparse
import json
import socket
import socketserver
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sftp_test_server.faults import KINDS, Faults, describe_fault, parse_fault


@contextmanager
def control_socket(path: Path, faults: Faults) -> Generator[None]:
    """Answer commands at `path` while the block runs. Raises OSError when the socket cannot be made."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(json.dumps(_answer(line, faults)).encode() + b"\n")

    path.unlink(missing_ok=True)  # left by a server that was killed
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as listener:
        listener.daemon_threads = True
        path.chmod(0o600)
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown()
            path.unlink(missing_ok=True)


def send_command(path: Path, command: dict[str, object]) -> list[dict[str, Any]]:
    """Send one command and return the faults that are set after it.

    Raises OSError when no server listens at `path`, ValueError when it finds the command wrong.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(json.dumps(command).encode() + b"\n")
        answer = json.loads(connection.makefile().readline())
    if "error" in answer:
        raise ValueError(answer["error"])
    faults: list[dict[str, Any]] = answer["faults"]
    return faults


def _answer(line: bytes, faults: Faults) -> dict[str, object]:
    try:
        _carry_out(json.loads(line), faults)
    except ValueError as error:
        return {"error": str(error)}
    return {"faults": [{**describe_fault(fault), "fired": fired} for fault, fired in faults.fired().items()]}


def _carry_out(command: object, faults: Faults) -> None:
    match command:
        case {"set": list(documents)}:
            faults.set(*map(parse_fault, documents))
        case {"add": list(documents)}:
            faults.add(*map(parse_fault, documents))
        case {"clear": True}:
            faults.clear()
        case {"list": True}:
            pass
        case _:
            raise ValueError(
                f'expected {{"set": [...]}}, {{"add": [...]}}, {{"clear": true}} or {{"list": true}}: {command}'
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when the server did as told."""
    parser = argparse.ArgumentParser(prog="python -m sftp_test_server.control", description="Set faults while it runs.")
    parser.add_argument("socket", type=Path, help="the path given to --control")
    parser.add_argument("command", choices=("set", "add", "clear", "list"))
    parser.add_argument("fault", nargs="?", choices=tuple(KINDS))
    parser.add_argument(
        "options", nargs="*", metavar="NAME=VALUE", help="such as operation=rename, path=/out/*, times=1"
    )
    options = parser.parse_args(arguments)
    if (options.fault is None) == (options.command in {"set", "add"}):
        parser.error("set and add take a fault, clear and list take none")
    try:
        faults = send_command(options.socket, _command(options))
    except (OSError, ValueError) as error:
        print(f"{options.socket}: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(json.dumps(fault))
    return 0


def _command(options: argparse.Namespace) -> dict[str, object]:
    if options.fault is None:
        return {options.command: True}
    pairs = (option.partition("=") for option in options.options)
    return {options.command: [{"fault": options.fault, **{name: _value(name, text) for name, _, text in pairs}}]}


def _value(name: str, text: str) -> object:
    """Read a value as YAML does, except for those that are text whatever they look like (`*` is no YAML)."""
    return text if name in {"operation", "user", "path"} else yaml.safe_load(text)


if __name__ == "__main__":
    sys.exit(main())
