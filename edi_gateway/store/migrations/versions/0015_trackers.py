"""Trackers that are deleted by their customers, and a quick look at who wants to hear nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SILENT = sa.text("state = 'paused'")


def upgrade() -> None:
    op.add_column("tracker", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tracker", sa.Column("fed_after", BIG, nullable=False, server_default="0"))
    op.create_index("ix_tracker_silent", "tracker", ["shipment_id"], sqlite_where=SILENT, postgresql_where=SILENT)
