"""Work that must not be cut off in the middle: a caller who goes away interrupts only his own waiting."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from anyio import CancelScope

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run short work to its end; a cancellation that came meanwhile is raised then, and the result is lost.

    Cut off in the middle of a statement, a unit of work costs its connection, and pool and driver log errors.
    """
    task = asyncio.ensure_future(work)
    gone: asyncio.CancelledError | None = None
    with CancelScope(
        shield=True
    ):  # Starlette's scopes would cancel the waiting again in every round of the loop
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as cancelled:
                gone = cancelled
    if gone is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # nobody is left to hear of it
    raise gone
