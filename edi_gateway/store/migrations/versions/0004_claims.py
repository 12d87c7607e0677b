"""Deliveries are claimed while they are sent, and can be skipped or replaced by another document."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = "state IN ('sealed', 'retrying')"
STATES = "'sealed', 'retrying', 'delivered', 'acknowledged', 'dead', 'skipped', 'superseded'"


def upgrade() -> None:
    op.drop_index("ix_delivery_due", "delivery")
    _extend_delivery()
    _partial_index("ix_delivery_due", "delivery", ["destination", "next_attempt_at", "id"], OPEN)
    _partial_index("ix_delivery_replaces", "delivery", ["replaces"], "replaces IS NOT NULL")
    op.create_index("ix_delivery_state", "delivery", ["destination", "state", "id"])
    _partial_index("ix_outbox_waiting", "outbox", ["destination", "id"], "state = 'pending'")


def _extend_delivery() -> None:
    with op.batch_alter_table("delivery") as delivery:
        delivery.add_column(sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
        delivery.add_column(sa.Column("claimed_by", sa.String(), nullable=False, server_default=""))
        delivery.add_column(sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))
        delivery.add_column(sa.Column("replaces", BIG, nullable=True))
        delivery.create_foreign_key("fk_delivery_replaces", "delivery", ["replaces"], ["id"])
        delivery.drop_constraint(op.f("ck_delivery_state"), type_="check")
        delivery.create_check_constraint(op.f("ck_delivery_state"), f"state IN ({STATES})")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
