"""Obligations with their fees, rates of commission, cycles of every frequency.

What is owed keeps what was booked for it. Obligations that waited for a cut-off enter the cycle that is open.
Their fees are those of their charge records; the ones whose commission is booked already stand as electricity
whole, for it was taken of the whole amount.
"""

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TRIGGERS: dict[str, list[str]] = json.loads(Path(__file__).with_name("0010_triggers.json").read_text())
FEES = ("electricity", "service", "parking", "idle")
TABLES = ("cycle", "obligation", "cycle_position")

CYCLE_CHECKS = {
    "cycle_frozen": "frozen_at IS NULL OR cutoff_at IS NOT NULL",
    "cycle_frequency": "frequency IN ('daily', 'weekly', 'monthly')",
}
OBLIGATION_CHECKS = {
    "obligation_kind": "kind IN ('charge', 'credit', 'commission', 'claim')",
    "obligation_fees": "electricity_fen >= 0 AND service_fen >= 0 AND parking_fen >= 0 AND idle_fen >= 0 AND"
    " electricity_fen + service_fen + parking_fen + idle_fen ="
    " CASE WHEN kind IN ('charge', 'credit') THEN amount_fen ELSE 0 END",
    "obligation_commission": "commission_fen = "
    + " + ".join(f"({fee}_fen * {fee}_ppm + 500000) / 1000000" for fee in FEES),
    "obligation_state": "state IN ('in_cycle', 'disputed', 'withdrawn')",
    "obligation_membership": "(state = 'in_cycle') = (cycle_id IS NOT NULL)",
}
POSITION_CHECKS = {"cycle_position_net": "amount_fen = is_owed_fen - owes_fen"}

CARRIED_OVER = (
    "UPDATE cycle SET frozen_at = coalesce(commissioned_at, cutoff_at) WHERE state <> 'open'",
    # Whoever owed something had a cycle open for it.
    "UPDATE obligation SET state = 'in_cycle', cycle_id = (SELECT c.cycle_id FROM cycle c"
    " WHERE c.state = 'open' AND c.frequency = 'daily' AND c.currency = obligation.currency)"
    " WHERE state = 'open'",
    "UPDATE obligation SET state = 'in_cycle' WHERE state = 'settled'",
    "UPDATE obligation SET electricity_ppm = commission_ppm, service_ppm = commission_ppm,"
    " parking_ppm = commission_ppm, idle_ppm = commission_ppm WHERE kind = 'charge'",
    # A record above its limit is owed in part, and so is each of its fees.
    "UPDATE obligation SET service_fen = coalesce((SELECT obligation.amount_fen * r.service_fen / r.amount_fen"
    " FROM charge_record r WHERE r.record_id = obligation.record_id AND r.amount_fen > 0), 0)"
    " WHERE kind = 'charge' AND NOT EXISTS (SELECT 1 FROM cycle c"
    " WHERE c.cycle_id = obligation.cycle_id AND c.commissioned_at IS NOT NULL)",
    "UPDATE obligation SET electricity_fen = amount_fen - service_fen WHERE kind = 'charge'",
    "UPDATE obligation SET commission_fen = (electricity_fen * electricity_ppm + 500000) / 1000000"
    " + (service_fen * service_ppm + 500000) / 1000000",
    "UPDATE cycle_position SET owes_fen = coalesce((SELECT sum(o.amount_fen) FROM obligation o"
    " WHERE o.cycle_id = cycle_position.cycle_id AND o.debtor_party_id = cycle_position.party_id), 0)",
    "UPDATE cycle_position SET is_owed_fen = amount_fen + owes_fen",
)


def upgrade() -> None:
    """Forward."""
    _drop_guards()
    _add_columns()
    _add_tables()
    for statement in CARRIED_OVER:
        op.execute(statement)
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        _alter()
    _add_indexes()
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(sa.text(statement.replace(":", r"\:")))


