"""A document knows how a reading that broke off was to go on. One of an older version is read anew."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("document", sa.Column("reading", sa.String(), nullable=False, server_default=""))
