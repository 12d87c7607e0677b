"""Webhook endpoints that customers make themselves, and what finds deliveries and duties by name and time."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("public_id", sa.String(36), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("customer", "url", "layout", "vocabulary", "events", "ordering", "description")
        ),
        sa.Column("history", sa.Boolean(), nullable=False),
        sa.Column("rotation", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in ("rotated_at", "deleted_at")),
        sa.UniqueConstraint("public_id", name="uq_webhook_endpoint_public_id"),
    )
    op.create_index("ix_webhook_endpoint_customer", "webhook_endpoint", ["customer"])
    op.create_index("ix_outbox_owed", "outbox", ["destination", "created_at"])
    op.create_index("ix_delivery_name", "delivery", ["name", "destination"])
