"""A file between its open and its close, and what paths and files have in common: answers, attributes."""

import errno
import os
import posixpath
import stat
import weakref
from collections.abc import Callable
from functools import wraps
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from paramiko import SFTPAttributes, SFTPHandle, SFTPServer
from paramiko.sftp import SFTP_OK, SFTP_OP_UNSUPPORTED

from sftp_test_server.faults import DiskFull, Drop, OneShot, ShortRead, Trickle, Vanish, WrongSize
from sftp_test_server.session import Session

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Gate(Protocol):
    def admit(self, operation: str, *paths: str) -> None: ...


G = TypeVar("G", bound=_Gate)
P = ParamSpec("P")
T = TypeVar("T")
L = TypeVar("L", Drop, DiskFull)


def answers(operation: str) -> Callable[[Callable[Concatenate[G, P], T]], Callable[Concatenate[G, P], T | int]]:
    """Make a method the answer to a request: faults come first, and an OSError becomes the status the client gets."""

    def decorate(method: Callable[Concatenate[G, P], T]) -> Callable[Concatenate[G, P], T | int]:
        @wraps(method)
        def answer(self: G, /, *args: P.args, **kwargs: P.kwargs) -> T | int:
            try:
                self.admit(operation, *(arg for arg in args if isinstance(arg, str)))
                return method(self, *args, **kwargs)
            except OSError as error:
                return status_of(error)

        return answer

    return decorate


def status_of(error: OSError) -> int:
    """Return the status that tells a client of an error."""
    if error.errno == errno.EOPNOTSUPP:
        return SFTP_OP_UNSUPPORTED
    return SFTPServer.convert_errno(error.errno or errno.EIO)


class OpenFile(SFTPHandle):
    """A file between its open and its close; `path` is the client's."""

    def __init__(self, session: Session, path: str, local: str, flags: int, mode: int) -> None:
        """Open the local file. Raises OSError."""
        super().__init__(flags)
        self.path = path
        self._session = session
        self._local = local
        self._descriptor = os.open(local, flags | os.O_CLOEXEC, mode)
        self._release = weakref.finalize(self, os.close, self._descriptor)
        self._read_to_its_end = False
        self._written = False

    def admit(self, operation: str, *paths: str) -> None:
        """Pass the session's gate with this file's path."""
        self._session.admit(operation, self.path, *paths)

    def close(self) -> None:
        """Close the file. Called once more at the session's end for what the client left open."""
        if not self._release.alive:
            return
        try:
            self.admit("close")
        finally:
            self._release()
        faults, user = self._session.faults, self._session.username
        if self._read_to_its_end and faults.take(OneShot, user, "read", self.path):
            Path(self._local).unlink(missing_ok=True)
        if self._written and (vanish := faults.take(Vanish, user, "close", self.path)):
            collect(Path(self._local), vanish, self._session.home)

    @answers("read")
    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; b"" at the end of the file."""
        faults, request = self._session.faults, (self._session.username, "read", self.path)
        short = faults.take(ShortRead, *request)
        length = min(length, self._session.largest_read, short.at_most if short else length)
        data = os.pread(self._descriptor, length, offset)
        drop = self._crossed(Drop, "read", offset + len(data))
        if drop and offset < drop.after_bytes:
            return data[: drop.after_bytes - offset]
        if drop and faults.fire(drop):
            self._session.drop()
        self._read_to_its_end |= offset + len(data) >= os.fstat(self._descriptor).st_size
        return data

    @answers("write")
    def write(self, offset: int, data: "ReadableBuffer") -> int:
        """Write all of `data`."""
        content = bytes(data)
        end = offset + len(content)
        self._written = True
        fault = self._crossed(Drop, "write", end) or self._crossed(DiskFull, "write", end)
        if fault and self._session.faults.fire(fault):
            self._put(offset, content[: max(0, fault.after_bytes - offset)])
            if isinstance(fault, Drop):
                self._session.drop()
            raise OSError(errno.ENOSPC, "a fault is set that fills the disk")
        self._put(offset, content)
        return SFTP_OK

    @answers("fsync")
    def fsync(self) -> int:
        """Answer when the bytes are on the disk."""
        os.fsync(self._descriptor)
        return SFTP_OK

    @answers("fstat")
    def stat(self) -> SFTPAttributes:
        """Describe the open file."""
        if self._session.faults.match(OneShot, self._session.username, "read", self.path):
            raise OSError(errno.EIO, "a fault is set that gives the file away once, and describes it only by its path")
        return attributes_of(self._session, "fstat", self.path, os.fstat(self._descriptor))

    @answers("setstat")
    def chattr(self, attr: SFTPAttributes) -> int:
        """Change size, mode, owner or times of the open file."""
        apply(self._descriptor, attr)
        return SFTP_OK

    def _crossed(self, kind: type[L], operation: str, end: int) -> L | None:
        """Return the fault whose limit a transfer up to byte `end` would cross."""
        fault = self._session.faults.match(kind, self._session.username, operation, self.path)
        return fault if fault and end > fault.after_bytes else None

    def _put(self, offset: int, data: bytes) -> None:
        """Write at once, or in a trickle where a fault says so."""
        faults = self._session.faults
        trickle = faults.take(Trickle, self._session.username, "write", self.path)
        for piece, seconds in trickle.pieces(data) if trickle else [(data, 0.0)]:
            if trickle:
                faults.hold(trickle, seconds, self._session.alive)
            offset = _write_all(self._descriptor, offset, piece)


def _write_all(descriptor: int, offset: int, data: bytes) -> int:
    """Write `data` and return the offset behind it."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        offset, data = offset + written, data[written:]
    return offset


def canonical(path: str) -> str:
    """Return the client's path as an absolute one without `.`, `..` and doubled slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


def attributes_of(session: Session, operation: str, path: str, status: os.stat_result) -> SFTPAttributes:
    """Describe a file to the client, with whatever size a fault gives it."""
    attributes = SFTPAttributes.from_stat(status, filename=posixpath.basename(path))
    if stat.S_ISREG(status.st_mode) and (wrong := session.faults.take(WrongSize, session.username, operation, path)):
        attributes.st_size = wrong.size
    return attributes


def mode_of(attributes: SFTPAttributes, default: int) -> int:
    """Return the permissions that a client asks for."""
    return default if attributes.st_mode is None else attributes.st_mode & 0o777


def apply(target: str | int, attributes: SFTPAttributes) -> None:
    """Change what `attributes` holds, of a path or an open file."""
    if attributes.st_size is not None:
        os.truncate(target, attributes.st_size)
    if attributes.st_uid is not None and attributes.st_gid is not None:
        os.chown(target, attributes.st_uid, attributes.st_gid)
    if attributes.st_mode is not None:
        os.chmod(target, attributes.st_mode & 0o777)  # noqa: PTH101 - a Path cannot be a descriptor
    if attributes.st_atime is not None and attributes.st_mtime is not None:
        os.utime(target, (attributes.st_atime, attributes.st_mtime))


def collect(local: Path, vanish: Vanish, home: Path) -> None:
    """Take a file away as a partner that collects at once; a name that was collected before gets a number."""
    if not vanish.into or not local.exists():
        local.unlink(missing_ok=True)
        return
    folder = home / canonical(vanish.into).lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    names = (folder / (f"{local.name}~{number}" if number else local.name) for number in count())
    local.rename(next(name for name in names if not name.exists()))
