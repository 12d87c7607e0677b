"""Registrations of webhooks at carriers; requests that were refused; documents of a channel by their time."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registration",
        sa.Column("channel", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("url", "subscription_id")),
        *(
            sa.Column(name, sa.DateTime(timezone=True), nullable=True)
            for name in ("registered_at", "renewed_at", "expires_at", "due_at")
        ),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("calls", "failures")),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel", name="pk_registration"),
    )
    op.create_table(
        "refused_requests",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "day", "status", name="pk_refused_requests"),
    )
    op.create_index("ix_document_channel", "document", ["channel", "received_at"])
