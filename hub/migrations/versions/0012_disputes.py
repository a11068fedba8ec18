"""Disputes over charge records; records that a home had refused get theirs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TRIGGERS = json.loads(Path(__file__).with_name("0012_triggers.json").read_text("utf-8"))
"""Frozen: later changes of the triggers are revisions of their own."""

IS_OPEN = sa.text("state IN ('raised', 'answered')")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "dispute",
        sa.Column("dispute_id", sa.String(length=40), nullable=False),
        sa.Column("dispute_ref", sa.String(length=64), nullable=False),
        sa.Column("record_id", sa.String(length=40), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("raised_by", sa.String(length=9), nullable=False),
        sa.Column("in_time", sa.Boolean(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("answer", sa.String(length=7), nullable=True),
        sa.Column("answered_by", sa.String(length=9), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answer_reason", sa.Text(), nullable=True),
        sa.Column("answer_evidence", sa.Text(), nullable=True),
        sa.Column("insisted_at", UtcDateTime(), nullable=True),
        sa.Column("insist_reason", sa.Text(), nullable=True),
        sa.Column("proposed_outcome", sa.String(length=8), nullable=True),
        sa.Column("proposed_by", sa.String(length=60), nullable=True),
        sa.Column("resolution_reason", sa.Text(), nullable=True),
        sa.Column("resolved_by", sa.String(length=60), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("raised_by IN (home_party_id, host_party_id)", name="dispute_raised_by_a_side"),
        sa.CheckConstraint("home_party_id <> host_party_id", name="dispute_two_sides"),
        sa.CheckConstraint("amount_fen >= 0", name="dispute_amount"),
        sa.CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)",
            name="dispute_answered_whole",
        ),
        sa.CheckConstraint(
            "(state IN ('accepted', 'credited')) = (resolved_at IS NOT NULL)"
            " AND (resolved_at IS NULL) = (resolved_by IS NULL)",
            name="dispute_resolved_whole",
        ),
        sa.ForeignKeyConstraint(["record_id"], ["charge_record.record_id"]),
        sa.PrimaryKeyConstraint("dispute_id"),
        sa.UniqueConstraint("record_id", "raised_by"),
    )
    _indexes()
    _carry_over()
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def _indexes() -> None:
    for name, columns, unique in (("one_open", ["record_id"], True), ("due", ["due_at"], False)):
        op.create_index(
            f"dispute_{name}",
            "dispute",
            columns,
            unique=unique,
            postgresql_where=IS_OPEN,
            sqlite_where=IS_OPEN,
        )
    op.create_index("dispute_home", "dispute", ["home_party_id", "updated_at", "dispute_id"])
    op.create_index("dispute_host", "dispute", ["host_party_id", "updated_at", "dispute_id"])
    op.create_index("dispute_updated", "dispute", ["updated_at", "dispute_id"])


def _carry_over() -> None:
    """A record that its home had refused is disputed by it; its host has three days from now to answer."""
    record = sa.table(
        "charge_record",
        *(sa.column(name) for name in ("record_id", "home_party_id", "host_party_id", "owed_fen", "currency")),
        *(sa.column(name) for name in ("reason", "state", "kind")),
        sa.column("updated_at", UtcDateTime()),
    )
    obligation = sa.table("obligation", *(sa.column(name) for name in ("record_id", "kind", "state")))
    item = sa.table("suspense_item", sa.column("kind"), sa.column("subject_id"))
    dispute = sa.table(
        "dispute",
        *(sa.column(name) for name in ("dispute_id", "dispute_ref", "record_id", "home_party_id")),
        *(sa.column(name) for name in ("host_party_id", "raised_by", "in_time", "amount_fen", "currency")),
        *(sa.column(name) for name in ("reason", "evidence", "state")),
        *(sa.column(name, UtcDateTime()) for name in ("raised_at", "due_at", "updated_at")),
    )
    connection = op.get_bind()
    refused = sa.select(record).where(
        record.c.state == "disputed", record.c.home_party_id != record.c.host_party_id
    )
    set_aside = sa.select(obligation.c.record_id).where(
        obligation.c.kind == "charge", obligation.c.state == "disputed"
    )
    in_time = set(connection.execute(set_aside).scalars())
    for row in connection.execute(refused).all():
        # The record's own UUID, so that done again it comes to the same.
        dispute_id = f"dsp_{row.record_id.partition('_')[2]}"
        connection.execute(
            dispute.insert().values(
                dispute_id=dispute_id,
                dispute_ref=row.record_id,
                record_id=row.record_id,
                home_party_id=row.home_party_id,
                host_party_id=row.host_party_id,
                raised_by=row.home_party_id,
                in_time=row.record_id in in_time,
                amount_fen=row.owed_fen,
                currency=row.currency,
                reason=row.reason or "refused by the home",
                evidence="[]",
                state="raised",
                raised_at=row.updated_at,
                due_at=datetime.now(UTC) + timedelta(hours=72),
                updated_at=row.updated_at,
            )
        )
        connection.execute(
            item.update()
            .where(item.c.kind == "dispute", item.c.subject_id == row.record_id)
            .values(subject_id=dispute_id)
        )


def downgrade() -> None:
    """Not back: what was said in disputes has no place in the tables that were."""
    raise NotImplementedError
