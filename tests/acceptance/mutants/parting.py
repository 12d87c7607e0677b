"""Ends a transaction where the gateway goes on with it: what every mutant of the database needs."""

from __future__ import annotations

from sqlalchemy import Connection


def commit_here(connection: Connection) -> None:
    """Commit what was written so far; the rest of the transaction becomes another one."""
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    nested = connection.get_nested_transaction()
    if nested is not None:  # its savepoint went with the commit
        connection.exec_driver_sql(f"SAVEPOINT {nested._savepoint}")
