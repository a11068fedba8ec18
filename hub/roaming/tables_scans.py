"""Rows of failed scans: one a driver, with the instants of the last few."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlmodel import Field, col, delete

from hub.core.database import Unit
from hub.core.tables import insert_new
from hub.core.types import TableRow, instant, text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class ScanFailureRow(TableRow, table=True):
    """Wrong codes that a driver showed lately. `failed_at` is JSON: Unix milliseconds of wall time."""

    __tablename__ = "scan_failure"
    home_party_id: str = Field(primary_key=True, max_length=9)
    driver_ref: str = Field(primary_key=True, max_length=64)
    failed_at: str = text()
    last_at: datetime = instant(index=True)


async def failures_of(
    unit: Unit, home_party_id: str, driver_ref: str, *, now: datetime, lock: bool = False
) -> list[datetime]:
    """When this driver failed lately; with `lock` nobody else counts for him until the unit ends."""
    key = {"home_party_id": home_party_id, "driver_ref": driver_ref}
    if lock:
        await insert_new(unit, ScanFailureRow, failed_at="[]", last_at=now, **key)
    row = await unit.session.get(ScanFailureRow, key, with_for_update=lock, populate_existing=True)
    return [] if row is None else [_EPOCH + ms * _MILLISECOND for ms in json.loads(row.failed_at)]


async def keep_failures(unit: Unit, home_party_id: str, driver_ref: str, failures: Sequence[datetime]) -> None:
    """Write what `failures_of` held with `lock`, newest last."""
    row = await unit.session.get(ScanFailureRow, (home_party_id, driver_ref))
    assert row is not None
    row.failed_at = json.dumps([(at - _EPOCH) // _MILLISECOND for at in failures])
    row.last_at = failures[-1]


async def forget_failures(unit: Unit, *, before: datetime) -> None:
    """Drivers who have not failed since."""
    await unit.execute(delete(ScanFailureRow).where(col(ScanFailureRow.last_at) < before))
