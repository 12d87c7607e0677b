"""Acknowledgements: those we owe for what came, and what partners say of what was delivered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRUCTURE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
STATES = "'sealed', 'retrying', 'delivered', 'acknowledged', 'rejected', 'dead', 'skipped', 'superseded'"
KINDS = "kind IN ('contrl', 'aperak', 'ta1', '997', '999')"
VERDICTS = "verdict IN ('received', 'accepted', 'accepted_with_errors', 'partly_rejected', 'rejected')"
WAITING = sa.text("state = 'delivered' AND acknowledge_by IS NOT NULL")


def upgrade() -> None:
    _extend_delivery()
    op.create_index("ix_delivery_reference", "delivery", ["customer", "control_number"])
    op.create_index(
        "ix_delivery_acknowledge_by",
        "delivery",
        ["acknowledge_by"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "answer",
        sa.Column("document_id", BIG, sa.ForeignKey("document.id"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("outlet", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("delivery_id", BIG, sa.ForeignKey("delivery.id"), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(KINDS, name="kind"),
        sa.CheckConstraint(VERDICTS, name="verdict"),
    )
    op.create_index("ix_answer_delivery_id", "answer", ["delivery_id"])
    op.create_table(
        "statement",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("document_id", BIG, sa.ForeignKey("document.id"), nullable=False),
        sa.Column("delivery_id", BIG, sa.ForeignKey("delivery.id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("reasons", STRUCTURE, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(KINDS, name="kind"),
        sa.CheckConstraint(VERDICTS, name="verdict"),
    )
    op.create_index("ix_statement_document_id", "statement", ["document_id"])
    op.create_index("ix_statement_delivery_id", "statement", ["delivery_id"])


def _extend_delivery() -> None:
    with op.batch_alter_table("delivery") as delivery:
        for name in ("sequence", "sender", "recipient", "acknowledges", "expects"):
            delivery.add_column(sa.Column(name, sa.String(), nullable=False, server_default=""))
        delivery.add_column(sa.Column("acknowledge_within", sa.Integer(), nullable=False, server_default="0"))
        delivery.add_column(sa.Column("acknowledge_by", sa.DateTime(timezone=True), nullable=True))
        delivery.add_column(sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True))
        delivery.drop_constraint(op.f("ck_delivery_state"), type_="check")
        delivery.create_check_constraint(op.f("ck_delivery_state"), f"state IN ({STATES})")