def _drop_guards() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        names = bind.execute(
            sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (:a, :b, :c)"),
            dict(zip("abc", TABLES, strict=True)),
        )
        for (name,) in names.all():
            op.execute(f"DROP TRIGGER {name}")
        return
    for table, verbs in (("cycle", "ud"), ("obligation", "iud"), ("cycle_position", "iud")):
        for verb in verbs:
            name = {"i": "insert", "u": "update", "d": "delete"}[verb]
            op.execute(f"DROP FUNCTION {table}_check_{name}() CASCADE")


def _number(name: str, kind: type[sa.Integer]) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=False, server_default="0")


def _added() -> dict[str, list[sa.Column[Any]]]:
    return {
        "cycle": [sa.Column("frozen_at", UtcDateTime(), nullable=True)],
        "obligation": [
            *(_number(f"{fee}_fen", sa.BigInteger) for fee in FEES),
            *(_number(f"{fee}_ppm", sa.Integer) for fee in FEES),
            _number("commission_fen", sa.BigInteger),
            sa.Column("commission_tax_code", sa.String(length=24), nullable=True),
            sa.Column("frequency", sa.String(length=10), nullable=False, server_default="daily"),
            sa.Column("credit_of", sa.String(length=40), nullable=True),
            sa.Column("claim_of", sa.String(length=40), nullable=True),
        ],
        "cycle_position": [_number("owes_fen", sa.BigInteger), _number("is_owed_fen", sa.BigInteger)],
    }


def _add_columns() -> None:
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)


