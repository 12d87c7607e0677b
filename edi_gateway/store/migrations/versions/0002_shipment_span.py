"""Shipments know the span of all that was told of them. Until one is told of again, its span is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("earliest_at", "latest_at"):
        op.add_column("shipment", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
