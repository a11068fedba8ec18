"""Tariffs with parking and idle fees; which one applies where."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQLITE = (
    "CREATE TRIGGER tariff_assignment_no_update BEFORE UPDATE ON tariff_assignment"
    " BEGIN SELECT RAISE(ABORT, 'tariff_assignment only grows'); END",
    "CREATE TRIGGER tariff_assignment_no_delete BEFORE DELETE ON tariff_assignment"
    " BEGIN SELECT RAISE(ABORT, 'tariff_assignment only grows'); END",
    "CREATE TRIGGER tariff_assignment_no_replace BEFORE INSERT ON tariff_assignment"
    " WHEN EXISTS (SELECT 1 FROM tariff_assignment WHERE host_party_id = NEW.host_party_id"
    " AND home_party_id = NEW.home_party_id AND station_id = NEW.station_id AND kind = NEW.kind"
    " AND valid_from = NEW.valid_from)"
    " BEGIN SELECT RAISE(ABORT, 'tariff_assignment only grows'); END",
)
POSTGRESQL = (
    "CREATE FUNCTION tariff_assignment_refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'tariff_assignment only grows' USING ERRCODE = 'check_violation'; END $$",
    "CREATE TRIGGER tariff_assignment_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON tariff_assignment"
    " FOR EACH STATEMENT EXECUTE FUNCTION tariff_assignment_refuse()",
)
TRIGGERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def upgrade() -> None:
    """Forward."""
    for name in ("parking", "idle"):
        op.add_column("tariff_version", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "tariff_assignment",
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("station_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=2), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("tariff_id", sa.String(length=64), nullable=True),
        sa.Column("assigned_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["host_party_id"], ["party.party_id"]),
        sa.PrimaryKeyConstraint("host_party_id", "home_party_id", "station_id", "kind", "valid_from"),
    )
    op.create_index("tariff_assignment_home", "tariff_assignment", ["home_party_id"], unique=False)
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Back."""
    op.drop_table("tariff_assignment")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION tariff_assignment_refuse()")
    for name in ("idle", "parking"):
        op.drop_column("tariff_version", name)
