"""A driver's bills are found by the driver, not among all of the home's."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_index(
        "charge_record_driver", "charge_record", ["driver_ref", "updated_at", "record_id"], unique=False
    )


def downgrade() -> None:
    """Back."""
    op.drop_index("charge_record_driver", table_name="charge_record")
