"""Upkeep: work orders with their history, drivers' faults, alarms."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = (
    "CREATE TRIGGER work_order_step_no_update BEFORE UPDATE ON work_order_step"
    " BEGIN SELECT RAISE(ABORT, 'work_order_step only grows'); END",
    "CREATE TRIGGER work_order_step_no_delete BEFORE DELETE ON work_order_step"
    " BEGIN SELECT RAISE(ABORT, 'work_order_step only grows'); END",
    "CREATE TRIGGER work_order_step_no_replace BEFORE INSERT ON work_order_step"
    " WHEN EXISTS (SELECT 1 FROM work_order_step WHERE order_id = NEW.order_id AND number = NEW.number)"
    " BEGIN SELECT RAISE(ABORT, 'work_order_step only grows'); END",
)
POSTGRESQL = (
    "CREATE FUNCTION work_order_step_refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'work_order_step only grows' USING ERRCODE = 'check_violation'; END $$",
    "CREATE TRIGGER work_order_step_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON work_order_step"
    " FOR EACH STATEMENT EXECUTE FUNCTION work_order_step_refuse()",
)
TRIGGERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "work_order",
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("assignee", sa.String(length=40), nullable=True),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("connector_id", sa.String(length=26), nullable=True),
        sa.Column("station_id", sa.String(length=40), nullable=True),
        sa.Column("station_name", sa.String(length=200), nullable=False),
        sa.Column("latitude_e6", sa.Integer(), nullable=True),
        sa.Column("longitude_e6", sa.Integer(), nullable=True),
        sa.Column("fault_count", sa.Integer(), nullable=False),
        sa.Column("alarm_count", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=500), nullable=False),
        sa.Column("done_by", sa.String(length=60), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("accept_s", sa.Integer(), nullable=True),
        sa.Column("done_s", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_index(op.f("ix_work_order_assignee"), "work_order", ["assignee"], unique=False)
    op.create_index(
        "work_order_connector", "work_order", ["host_party_id", "connector_id", "state"], unique=False
    )
    op.create_index("work_order_host", "work_order", ["host_party_id", "updated_at", "order_id"], unique=False)
    op.create_index("work_order_state", "work_order", ["state", "due_at"], unique=False)
    op.create_index("work_order_updated", "work_order", ["updated_at", "order_id"], unique=False)
    op.create_table(
        "alarm",
        sa.Column("alarm_id", sa.String(length=40), nullable=False),
        sa.Column("open_key", sa.String(length=160), nullable=True),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("connector_id", sa.String(length=26), nullable=True),
        sa.Column("site_id", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("cleared_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=60), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["work_order.order_id"],
        ),
        sa.PrimaryKeyConstraint("alarm_id"),
        sa.UniqueConstraint("open_key"),
    )
    op.create_index("alarm_updated", "alarm", ["updated_at", "alarm_id"], unique=False)
    op.create_index(op.f("ix_alarm_order_id"), "alarm", ["order_id"], unique=False)
    op.create_table(
        "fault_report",
        sa.Column("fault_id", sa.String(length=40), nullable=False),
        sa.Column("request_ref", sa.String(length=64), nullable=False),
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("driver_ref", sa.String(length=64), nullable=False),
        sa.Column("host_party_id", sa.String(length=9), nullable=False),
        sa.Column("connector_id", sa.String(length=26), nullable=False),
        sa.Column("station_name", sa.String(length=200), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("photos", sa.Text(), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("order_state", sa.String(length=12), nullable=False),
        sa.Column("outcome", sa.String(length=500), nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["work_order.order_id"],
        ),
        sa.PrimaryKeyConstraint("fault_id"),
    )
    op.create_index(
        "fault_report_driver", "fault_report", ["driver_ref", "updated_at", "fault_id"], unique=False
    )
    op.create_index(op.f("ix_fault_report_order_id"), "fault_report", ["order_id"], unique=False)
    op.create_table(
        "work_order_step",
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("who", sa.String(length=60), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("from_state", sa.String(length=12), nullable=True),
        sa.Column("to_state", sa.String(length=12), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("photos", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["work_order.order_id"],
        ),
        sa.PrimaryKeyConstraint("order_id", "number"),
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Back."""
    for table in ("work_order_step", "fault_report", "alarm", "work_order"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION work_order_step_refuse()")
