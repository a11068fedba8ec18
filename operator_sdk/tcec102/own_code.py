"""Running an operator's own functions: whatever they raise, the caller gets a Ret."""

import logging
import traceback
from collections.abc import Awaitable
from typing import TypeVar

from operator_sdk.contract.tcec102.wire import Ret, WireProblem

log = logging.getLogger("interpile.tcec102")

T = TypeVar("T")


async def run_own(interface: str, work: Awaitable[T]) -> T:
    """Await the operator's function.

    Raises:
        WireProblem: as it raised it; Ret 500 for anything else.
    """
    try:
        return await work
    except WireProblem:
        raise
    except Exception as problem:
        # The words of an exception may hold what a message held: only kind and place are kept.
        log.error(  # noqa: TRY400 (exc_info would write the words)
            "%s failed with %s\n%s",
            interface,
            type(problem).__name__,
            "".join(traceback.format_tb(problem.__traceback__)),
        )
        raise WireProblem(Ret.ERROR, "the platform failed", "own_code") from problem
