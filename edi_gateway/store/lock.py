"""One daemon per embedded database: a lock beside its file, which the kernel takes back when the process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

from edi_gateway.errors import ConfigError


@contextmanager
def only_daemon(url: str) -> Iterator[None]:
    """Be the only daemon on this database, until the block ends or the process dies, however it dies.

    Commands work beside a daemon, and so do several daemons on PostgreSQL. Raises ConfigError when another daemon
    is here.
    """
    database = file_of(url)
    if database is None:
        yield
        return
    try:
        lock = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{database}.lock: {error.strerror}; the gateway must be able to write there") from error
    try:
        _take(lock, database)
        yield
    finally:
        os.close(lock)  # the file stays: one that is deleted could be locked by two


def file_of(url: str) -> Path | None:
    """The file of an embedded database, links resolved, so that two names of it are one; None for a server."""
    parsed = make_url(url)
    if parsed.drivername != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database).resolve()


def _take(lock: int, database: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode() or "unknown"
        raise ConfigError(
            f"{database}: another edi-gateway run (process {holder}) works on this database; stop it first, or give"
            " this one a database of its own (data or database in gateway.yaml)"
        ) from None
    with suppress(OSError):  # on a full disk the lock holds all the same
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
