"""A user's mailbox as the client sees it: sFTP version 3 (draft-ietf-secsh-filexfer-02) over one local folder.

Nothing outside that folder can be reached: not by `..`, not by absolute paths, not through symbolic links.
"""

import errno
import os
import posixpath
import threading
from contextlib import suppress
from pathlib import Path

from paramiko import SFTPAttributes, SFTPHandle, SFTPServerInterface
from paramiko.sftp import SFTP_OK

from sftp_test_server.faults import Vanish
from sftp_test_server.open_file import OpenFile, answers, apply, attributes_of, canonical, collect, mode_of
from sftp_test_server.session import Session

_RENAMING = threading.Lock()


class Mailbox(SFTPServerInterface):
    """The files and folders of one user; all paths are the client's, with the user's home as `/`."""

    def __init__(self, server: Session) -> None:
        """Show the home of the user who logged in on this session."""
        super().__init__(server)
        self._session = server
        self._home = os.path.realpath(server.home)

    def admit(self, operation: str, *paths: str) -> None:
        """Pass the session's gate with the paths in their canonical form."""
        self._session.admit(operation, *map(canonical, paths))

    @answers("open")
    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle:
        """Open a file; `flags` are those of os.open."""
        local = self._target(path)
        if flags & (os.O_WRONLY | os.O_RDWR) and Path(local).exists() and not flags & os.O_EXCL:
            self.admit("overwrite", path)
        return OpenFile(self._session, canonical(path), local, flags, mode_of(attr, 0o666))

    @answers("list")
    def list_folder(self, path: str) -> list[SFTPAttributes]:
        """List a folder by name, links as links; what vanishes meanwhile is left out."""
        entries = []
        with os.scandir(self._target(path)) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    inside = posixpath.join(canonical(path), entry.name)
                    entries.append(attributes_of(self._session, "list", inside, status))
        return entries

    @answers("stat")
    def stat(self, path: str) -> SFTPAttributes:
        """Describe what a path leads to."""
        return attributes_of(self._session, "stat", canonical(path), Path(self._target(path)).stat())

    @answers("lstat")
    def lstat(self, path: str) -> SFTPAttributes:
        """Describe what a path names, a link as a link."""
        return attributes_of(self._session, "lstat", canonical(path), Path(self._entry(path)).lstat())

    @answers("remove")
    def remove(self, path: str) -> int:
        """Delete a file."""
        Path(self._entry(path)).unlink()
        return SFTP_OK

    @answers("rename")
    def rename(self, oldpath: str, newpath: str) -> int:
        """Rename, but never onto something that exists (section 6.5)."""
        return self._rename(oldpath, newpath, replace=False)

    @answers("rename")
    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Rename, replacing a file that has the new name; on offer where a fault says so."""
        self.admit("posix_rename", oldpath, newpath)
        return self._rename(oldpath, newpath, replace=True)

    def _rename(self, oldpath: str, newpath: str, *, replace: bool) -> int:
        old, new = Path(self._entry(oldpath)), Path(self._entry(newpath))
        if os.path.lexists(new):
            self.admit("replace", oldpath, newpath)
        with _RENAMING:
            if not replace and os.path.lexists(new):
                raise FileExistsError(errno.EEXIST, "the new name exists")
            old.replace(new)
        if vanish := self._session.faults.take(Vanish, self._session.username, "rename", canonical(newpath)):
            collect(new, vanish, self._session.home)
        return SFTP_OK

    @answers("mkdir")
    def mkdir(self, path: str, attr: SFTPAttributes) -> int:
        """Make a folder."""
        Path(self._entry(path)).mkdir(mode_of(attr, 0o777))
        return SFTP_OK

    @answers("rmdir")
    def rmdir(self, path: str) -> int:
        """Delete an empty folder, but not the home itself."""
        if canonical(path) == "/":
            raise PermissionError(errno.EACCES, "the home folder stays")
        Path(self._entry(path)).rmdir()
        return SFTP_OK

    @answers("setstat")
    def chattr(self, path: str, attr: SFTPAttributes) -> int:
        """Change size, mode, owner or times of a file."""
        apply(self._target(path), attr)
        return SFTP_OK

    def canonicalize(self, path: str) -> str:
        """Make a path absolute; it need not exist. Raises OSError when that is refused."""
        self.admit("realpath", path)
        return canonical(path)

    def _target(self, path: str) -> str:
        """Return the local path that `path` leads to, every link followed."""
        return self._inside(os.path.realpath(self._home + canonical(path)))

    def _entry(self, path: str) -> str:
        """Return the local path that `path` names, a link at its end not followed."""
        folder, name = posixpath.split(canonical(path))
        return self._inside(str(Path(os.path.realpath(self._home + folder), name)))

    def _inside(self, local: str) -> str:
        if not Path(local).is_relative_to(self._home):
            raise PermissionError(errno.EACCES, "the path leaves the mailbox")
        return local
