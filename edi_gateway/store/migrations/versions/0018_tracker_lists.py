"""A customer's trackers in the order in which they were made, however many others have."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_tracker_list", "tracker", ["customer", "id"])
