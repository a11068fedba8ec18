"""Charges under way by their host and last word, and about which silence each was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("session", sa.Column("asked_number", sa.Integer(), nullable=True))
    running = sa.text("state IN ('charging', 'paused', 'stopping')")
    op.create_index(
        "session_running",
        "session",
        ["host_party_id", "updated_at"],
        postgresql_where=running,
        sqlite_where=running,
    )
