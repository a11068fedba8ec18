"""The same seed is the same run, in whichever process."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FEW_SESSIONS = "6"


@cache
def closing_line(seed: int, hash_seed: int) -> str:
    """What `make simulate` says of one seed, in a process whose sets come in another order."""
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "1", "--sessions", FEW_SESSIONS]
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(
        [*command, "--from", str(seed)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_seed_leaves_the_same_trace_in_another_process() -> None:
    once, again = closing_line(11, hash_seed=1), closing_line(11, hash_seed=2)
    assert re.search(r"trace [0-9a-f]{16}$", once)
    assert again == once


def test_another_seed_leaves_another_trace() -> None:
    assert closing_line(12, hash_seed=1) != closing_line(11, hash_seed=1)
