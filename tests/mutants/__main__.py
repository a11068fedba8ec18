"""`make mutants`: plants each bug in a process of its own, and runs the proof that must see it.

    python -m tests.mutants [--only WORD] [--workers 2]

First every proof is run without a bug and must pass. A proof that hangs fails by its time-out. The last line
says how many were caught; the exit code is 0 only when all were.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from tests.mutants.catalogue import MUTANTS, Mutant, Seeds
from tests.mutants.planting import Vanished, found
from tests.mutants.plugin_names import NAME, REPORT
from tests.mutants.verdicts import Told, Verdict, baseline_problem, judge_seeds, judge_test

ROOT = Path(__file__).resolve().parents[2]
TEST_S, RUN_S = 60, 240
"""A test that takes longer fails; a process that takes longer is ended and proves nothing."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One mutant, its verdict, and how long that took."""

    mutant: Mutant
    verdict: Verdict
    seconds: float


def _run(command: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, "INTERPILE_ENV": "test", **environment},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def run_tests(name: str, proofs: Iterable[str]) -> Told | None:
    """Run tests with a bug planted, or, without a name, as they are."""
    with tempfile.TemporaryDirectory(prefix="interpile-mutants-") as folder:
        report = Path(folder) / "report.json"
        options = ("-q", "-p", "no:cacheprovider", "-p", "tests.mutants.plugin", f"--timeout={TEST_S}")
        done = _run(("-m", "pytest", *options, *proofs), **{NAME: name, REPORT: str(report)})
        if done is None or not report.exists():
            return None
        return Told.read(json.loads(report.read_text("utf-8")))


def run_seeds(name: str, first: int, most: int, sees: str = "") -> Any:
    """What `tests.mutants.seeds` says; None when it said nothing."""
    done = _run(("-m", "tests.mutants.seeds", name, str(first), str(most), sees))
    if done is None or done.returncode:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def try_mutant(mutant: Mutant, baselines: dict[str, Told | None]) -> Ended:
    """Plant one, run its proof, and judge."""
    begun = time.monotonic()
    if isinstance(mutant.proof, Seeds):
        said = run_seeds(mutant.name, mutant.proof.first, mutant.proof.most, mutant.proof.sees)
        clean = run_seeds("-", said["seed"], 1) if said and said["problems"] else None
        verdict = judge_seeds(mutant.proof.sees, said, clean)
    else:
        problem = baseline_problem(mutant.proof, baselines[mutant.proof])
        if problem is None:
            verdict = judge_test(mutant.proof, run_tests(mutant.name, [mutant.proof]))
        else:
            verdict = Verdict(caught=False, why=problem)
    return Ended(mutant, verdict, time.monotonic() - begun)


def run_baselines(pool: ThreadPoolExecutor, workers: int, mutants: Sequence[Mutant]) -> dict[str, Told | None]:
    """Every proof once, without a bug, shared among the workers."""
    proofs = sorted({mutant.proof for mutant in mutants if isinstance(mutant.proof, str)})
    parts = [proofs[first::workers] for first in range(workers) if proofs[first::workers]]
    told = pool.map(lambda part: run_tests("", part), parts)
    return {proof: one for part, one in zip(parts, told, strict=True) for proof in part}


def vanished(mutants: Iterable[Mutant]) -> Iterator[str]:
    """Names of the catalogue that nobody has any more."""
    for mutant in mutants:
        for name in (mutant.target, mutant.bug):
            try:
                found(name)
            except Vanished:
                yield name


def main(arguments: list[str] | None = None) -> int:
    """Try all that were asked for; 1 when one of them was not caught or has vanished."""
    asked = _parser().parse_args(arguments)
    console, errors = Console(highlight=False, soft_wrap=True), Console(stderr=True)
    chosen = [mutant for mutant in MUTANTS.values() if asked.only in f"{mutant.bug} {mutant.target}"]
    gone = list(vanished(chosen))
    for name in gone:
        console.print(f"vanished  {name}", markup=False)
    ended: list[Ended] = []
    with ThreadPoolExecutor(asked.workers) as pool:
        baselines = run_baselines(pool, asked.workers, chosen)
        # The simulator's take longest, so they come first.
        order = sorted(chosen, key=lambda mutant: isinstance(mutant.proof, str))
        runs = pool.map(lambda mutant: try_mutant(mutant, baselines), order)
        for one in track(runs, "mutants", len(order), console=errors, disable=not errors.is_terminal):
            ended.append(one)
            console.print(_line(one), markup=False)
    caught = sum(one.verdict.caught for one in ended)
    console.print(f"mutants: {caught} of {len(chosen)} caught", markup=False)
    return int(caught != len(chosen) or bool(gone) or not chosen)


def _line(one: Ended) -> str:
    word = "caught  " if one.verdict.caught else "SURVIVED"
    return f"{word} {one.seconds:5.1f} s  promise {one.mutant.promise:2}  {one.mutant.name}: {one.verdict.why}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mutants", description="Try every deliberate bug.")
    parser.add_argument("--only", default="", help="those with this word in their names")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
