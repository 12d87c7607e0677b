"""One client's connection: its login, and the gate that each of its requests passes."""

import errno
import logging
import math
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import NoReturn

from paramiko import PKey, ServerInterface, SFTPServer, SFTPServerInterface, Transport
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from sftp_test_server.faults import Delay, Drop, Faults, Refuse, Stall
from sftp_test_server.users import User

_TRANSFERS = frozenset({"read", "write"})  # dropped at a byte, which only the open file can tell
_log = logging.getLogger(__name__)


class Session(ServerInterface):
    """A connection from its first byte to its last; paramiko asks it who may log in and what may be opened.

    `workers` are the threads that serve its channels. `username` is whoever tries to log in, then whoever did.
    """

    def __init__(self, connection: socket, users: Mapping[str, User], root: Path, faults: Faults) -> None:
        """Prepare to speak SSH on `connection`; nothing is sent until `start`."""
        self.faults = faults
        self.username = ""
        self.workers: list[threading.Thread] = []
        self._connection = connection
        self._users = users
        self._root = root
        self._transport = Transport(connection)
        self._transport.set_log_channel("sftp_test_server.ssh")

    def start(self, host_key: PKey, files: type[SFTPServerInterface]) -> None:
        """Begin the handshake in a thread of its own and serve sFTP from `files` after it."""
        self._transport.add_server_key(host_key)
        self._transport.set_subsystem_handler("sftp", SFTPServer, files)
        self._transport.start_server(event=threading.Event(), server=self)

    def close(self) -> None:
        """Cut the connection and wait for its threads to end."""
        self._cut()
        for thread in (self._transport, *self.workers):
            thread.join(timeout=5)

    def alive(self) -> bool:
        """Tell whether the connection still stands."""
        return self._transport.is_active()

    def ended(self) -> bool:
        """Tell whether the connection's thread has run out."""
        return not self._transport.is_alive()

    @property
    def home(self) -> Path:
        """The mailbox of the user logged in."""
        return self._users[self.username].home_below(self._root)

    def admit(self, operation: str, *paths: str) -> None:
        """Let a request through, after whatever faults are set for it.

        Raises PermissionError when it is refused, ConnectionResetError when the connection is gone.
        """
        _log.info("%s: %s %s", self.username, operation, " ".join(paths))
        request = (self.username, operation, *paths)
        if delay := self.faults.take(Delay, *request):
            self.faults.hold(delay, delay.seconds, self.alive)
        if stall := self.faults.take(Stall, *request):
            self.faults.hold(stall, math.inf, self.alive)
        if not self.alive() or (operation not in _TRANSFERS and self.faults.take(Drop, *request)):
            self.drop()
        if self.faults.take(Refuse, *request):
            raise PermissionError(errno.EACCES, f"a fault is set that refuses {operation}")

    def drop(self) -> NoReturn:
        """Cut the connection in the middle of a request, as a broken line would; what lies unread is not served."""
        self._cut()
        raise ConnectionResetError(errno.ECONNRESET, "the connection was cut")

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - every user may try both
        """Name the ways to log in."""
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> int:
        """Log a user in by password."""
        user = self._users.get(username)
        return self._log_in(username, welcome=user is not None and user.accepts_password(password))

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        """Log a user in by key, whose signature paramiko has checked; also asked beforehand whether a key would do."""
        user = self._users.get(username)
        return self._log_in(username, welcome=user is not None and user.accepts_key(key))

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - channels differ by kind alone
        """Open sessions, and nothing that tunnels."""
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def _log_in(self, username: str, *, welcome: bool) -> int:
        self.username = username
        try:
            self.admit("login")
        except OSError:
            return AUTH_FAILED
        return AUTH_SUCCESSFUL if welcome else AUTH_FAILED

    def _cut(self) -> None:
        with suppress(OSError):  # the other side was quicker
            self._connection.shutdown(SHUT_RDWR)  # wakes the thread that reads from it, which close alone does not
        self._transport.close()
