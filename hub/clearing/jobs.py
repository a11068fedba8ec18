"""What clearing does later: due times are rows, so whoever looks at them next does the work."""

from datetime import datetime

from hub.clearing.closing import Progress, silent
from hub.clearing.service import ClearingService


async def advance(clearing: ClearingService, now: datetime, progress: Progress = silent) -> list[str]:
    """Cut off, propose and fix whatever is due at this business instant, however long nobody looked.

    Returns the ids of the cycles that moved. Any number of processes may call it at once.
    """
    moved: list[str] = []
    while done := await clearing.close_due(now, progress):
        moved += [cycle_id for cycle_id in done if cycle_id not in moved]
    return moved
