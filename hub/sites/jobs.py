"""What sites do later: forget commands that mean nothing any more."""

from datetime import datetime, timedelta

from hub.core.database import Unit
from hub.sites.tables import forget_commands

KEPT = timedelta(days=30)
"""Longer than any stop is tried for: a first result is remembered for as long as its command may come again."""


async def forget_old_commands(unit: Unit, now: datetime) -> None:
    """Forget commands made long ago (wall time), answered or not."""
    await forget_commands(unit, now - KEPT)
