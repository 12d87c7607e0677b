"""Many rows in few statements: rows are tuples of text and whole numbers, which both databases take as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    String,
    any_,
    bindparam,
    cast,
    func,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import Text

Row = tuple[str | int | None, ...]
_AT_ONCE: Final = 128  # rows in one statement: with 29 columns still far below SQLite's 32,766 variables


def insert_rows(
    connection: Connection, table: str, columns: tuple[str, ...], values: Sequence[str | int | None]
) -> None:
    """Insert rows none of whose keys is there yet; ``values`` are those of one row after the other.

    In one statement SQLite prepares the word lists of CHECK constraints once for all its rows, which is half as fast
    again as the driver's executemany; PostgreSQL copies.
    """
    if not values:
        return
    width = len(columns)
    with _driver(connection) as driver:
        if connection.dialect.name == "sqlite":
            for start, count in _blocks(len(values) // width):
                driver.execute(_insert(table, columns, count), values[start * width : (start + count) * width])
            return
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({_names(columns)}) FROM STDIN") as copy:
            for start in range(0, len(values), width):
                copy.write_row(values[start : start + width])


def update_rows(connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Write columns of rows that are there; the first column is their id."""
    with _driver(connection) as driver:
        if connection.dialect.name == "sqlite":
            for start, count in _blocks(len(rows)):
                values = tuple(chain.from_iterable(rows[start : start + count]))
                driver.execute(_update(table, columns, count), values)
        elif rows:
            with driver.cursor() as cursor:
                cursor.executemany(_update_one(table, columns), [(*row[1:], row[0]) for row in rows])


def holds_any(connection: Connection, table: str) -> bool:
    """Whether the table has a row: where it has none, nobody need look for a thousand of them."""
    return connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1").first() is not None  # noqa: S608  # our own names


def among(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether the column is one of the values that `listed` gives the variable of that name.

    However many they are, the statement stays the same, so that whoever asks often can keep it.
    """
    if dialect == "postgresql":
        kind = BigInteger if isinstance(column.type, Integer) else String
        return column == any_(bindparam(name, type_=ARRAY(kind)))
    each = func.json_each(bindparam(name)).table_valued("value")
    return column.in_(select(each.c.value))


def listed(connection: Connection, values: Collection[str | int]) -> str | list[str | int]:
    """Values for `among`."""
    return list(values) if connection.dialect.name == "postgresql" else json.dumps(list(values))


def instants(connection: Connection) -> Callable[[datetime], str]:
    """How an instant is written in a row: in UTC and of fixed width, so that texts sort as instants do.

    What is returned raises ValueError for an instant without a zone.
    """
    return _zoned if connection.dialect.name == "postgresql" else _bare


def instant_text(dialect: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as `instants` writes it."""
    if dialect == "postgresql":
        return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD HH24:MI:SS.US"+00:00"')
    return type_coerce(column, String)


def stored_text(dialect: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as text, whatever its words or its structure mean."""
    return cast(column, Text) if dialect == "postgresql" else type_coerce(column, String)


@contextmanager
def _driver(connection: Connection) -> Iterator[Any]:
    """The driver's own connection; what it raises is raised as SQLAlchemy would."""
    error: Any = connection.dialect.loaded_dbapi.Error
    try:
        yield connection.connection.driver_connection
    except error as raised:
        raise DBAPIError.instance(None, None, raised, error, dialect=connection.dialect) from raised


def _bare(moment: datetime) -> str:
    ahead = moment.utcoffset()
    if ahead is None:
        raise ValueError(f"an instant without a zone: {moment}")
    return (moment.replace(tzinfo=None) - ahead).isoformat(" ", "microseconds")


def _zoned(moment: datetime) -> str:
    return f"{_bare(moment)}+00:00"


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    """Start and length of pieces of few different sizes, so that the driver keeps every statement prepared."""
    start, size = 0, _AT_ONCE
    while start < count:
        while size > count - start:
            size //= 2
        yield start, size
        start += size


@lru_cache(maxsize=128)
def _insert(table: str, columns: tuple[str, ...], count: int) -> str:
    return f"INSERT INTO {table} ({_names(columns)}) VALUES {_values(len(columns), count)}"  # noqa: S608  # our own names


@lru_cache(maxsize=128)
def _update(table: str, columns: tuple[str, ...], count: int) -> str:
    sets = ", ".join(f'"{name}" = told.column{place}' for place, name in enumerate(columns[1:], start=2))
    told = f"(VALUES {_values(len(columns), count)}) AS told"
    return f"UPDATE {table} SET {sets} FROM {told} WHERE {table}.{columns[0]} = told.column1"  # noqa: S608


def _update_one(table: str, columns: tuple[str, ...]) -> str:
    sets = ", ".join(f'"{name}" = %s' for name in columns[1:])
    return f"UPDATE {table} SET {sets} WHERE {columns[0]} = %s"  # noqa: S608


def _values(width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    return ", ".join([row] * count)


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
