"""Daily checks of charge records: lists, differences, what waits for them, and when the next are due."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _only_grows(table: str, key: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    return {
        "sqlite": (
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} only grows'); END",
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"  # noqa: S608 - our own names
            f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"
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
    _checks()
    _lists()
    _days()
    for side in ("host", "home"):
        op.create_index(
            f"charge_record_{side}_day", "charge_record", [f"{side}_party_id", "service_day", "record_id"]
        )
    op.create_index("charge_record_ref", "charge_record", ["host_party_id", "record_ref"])
    dialect = op.get_bind().dialect.name
    for table, key in (
        ("record_check_part", ("check_id", "part")),
        ("record_check_difference", ("check_id", "number")),
    ):
        for statement in _only_grows(table, key)[dialect]:
            op.execute(statement)


def _checks() -> None:
    op.create_table(
        "record_check",
        sa.Column("check_id", sa.String(length=40), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("role", sa.String(length=4), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=7), nullable=False),
        sa.Column("check_ref", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("parts_done", sa.Integer(), nullable=False),
        sa.Column("here_records", sa.BigInteger(), nullable=True),
        sa.Column("here_fen", sa.BigInteger(), nullable=True),
        sa.Column("here_wh", sa.BigInteger(), nullable=True),
        sa.Column("there_records", sa.BigInteger(), nullable=True),
        sa.Column("there_fen", sa.BigInteger(), nullable=True),
        sa.Column("there_wh", sa.BigInteger(), nullable=True),
        sa.Column("differences", sa.Integer(), nullable=False),
        sa.Column("at_risk_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_by", sa.String(length=60), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("compared_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("check_id"),
        sa.UniqueConstraint("party_id", "source", "check_ref"),
    )
    op.create_index("record_check_party", "record_check", ["party_id", "updated_at", "check_id"])
    op.create_index("record_check_updated", "record_check", ["updated_at", "check_id"])


def _lists() -> None:
    op.create_table(
        "record_check_part",
        sa.Column("check_id", sa.String(length=40), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("lines", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["check_id"], ["record_check.check_id"]),
        sa.PrimaryKeyConstraint("check_id", "part"),
    )
    op.create_table(
        "record_check_difference",
        sa.Column("check_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("record", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("here_fen", sa.BigInteger(), nullable=True),
        sa.Column("there_fen", sa.BigInteger(), nullable=True),
        sa.Column("here_wh", sa.BigInteger(), nullable=True),
        sa.Column("there_wh", sa.BigInteger(), nullable=True),
        sa.Column("at_risk_fen", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["check_id"], ["record_check.check_id"]),
        sa.PrimaryKeyConstraint("check_id", "number"),
    )


def _days() -> None:
    op.create_table(
        "record_check_day",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("role", sa.String(length=4), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", "role", "day"),
    )
    op.create_table(
        "record_check_wait",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("role", sa.String(length=4), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("record", sa.String(length=64), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("said", sa.String(length=200), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_index("record_check_wait_day", "record_check_wait", ["party_id", "role", "day"])
    op.create_table(
        "record_check_due",
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("role", sa.String(length=4), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", "role"),
    )
    op.create_index(op.f("ix_record_check_due_due_at"), "record_check_due", ["due_at"])
