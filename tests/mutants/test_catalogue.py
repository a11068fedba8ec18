"""The catalogue names what exists, and a bug is caught only by a proof that fails because of it."""

import ast
import sys
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.mutants.catalogue import MUTANTS, PROMISES, Mutant, Seeds
from tests.mutants.planting import Vanished, found, plant
from tests.mutants.verdicts import Told, baseline_problem, judge_seeds, judge_test

ROOT = Path(__file__).resolve().parents[2]
SIMULATED = [mutant for mutant in MUTANTS.values() if isinstance(mutant.proof, Seeds)]
ALL = pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)


@ALL
def test_the_function_and_its_bug_are_there(mutant: Mutant) -> None:
    assert found(mutant.target)
    bug = found(mutant.bug)[2]
    assert bug.__doc__, "a bug says what it is"
    assert next(iter(signature(bug).parameters)) == "right", "a bug gets the right function first"


@ALL
def test_the_proof_is_there(mutant: Mutant) -> None:
    if isinstance(mutant.proof, Seeds):
        assert mutant.proof.most > 0
        assert mutant.proof.sees
        return
    file, _, test = mutant.proof.partition("::")
    tree = ast.parse(ROOT.joinpath(file).read_text("utf-8"))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    assert test.partition("[")[0] in {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_every_promise_has_a_bug_and_the_simulator_six() -> None:
    assert {mutant.promise for mutant in MUTANTS.values()} == PROMISES.keys()
    assert len(SIMULATED) >= 6


def test_every_bug_that_is_written_is_tried() -> None:
    tried = {mutant.bug for mutant in MUTANTS.values()}
    for file in Path(__file__).parent.glob("bugs_*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        written = {f"tests.mutants.{file.stem}:{name}" for name in names if not name.startswith("_")}
        assert written <= tried


# Planting, on modules made for it.

SOURCE = """
def price(wh): return wh * 2
class Bill:
    @property
    def total(self): return price(1)
    @staticmethod
    def of(wh): return price(wh)
"""
BUGS = """
def too_much(right, *given): return right(*given) + 1
"""


@pytest.fixture
def modules() -> Iterator[tuple[ModuleType, ModuleType]]:
    """A module, and another that has imported from it by name."""
    made = {name: ModuleType(name) for name in ("planted_here", "planted_there", "planted_bugs")}
    sys.modules |= made
    exec(compile(SOURCE, "planted_here.py", "exec"), vars(made["planted_here"]))
    exec(compile(BUGS, "planted_bugs.py", "exec"), vars(made["planted_bugs"]))
    vars(made["planted_there"])["cost"] = vars(made["planted_here"])["price"]
    yield made["planted_here"], made["planted_there"]
    for name in made:
        del sys.modules[name]


def test_a_bug_is_met_under_every_name(modules: tuple[ModuleType, ModuleType]) -> None:
    here, there = modules
    planted = plant("planted_here:price", "planted_bugs:too_much")
    assert (here.price(5), there.cost(5), here.Bill.of(5), here.Bill().total) == (11, 11, 11, 3)
    assert planted.calls == 4


@pytest.mark.parametrize(("target", "came"), [("Bill.total", (3, 10)), ("Bill.of", (2, 11))])
def test_a_bug_is_of_the_kind_that_it_replaces(
    modules: tuple[ModuleType, ModuleType], target: str, came: tuple[int, int]
) -> None:
    plant(f"planted_here:{target}", "planted_bugs:too_much")
    bill: Any = modules[0].Bill
    assert (bill().total, bill().of(5)) == came


@pytest.mark.parametrize(
    "gone", ["nowhere:f", "planted_here:cost", "planted_there:cost", "planted_here:Bill.x"]
)
def test_a_name_that_vanished_is_noticed(modules: tuple[ModuleType, ModuleType], gone: str) -> None:
    with pytest.raises(Vanished):
        found(gone)


# Verdicts.


def told(status: int, calls: int, **outcomes: str) -> Told:
    return Told(status, calls, {f"t.py::{name}": outcome for name, outcome in outcomes.items()})


def test_only_a_failed_test_catches() -> None:
    assert judge_test("t.py::a", told(1, 3, a="failed")).caught
    assert judge_test("t.py::a", Told(1, 3, {"t.py::a[x]": "passed", "t.py::a[y]": "failed"})).caught
    for other in (
        told(1, 3, a="error"),
        told(1, 3, ab="failed"),
        told(0, 3, a="passed"),
        told(2, 3),
        told(1, 0, a="failed"),
        None,
    ):
        assert not judge_test("t.py::a", other).caught


def test_a_proof_that_fails_anyway_or_was_not_run_proves_nothing() -> None:
    assert baseline_problem("t.py::a", told(0, 0, a="passed")) is None
    for other in (told(1, 0, a="failed"), told(0, 0, a="skipped"), told(0, 0, b="passed"), None):
        assert baseline_problem("t.py::a", other)


def test_a_seed_must_see_the_bug_and_nothing_without_it() -> None:
    seen: dict[str, Any] = {"seed": 3, "calls": 1, "problems": ["10:00 positions: stored 1, computed 2"]}
    clean: dict[str, Any] = {"seed": 3, "calls": 0, "problems": []}
    assert judge_seeds("positions", seen, clean).caught
    for said, without in (
        (seen, seen),
        (seen, None),
        (clean, None),
        (None, None),
        (seen | {"calls": 0}, clean),
    ):
        assert not judge_seeds("positions", said, without).caught
    assert not judge_seeds("another", seen, clean).caught