def _add_tables() -> None:
    op.create_table(
        "commission_rate",
        sa.Column("owner", sa.String(length=9), nullable=False),
        sa.Column("seller", sa.String(length=9), nullable=False),
        sa.Column("station_group", sa.String(length=40), nullable=False),
        sa.Column("fee_kind", sa.String(length=12), nullable=False),
        sa.Column("valid_from", sa.String(length=10), nullable=False),
        sa.Column("ppm", sa.Integer(), nullable=False),
        sa.Column("tax_code", sa.String(length=24), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(length=60), nullable=False),
        sa.CheckConstraint("ppm BETWEEN 0 AND 1000000", name="commission_rate_ppm"),
        sa.CheckConstraint("station_group = '' OR owner <> ''", name="commission_rate_group"),
        sa.PrimaryKeyConstraint("owner", "seller", "station_group", "fee_kind", "valid_from"),
    )
    op.create_table(
        "station_group",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("station_id", sa.String(length=40), nullable=False),
        sa.Column("station_group", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("host_party_id", "station_id"),
    )
    op.create_table(
        "tax_code",
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("valid_from", sa.String(length=10), nullable=False),
        sa.Column("tax_code", sa.String(length=24), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("kind", "valid_from"),
    )


def _alter() -> None:
    """PostgreSQL changes what is there."""
    op.drop_constraint("cycle_currency_frequency_cutoff_at_key", "cycle", type_="unique")
    op.drop_constraint("obligation_membership", "obligation", type_="check")
    op.drop_index("obligation_open", table_name="obligation")
    op.drop_index("obligation_one_commission", table_name="obligation")
    op.drop_column("obligation", "commission_ppm")
    op.execute("ALTER TABLE cycle ALTER COLUMN state TYPE varchar(14)")
    op.execute('ALTER TABLE obligation ALTER COLUMN obligation_id TYPE varchar(40) COLLATE "C"')
    for table, columns in _added().items():
        for column in columns:
            if column.server_default is not None:
                op.alter_column(table, column.name, server_default=None)
    checks = zip(TABLES, (CYCLE_CHECKS, OBLIGATION_CHECKS, POSITION_CHECKS), strict=True)
    for table, conditions in checks:
        for name, condition in conditions.items():
            op.create_check_constraint(name, table, condition)


def _rebuild() -> None:
    """SQLite copies each table into one of the new shape. Its foreign keys are not looked at meanwhile."""
    _copy(
        "cycle",
        sa.Column("cycle_id", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("frequency", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=14), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("cutoff_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("frozen_at", UtcDateTime(), nullable=True),
        sa.Column("disputes_until", UtcDateTime(), nullable=True),
        sa.Column("commissioned_at", UtcDateTime(), nullable=True),
        sa.Column("netted_at", UtcDateTime(), nullable=True),
        sa.Column("proposed_at", UtcDateTime(), nullable=True),
        sa.Column("fixed_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("obligations", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(state = 'open') = (cutoff_at IS NULL)", name="cycle_cut_off"),
        sa.CheckConstraint("cutoff_at > opened_at", name="cycle_forward"),
        *(sa.CheckConstraint(condition, name=name) for name, condition in CYCLE_CHECKS.items()),
        sa.PrimaryKeyConstraint("cycle_id"),
    )
    op.create_index(
        "cycle_one_open",
        "cycle",
        ["currency", "frequency"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_index("cycle_updated", "cycle", ["updated_at", "cycle_id"], unique=False)
    op.create_index(op.f("ix_cycle_due_at"), "cycle", ["due_at"], unique=False)
    _copy(
        "obligation",
        sa.Column("obligation_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("debtor_party_id", sa.String(length=9), nullable=False),
        sa.Column("creditor_party_id", sa.String(length=9), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        *(sa.Column(f"{fee}_fen", sa.BigInteger(), nullable=False) for fee in FEES),
        *(sa.Column(f"{fee}_ppm", sa.Integer(), nullable=False) for fee in FEES),
        sa.Column("commission_fen", sa.BigInteger(), nullable=False),
        sa.Column("commission_tax_code", sa.String(length=24), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("frequency", sa.String(length=10), nullable=False),
        sa.Column("booked_day", sa.String(length=10), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("record_id", sa.String(length=40), nullable=True),
        sa.Column("session_id", sa.String(length=40), nullable=True),
        sa.Column("energy_wh", sa.BigInteger(), nullable=True),
        sa.Column("credit_of", sa.String(length=40), nullable=True),
        sa.Column("claim_of", sa.String(length=40), nullable=True),
        sa.Column("cycle_id", sa.String(length=40), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name="obligation_owes"),
        sa.CheckConstraint("debtor_party_id <> creditor_party_id", name="obligation_two_parties"),
        *(sa.CheckConstraint(condition, name=name) for name, condition in OBLIGATION_CHECKS.items()),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.cycle_id"]),
        sa.PrimaryKeyConstraint("obligation_id"),
        sa.UniqueConstraint("kind", "record_id"),
    )
    for side in ("debtor", "creditor"):
        op.create_index(
            f"obligation_{side}",
            "obligation",
            [f"{side}_party_id", "updated_at", "obligation_id"],
            unique=False,
        )
    op.create_index("obligation_cycle", "obligation", ["cycle_id", "obligation_id"], unique=False)
    _copy(
        "cycle_position",
        sa.Column("cycle_id", sa.String(length=40), nullable=False),
        sa.Column("party_id", sa.String(length=9), nullable=False),
        sa.Column("owes_fen", sa.BigInteger(), nullable=False),
        sa.Column("is_owed_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        *(sa.CheckConstraint(condition, name=name) for name, condition in POSITION_CHECKS.items()),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.cycle_id"]),
        sa.PrimaryKeyConstraint("cycle_id", "party_id"),
    )


def _copy(table: str, *shape: sa.schema.SchemaItem) -> None:
    names = ", ".join(item.name for item in shape if isinstance(item, sa.Column))
    op.create_table(f"new_{table}", *shape)
    op.execute(f"INSERT INTO new_{table} ({names}) SELECT {names} FROM {table}")  # noqa: S608 - names from above
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)


def _add_indexes() -> None:
    cut, commission = sa.text("cutoff_at IS NOT NULL"), sa.text("kind = 'commission'")
    op.create_index(
        "cycle_one_cutoff", "cycle", ["currency", "frequency", "cutoff_at"], unique=True,
        postgresql_where=cut, sqlite_where=cut,
    )  # fmt: skip
    op.create_index(
        "obligation_one_commission", "obligation", ["cycle_id", "debtor_party_id", "creditor_party_id"],
        unique=True, postgresql_where=commission, sqlite_where=commission,
    )  # fmt: skip
    op.create_index("obligation_booked", "obligation", ["cycle_id", "booked_day", "accepted_at"], unique=False)


def downgrade() -> None:
    """What was booked by fees is not put back into one amount.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError
