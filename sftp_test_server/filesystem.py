"""A user's mailbox as the client sees it: sFTP version 3 (draft-ietf-secsh-filexfer-02) over one local folder.

Nothing outside that folder can be reached: not by `..`, not by absolute paths, not through symbolic links.
"""

import errno
import os
import posixpath
import stat
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from paramiko import SFTPAttributes, SFTPHandle, SFTPServer, SFTPServerInterface
from paramiko.sftp import SFTP_OK

from sftp_test_server.faults import DiskFull, Drop, WrongSize
from sftp_test_server.session import Session

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LARGEST_READ = 256 * 1024  # bytes; a client may ask for 4 GB and must take fewer (section 6.4)
_RENAMING = threading.Lock()


class _Gate(Protocol):
    def admit(self, operation: str, *paths: str) -> None: ...


G = TypeVar("G", bound=_Gate)
P = ParamSpec("P")
T = TypeVar("T")
L = TypeVar("L", Drop, DiskFull)


def _answers(operation: str) -> Callable[[Callable[Concatenate[G, P], T]], Callable[Concatenate[G, P], T | int]]:
    """Make a method the answer to a request: faults come first, and an OSError becomes the status the client gets."""

    def decorate(method: Callable[Concatenate[G, P], T]) -> Callable[Concatenate[G, P], T | int]:
        @wraps(method)
        def answer(self: G, /, *args: P.args, **kwargs: P.kwargs) -> T | int:
            try:
                self.admit(operation, *(arg for arg in args if isinstance(arg, str)))
                return method(self, *args, **kwargs)
            except OSError as error:
                return SFTPServer.convert_errno(error.errno or errno.EIO)

        return answer

    return decorate


