"""What sites do later: forget commands that mean nothing any more, and refused items that nobody looked at."""

from datetime import datetime, timedelta

from hub.core.database import Unit
from hub.sites.tables import forget_bad_items, forget_commands

KEPT = timedelta(days=30)
"""Longer than any stop is tried for: a first result is remembered for as long as its command may come again."""


async def forget_old(unit: Unit, now: datetime) -> None:
    """Forget commands made (answered or not) and items refused long ago (wall time)."""
    await forget_commands(unit, now - KEPT)
    await forget_bad_items(unit, now - KEPT)
