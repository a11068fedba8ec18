"""Sites of hosted operators, and the blacklists that their agents are told."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STANDING = sa.text("NOT revoked")
OPEN = sa.text("result IS NULL")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "blocked_token",
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("home_party_id", "digest"),
    )
    op.create_table(
        "site",
        sa.Column("site_id", sa.String(length=40), nullable=False),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("station_id", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.String(length=43), nullable=True),
        sa.Column("proposed_key", sa.String(length=43), nullable=True),
        sa.Column("proposed_by", sa.String(length=60), nullable=True),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["host_party_id"], ["party.party_id"]),
        sa.PrimaryKeyConstraint("site_id"),
    )
    op.create_index(
        "site_station",
        "site",
        ["host_party_id", "station_id"],
        unique=True,
        postgresql_where=STANDING,
        sqlite_where=STANDING,
    )
    op.create_index("site_created", "site", ["created_at", "site_id"], unique=False)
    op.create_table(
        "site_link",
        sa.Column("site_id", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=True),
        sa.Column("connected_at", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("spool_id", sa.String(length=64), nullable=False),
        sa.Column("agent_version", sa.String(length=200), nullable=False),
        sa.Column("health_at", UtcDateTime(), nullable=True),
        sa.Column("can_frames", sa.BigInteger(), nullable=False),
        sa.Column("meter_frames", sa.BigInteger(), nullable=False),
        sa.Column("spool_waiting", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"]),
        sa.PrimaryKeyConstraint("site_id"),
    )
    op.create_table(
        "site_stream",
        sa.Column("site_id", sa.String(length=40), nullable=False),
        sa.Column("spool_id", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=8), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"]),
        sa.PrimaryKeyConstraint("site_id", "spool_id", "stream"),
    )
    op.create_table(
        "site_command",
        sa.Column("command_id", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("command", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"]),
        sa.PrimaryKeyConstraint("command_id"),
    )
    op.create_index(
        "site_command_open",
        "site_command",
        ["site_id", "created_at"],
        unique=False,
        postgresql_where=OPEN,
        sqlite_where=OPEN,
    )
    op.create_index("site_command_created", "site_command", ["created_at"], unique=False)
    op.create_table(
        "site_bad_item",
        sa.Column("bad_item_id", sa.String(length=48), nullable=False),
        sa.Column("site_id", sa.String(length=40), nullable=False),
        sa.Column("spool_id", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=8), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("problem", sa.String(length=200), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.site_id"]),
        sa.PrimaryKeyConstraint("bad_item_id"),
        sa.UniqueConstraint("site_id", "spool_id", "stream", "number"),
    )
    op.create_index(
        "site_bad_item_site",
        "site_bad_item",
        ["site_id", "received_at", "bad_item_id"],
        unique=False,
    )


def downgrade() -> None:
    """Back to before there were sites."""
    for table in ("site_bad_item", "site_command", "site_stream", "site_link", "site", "blocked_token"):
        op.drop_table(table)
