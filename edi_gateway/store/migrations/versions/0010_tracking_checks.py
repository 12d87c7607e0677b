"""Tracking checks: which numbers a polled carrier is asked for, and when next."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATES = "state IN ('active', 'quiet', 'paused', 'expired', 'closed')"
REPLIES = "reply IN ('answered', 'not_yet', 'unknown', 'gone')"
OPEN = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "tracking_check",
        sa.Column("id", BIG, primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("channel", "carrier", "tracking_number")),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("checks", "failures", "quiet", "unknown")),
        sa.Column("tail", sa.Integer(), nullable=True),
        sa.Column("soonest", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reply", sa.String(20), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("digest", "etag", "modified")),
        sa.UniqueConstraint("channel", "tracking_number", name="uq_tracking_check_channel"),
        sa.CheckConstraint(STATES, name="state"),
        sa.CheckConstraint(REPLIES, name="reply"),
    )
    op.create_index(
        "ix_tracking_check_due",
        "tracking_check",
        ["channel", "due_at", "id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("ix_tracking_check_tracking_number", "tracking_check", ["tracking_number"])
