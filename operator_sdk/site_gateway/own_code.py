"""Running what the operator gave the gateway: whatever it raises, one site's connection is all that suffers."""

import logging
import traceback
from collections.abc import Awaitable
from typing import TypeVar

from operator_sdk.errors import InterpileError
from operator_sdk.guard import Refuse

log = logging.getLogger("interpile.site_gateway")

T = TypeVar("T")


class OwnCodeFailed(Exception):
    """The operator's inbox or function raised something; it is in the log."""


async def run_own(what: str, site_id: str, work: Awaitable[T]) -> T:
    """Await the operator's code.

    Raises:
        Refuse: as it raised it.
        OwnCodeFailed: it raised anything else.
    """
    try:
        return await work
    except Refuse:
        raise
    except InterpileError as problem:  # somebody did not answer: its words hold names only
        log.warning("%s for site %s: %s %s", what, site_id, type(problem).__name__, problem)
        raise OwnCodeFailed(what) from problem
    except Exception as problem:
        # The words of an exception may hold what a message held: only kind and place are kept.
        log.error(  # noqa: TRY400 (exc_info would write the words)
            "%s for site %s failed with %s\n%s",
            what,
            site_id,
            type(problem).__name__,
            "".join(traceback.format_tb(problem.__traceback__)),
        )
        raise OwnCodeFailed(what) from problem
