"""`python -m operator_sdk.examples.demo [--production]`: the whole network, played once."""

import asyncio
import signal
import sys
from collections.abc import Sequence

import httpx

from operator_sdk.errors import InterpileError
from operator_sdk.examples.demo import options
from operator_sdk.examples.demo.story import perform
from operator_sdk.examples.demo.trouble import Trouble, as_trouble

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Play; 0 when everything holds."""
    try:
        return asyncio.run(_until_told(options.read(argv)))
    except Trouble as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return 1


async def _until_told(given: options.Options) -> int:
    """Play, or be told to stop: the first signal begins the cleaning up, the others wait for it."""
    playing = asyncio.create_task(perform(given))
    told: list[int] = []

    def stop(number: int) -> None:
        if not told:
            told.append(number)
            playing.cancel()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        await playing
    except asyncio.CancelledError:
        if not told:
            raise
        return 128 + told[0]
    except (Trouble, InterpileError, httpx.TransportError, ExceptionGroup) as problem:
        trouble = as_trouble(problem)
        if trouble is None:
            raise
        raise trouble from problem
    return 0


if __name__ == "__main__":
    sys.exit(main())
