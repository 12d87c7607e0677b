"""What a transaction promises, and what a migration leaves."""

import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect, select
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from edi_gateway.errors import ConfigError, TransientError
from edi_gateway.store.engine import Database, reserve_ids, storable
from edi_gateway.store.tables import METADATA

SUBSCRIPTION = METADATA.tables["subscription"]
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _add(connection: Connection, *numbers: str) -> None:
    for number in numbers:
        row = {"customer": "globex", "carrier": "", "tracking_number": number, "created_at": MOMENT}
        connection.execute(insert(SUBSCRIPTION), row)


def _numbers(db: Database) -> list[str]:
    with db.read() as connection:
        return sorted(connection.execute(select(SUBSCRIPTION.c.tracking_number)).scalars())


def test_migration_makes_exactly_the_tables_the_code_knows(empty_url: str) -> None:
    """After migrating, nothing differs from the table classes, down to the words each CHECK allows."""
    migrated = Database(empty_url)
    migrated.migrate()
    with migrated.write() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), METADATA)
        checks = _checks(connection)
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        expected = _checks(connection)
    migrated.close()

    assert [] == difference
    assert expected == checks


def _checks(connection: Connection) -> dict[str, set[tuple[str | None, str]]]:
    seen = inspect(connection)
    return {
        name: {
            (check["name"], check["sqltext"].replace("character varying", ""))
            for check in seen.get_check_constraints(name)
        }
        for name in METADATA.tables
    }


def test_migrating_again_or_from_two_nodes_at_once_changes_nothing(empty_url: str) -> None:
    """Two processes that start together both find the tables complete."""
    nodes = [Database(empty_url), Database(empty_url)]
    threads = [threading.Thread(target=node.migrate) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with nodes[0].write() as connection:
        _add(connection, "A1")
    nodes[1].migrate()

    assert ["A1"] == _numbers(nodes[1])
    for node in nodes:
        node.close()


def test_database_of_a_newer_version_is_refused(db: Database) -> None:
    """A revision this version has never heard of stops the start with a word on what to do."""
    with db.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(ConfigError, match=r"9999.*start that version"):
        db.migrate()


@pytest.mark.parametrize("url", ["mysql://root:geheim@host/db", "sqlite://", "nonsense", "postgresql://host/db"])
def test_other_databases_are_refused_without_showing_a_password(url: str) -> None:
    """Only the two supported kinds of URL are taken, and the complaint keeps secrets."""
    with pytest.raises(ConfigError, match="sqlite:///path") as refused:
        Database(url)

    assert "geheim" not in str(refused.value)


def test_a_block_that_raises_leaves_nothing(db: Database) -> None:
    """A transaction is all or nothing."""
    with pytest.raises(IntegrityError), db.write() as connection:
        _add(connection, "A1", "A2", "A1")

    assert [] == _numbers(db)


def test_reading_cannot_write(db: Database) -> None:
    """The reading side refuses an INSERT instead of hiding a write in it."""
    with pytest.raises((DBAPIError, TransientError)), db.read() as connection:
        _add(connection, "A1")

    assert [] == _numbers(db)


def test_readers_do_not_wait_for_a_writer(db: Database) -> None:
    """While one transaction is open, others read what was committed before it."""
    with db.write() as connection:
        _add(connection, "A1")
        assert [] == _numbers(db)

    assert ["A1"] == _numbers(db)


def test_twenty_threads_write_without_losing_or_blocking_each_other(db: Database) -> None:
    """Every thread's transaction arrives, whatever the number of writers the database can take."""

    def write(number: int) -> None:
        with db.write() as connection:
            _add(connection, f"A{number:02}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [f"A{number:02}" for number in range(20)] == _numbers(db)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_who_waits_to_write_waits_for_one_transaction_only(db: Database) -> None:
    """A thread that writes again and again, as a large document does, lets those in who asked meanwhile."""
    begun, arrived = list[int](), threading.Event()

    def writes_on_and_on() -> None:
        while not arrived.is_set() and len(begun) < 1_000:
            with db.write() as connection:
                begun.append(connection.exec_driver_sql("SELECT count(*) FROM subscription").scalar_one())
                _until(lambda: len(waiting) == 12)

    waiting: list[int] = []

    def writes_once(number: int) -> None:
        waiting.append(number)
        with db.write() as connection:
            _add(connection, f"A{number:02}")

    busy = threading.Thread(target=writes_on_and_on)
    busy.start()
    _until(lambda: begun)
    others = [threading.Thread(target=writes_once, args=(number,)) for number in range(12)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    arrived.set()
    busy.join()
    assert begun.index(12) <= 2


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_naive_instants_are_refused_and_aware_ones_come_back_in_utc(db: Database) -> None:
    """No instant is stored without a zone, and none comes back without one."""
    row = {"customer": "globex", "carrier": "", "tracking_number": "A1"}
    with pytest.raises(StatementError, match="timezone"), db.write() as connection:
        connection.execute(insert(SUBSCRIPTION), row | {"created_at": datetime(2026, 3, 1)})  # noqa: DTZ001
    with db.write() as connection:
        connection.execute(insert(SUBSCRIPTION), row | {"created_at": datetime.fromisoformat("2026-03-01T13:00+01:00")})
        stored = connection.execute(select(SUBSCRIPTION.c.created_at)).scalar_one()

    assert (MOMENT, UTC) == (stored, stored.tzinfo)


def test_rows_without_their_parent_are_refused(db: Database) -> None:
    """Foreign keys hold on both databases."""
    with pytest.raises(IntegrityError), db.write() as connection:
        connection.execute(insert(METADATA.tables["source_key"]), {"channel": "in", "key": "k", "document_id": 7})


def test_reserved_ids_are_the_next_free_ones(db: Database) -> None:
    """Reserved keys never meet those of rows that are there or follow."""
    with db.write() as connection:
        _add(connection, "A1")
        reserved = list(reserve_ids(connection, SUBSCRIPTION, 3))
        rows = [
            {"id": key, "customer": "g", "carrier": "", "tracking_number": f"B{key}", "created_at": MOMENT}
            for key in reserved
        ]
        connection.execute(insert(SUBSCRIPTION), rows)
        _add(connection, "A2")

    assert [2, 3, 4] == reserved
    assert 5 == len(_numbers(db))


def test_sqlite_commits_are_on_the_disk_before_they_return(tmp_path: Path) -> None:
    """SQLite runs in WAL mode with synchronous=FULL, and another process reads the row at once."""
    path = tmp_path / "gateway.sqlite"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.write() as connection:
        _add(connection, "A1")
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
        ]
    other = sqlite3.connect(path)

    assert ["wal", 2, 1, 16000] == settings
    assert [("A1",)] == other.execute("SELECT tracking_number FROM subscription").fetchall()
    other.close()
    database.close()


def test_an_unreachable_database_is_a_matter_of_trying_again(tmp_path: Path) -> None:
    """What the operating system or the network denies for now is a TransientError."""
    database = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite'}")
    with pytest.raises(TransientError, match="unable to open"), database.write():
        pass
    database.close()


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("Müller", "Müller"),
        ("a\0b", "a\ufffdb"),
        ("a\udcffb", "a\ufffdb"),
        ("", ""),
    ],
)
def test_text_no_database_takes_is_made_storable(said: str, stored: str) -> None:
    """NUL and lone surrogates become the replacement character; all else stays."""
    assert stored == storable(said)
