"""The database: one class for SQLite and PostgreSQL, with writing and reading kept apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, Table, create_engine, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from edi_gateway.errors import ConfigError, StorageError
from edi_gateway.store.turn import Turn

T = TypeVar("T")
_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_MIGRATION_LOCK: Final = 0x6564_6967  # any number, the same in every node
_DRIVERS: Final = ("sqlite", "postgresql+psycopg")
_REFUSED: Final = re.compile("[\0\ud800-\udfff]")
# What is no fault of the statement: no room, no connection, or a stand-by that takes no writes.
_FOR_NOW: Final = (OperationalError, InternalError, NotSupportedError)
_IN_LIST: Final = 5_000  # SQLite takes 32,766 variables in a statement, PostgreSQL 65,535


class Database:
    """Transactions on ``sqlite:///path`` or ``postgresql+psycopg://...``, from any thread.

    On SQLite one connection both writes and checkpoints, and threads hold it in the order of asking; a commit is on
    the disk before it returns (synchronous=FULL), because a carrier's file may be deleted on the strength of it.
    Raises ConfigError for any other URL.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        lite = self._url.drivername == "sqlite"
        self._turn: AbstractContextManager[Any] = Turn() if lite else nullcontext()
        self._writer = _sqlite_engine(self._url, QueuePool, "IMMEDIATE") if lite else _postgres_engine(self._url)
        self._reader = _sqlite_engine(self._url, QueuePool, "DEFERRED") if lite else self._writer

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it at the end of the block, or nothing if the block raises.

        Raises StorageError when the database could not take it (locked, full, not reachable). Does not nest.
        """
        with self._turn, _transient(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent look that cannot change anything and on SQLite never waits for a writer.

        Raises StorageError when the database cannot be reached.
        """
        with _transient(), self._reader.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def migrate(self) -> None:
        """Bring the tables to this version's shape; harmless when they have it, and when two nodes start at once.

        Raises ConfigError when a newer version of the gateway has been here, StorageError as `write` does.
        """
        if self._is_current():
            return  # without the writers' lock, which a running daemon may hold for long
        lite = self._url.drivername == "sqlite"
        # Foreign keys off, and that before BEGIN: rebuilding a parent table would delete its children.
        engine = _sqlite_engine(self._url, NullPool, "IMMEDIATE", foreign_keys=False) if lite else self._writer
        with self._turn, _transient(), engine.begin() as connection:
            if not lite:
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            _upgrade(connection)

    def _is_current(self) -> bool:
        head = max(path.name for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))[:4]
        try:
            with self.read() as connection:
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except (SQLAlchemyError, StorageError):
            return False  # no such table yet, or no such file
        return found == head

    def close(self) -> None:
        """Give back every connection; the writer last, so that it is the one to checkpoint."""
        self._reader.dispose()
        self._writer.dispose()


@contextmanager
def part(connection: Connection) -> Iterator[Connection]:
    """A part of a transaction that can be taken back alone.

    Raises StorageError as `Database.write` does; what it belongs to must end then, as SQLite takes all of it back.
    """
    with _transient():
        inner = connection.begin_nested()
        try:
            yield connection
        except BaseException:
            with suppress(OperationalError):  # it is gone already, and why is what has to be said
                inner.rollback()
            raise
        inner.commit()


def chunks(items: Iterable[T], size: int = _IN_LIST) -> Iterator[list[T]]:
    """The items in lists short enough for one statement."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def insert_new(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that passes over rows whose unique key is there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def reserve_ids(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """Keys for ``count`` rows about to be inserted, so that rows can name each other without asking back."""
    if connection.dialect.name == "postgresql":
        drawn = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
        return sorted(connection.execute(drawn, {"table": table.name, "count": count}).scalars())
    highest = connection.exec_driver_sql(f"SELECT max(id) FROM {table.name}").scalar() or 0  # noqa: S608  # our own
    return range(highest + 1, highest + 1 + count)


def is_storable(said: str) -> bool:
    """Whether a database takes the text as it is."""
    try:
        said.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return "\0" not in said


def storable(said: str) -> str:
    """The text without what a database refuses (NUL, lone surrogates); each becomes the replacement character."""
    return _REFUSED.sub("\N{REPLACEMENT CHARACTER}", said)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername not in _DRIVERS or (parsed.drivername == "sqlite" and not parsed.database):
        shown = parsed.render_as_string() if parsed else "what stands there"  # without its password
        raise ConfigError(
            f"database: {shown} is not usable; write sqlite:///path or postgresql+psycopg://user@host/name"
        )
    return parsed


def _sqlite_engine(url: URL, pool: type[NullPool | QueuePool], begin: str, *, foreign_keys: bool = True) -> Engine:
    writes = begin == "IMMEDIATE"
    size = {"pool_size": 1 if writes else 5} if pool is QueuePool else {}
    engine = create_engine(url, poolclass=pool, connect_args={"check_same_thread": False}, **size)

    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is said below, not guessed by the driver
        for pragma in (
            "busy_timeout=30000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=16000",
            "cache_size=-16000",  # KiB: holds what a batch changes, which then is written at the commit and not before
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
            f"query_only={'OFF' if writes else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f"BEGIN {begin}"))
    return engine


def _postgres_engine(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=10)


def _is_for_now(error: DatabaseError) -> bool:
    """Whether the database is to blame, and not what it was given (54: a value that is too long for an index)."""
    if str(getattr(error.orig, "sqlstate", "") or "").startswith("54"):
        return False
    return isinstance(error, _FOR_NOW) or type(error) is DatabaseError  # the bare class: a file that is damaged


@contextmanager
def _transient() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if not _is_for_now(error):
            raise
        raise StorageError(f"database: {error.orig}; nothing was changed, look at its disk and connection") from error
    except InterfaceError as error:
        raise StorageError(f"database: {error.orig}; nothing was changed, look at its disk and connection") from error
    except PoolTimeout as error:
        raise StorageError(f"database: no connection became free; nothing was changed ({error})") from error


def _upgrade(connection: Connection) -> None:
    # Imported by who needs it alone: it takes longer than most commands.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            f"database: {error}; a newer edi_gateway made it: start that version, or restore a backup"
        ) from error
