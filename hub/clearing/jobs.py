"""What clearing does later: due times are rows, so whoever looks at them next does the work."""

from collections.abc import Awaitable
from datetime import datetime
from functools import partial

from hub.clearing.closing import Progress, silent
from hub.clearing.payments import Payments
from hub.clearing.service import ClearingService
from hub.core.runner import each


async def advance(clearing: ClearingService, now: datetime, progress: Progress = silent) -> list[str]:
    """Cut off, propose and fix whatever is due at this business instant, however long nobody looked.

    Returns the ids of the cycles that moved. Any number of processes may call it at once.
    """
    moved: list[str] = []
    while done := await clearing.close_due(now, progress):
        moved += [cycle_id for cycle_id in done if cycle_id not in moved]
    return moved


async def advance_all(clearing: ClearingService, payments: Payments, now: datetime) -> None:
    """The steps of all cycles, and of their payments where those go by themselves; neither waits for the other.

    Raises:
        ExceptionGroup: some failed, and the others were done.
    """
    steps = [partial[Awaitable[object]](advance, clearing, now)]
    if payments.by_itself:
        steps.append(partial(payments.advance, now))
    await each("clearing", steps, lambda step: step())
