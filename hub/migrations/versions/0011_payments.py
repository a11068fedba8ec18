"""Payments, deposits, bank working days."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _only_grows(table: str) -> dict[str, tuple[str, ...]]:
    return {
        "sqlite": (
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"  # noqa: S608 - our own names
            f" WHEN EXISTS (SELECT 1 FROM {table} WHERE movement_ref = NEW.movement_ref)"
            f" BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
        ),
        "postgresql": (
            f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{table} only grows' USING ERRCODE = 'check_violation'; END $$",
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
        ),
    }


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "bank_day",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(length=100), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    _payment()
    _movements()
    dialect = op.get_bind().dialect.name
    for table in ("payment_movement", "deposit_movement"):
        for statement in _only_grows(table)[dialect]:
            op.execute(statement)


def _payment() -> None:
    op.create_table(
        "payment",
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("cycle_id", sa.String(length=40), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("direction", sa.String(length=7), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=5), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("deposit_fen", sa.BigInteger(), nullable=False),
        sa.Column("missing_fen", sa.BigInteger(), nullable=False),
        sa.Column("withheld_fen", sa.BigInteger(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_fen > 0 AND paid_fen >= 0 AND deposit_fen >= 0", name="payment_amounts"),
        sa.CheckConstraint("missing_fen >= 0 AND withheld_fen >= 0", name="payment_losses"),
        sa.CheckConstraint(
            "paid_fen + deposit_fen + missing_fen + withheld_fen <= amount_fen", name="payment_whole"
        ),
        sa.CheckConstraint(
            "CASE direction WHEN 'pay_in' THEN withheld_fen = 0"
            " WHEN 'pay_out' THEN deposit_fen = 0 AND missing_fen = 0 ELSE 1 = 0 END",
            name="payment_direction",
        ),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.cycle_id"]),
        sa.PrimaryKeyConstraint("payment_id"),
        sa.UniqueConstraint("cycle_id", "party_id"),
    )
    op.create_index("payment_party", "payment", ["party_id", "updated_at", "payment_id"])
    op.create_index("payment_updated", "payment", ["updated_at", "payment_id"])


def _movements() -> None:
    op.create_table(
        "payment_movement",
        sa.Column("movement_ref", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.Column("booked_at", UtcDateTime(), nullable=False),
        sa.Column("booked_by", sa.String(length=60), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name="payment_movement_moves"),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.payment_id"]),
        sa.PrimaryKeyConstraint("movement_ref"),
    )
    op.create_index(op.f("ix_payment_movement_payment_id"), "payment_movement", ["payment_id"])
    op.create_table(
        "deposit_movement",
        sa.Column("movement_ref", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.Column("booked_at", UtcDateTime(), nullable=False),
        sa.Column("booked_by", sa.String(length=60), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name="deposit_movement_moves"),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.payment_id"]),
        sa.PrimaryKeyConstraint("movement_ref"),
    )
    op.create_index("deposit_movement_party", "deposit_movement", ["party_id", "booked_at", "movement_ref"])
