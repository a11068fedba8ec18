"""How long a day of a million records takes from its cut-off to the last statement, and how much memory.

The day is made by `cycle_data`, closed in a process of its own (`tests.bench.cycle`), and its proof is checked
afterwards. Each engine has a database of its own that is gone when the stage ends. Beside it how long one
statement takes to be drawn (`tests.bench.statement`).
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from hub.migrations.run import migrate
from hub.settings import Settings
from tests.bench.cycle_data import load_postgresql, load_sqlite, parties
from tests.bench.edge_world import Driver
from tests.bench.machine import load_average
from tests.bench.processes import BenchError
from tests.bench.stages import Bench
from tests.bench.world import DATABASE, ROOT, SERVER, on_server

POSTGRESQL = ("cycle_1m_s", "cycle_1m_peak_mb", "netting_vs_group_by_ratio")
SQLITE = ("sqlite_cycle_100k_s",)
STATEMENT = "statement_pdf_s"
FIGURES = (*POSTGRESQL, *SQLITE, STATEMENT)
RECORDS, RECORDS_SQLITE, OPERATORS = 1_000_000, 100_000, 500
STATEMENT_LINES = 4_000
PATIENCE_S = 1_200
METHOD = {
    "cycle_1m_s": f"{RECORDS:,} accepted records of one day between {OPERATORS} operators, obligations and "
    "books as acceptance leaves them, PostgreSQL: from the cut-off over freezing, commission, netting and "
    "proposal to the fixed cycle with its postings, then the proof file (gzip), one page of HTML and a CSV of "
    "lines per operator; seconds of each part are in `rounds`",
    "cycle_1m_peak_mb": "highest resident memory (VmHWM) of the process that did all of it",
    "netting_vs_group_by_ratio": "netting the whole cycle (both sides of every operator) against the bare "
    "driver's GROUP BY debtor, creditor over the same rows, in turns, medians of three",
    "sqlite_cycle_100k_s": f"the same as cycle_1m_s with {RECORDS_SQLITE:,} records on SQLite",
    STATEMENT: f"seconds of the first PDF that a process draws, of a statement of {STATEMENT_LINES:,} lines "
    f"with {OPERATORS - 1} counterparties: loading the library and the font, laying out, writing; those after "
    "it, and the workbook, are in `rounds`",
}


def steps(wanted: set[str]) -> int:
    """How many there will be."""
    closed = 2 * bool(wanted & set(POSTGRESQL)) + 2 * bool(wanted & set(SQLITE))
    return closed + (STATEMENT in wanted)


def run(bench: Bench, _drivers: Sequence[Driver]) -> None:
    """Everything of these figures that is wanted."""
    bench.processes.free()
    if bench.wanted & set(POSTGRESQL):
        spent = _on_postgresql(bench)
        bench.found("cycle_1m_s", _whole(spent))
        bench.found("cycle_1m_peak_mb", spent["peak_mb"])
        bench.found("netting_vs_group_by_ratio", round(spent["netting_s"] / spent["group_by_s"], 2))
    if bench.wanted & set(SQLITE):
        bench.found("sqlite_cycle_100k_s", _whole(_on_sqlite(bench)))
    if STATEMENT in bench.wanted:
        bench.step(f"statement: drawing {STATEMENT_LINES:,} lines")
        bench.found(STATEMENT, _draw(bench)["pdf_first_s"])


def _whole(spent: dict[str, Any]) -> float:
    whole: float = sum(spent.get(part, 0) for part in ("close_s", "proof_s", "papers_s"))
    return round(whole, 2)


def _on_postgresql(bench: Bench) -> dict[str, Any]:
    with _database() as url:
        bench.step(f"cycle: {RECORDS:,} records into PostgreSQL")
        asyncio.run(load_postgresql(url, RECORDS, parties(OPERATORS)))
        bench.step(f"cycle: closing {RECORDS:,} records")
        return _close(bench, "cycle_1m", url)


def _on_sqlite(bench: Bench) -> dict[str, Any]:
    file = bench.processes.folder / "cycle.db"
    url = f"sqlite:///{file}"
    migrate(Settings(env="test", database_url=url))
    bench.step(f"cycle: {RECORDS_SQLITE:,} records into SQLite")
    load_sqlite(str(file), RECORDS_SQLITE, parties(OPERATORS))
    bench.step(f"cycle: closing {RECORDS_SQLITE:,} records on SQLite")
    return _close(bench, "sqlite_cycle_100k", url)


@contextmanager
def _database() -> Iterator[str]:
    name = f"{DATABASE}_cycle"
    asyncio.run(on_server(f"CREATE DATABASE {name}"))
    try:
        url = make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        migrate(Settings(env="test", database_url=url))
        yield url
    finally:
        asyncio.run(on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _close(bench: Bench, name: str, url: str) -> dict[str, Any]:
    folder = Path(bench.processes.folder) / name
    folder.mkdir()
    return _run(bench, name, ["tests.bench.cycle", url, str(folder)])


def _draw(bench: Bench) -> dict[str, Any]:
    return _run(bench, "statement", ["tests.bench.statement", str(STATEMENT_LINES)])


def _run(bench: Bench, name: str, module: list[str]) -> dict[str, Any]:
    """What a process of its own has measured."""
    command = [sys.executable, "-m", *module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT)
    if done.returncode:
        raise BenchError(f"{name} was not measured: {done.stderr[-500:]}")
    spent: dict[str, Any] = json.loads(done.stdout)
    bench.rounds[name] = [spent | {"load": load_average()}]
    return spent
