"""`make bench`: run the measurements and write bench.json. ONLY=prefix takes a part, PROFILE=1 profiles.

The hub's figures come first (stages), then those of piles and their agent (stages_edge, stages_drain) and of
phones (stages_phone), each on what the ones before have left running; those of partners who speak T/CEC 102
(stages_tcec); then the books (stages_ledger) and whole cycles (stages_cycle), alone.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import LiteralString

import asyncpg
import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.bench import (
    stages,
    stages_cycle,
    stages_drain,
    stages_edge,
    stages_ledger,
    stages_phone,
    stages_tcec,
)
from tests.bench.edge_world import Driver, furnish
from tests.bench.machine import describe, load_average, memory_mb, pin
from tests.bench.processes import BenchError, Processes
from tests.bench.profiling import profile
from tests.bench.stages import Bench
from tests.bench.world import ROOT, Watch, World, create_database, drop_database, make_world

STAGES = (stages_edge, stages_drain, stages_phone, stages_tcec, stages_ledger, stages_cycle)
FIGURES = (*stages.FIGURES, *(figure for stage in STAGES for figure in stage.FIGURES))
METHOD = {name: words for stage in (stages, *STAGES) for name, words in stage.METHOD.items()}
OUT = ROOT / "bench.json"
CONSOLE = Console()
POSTGRES: tuple[LiteralString, ...] = ("server_version", "shared_buffers", "fsync", "synchronous_commit")


def main() -> int:
    """Exit code 0 when every figure was measured and the run counts."""
    only = os.environ.get("ONLY", "")
    wanted = {name for name in FIGURES if name.startswith(only)}
    if not wanted:
        CONSOLE.print(f"bench: ONLY={only} names none of {', '.join(FIGURES)}")
        return 2
    # Told to stop, it still ends its processes and drops its database.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="interpile-bench-"))
    processes: Processes | None = None
    try:
        world = make_world(folder)
        world.save(folder / "world.json")
        create_database(world)
        processes = Processes(world, folder / "world.json", folder, Watch(world))
        pin([os.getpid()], processes.cores.others)
        return _measure(world, processes, wanted, only)
    except BenchError as problem:
        CONSOLE.print(f"bench: {problem}", style="red", markup=False)
        return 1
    except (OSError, asyncpg.PostgresError, psycopg.Error) as problem:
        CONSOLE.print(
            f"bench: PostgreSQL is needed: {type(problem).__name__} {problem}", style="red", markup=False
        )
        return 1
    finally:
        if processes is not None:
            processes.stop_all()
            processes.watch.close()
        _drop()
        shutil.rmtree(folder, ignore_errors=True)


def _drop() -> None:
    try:
        drop_database()
    except (OSError, asyncpg.PostgresError, psycopg.Error) as problem:
        CONSOLE.print(f"bench: the database could not be dropped: {problem}", markup=False)


def _measure(world: World, processes: Processes, wanted: set[str], only: str) -> int:
    before = load_average()
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=CONSOLE) as progress:
        task = progress.add_task("starting", total=None)
        done = -1

        def step(what: str) -> None:
            nonlocal done
            done += 1
            progress.update(task, description=what, completed=done)

        if os.environ.get("PROFILE"):
            profile(world, processes, processes.folder, step, wanted=wanted)
            return 0
        bench = Bench(world, processes, wanted, step)
        progress.update(task, total=bench.steps() + sum(stage.steps(wanted) for stage in STAGES))
        bench.run()
        peak_mb = _peak_mb(processes)
        if any(stage.steps(wanted) for stage in STAGES):
            drivers = furnish(world)
            for stage in STAGES:
                _run(bench, stage, drivers)
        step("done")
    setup = _setup(bench, only, before, peak_mb)
    OUT.write_text(json.dumps({"setup": setup, "figures": bench.figures}, indent=1) + "\n")
    _show(bench)
    return 1 if bench.invalid or bench.missing else 0


def _run(bench: Bench, stage: ModuleType, drivers: list[Driver]) -> None:
    """A stage that fails takes its own figures with it and no others."""
    try:
        stage.run(bench, drivers)
    except BenchError as problem:
        for name in bench.wanted & set(stage.FIGURES) - bench.figures.keys():
            bench.figures[name], bench.missing[name] = None, str(problem)


def _peak_mb(processes: Processes) -> float | None:
    """What the hub took at most for its own figures."""
    running = processes.running
    return round(memory_mb(running["hub"].pid, "VmHWM"), 1) if "hub" in running else None


def _setup(bench: Bench, only: str, before: list[float], peak_mb: float | None) -> dict[str, object]:
    postgres = {name: bench.processes.watch.column(f"SHOW {name}")[0] for name in POSTGRES}
    return {
        "valid": not bench.invalid,
        "invalid": bench.invalid,
        "missing": bench.missing,
        "remarks": bench.remarks,
        "rounds_used": bench.used,
        "only": only,
        "machine": describe() | {"load_before": before, "load_after": load_average()},
        "postgresql": postgres,
        "hub_peak_rss_mb": peak_mb,
        "method": METHOD,
        "rounds": bench.rounds,
    }


def _show(bench: Bench) -> None:
    table = Table("figure", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    for name, value in bench.figures.items():
        table.add_row(name, "none" if value is None else f"{value:,}")
    CONSOLE.print(table)
    for name, why in bench.missing.items():
        CONSOLE.print(f"bench: {name}: {why}", style="red", markup=False)
    for remark in bench.remarks:
        CONSOLE.print(f"bench: {remark}", style="yellow", markup=False)
    for why in bench.invalid:
        CONSOLE.print(f"bench: INVALID: {why}", style="red", markup=False)
    CONSOLE.print(f"written to {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
