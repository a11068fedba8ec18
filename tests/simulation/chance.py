"""Chance, and what is remembered of what it did: the trace, and the tally of everything that was reached."""

import hashlib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import IO, TypeVar

T = TypeVar("T")
KEPT_LINES = 400


class Chance:
    """The one source of chance of a run."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def happens(self, permille: int) -> bool:
        return self._random.randrange(1000) < permille

    def between(self, low: int, high: int) -> int:
        """Both ends included."""
        return self._random.randint(low, high)

    def pick(self, items: Sequence[T]) -> T:
        return items[self._random.randrange(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        mixed = list(items)
        self._random.shuffle(mixed)
        return mixed

    def deck(self, cards: dict[str, int], size: int) -> list[str]:
        """That many cards in any order, each at least as often as its share of the whole deck."""
        whole = [card for card, count in cards.items() for _ in range(count)]
        dealt: list[str] = []
        while len(dealt) < size:
            dealt += self.shuffled(whole)
        return self.shuffled(dealt[:size])

    def child(self) -> Random:
        """A source of its own for somebody who draws all the time."""
        return Random(self._random.getrandbits(64))


@dataclass(slots=True)
class Trace:
    """Everything that happened, as one digest; the last lines are kept, and all of them can go to a file."""

    file: IO[str] | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _whole: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def note(self, at: datetime, *words: object) -> None:
        line = f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} {' '.join(map(str, words))}"
        self._whole.update(line.encode() + b"\n")
        self.lines.append(line)
        if self.file is not None:
            self.file.write(line + "\n")

    def digest(self) -> str:
        return self._whole.hexdigest()[:16]


@dataclass(slots=True)
class Tally:
    """How often each fault was injected, and each state and outcome reached."""

    faults: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    crashes: int = 0

    def add(self, other: "Tally") -> None:
        self.faults.update(other.faults)
        self.reached.update(other.reached)
        self.crashes += other.crashes


@dataclass(slots=True)
class Weather:
    """How bad things are just now, in permille of messages (`crash`: of ports)."""

    dropped: int = 25
    refused: int = 12
    answer_lost: int = 35
    slow: int = 40
    late: int = 10
    repeated: int = 40
    ring_lost: int = 50
    crash: int = 3
    calm: bool = False

    def permille(self, fault: str) -> int:
        return 0 if self.calm else int(getattr(self, fault))
