"""The customers' API: keys, trackers, and the feed of events."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EXPECTED = sa.text("shipment_id IS NULL")


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("handle", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.DateTime(timezone=True), nullable=True)
            for name in ("expires_at", "revoked_at", "used_at")
        ),
        sa.UniqueConstraint("handle", name="uq_api_key_handle"),
    )
    op.create_index("ix_api_key_customer", "api_key", ["customer"])
    op.create_table(
        "tracker",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("public_id", sa.String(36), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("customer", "carrier", "tracking_number")),
        sa.Column("shipment_id", BIG, sa.ForeignKey("shipment.id"), nullable=True),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("public_id", name="uq_tracker_public_id"),
        sa.UniqueConstraint("customer", "shipment_id", name="uq_tracker_customer"),
        sa.CheckConstraint("origin IN ('rule', 'request')", name="origin"),
        sa.CheckConstraint("state IN ('active', 'paused')", name="state"),
    )
    op.create_index("ix_tracker_number", "tracker", ["customer", "tracking_number"])
    op.create_index(
        "ix_tracker_expected", "tracker", ["tracking_number"], sqlite_where=EXPECTED, postgresql_where=EXPECTED
    )
    op.create_table(
        "feed",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("tx", BIG, nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("event_id", BIG, sa.ForeignKey("event.id"), nullable=False),
        sa.Column("shipment_id", BIG, sa.ForeignKey("shipment.id"), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_feed_customer", "feed", ["customer", "tx", "id"])
