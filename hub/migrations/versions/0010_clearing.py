"""Obligations with their fees, rates of commission, cycles of every frequency."""

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
