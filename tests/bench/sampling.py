"""A sampling profiler inside a server's own process, and what its samples say.

A timer of the process's CPU time interrupts it; the handler notes the stack, through greenlets too, which is
where the ORM runs. Unlike a tracing profiler this costs next to nothing, so the proportions stay true.
SIGUSR1 begins, SIGUSR2 ends and writes the stacks.
"""

import json
import marshal
import re
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import greenlet  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

INTERVAL_S = 0.002
DEEPEST = 120
Frame = tuple[str, int, str]
OWN = ("hub/", "operator_sdk/", "mobile_bff/")


class Sampler:
    """Counts stacks."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._stacks: Counter[tuple[Any, ...]] = Counter()

    def listen(self) -> None:
        """Wait for the signals."""
        signal.signal(signal.SIGUSR1, self._begin)
        signal.signal(signal.SIGUSR2, self._end)
        signal.signal(signal.SIGPROF, self._sample)

    def _begin(self, _number: int, _frame: FrameType | None) -> None:
        self._stacks.clear()
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        stack: list[CodeType] = []
        below = greenlet.getcurrent().parent
        while len(stack) < DEEPEST:
            if frame is None:
                if below is None or below.gr_frame is None:
                    break
                frame, below = below.gr_frame, below.parent
            stack.append(frame.f_code)
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        found = [
            ([(code.co_filename, code.co_firstlineno, code.co_qualname) for code in stack], count)
            for stack, count in self._stacks.items()
        ]
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.rename(self._path)


class Profile:
    """Samples read back: self and inclusive counts by function, innermost frame first."""

    def __init__(self, path: Path) -> None:
        self.total = 0
        self.own: Counter[Frame] = Counter()
        self.with_callees: Counter[Frame] = Counter()
        self.packages: Counter[str] = Counter()
        self.callers: dict[Frame, Counter[Frame]] = {}
        for raw, count in json.loads(path.read_text()):
            stack: list[Frame] = [(_short(file), line, name) for file, line, name in raw]
            self.total += count
            self.own[stack[0]] += count
            self.packages[_package(stack[0][0])] += count
            for frame in set(stack):
                self.with_callees[frame] += count
            for inner, outer in pairwise(stack):
                self.callers.setdefault(inner, Counter())[outer] += count

    def write(self, path: Path, *, seconds: float) -> None:
        """As a file for `python -m pstats`; calls are counts of samples."""
        each = seconds / max(1, self.total)
        stats = {}
        for frame, count in self.with_callees.items():
            own = self.own[frame]
            callers = {
                outer: (number, number, 0.0, number * each)
                for outer, number in self.callers.get(frame, Counter()).items()
            }
            stats[frame] = (count, count, own * each, count * each, callers)
        path.write_bytes(marshal.dumps(stats))

    def show(self, console: Console, *, us_per_request: float) -> None:
        """Three tables: by package, functions by themselves, our own functions with what they call."""
        ours = Counter({f: n for f, n in self.with_callees.items() if f[0].startswith(OWN)})
        self._table(console, "by package (self)", Counter(dict(self.packages)), us_per_request, 14)
        own = Counter({_text(frame): count for frame, count in self.own.items()})
        self._table(console, "by function (self)", own, us_per_request, 30)
        whole = Counter({_text(frame): count for frame, count in ours.items()})
        self._table(console, "our own, with what they call", whole, us_per_request, 45)

    def _table(
        self, console: Console, title: str, counts: Counter[str], us_per_request: float, most: int
    ) -> None:
        table = Table(title=title, box=None, title_justify="left", pad_edge=False)
        table.add_column("%", justify="right")
        table.add_column("us/request", justify="right")
        table.add_column("where", overflow="fold")
        for name, count in counts.most_common(most):
            share = count / max(1, self.total)
            table.add_row(f"{share:.1%}", f"{share * us_per_request:.0f}", name)
        console.print(table)


_PLACES = re.compile(
    r"/(?:site-packages/|lib/python3\.\d+/(?!site-packages))|/(?=(?:hub|operator_sdk|mobile_bff|tests)/)"
)


def _short(file: str) -> str:
    places = list(_PLACES.finditer(file))
    if not places:
        return file
    rest = file[places[-1].end() :]
    return f"stdlib/{rest}" if "lib/python3" in places[-1][0] else rest


def _package(file: str) -> str:
    """Two steps of the path where a package is ours or big, else one."""
    parts = file.split("/")
    deep = parts[0] in {"hub", "operator_sdk", "mobile_bff", "sqlalchemy", "stdlib"}
    return "/".join(parts[:2]).removesuffix(".py") if deep else parts[0]


def _text(frame: Frame) -> str:
    file, line, name = frame
    return f"{file}:{line} {name}"


def wait_for(path: Path, *, seconds: float) -> bool:
    """Whether the file appears in time."""
    until = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
