"""One client's connection: its phases, its login, and the gate that each of its requests passes."""

import errno
import logging
import math
import select
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import NoReturn

from paramiko import Channel, PKey, ServerInterface, SubsystemHandler, Transport
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from sftp_test_server.faults import Delay, Drop, Faults, Refuse, Stall
from sftp_test_server.users import User

_TRANSFERS = frozenset({"read", "write"})  # dropped at a byte, which only the open file can tell
_ERRORS: Mapping[str, int] = {
    "permission_denied": errno.EACCES,
    "failure": errno.EIO,
    "unsupported": errno.EOPNOTSUPP,
    "no_such_file": errno.ENOENT,
}
_PATIENCE = 86_400  # seconds; paramiko's 15 would end a handshake that a fault holds up
LARGEST_READ = 256 * 1024  # bytes; a client may ask for 4 GB and must take fewer (section 6.4)
_log = logging.getLogger(__name__)


def pass_gate(faults: Faults, alive: Callable[[], bool], user: str, operation: str, *paths: str) -> None:
    """Let a request or a connection through, after whatever faults are set for it.

    Raises ConnectionResetError when it shall be cut, another OSError when it is refused.
    """
    request = (user, operation, *paths)
    if delay := faults.take(Delay, *request):
        faults.hold(delay, delay.seconds, alive)
    if stall := faults.take(Stall, *request):
        faults.hold(stall, math.inf, alive)
    if operation not in _TRANSFERS and faults.take(Drop, *request):
        raise ConnectionResetError(errno.ECONNRESET, f"a fault is set that cuts the connection at {operation}")
    if refuse := faults.take(Refuse, *request):
        raise OSError(_ERRORS[refuse.answer], f"a fault is set that refuses {operation}")


class Session(ServerInterface):
    """A connection from its first byte to its last; paramiko asks it who may log in and what may be opened.

    `workers` are the threads that serve its channels. `username` is whoever tries to log in, then whoever did.
    """

    def __init__(self, connection: socket, users: Mapping[str, User], root: Path, faults: Faults) -> None:
        """Prepare to speak SSH on `connection`; nothing is sent until `start`."""
        self.faults = faults
        self.username = ""
        self.workers: list[threading.Thread] = []
        self.largest_read = LARGEST_READ
        self._connection = connection
        self._users = users
        self._root = root
        self._transport = _Phases(connection, self)
        self._transport.set_log_channel("sftp_test_server.ssh")

    def start(self, host_key: PKey, subsystem: type[SubsystemHandler]) -> None:
        """Begin the handshake in a thread of its own and serve sFTP by `subsystem` after it."""
        self._transport.add_server_key(host_key)
        self._transport.set_subsystem_handler("sftp", subsystem)
        self._transport.start_server(event=threading.Event(), server=self)

    def close(self) -> None:
        """Cut the connection and wait for its threads to end."""
        self._cut()
        for thread in (self._transport, *self.workers):
            thread.join(timeout=5)

    def alive(self) -> bool:
        """Tell whether the connection still stands, even where nobody reads from it just now."""
        return self._transport.is_active() and not _hung_up(self._connection)

    def ended(self) -> bool:
        """Tell whether the connection's thread has run out."""
        return not self._transport.is_alive()

    @property
    def home(self) -> Path:
        """The mailbox of the user logged in."""
        return self._users[self.username].home_below(self._root)

    def admit(self, operation: str, *paths: str) -> None:
        """Let a request through, after whatever faults are set for it.

        Raises ConnectionResetError when the connection is gone, another OSError when the request is refused.
        """
        _log.info("%s: %s %s", self.username, operation, " ".join(paths))
        try:
            pass_gate(self.faults, self.alive, self.username, operation, *paths)
        except ConnectionResetError:
            self.drop()
        if not self._transport.is_active():
            self.drop()

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

    def check_channel_subsystem_request(self, channel: Channel, name: str) -> bool:
        """Start sFTP on a channel."""
        try:
            self.admit("subsystem")
        except OSError:
            return False
        return super().check_channel_subsystem_request(channel, name)

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


class _Phases(Transport):
    """paramiko's side of the connection, with the gate before the banner and before the key exchange."""

    def __init__(self, connection: socket, session: Session) -> None:
        super().__init__(connection)
        self.handshake_timeout = _PATIENCE
        self._session = session

    def run(self) -> None:
        """Speak SSH until the connection ends."""
        try:
            self._session.admit("banner")
        except OSError:
            self.close()
            return
        super().run()
        self.packetizer.complete_handshake()  # or else its timer would outlive a connection that broke off

    def _send_kex_init(self) -> None:
        """Begin a key exchange; paramiko has no public place before the first one."""
        if not self.initial_kex_done:
            self._session.admit("kex")  # an error ends the connection
        super()._send_kex_init()  # type: ignore[misc] # not in the stubs


def _hung_up(connection: socket) -> bool:
    """Tell whether the other side has gone, although what it sent before may lie unread."""
    if connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))
