"""Failed scans are counted for each driver; stations are found by their text."""

import unicodedata

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATION = sa.table(
    "station",
    sa.column("host_party_id", sa.String()),
    sa.column("station_id", sa.String()),
    sa.column("name", sa.String()),
    sa.column("address", sa.String()),
    sa.column("search_text", sa.Text()),
)


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "scan_failure",
        sa.Column("home_party_id", sa.String(length=9), nullable=False),
        sa.Column("driver_ref", sa.String(length=64), nullable=False),
        sa.Column("failed_at", sa.Text(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("home_party_id", "driver_ref"),
    )
    op.create_index(op.f("ix_scan_failure_last_at"), "scan_failure", ["last_at"], unique=False)
    op.add_column("station", sa.Column("search_text", sa.Text(), nullable=False, server_default=""))
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """The text of the stations there are, as the directory makes it from then on."""
    update = (
        sa.update(STATION)
        .where(
            STATION.c.host_party_id == sa.bindparam("party"), STATION.c.station_id == sa.bindparam("station")
        )
        .values(search_text=sa.bindparam("found_by"))
    )
    rows = [
        {
            "party": row.host_party_id,
            "station": row.station_id,
            "found_by": unicodedata.normalize("NFKC", f"{row.name}\n{row.address}").casefold(),
        }
        for row in connection.execute(sa.select(STATION))
    ]
    if rows:
        connection.execute(update, rows)
