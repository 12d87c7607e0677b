"""Rows of an older version stay what they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, Table, insert, select

from edi_gateway.model import utc_now
from edi_gateway.store import claims, engine
from edi_gateway.store.engine import Database
from edi_gateway.store.tables import METADATA


def upgrade(db: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(engine.__file__).with_name("migrations")))
    with db._writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def insert_row(db: Database, table: str, /, **row: Any) -> None:
    with db.write() as connection:
        connection.execute(insert(Table(table, MetaData(), autoload_with=connection)), row)


def test_sealed_files_and_their_attempts_survive_the_coming_of_claims(empty_url: str) -> None:
    """The table of deliveries is built anew around them; they are due as before, and the attempt is remembered."""
    db = Database(empty_url)
    upgrade(db, "0001")
    now = utc_now()
    insert_row(
        db, "delivery", id=7, destination="globex/edi", customer="globex", control_number=7, name="7.edi", digest="d",
        size=3, event_count=1, state="retrying", attempts=1, next_attempt_at=now, sealed_at=now, last_error="away",
    )  # fmt: skip
    insert_row(db, "attempt", delivery_id=7, number=1, started_at=now, outcome="failed", detail="away")
    db.migrate()

    claim = claims.claim(db, "globex/edi", "here")
    assert claim == claims.Claim(7, "7.edi", "d", number=2, failures=0, again=True)
    with db.read() as connection:
        kept = connection.execute(select(METADATA.tables["delivery"])).one()
    assert ("away", 3, now, None) == (kept.last_error, kept.size, kept.sealed_at, kept.replaces)
    db.close()
