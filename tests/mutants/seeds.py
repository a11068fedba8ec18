"""Runs seeds of the simulator with a bug planted, until one of them shows it; says what was seen, as JSON.

python -m tests.mutants.seeds NAME FIRST MOST SEES      (NAME "-": nothing is planted)
"""

import json
import sys

from tests.mutants.catalogue import MUTANTS
from tests.mutants.planting import Planted, plant


def main(name: str, first: int, most: int, sees: str) -> dict[str, object]:
    """The first seed with a problem that says `sees`, or the last one."""
    mutant = MUTANTS.get(name)
    planted = plant(mutant.target, mutant.bug) if mutant is not None else Planted()
    # Not before: whatever the simulator imports is to have the bug.
    from tests.simulation.run import run_seed

    problems: list[str] = []
    seed = first
    for seed in range(first, first + most):
        problems = run_seed(seed).problems
        if any(sees in problem for problem in problems):
            break
    return {"seed": seed, "problems": problems[:20], "calls": planted.calls}


if __name__ == "__main__":
    said = main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    sys.stdout.write(json.dumps(said) + "\n")
