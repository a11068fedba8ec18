"""Sessions that the hub stops, bills without meter readings, tariffs that are estimates."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BILLED = (
    "record_id", "record_ref", "kind", "credit_of", "session_id", "session_ref", "host_party_id",
    "connector_id", "started_at", "ended_at", "left_at", "meter_start_wh", "meter_end_wh",
    "energy_wh", "lines", "fees", "verdicts", "findings", "repriced", "electricity_fen", "service_fen",
    "parking_fen", "idle_fen", "amount_fen", "owed_fen", "currency", "tariff_id", "tariff_version",
    "stop_reason", "service_day", "metered",
)  # fmt: skip
"""What a charge record says for good, as of this revision."""

GUARDS = {
    "sqlite": (
        "DROP TRIGGER charge_record_billed",
        f"CREATE TRIGGER charge_record_billed BEFORE UPDATE OF {', '.join(BILLED)} ON charge_record"
        f" WHEN {' OR '.join(f'NEW.{name} IS NOT OLD.{name}' for name in BILLED)}"
        " BEGIN SELECT RAISE(ABORT, 'a charge record is never edited'); END",
    ),
    "postgresql": (
        "DROP TRIGGER charge_record_billed ON charge_record",
        f"CREATE TRIGGER charge_record_billed BEFORE UPDATE OF {', '.join(BILLED)} ON charge_record"
        f" FOR EACH ROW WHEN ({' OR '.join(f'NEW.{name} IS DISTINCT FROM OLD.{name}' for name in BILLED)})"
        " EXECUTE FUNCTION charge_record_refuse()",
    ),
}


def upgrade() -> None:
    """Forward."""
    for name in ("stop_at_fen", "stop_at_wh"):
        op.add_column("session", sa.Column(name, sa.BigInteger(), nullable=True))
    for table, name in (("charge_record", "metered"), ("tariff_version", "binding")):
        op.add_column(table, sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.true()))
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
