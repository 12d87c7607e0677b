"""Interchanges by their references, documents that wait for a replay, and a quick look at what a channel waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("state = 'received'")


def upgrade() -> None:
    op.create_table(
        "interchange",
        sa.Column("document_id", BIG, sa.ForeignKey("document.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("channel", "carrier", "sender", "recipient", "control_ref", "control_key")
        ),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("repeats", BIG, sa.ForeignKey("document.id"), nullable=True),
        sa.CheckConstraint("state IN ('accepted', 'duplicate', 'failed')", name="state"),
    )
    names = ["carrier", "control_key", "sender", "recipient", "digest"]
    op.create_index("ix_interchange_reference", "interchange", names)
    op.create_table(
        "replay",
        sa.Column("document_id", BIG, sa.ForeignKey("document.id"), primary_key=True, autoincrement=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "ix_document_waiting", "document", ["channel", "id"], sqlite_where=WAITING, postgresql_where=WAITING
    )
