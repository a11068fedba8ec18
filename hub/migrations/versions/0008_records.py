"""Charge records without a session, credits, and what every rule said."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TRIGGERS = json.loads(Path(__file__).with_name("0008_triggers.json").read_text("utf-8"))
"""Frozen: later changes of the triggers are revisions of their own."""

HAS_TOKEN = sa.text("token_ref IS NOT NULL")
ONE_CREDIT = sa.text("credit_of IS NOT NULL AND state <> 'rejected'")
BLOCKED = sa.text("refusal = 'token_blocked'")


def upgrade() -> None:
    """Forward."""
    _records()
    op.add_column("agreement", sa.Column("late_days", sa.Integer(), nullable=False, server_default="90"))
    op.add_column("connector", sa.Column("created_at", UtcDateTime(), nullable=True))
    op.add_column("connector", sa.Column("removed_at", UtcDateTime(), nullable=True))
    op.add_column("hosted_settlement", sa.Column("credit_of", sa.String(length=40), nullable=True))
    op.create_index(op.f("ix_hosted_settlement_credit_of"), "hosted_settlement", ["credit_of"], unique=False)
    op.create_index(
        "authorization_blocked",
        "authorization",
        ["token_ref"],
        unique=False,
        postgresql_where=BLOCKED,
        sqlite_where=BLOCKED,
    )
    op.create_table(
        "record_decision",
        sa.Column("record_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=6), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("said_by", sa.String(length=60), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "number"),
    )
    op.create_table(
        "partner_trust",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("disputes", sa.Integer(), nullable=False),
        sa.Column("disputes_most", sa.Integer(), nullable=False),
        sa.Column("stopped_day", sa.String(length=10), nullable=True),
        sa.Column("lifted_by", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["party_id"], ["party.party_id"]),
        sa.PrimaryKeyConstraint("party_id"),
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def _records() -> None:
    # SQLite cannot let a column be null afterwards: there the table is made anew.
    with op.batch_alter_table("charge_record") as table:
        table.alter_column("session_id", existing_type=sa.String(length=40), nullable=True)
        table.alter_column("home_party_id", existing_type=sa.String(length=9), nullable=True)
        table.add_column(sa.Column("kind", sa.String(length=8), nullable=False, server_default="charge"))
        table.add_column(sa.Column("credit_of", sa.String(length=40), nullable=True))
        table.add_column(sa.Column("session_ref", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("token_ref", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("token_kind", sa.String(length=10), nullable=True))
        table.add_column(sa.Column("token_digest", sa.String(length=32), nullable=True))
        table.add_column(sa.Column("station_id", sa.String(length=40), nullable=True))
        table.add_column(sa.Column("left_at", UtcDateTime(), nullable=True))
        table.add_column(sa.Column("fees", sa.Text(), nullable=True))
        table.add_column(sa.Column("verdicts", sa.String(length=25), nullable=False, server_default=""))
        table.add_column(sa.Column("repriced", sa.Text(), nullable=True))
        table.add_column(sa.Column("parking_fen", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("idle_fen", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(
        "charge_record_connector",
        "charge_record",
        ["host_party_id", "connector_id", "ended_at"],
        unique=False,
    )
    op.create_index(
        "charge_record_token",
        "charge_record",
        ["token_ref", "ended_at"],
        unique=False,
        postgresql_where=HAS_TOKEN,
        sqlite_where=HAS_TOKEN,
    )
    op.create_index(
        "charge_record_one_credit",
        "charge_record",
        ["credit_of"],
        unique=True,
        postgresql_where=ONE_CREDIT,
        sqlite_where=ONE_CREDIT,
    )


def downgrade() -> None:
    """Not back: a record without a session has no place in the table that was."""
    raise NotImplementedError
