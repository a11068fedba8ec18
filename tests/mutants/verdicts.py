"""What became of a mutant: caught only if its proof passes without the bug and fails with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAILED_TESTS = 1
"""pytest's exit code for tests that failed; others are of runs that never came to a verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` says what was seen, or what was missing."""

    caught: bool
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a run of pytest wrote down: its exit code, how often the bug was met, and each test's outcome."""

    status: int
    calls: int
    outcomes: Mapping[str, str]

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Told":
        """From what the plugin wrote."""
        return cls(said["status"], said["calls"], said["outcomes"])

    def of(self, proof: str) -> list[str]:
        """The outcomes of a proof: one, or one for each of a test's parameters."""
        return [
            outcome for test, outcome in self.outcomes.items() if test == proof or test.startswith(f"{proof}[")
        ]


def baseline_problem(proof: str, told: Told | None) -> str | None:
    """Why a proof proves nothing: it was not found, was skipped, or fails without any bug."""
    outcomes = told.of(proof) if told is not None else []
    if not outcomes:
        return "its proof was not found, or did not end"
    wrong = sorted({one for one in outcomes if one != "passed"})
    return f"without the bug its proof is {', '.join(wrong)}" if wrong else None


def judge_test(proof: str, told: Told | None) -> Verdict:
    """Of a test that passes without the bug."""
    if told is None:
        return Verdict(caught=False, why="its proof came to no end")
    outcomes = told.of(proof)
    came = ", ".join(sorted(set(outcomes))) or "not run"
    if not told.calls:
        return Verdict(caught=False, why=f"its proof never called it, and is {came}")
    if told.status != FAILED_TESTS or "failed" not in outcomes:
        return Verdict(caught=False, why=f"its proof is {came}")
    return Verdict(caught=True, why=f"{outcomes.count('failed')} failed")


def judge_seeds(sees: str, said: Mapping[str, Any] | None, clean: Mapping[str, Any] | None) -> Verdict:
    """Of seeds: the one that showed the bug must show nothing without it."""
    if said is None or not said["calls"]:
        return Verdict(caught=False, why="the simulator never called it" if said else "the simulator broke")
    seen = [problem for problem in said["problems"] if sees in problem]
    if not seen:
        others = said["problems"][:1] or ["nothing"]
        return Verdict(caught=False, why=f"seed {said['seed']} saw {others[0]}")
    if clean is None or clean["problems"]:
        return Verdict(caught=False, why=f"seed {said['seed']} is wrong without the bug too")
    return Verdict(caught=True, why=f"seed {said['seed']}: {seen[0]}")
