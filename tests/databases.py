"""A migrated, empty database of each kind, for every test that names ``db`` or ``empty_url``."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url

from edi_gateway.store.engine import Database
from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    with postgres_server() as server:
        url = f"{server}/template_store"
        _in_postgres(server, "CREATE DATABASE template_store")
        database = Database(url)
        database.migrate()
        database.close()
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.sqlite'}"
    server = request.getfixturevalue("postgres_template").rpartition("/")[0]
    name = f"t{uuid4().hex}"
    _in_postgres(server, f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with this version's tables and no rows."""
    if request.param == "sqlite":
        path = tmp_path / "gateway.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        database = Database(f"sqlite:///{path}")
    else:
        database = Database(_copy(request.getfixturevalue("postgres_template")))
    yield database
    database.close()


def _copy(template: str) -> str:
    server, name = template.rpartition("/")[0], f"t{uuid4().hex}"
    _in_postgres(server, f"CREATE DATABASE {name} TEMPLATE template_store")
    return f"{server}/{name}"


def _in_postgres(server: str, statement: str) -> None:
    engine = create_engine(make_url(f"{server}/postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
