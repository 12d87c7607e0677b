"""A migrated, empty database of each kind, for every test that names ``db`` or ``empty_url``."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine

from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA

_ONLY_WE: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_NO_ROWS: Final = ";".join(f"DELETE FROM {table.name}" for table in reversed(METADATA.sorted_tables))
_FROM_ONE: Final = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_store(postgres_url: str) -> Iterator[str]:
    """One database for all the tests of a process, one after the other: making one for each takes far longer."""
    with made(postgres_url) as url:
        database = Database(url)
        database.migrate()
        database.close()
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'gateway.sqlite'}"
        return
    with made(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with this version's tables and no rows."""
    if request.param == "sqlite":
        path = tmp_path / "gateway.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        database = Database(f"sqlite:///{path}")
    else:
        url = request.getfixturevalue("postgres_store")
        _in_postgres(url, _ONLY_WE, _NO_ROWS, _FROM_ONE)
        database = Database(url)
    yield database
    database.close()


@contextmanager
def made(server: str) -> Iterator[str]:
    name = f"t{uuid4().hex}"
    _in_postgres(f"{server}/postgres", f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    _in_postgres(f"{server}/postgres", f"DROP DATABASE {name} WITH (FORCE)")  # each is hundreds of files


def _in_postgres(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
