"""Notifications: what an owed event changed, where its shipment is in line, and when delivery is expected."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LINE = sa.text("state IN ('sealed', 'retrying', 'dead') AND shipment_id IS NOT NULL")
STATUSES = (
    "'UNKNOWN', 'PENDING', 'PICKED_UP', 'IN_TRANSIT', 'EXCEPTION', 'OUT_FOR_DELIVERY', 'ATTEMPT_FAILURE',"
    " 'AVAILABLE_FOR_PICKUP', 'RETURN_TO_SENDER', 'LOST', 'DELIVERED', 'RETURNED', 'CANCELLED'"
)
STATED = "coalesce(p.issued_at, p.received_at)"
ESTIMATE = f"""
SELECT %s FROM event e JOIN provenance p ON p.event_id = e.id
WHERE e.shipment_id = shipment.id AND e.classifier = 'EST' AND e.status = 'DELIVERED' AND NOT e.retracted
AND p.function <> 'cancellation' ORDER BY {STATED} DESC, e.occurred_at DESC LIMIT 1
"""  # noqa: S608  # nothing of it comes from outside
EXPECTED = f"""
UPDATE shipment SET estimated_at = ({ESTIMATE % "e.occurred_at"}), estimate_stated_at = ({ESTIMATE % STATED})
WHERE id IN (SELECT shipment_id FROM event WHERE classifier = 'EST' AND status = 'DELIVERED')
"""  # noqa: S608


def upgrade() -> None:
    op.add_column("shipment", sa.Column("estimated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("shipment", sa.Column("estimate_stated_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(EXPECTED)
    op.add_column("delivery", sa.Column("shipment_id", BIG, nullable=True))
    op.create_index(
        "ix_delivery_line",
        "delivery",
        ["shipment_id", "destination", "control_number"],
        sqlite_where=LINE,
        postgresql_where=LINE,
    )
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("trigger", sa.String(), nullable=False, server_default=""))
        for name in ("previous_status", "new_status"):
            outbox.add_column(sa.Column(name, sa.String(20), nullable=True))
            outbox.create_check_constraint(op.f(f"ck_outbox_{name}"), f"{name} IN ({STATUSES})")
    op.create_table(
        "told",
        sa.Column("destination", sa.String(), primary_key=True),
        sa.Column("shipment_id", BIG, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer(), nullable=False),
    )
