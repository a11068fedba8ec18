"""`make simulate`: many seeds, a progress bar, and one closing line.

    python -m tests.simulation --seeds 200 --from 1 [--sessions 30] [--workers 2] [--trace FILE] [--keep FOLDER]

A trace or a kept database is of one seed.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.simulation.report import again, closing_line, story_of
from tests.simulation.run import SESSIONS, Outcome, run_seed


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds that were asked for; 1 when any of them was violated."""
    asked = _parser().parse_args(arguments)
    if asked.seeds != 1 and (asked.trace or asked.keep):
        raise SystemExit("a trace or a kept database is of one seed: --seeds 1")
    console, errors = Console(highlight=False), Console(stderr=True)
    outcomes: list[Outcome] = []
    runs = track(_run(asked), "simulating", asked.seeds, console=errors, disable=not errors.is_terminal)
    for outcome in runs:
        outcomes.append(outcome)
        if outcome.problems:
            console.print(story_of(outcome), markup=False, soft_wrap=True)
            console.print(again(outcome), markup=False, soft_wrap=True)
    console.print(closing_line(outcomes), markup=False, soft_wrap=True)
    return int(any(outcome.problems for outcome in outcomes))


def _run(asked: argparse.Namespace) -> Iterator[Outcome]:
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.seeds == 1:
        with Path(asked.trace or os.devnull).open("w", encoding="utf-8") as trace:
            yield run_seed(asked.first, sessions=asked.sessions, folder=asked.keep, trace=trace)
        return
    with get_context("spawn").Pool(asked.workers) as pool:
        yield from pool.imap(partial(run_seed, sessions=asked.sessions), seeds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description="Run the simulator.")
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first of them")
    parser.add_argument("--sessions", type=int, default=SESSIONS, help="charges in each")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--trace", type=Path, help="write everything that happens to this file")
    parser.add_argument("--keep", type=Path, help="leave the hub's database in this folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
