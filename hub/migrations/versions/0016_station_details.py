"""What protocols of others say about stations: details; and when they are asked for stations."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    for table in ("station", "pile", "connector"):
        op.add_column(table, sa.Column("details", sa.Text(), nullable=True))
    op.create_table(
        "station_pull",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("full_due_at", UtcDateTime(), nullable=False),
        sa.Column("next_due_at", UtcDateTime(), nullable=True),
        sa.Column("states_due_at", UtcDateTime(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.Column("held_by", sa.String(length=40), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=200), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("pulled_at", UtcDateTime(), nullable=True),
        sa.Column("full_at", UtcDateTime(), nullable=True),
        sa.Column("stations", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("gaps", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["party.party_id"]),
        sa.PrimaryKeyConstraint("party_id"),
    )
    op.create_table(
        "station_gap",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("station_id", sa.String(length=80), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["host_party_id"], ["party.party_id"]),
        sa.PrimaryKeyConstraint("host_party_id", "station_id"),
    )
