"""sFTP on one channel: paramiko reads the requests and sends the answers; here it gets what faults need beyond that.

paramiko has no public places for what is overridden, and its type stubs leave them out; the tests tell if they move.
"""

import math
import struct
import time
from collections import deque

from paramiko import Channel, Message, SFTPAttributes, SFTPHandle, SFTPServer, Transport
from paramiko.sftp import (
    CMD_DATA,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_INIT,
    CMD_READ,
    CMD_VERSION,
    SFTP_BAD_MESSAGE,
    SFTP_OP_UNSUPPORTED,
    SFTPError,
)

from sftp_test_server.faults import Fsync, Limits, PosixRename, ReadsInFlight, SlowList, Trickle
from sftp_test_server.mailbox import Mailbox
from sftp_test_server.open_file import OpenFile, canonical, status_of
from sftp_test_server.session import Session

_VERSION = 3
_OVERHEAD = 1024  # bytes that OpenSSH, too, leaves between a packet and the data in it
_ENTRIES = 16  # per answer to a listing
_LOOK_AGAIN = 0.001  # seconds


class Subsystem(SFTPServer):
    """One sFTP channel of a session."""

    server: Mailbox

    def __init__(self, channel: Channel, name: str, session: Session) -> None:
        """Serve the mailbox of the user who logged in on `session`."""
        super().__init__(channel, name, session, Mailbox)
        self._session = session
        self._channel = channel
        self._ahead: deque[tuple[int, bytes]] = deque()  # requests that were looked at before their turn
        self._extensions: set[str] = set()
        self._limits: Limits | None = None
        self._trickle: Trickle | None = None

    def start_subsystem(self, name: str, transport: Transport, channel: Channel) -> None:
        """Serve until the client closes the channel."""
        self._session.workers.append(self)
        super().start_subsystem(name, transport, channel)

    def _send_server_version(self) -> None:
        """Answer the first packet with the version and the extensions on offer."""
        kind, _ = self._read_packet()
        if kind != CMD_INIT:
            raise SFTPError("the first packet is no INIT")
        self._session.admit("init")
        faults, user = self._session.faults, self._session.username
        self._limits = faults.take(Limits, user, "init")
        if self._limits:
            self._session.largest_read = self._limits.max_packet - _OVERHEAD
        offers = {
            "posix-rename@openssh.com": faults.take(PosixRename, user, "init"),
            "fsync@openssh.com": faults.take(Fsync, user, "init"),
            "limits@openssh.com": self._limits and self._limits.advertise,
        }
        self._extensions = {name for name, offered in offers.items() if offered}
        answer = Message()
        answer.add_int(_VERSION)
        for name in sorted(self._extensions):
            answer.add_string(name)
            answer.add_string("1")
        self._send_packet(CMD_VERSION, answer)

    def _process(self, kind: int, number: int, message: Message) -> None:
        """Answer one request; where paramiko has no answer for an error, with the error's status."""
        try:
            if kind == CMD_EXTENDED:
                self._extended(number, message)
                return
            if kind == CMD_READ:
                self._before_reading(message)
            super()._process(kind, number, message)  # type: ignore[misc]
        except OSError as error:
            self._status(number, status_of(error))
        finally:
            self._trickle = None

    def _extended(self, number: int, message: Message) -> None:
        name = message.get_text()
        if name not in self._extensions:
            self._status(number, SFTP_OP_UNSUPPORTED)
        elif name == "posix-rename@openssh.com":
            self._status(number, self.server.posix_rename(message.get_text(), message.get_text()))
        elif name == "fsync@openssh.com":
            file = self.file_table.get(message.get_binary())
            self._status(number, file.fsync() if isinstance(file, OpenFile) else SFTP_BAD_MESSAGE)
        else:
            self._send_limits(number)

    def _status(self, number: int, status: int) -> None:
        self._send_status(number, status)  # type: ignore[attr-defined]

    def _send_limits(self, number: int) -> None:
        """Say how long a packet, a read and a write may be, and that files may be open without number."""
        assert self._limits is not None
        longest = self._limits.max_packet
        answer = Message()
        answer.add_int(number)
        for limit in (longest, longest - _OVERHEAD, longest - _OVERHEAD, 0):
            answer.add_int64(limit)
        self._send_packet(CMD_EXTENDED_REPLY, answer)

    def _before_reading(self, message: Message) -> None:
        """Strike at a read with what lies outside the file: requests behind it, and the line its answer takes."""
        file = self.file_table.get(Message(message.get_remainder()).get_binary())
        if not isinstance(file, OpenFile):
            return
        request = (self._session.username, "read", file.path)
        if fault := self._session.faults.match(ReadsInFlight, *request):
            self._stall_beyond(fault)
        self._trickle = self._session.faults.take(Trickle, *request)

    def _stall_beyond(self, fault: ReadsInFlight) -> None:
        """Hang if the client sends more reads than it may before this one is answered."""
        deadline = time.monotonic() + fault.watch
        while self._reads_in_flight() <= fault.at_most and time.monotonic() < deadline and self._session.alive():
            if self._channel.recv_ready():
                self._ahead.append(super()._read_packet())  # type: ignore[misc]
            else:
                time.sleep(_LOOK_AGAIN)
        if self._reads_in_flight() > fault.at_most and self._session.faults.fire(fault):
            self._session.faults.hold(fault, math.inf, self._session.alive)

    def _reads_in_flight(self) -> int:
        return 1 + sum(kind == CMD_READ for kind, _ in self._ahead)

    def _read_packet(self) -> tuple[int, bytes]:
        """Take the next request. Cut the connection when it is longer than the limit."""
        kind, data = self._ahead.popleft() if self._ahead else super()._read_packet()  # type: ignore[misc]
        if self._limits and len(data) + 1 > self._limits.max_packet:
            self._session.drop()
        return kind, data

    def _send_packet(self, kind: int, packet: Message) -> None:
        """Send an answer, in a trickle where a fault says so."""
        if kind != CMD_DATA or self._trickle is None:
            super()._send_packet(kind, packet)  # type: ignore[misc]
            return
        body = packet.asbytes()
        for piece, seconds in self._trickle.pieces(struct.pack(">IB", len(body) + 1, kind) + body):
            self._session.faults.hold(self._trickle, seconds, self._session.alive)
            self._write_all(piece)  # type: ignore[attr-defined]

    def _open_folder(self, number: int, path: str) -> None:
        """Answer the opening of a folder, all of whose entries are looked at now."""
        found = self.server.list_folder(path)
        opened = found if isinstance(found, int) else Folder(self._session, canonical(path), found)
        self._send_handle_response(number, opened, folder=True)  # type: ignore[attr-defined]


class Folder(SFTPHandle):
    """A folder that is being listed, some entries per answer."""

    def __init__(self, session: Session, path: str, entries: list[SFTPAttributes]) -> None:
        """Hand out `entries` of the client's `path`."""
        super().__init__()
        self._session = session
        self._path = path
        self._left = deque(entries)

    def _get_next_files(self) -> list[SFTPAttributes]:
        """Return what the next answer holds; nothing at the end."""
        self._session.admit("readdir", self._path)
        faults, many = self._session.faults, _ENTRIES
        if slow := faults.take(SlowList, self._session.username, "readdir", self._path):
            faults.hold(slow, slow.seconds, self._session.alive)
            many = slow.entries
        return [self._left.popleft() for _ in range(min(many, len(self._left)))]
