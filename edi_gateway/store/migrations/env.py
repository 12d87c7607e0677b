"""Alembic's entry: migrates on the connection and in the transaction it is handed."""

from alembic import context
from sqlalchemy import Connection

from edi_gateway.store.tables import METADATA


def migrate(connection: Connection) -> None:
    """Run what is missing, all or nothing; on SQLite then prove that no foreign key points into the void."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=True,  # SQLite alters a table by building it anew
        transaction_per_migration=False,
    )
    context.run_migrations()
    if connection.dialect.name == "sqlite" and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
        raise RuntimeError(f"migration left rows without their parent: {broken[:5]}")


migrate(context.config.attributes["connection"])
