"""`python -m sftp_test_server`: start the test server from the command line, until Ctrl-C."""

import argparse
import json
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import yaml

from sftp_test_server.control import control_socket
from sftp_test_server.faults import Fault, Faults
from sftp_test_server.notation import parse_fault
from sftp_test_server.server import SftpTestServer, load_host_key
from sftp_test_server.users import User, parse_user


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until SIGINT or SIGTERM; 2 when it cannot start."""
    options = _parser().parse_args(arguments)
    if options.verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        _serve(_build_server(options), options)
    except (OSError, ValueError) as error:
        print(f"sftp_test_server cannot start: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sftp_test_server", description="An sFTP server to test clients.")
    parser.add_argument("--root", type=Path, required=True, help="folder that holds the users' mailboxes")
    parser.add_argument("--config", type=Path, help="YAML file with `users` and `faults`")
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD", help="a user; may be repeated")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (0: any free one)")
    parser.add_argument("--host-key", type=Path, help="private host key file, made if missing (a fresh key each start)")
    parser.add_argument("--control", type=Path, metavar="SOCKET", help="Unix-domain socket to change faults at")
    parser.add_argument("--json", action="store_true", help="print where it listens as one line of JSON")
    parser.add_argument("--verbose", action="store_true", help="log every request to standard error")
    return parser


def _build_server(options: argparse.Namespace) -> SftpTestServer:
    users, faults = _read_config(options.config) if options.config else ([], [])
    users += map(_user_option, options.user)
    if not users:
        raise ValueError("nobody could log in: give --user NAME:PASSWORD, or --config with users")
    return SftpTestServer(
        options.root,
        users,
        faults=Faults(*faults),
        host=options.host,
        port=options.port,
        host_key=load_host_key(options.host_key) if options.host_key else None,
    )


def _serve(server: SftpTestServer, options: argparse.Namespace) -> None:
    """Serve until a signal asks to stop."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    with ExitStack() as stack:
        stack.enter_context(server)
        if options.control:
            stack.enter_context(control_socket(options.control, server.faults))
        print(_announcement(server, as_json=options.json), flush=True)
        asked.wait()


def _announcement(server: SftpTestServer, *, as_json: bool) -> str:
    if not as_json:
        return f"sFTP test server on {server.host} port {server.port}, host key {server.fingerprint}"
    return json.dumps(
        {
            "host": server.host,
            "port": server.port,
            "fingerprint": server.fingerprint,
            "known_hosts": server.host_key_line,
            "other_fingerprint": server.other_fingerprint,
            "other_known_hosts": server.other_host_key_line,
        }
    )


def _user_option(text: str) -> User:
    name, colon, password = text.partition(":")
    if not (name and colon):
        raise ValueError(f"--user {name}: expected NAME:PASSWORD")
    return User(name, password)


def _read_config(path: Path) -> tuple[list[User], list[Fault]]:
    """Read users and faults. Raises OSError when the file cannot be read, ValueError naming it when it is wrong."""
    try:
        return _parse_config(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from error


def _parse_config(document: object) -> tuple[list[User], list[Fault]]:
    match {"users": {}, "faults": []} | document if isinstance(document, dict) else document:
        case {"users": dict(users), "faults": list(faults), **rest} if not rest:
            return [parse_user(str(name), user) for name, user in users.items()], [*map(parse_fault, faults)]
        case _:
            raise ValueError(
                "expected `users`, a mapping of names to users, and `faults`, a list; either may be missing"
            )


if __name__ == "__main__":
    sys.exit(main())
