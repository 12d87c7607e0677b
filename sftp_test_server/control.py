"""The control socket: change the faults of a running server from another process.

A client connects to a Unix-domain socket and writes one JSON object a line; each is answered by one JSON line:

    {"set": [FAULT, ...]}   these faults and no others     {"clear": true}   no faults
    {"add": [FAULT, ...]}   these faults as well           {"clear": "drop"} no faults of that kind
                                                           {"list": true}    nothing changes

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
from textwrap import fill
from typing import Any

import yaml

from sftp_test_server.faults import OPERATIONS, Faults
from sftp_test_server.notation import KINDS, describe_fault, describe_kinds, find_kind, parse_fault


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
        case {"clear": str(name)}:
            kind = find_kind(name)
            faults.remove(*(fault for fault in faults.fired() if type(fault) is kind))
        case {"list": True}:
            pass
        case _:
            raise ValueError(
                f'expected {{"set": [...]}}, {{"add": [...]}}, {{"clear": true}} or {{"list": true}}: {command}'
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when the server did as told."""
    options, parser = _parse(arguments)
    if options.command == "list" and options.fault:
        parser.error("list takes no fault")
    if options.command in {"set", "add"} and not options.fault:
        parser.error(f"{options.command} takes a fault: {', '.join(KINDS)}")
    if options.command == "clear" and options.options:
        parser.error("clear takes a fault without options, or none for all")
    try:
        faults = send_command(options.socket, _command(options))
    except (FileNotFoundError, ConnectionRefusedError):
        print(f"{options.socket}: no server listens there: start one with --control {options.socket}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"{options.socket}: {error}", file=sys.stderr)
        return 1
    for fault in faults:
        print(json.dumps(fault))
    return 0


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, argparse.ArgumentParser]:
    parser = argparse.ArgumentParser(
        prog="python -m sftp_test_server.control",
        description="Set faults of a server while it runs, and print those that are set then.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("socket", type=Path, help="the path given to --control")
    parser.add_argument(
        "command",
        choices=("set", "add", "clear", "list"),
        help="set: this fault and no others; add: this one as well; clear: none of that kind, or none at all",
    )
    parser.add_argument("fault", nargs="?", choices=tuple(KINDS), metavar="FAULT", help="see below")
    parser.add_argument(
        "options", nargs="*", metavar="NAME=VALUE", help="such as operation=rename, path=/out/*, times=1"
    )
    return parser.parse_args(arguments), parser


_HELP = f"""\
faults, with the options that are their own and their defaults (NAME=... has to be given):
{describe_kinds()}

options of all faults:
  operation    where it strikes, several joined by commas; * for all after the key exchange
  user, path   shell globs over user names and the client's absolute paths; * also crosses /
  times        strike so often, then never again

{fill("operations: " + ", ".join(OPERATIONS), 96, subsequent_indent="  ")}

example: python -m sftp_test_server.control /tmp/faults.sock add refuse operation=rename "path=/out/*" times=1
"""


def _command(options: argparse.Namespace) -> dict[str, object]:
    if options.command in {"clear", "list"}:
        return {options.command: options.fault or True}
    return {options.command: [{"fault": options.fault, **dict(map(_option, options.options))}]}


def _option(text: str) -> tuple[str, object]:
    """Read NAME=VALUE. Raises ValueError when there is no equals sign."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is no option: expected NAME=VALUE, such as times=1")
    return name, _value(name, value)


def _value(name: str, text: str) -> object:
    """Read a value as YAML does, except for those that are text whatever they look like (`*` is no YAML)."""
    return text if name in {"operation", "user", "path", "answer", "into"} else yaml.safe_load(text)


if __name__ == "__main__":
    sys.exit(main())
