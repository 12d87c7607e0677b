"""The peer of ingest: sqlite3 itself putting the rows that the gateway left into the same tables, and no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

_EVENTS_PER_TRANSACTION: Final = 1_000
_BEFORE: Final = frozenset({"alembic_version", "content", "document"})  # there before the clock starts, for both
_FIRST: Final = ("shipment", "event")  # what other rows point at
_PRAGMAS: Final = (  # as in the gateway
    "busy_timeout=30000",
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=16000",
    "cache_size=-16000",
    "foreign_keys=ON",
)
Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run of ours left: for each transaction, the rows of each table in the order they may be inserted."""

    before: Mapping[str, Rows]
    transactions: Sequence[Sequence[tuple[str, Rows]]]


def recorded(path: Path) -> Recording:
    """Read a database back: a thousand events, and all that belongs to them, make a transaction."""
    with sqlite3.connect(path) as database:
        rows = {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in _tables(database)}  # noqa: S608
        columns = {table: _columns(database, table) for table in rows}
    database.close()
    number, shipment = columns["event"].index("id"), columns["event"].index("shipment_id")
    batch = {row[number]: index // _EVENTS_PER_TRANSACTION for index, row in enumerate(sorted(rows["event"]))}
    of_shipment: dict[int, int] = {}
    for row in rows["event"]:
        of_shipment[row[shipment]] = min(of_shipment.get(row[shipment], len(batch)), batch[row[number]])
    transactions: list[list[tuple[str, Rows]]] = [[] for _ in range(max(batch.values()) + 1)]
    keys = {"event": ("id", batch), "shipment": ("id", of_shipment)}
    for table in sorted(rows.keys() - _BEFORE, key=lambda name: (name not in _FIRST, name != "shipment", name)):
        column, batches = keys.get(table, ("event_id", batch))
        if column not in columns[table]:  # a row for each document
            transactions[0].append((table, rows[table]))
            continue
        for index, some in _split(rows[table], columns[table].index(column), batches):
            transactions[index].append((table, some))
    return Recording({table: rows[table] for table in ("content", "document") if table in rows}, transactions)


def _tables(database: sqlite3.Connection) -> list[str]:
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [name for (name,) in names.fetchall() if database.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()]  # noqa: S608


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def _split(rows: Rows, column: int, batches: Mapping[int, int]) -> Iterator[tuple[int, Rows]]:
    def batch(row: tuple[Any, ...]) -> int:
        return batches[row[column]]

    for index, some in groupby(sorted(rows, key=batch), batch):
        yield index, list(some)


def prepare(path: Path, recording: Recording) -> sqlite3.Connection:
    """Open an empty database with the gateway's tables, and put in what is there before the clock starts."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in _PRAGMAS:
        database.execute(f"PRAGMA {pragma}")
    for table, rows in recording.before.items():
        _insert(database, table, rows)
    return database


def insert(database: sqlite3.Connection, recording: Recording) -> None:
    """Put everything in, transaction by transaction."""
    for transaction in recording.transactions:
        database.execute("BEGIN IMMEDIATE")
        for table, rows in transaction:
            _insert(database, table, rows)
        database.execute("COMMIT")


def _insert(database: sqlite3.Connection, table: str, rows: Rows) -> None:
    marks = ", ".join("?" * len(rows[0]))
    database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
