"""`make soak`: partners in trouble for as long as asked, a line for each trouble, and one closing line.

python -m tests.soak --seconds 600
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.databases import drop_everything
from tests.soak.run import Outcome, Plan, run

QUIET_PER_CENT, WARM_S, HOLD_S, LEAST_MS = 20, 10, 12, 50


def main(arguments: list[str] | None = None) -> int:
    """Run for that long; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Partners in trouble, for long.")
    parser.add_argument("--seconds", type=int, default=600, help="of load; the start and the end come on top")
    asked = parser.parse_args(arguments)
    begun, console = time.monotonic(), Console(highlight=False, markup=False)

    def tell(words: str) -> None:
        console.print(f"soak: {time.monotonic() - begun:5.0f} s  {words}", soft_wrap=True)

    try:
        outcome = asyncio.run(_run(asked.seconds, tell))
    except AssertionError as broken:
        console.print(f"soak: failed after {time.monotonic() - begun:.0f} s: {broken}", soft_wrap=True)
        return 1
    console.print(f"soak: held for {asked.seconds} s: {outcome.line()}", soft_wrap=True)
    return 0


async def _run(seconds: int, tell: Callable[[str], None]) -> Outcome:
    quiet_s = seconds * QUIET_PER_CENT / 100
    plan = Plan(warm_s=WARM_S, quiet_s=quiet_s, chaos_s=seconds - quiet_s, hold_s=HOLD_S, least_ms=LEAST_MS)
    try:
        with tempfile.TemporaryDirectory(prefix="interpile-soak-") as folder:
            return await run(Path(folder), plan, tell)
    finally:
        await drop_everything()


if __name__ == "__main__":
    sys.exit(main())
