"""A finding in a file of lines has its line, and the name of its column."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("finding", sa.Column("line", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("finding", sa.Column("name", sa.String(), nullable=False, server_default=""))
