"""What the auditor has found, and how far it has come."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

NAMED_MOST = 100
TOLD_EVERY = 5_000

Progress = Callable[[str, int, int], None]
"""Told what is being checked, how many rows of how many are done."""


def silent(_what: str, _done: int, _of: int) -> None:
    """For those who do not look."""


@dataclass
class Findings:
    """The problems in the order in which they were found: the first hundred by name, the rest as a number."""

    progress: Progress = silent
    problems: list[str] = field(default_factory=list)
    unnamed: int = 0

    def add(self, problem: str) -> None:
        """Something is wrong."""
        if len(self.problems) < NAMED_MOST:
            self.problems.append(problem)
        else:
            self.unnamed += 1

    def listed(self) -> list[str]:
        """All of them, the first first."""
        return [*self.problems, *([f"and {self.unnamed} more"] if self.unnamed else [])]

    def along(self, what: str, things: Iterable[T], of: int) -> Iterator[T]:
        """The things one by one, telling now and then how far it is."""
        done = 0
        self.progress(what, done, of)
        for done, thing in enumerate(things, 1):
            if done % TOLD_EVERY == 0:
                self.progress(what, done, of)
            yield thing
        self.progress(what, max(done, of), of)
