"""Sessions that staff let go because no bill stands for them."""

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

GUARDS = {
    "sqlite": (
        "CREATE TRIGGER session_release_no_update BEFORE UPDATE ON session_release"
        " BEGIN SELECT RAISE(ABORT, 'session_release only grows'); END",
        "CREATE TRIGGER session_release_no_delete BEFORE DELETE ON session_release"
        " BEGIN SELECT RAISE(ABORT, 'session_release only grows'); END",
        "CREATE TRIGGER session_release_no_replace BEFORE INSERT ON session_release"
        " WHEN EXISTS (SELECT 1 FROM session_release"
        " WHERE session_id = NEW.session_id AND number = NEW.number)"
        " BEGIN SELECT RAISE(ABORT, 'session_release only grows'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION session_release_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'session_release only grows' USING ERRCODE = 'check_violation'; END $$",
        "CREATE TRIGGER session_release_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON session_release"
        " FOR EACH STATEMENT EXECUTE FUNCTION session_release_refuse()",
    ),
}


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "session_release",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("said_by", sa.String(length=60), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "number"),
    )
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
