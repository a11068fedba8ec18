"""What a run comes to, in words."""

import hashlib
from collections.abc import Sequence

from tests.simulation.chance import Tally
from tests.simulation.run import Outcome

SHOWN_LINES, SHOWN_PROBLEMS = 60, 20


def closing_line(outcomes: Sequence[Outcome]) -> str:
    """One line about all seeds. The same seeds of the same code have the same trace."""
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome.tally)
    faults = ", ".join(f"{name} {count}" for name, count in sorted(tally.faults.items()))
    traces = hashlib.sha256("".join(outcome.trace for outcome in outcomes).encode()).hexdigest()[:16]
    return (
        f"seeds {len(outcomes)} · sessions {sum(outcome.sessions for outcome in outcomes)}"
        f" · faults {tally.faults.total()} ({faults}) · crashes {tally.crashes}"
        f" · violations {sum(len(outcome.problems) for outcome in outcomes)} · trace {traces}"
    )


def story_of(outcome: Outcome) -> str:
    """What is wrong with a seed, and what led to it."""
    wrong = outcome.problems[:SHOWN_PROBLEMS]
    more = len(outcome.problems) - len(wrong)
    tail = [f"... and {more} more"] if more else []
    return "\n".join(
        [f"seed {outcome.seed}:", *outcome.lines[-SHOWN_LINES:], "", *(f"  {text}" for text in wrong), *tail]
    )


def again(outcome: Outcome) -> str:
    """How to see it once more."""
    words = f"make simulate SEEDS=1 FROM={outcome.seed} SESSIONS={outcome.sessions}"
    return f"again: {words} TRACE=trace.txt KEEP=kept"
