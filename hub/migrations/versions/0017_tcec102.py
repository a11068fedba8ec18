"""Partners that speak T/CEC 102."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    _partners()
    _tokens()
    _aliases()


def _partners() -> None:
    op.create_table(
        "tcec102_profile",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["party.party_id"]),
        sa.PrimaryKeyConstraint("party_id"),
    )
    op.create_table(
        "tcec102_answer",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("interface", sa.String(length=40), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", "digest"),
    )
    op.create_index(op.f("ix_tcec102_answer_stored_at"), "tcec102_answer", ["stored_at"])
    op.create_table(
        "tcec102_tolerated",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("word", sa.String(length=60), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "party_id", "word"),
    )


def _tokens() -> None:
    op.create_table(
        "tcec102_issued_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.String(length=40), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("tcec102_issued_token_party", "tcec102_issued_token", ["party_id", "expires_at"])
    op.create_index(op.f("ix_tcec102_issued_token_expires_at"), "tcec102_issued_token", ["expires_at"])
    op.create_table(
        "tcec102_held_token",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("fetched_at", UtcDateTime(), nullable=False),
        sa.Column("refresh_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("party_id"),
    )


def _aliases() -> None:
    op.create_table(
        "tcec102_alias",
        sa.Column("kind", sa.String(length=9), nullable=False),
        sa.Column("alias", sa.String(length=26), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("own_id", sa.String(length=70), nullable=False),
        sa.PrimaryKeyConstraint("kind", "alias"),
        sa.UniqueConstraint("kind", "party_id", "own_id"),
    )
    op.create_table(
        "tcec102_start_told",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
    )
