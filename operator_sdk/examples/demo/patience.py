"""Waiting for something that is on its way, but not for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from operator_sdk.examples.demo.trouble import Trouble

T = TypeVar("T")
LOOK_EVERY_S = 0.1


async def until(look: Callable[[], Awaitable[T | None]], *, within_s: int, missing: str) -> T:
    """What `look` finds, as soon as it finds something.

    Raises:
        Trouble: `missing`, it finds nothing in time.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                found = await look()
                if found is not None:
                    return found
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError as late:
        raise Trouble(f"{missing} within {within_s} s") from late
