"""A plugin of pytest: plants the bug named in the environment, and writes down what became of the tests.

    INTERPILE_MUTANT=holds_are_not_counted INTERPILE_MUTANT_REPORT=FILE pytest -p tests.mutants.plugin TEST

Without a name nothing is planted: then the tests must pass. pytest loads it before any file of tests, so that
nothing of the product was imported when the bug is put in its place.
"""

import json
import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.mutants.catalogue import MUTANTS
from tests.mutants.planting import Planted, plant
from tests.mutants.plugin_names import NAME, REPORT


def _plant(name: str) -> Planted:
    if not name:
        return Planted()
    mutant = MUTANTS[name]
    return plant(mutant.target, mutant.bug)


# The same examples in every run; nobody reads the smallest one that fails.
settings.register_profile(
    "mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate), print_blob=False
)
settings.load_profile("mutants")
_planted = _plant(os.environ.get(NAME, ""))
_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Only the test itself fails: what breaks before or after it is an error."""
    if report.when == "call":
        _outcomes[report.nodeid] = report.outcome
    elif report.outcome != "passed" and _outcomes.get(report.nodeid) != "failed":
        _outcomes[report.nodeid] = "error" if report.outcome == "failed" else report.outcome


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """For whoever started this process."""
    path = os.environ.get(REPORT)
    if path:
        said = {"status": int(exitstatus), "calls": _planted.calls, "outcomes": _outcomes}
        Path(path).write_text(json.dumps(said), "utf-8")