class Mailbox(SFTPServerInterface):
    """The files and folders of one user; all paths are the client's, with the user's home as `/`."""

    def __init__(self, server: Session) -> None:
        """Show the home of the user who logged in on this session."""
        super().__init__(server)
        self._session = server
        self._home = os.path.realpath(server.home)

    def session_started(self) -> None:
        """Note the thread that serves this channel, so that the server can wait for its end."""
        self._session.workers.append(threading.current_thread())

    def admit(self, operation: str, *paths: str) -> None:
        """Pass the session's gate with the paths in their canonical form."""
        self._session.admit(operation, *map(_canonical, paths))

    @_answers("open")
    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle:
        """Open a file; `flags` are those of os.open."""
        local = self._target(path)
        if flags & (os.O_WRONLY | os.O_RDWR) and Path(local).exists() and not flags & os.O_EXCL:
            self.admit("overwrite", path)
        descriptor = os.open(local, flags | os.O_CLOEXEC, _mode(attr, 0o666))
        return OpenFile(self._session, _canonical(path), descriptor, flags)

    @_answers("list")
    def list_folder(self, path: str) -> list[SFTPAttributes]:
        """List a folder by name, links as links; what vanishes meanwhile is left out."""
        entries = []
        with os.scandir(self._target(path)) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    inside = posixpath.join(_canonical(path), entry.name)
                    entries.append(_attributes(self._session, "list", inside, status))
        return entries

    @_answers("stat")
    def stat(self, path: str) -> SFTPAttributes:
        """Describe what a path leads to."""
        return _attributes(self._session, "stat", _canonical(path), Path(self._target(path)).stat())

    @_answers("lstat")
    def lstat(self, path: str) -> SFTPAttributes:
        """Describe what a path names, a link as a link."""
        return _attributes(self._session, "lstat", _canonical(path), Path(self._entry(path)).lstat())

    @_answers("remove")
    def remove(self, path: str) -> int:
        """Delete a file."""
        Path(self._entry(path)).unlink()
        return SFTP_OK

    @_answers("rename")
    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename, but never onto something that exists (section 6.5)."""
        old, new = self._entry(oldpath), self._entry(newpath)
        with _RENAMING:
            if os.path.lexists(new):
                raise FileExistsError(errno.EEXIST, "the new name exists")
            Path(old).rename(new)
        return SFTP_OK

    @_answers("mkdir")
    def mkdir(self, path: str, attr: SFTPAttributes) -> int:
        """Make a folder."""
        Path(self._entry(path)).mkdir(_mode(attr, 0o777))
        return SFTP_OK

    @_answers("rmdir")
    def rmdir(self, path: str) -> int:
        """Delete an empty folder, but not the home itself."""
        if _canonical(path) == "/":
            raise PermissionError(errno.EACCES, "the home folder stays")
        Path(self._entry(path)).rmdir()
        return SFTP_OK

    @_answers("setstat")
    def chattr(self, path: str, attr: SFTPAttributes) -> int:
        """Change size, mode, owner or times of a file."""
        _apply(self._target(path), attr)
        return SFTP_OK

    def canonicalize(self, path: str) -> str:
        """Make a path absolute; it need not exist. paramiko answers the exception of a refusal as a failure."""
        self.admit("realpath", path)
        return _canonical(path)

    def _target(self, path: str) -> str:
        """Return the local path that `path` leads to, every link followed."""
        return self._inside(os.path.realpath(self._home + _canonical(path)))

    def _entry(self, path: str) -> str:
        """Return the local path that `path` names, a link at its end not followed."""
        folder, name = posixpath.split(_canonical(path))
        return self._inside(str(Path(os.path.realpath(self._home + folder), name)))

    def _inside(self, local: str) -> str:
        if not Path(local).is_relative_to(self._home):
            raise PermissionError(errno.EACCES, "the path leaves the mailbox")
        return local


class OpenFile(SFTPHandle):
    """A file between its open and its close."""

    def __init__(self, session: Session, path: str, descriptor: int, flags: int) -> None:
        """Serve `descriptor` as the client's `path`."""
        super().__init__(flags)
        self._session = session
        self._path = path
        self._descriptor = descriptor
        self._release = weakref.finalize(self, os.close, descriptor)

    def admit(self, operation: str, *paths: str) -> None:
        """Pass the session's gate with this file's path."""
        self._session.admit(operation, self._path, *paths)

    def close(self) -> None:
        """Close the file. paramiko answers an exception as a failure, and asks once more at the session's end."""
        if self._release.alive:
            try:
                self.admit("close")
            finally:
                self._release()

    @_answers("read")
    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; b"" at the end of the file."""
        data = os.pread(self._descriptor, min(length, _LARGEST_READ), offset)
        drop = self._crossed(Drop, "read", offset + len(data))
        if drop and offset < drop.after_bytes:
            return data[: drop.after_bytes - offset]
        if drop and self._session.faults.fire(drop):
            self._session.drop()
        return data

    @_answers("write")
    def write(self, offset: int, data: "ReadableBuffer") -> int:
        """Write all of `data`."""
        content = bytes(data)
        end = offset + len(content)
        fault = self._crossed(Drop, "write", end) or self._crossed(DiskFull, "write", end)
        if fault and self._session.faults.fire(fault):
            self._put(offset, content[: max(0, fault.after_bytes - offset)])
            if isinstance(fault, Drop):
                self._session.drop()
            raise OSError(errno.ENOSPC, "a fault is set that fills the disk")
        self._put(offset, content)
        return SFTP_OK

    @_answers("fstat")
    def stat(self) -> SFTPAttributes:
        """Describe the open file."""
        return _attributes(self._session, "fstat", self._path, os.fstat(self._descriptor))

    @_answers("setstat")
    def chattr(self, attr: SFTPAttributes) -> int:
        """Change size, mode, owner or times of the open file."""
        _apply(self._descriptor, attr)
        return SFTP_OK

    def _crossed(self, kind: type[L], operation: str, end: int) -> L | None:
        """Return the fault whose limit a transfer up to byte `end` would cross."""
        fault = self._session.faults.match(kind, self._session.username, operation, self._path)
        return fault if fault and end > fault.after_bytes else None

    def _put(self, offset: int, data: bytes) -> None:
        while data:
            written = os.pwrite(self._descriptor, data, offset)
            offset, data = offset + written, data[written:]


def _canonical(path: str) -> str:
    """Return the client's path as an absolute one without `.`, `..` and doubled slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _attributes(session: Session, operation: str, path: str, status: os.stat_result) -> SFTPAttributes:
    attributes = SFTPAttributes.from_stat(status, filename=posixpath.basename(path))
    if stat.S_ISREG(status.st_mode) and (wrong := session.faults.take(WrongSize, session.username, operation, path)):
        attributes.st_size = wrong.size
    return attributes


def _mode(attributes: SFTPAttributes, default: int) -> int:
    return default if attributes.st_mode is None else attributes.st_mode & 0o777


def _apply(target: str | int, attributes: SFTPAttributes) -> None:
    """Change what `attributes` holds, of a path or an open file."""
    if attributes.st_size is not None:
        os.truncate(target, attributes.st_size)
    if attributes.st_uid is not None and attributes.st_gid is not None:
        os.chown(target, attributes.st_uid, attributes.st_gid)
    if attributes.st_mode is not None:
        os.chmod(target, attributes.st_mode & 0o777)  # noqa: PTH101 - a Path cannot be a descriptor
    if attributes.st_atime is not None and attributes.st_mtime is not None:
        os.utime(target, (attributes.st_atime, attributes.st_mtime))
