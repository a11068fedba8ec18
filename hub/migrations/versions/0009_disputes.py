"""Suspense items."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    _suspense()


def _suspense() -> None:
    op.create_table(
        "suspense_item",
        sa.Column("item_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=True),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("proposed_outcome", sa.String(length=12), nullable=True),
        sa.Column("proposed_by", sa.String(length=60), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("closing_reason", sa.String(length=200), nullable=True),
        sa.Column("closed_by", sa.String(length=60), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name="suspense_item_amount"),
        sa.CheckConstraint(
            "(outcome IS NULL) = (closed_at IS NULL) AND (outcome IS NULL) = (closed_by IS NULL)",
            name="suspense_item_closed_whole",
        ),
        sa.PrimaryKeyConstraint("item_id"),
        sa.UniqueConstraint("kind", "subject_id"),
    )
    op.create_index("suspense_item_updated", "suspense_item", ["updated_at", "item_id"])
