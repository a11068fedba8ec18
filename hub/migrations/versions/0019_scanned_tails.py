"""What a scanned code has after its slash, for the start that follows."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("scan", sa.Column("qr_tail", sa.String(length=500), nullable=True))
