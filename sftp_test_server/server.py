"""The server: a listening socket, and a session for each connection."""

import logging
import select
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from paramiko import ECDSAKey, PKey, SSHException

from sftp_test_server.faults import Faults, OtherHostKey
from sftp_test_server.session import Session, pass_gate
from sftp_test_server.subsystem import Subsystem
from sftp_test_server.users import User

logging.getLogger("sftp_test_server").addHandler(logging.NullHandler())  # whoever wants the log attaches to it


class SftpTestServer:
    """A real sFTP server in this process, for tests and demonstrations.

    `with SftpTestServer(root, [User("acme", "secret")]) as server:` listens on `server.host` and `server.port` until
    the block ends. `server.faults` may be changed at any time.
    """

    def __init__(
        self,
        root: Path,
        users: Iterable[User],
        *,
        faults: Faults | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        host_key: PKey | None = None,
    ) -> None:
        """Serve mailboxes below `root`; port 0 takes a free one, and without `host_key` a fresh one is made."""
        self.host = host
        self.port = port
        self.faults = Faults() if faults is None else faults
        self._root = root
        self._users = {user.name: user for user in users}
        self._host_key = host_key or ECDSAKey.generate()
        self._other_host_key: PKey = ECDSAKey.generate()
        self._sessions: list[Session] = []
        self._stopping = threading.Event()

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint as OpenSSH shows it, `SHA256:...`."""
        return self._host_key.fingerprint

    @property
    def host_key_line(self) -> str:
        """The host key as a line of a known_hosts file."""
        return self._line(self._host_key)

    @property
    def other_fingerprint(self) -> str:
        """The fingerprint of the key shown while the fault `OtherHostKey` is set."""
        return self._other_host_key.fingerprint

    @property
    def other_host_key_line(self) -> str:
        """The key shown while the fault `OtherHostKey` is set, as a line of a known_hosts file."""
        return self._line(self._other_host_key)

    def home(self, username: str) -> Path:
        """Return the local folder that this user sees as `/`. Raises KeyError for an unknown user."""
        return self._users[username].home_below(self._root)

    def start(self) -> None:
        """Make the mailboxes and listen. Raises OSError when the port is taken."""
        for user in self._users.values():
            user.make_home(self._root)
        self._stopping.clear()
        self._listener = socket.create_server((self.host, self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="sftp_test_server", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Stop listening, cut every connection and wait for all threads to end."""
        self._stopping.set()
        with suppress(OSError):  # wakes the acceptor, which closing its socket would not
            socket.create_connection((self.host, self.port), timeout=1).close()
        self._acceptor.join()
        self._listener.close()
        for session in self._sessions:
            session.close()
        self._sessions.clear()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _accept(self) -> None:
        while True:
            select.select([self._listener], [], [])  # until somebody connects
            welcome = not self._stopping.is_set() and self._admit()
            if self._stopping.is_set():
                return
            connection, _ = self._listener.accept()
            if not welcome:
                connection.close()
                continue
            with suppress(OSError, SSHException):  # the client has gone again
                self._serve(connection)

    def _admit(self) -> bool:
        """Tell whether the connection that waits may be served, after whatever faults are set for it."""
        try:
            pass_gate(self.faults, lambda: not self._stopping.is_set(), "", "accept")
        except OSError:
            return False
        return True

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # answers are small and awaited one by one
        session = Session(connection, self._users, self._root, self.faults)
        changed = self.faults.take(OtherHostKey, "", "kex")
        session.start(self._other_host_key if changed else self._host_key, Subsystem)
        self._sessions = [session, *(known for known in self._sessions if not known.ended())]

    def _line(self, key: PKey) -> str:
        return f"[{self.host}]:{self.port} {key.get_name()} {key.get_base64()}"


def load_host_key(path: Path) -> PKey:
    """Read a private host key of any type, or make one and keep it there when the file does not exist."""
    if path.exists():
        return PKey.from_path(path)
    key = ECDSAKey.generate()
    key.write_private_key_file(str(path))
    return key
