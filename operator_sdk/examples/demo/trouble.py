"""What ends the demonstration early."""

import httpx

from operator_sdk.errors import InterpileError


class Trouble(Exception):
    """Something does not hold or takes too long; its text is the one line that is printed."""


def as_trouble(problem: BaseException) -> Trouble | None:
    """The trouble behind a problem, where it is one that a person can do something about."""
    match problem:
        case Trouble():
            return problem
        case InterpileError():
            return Trouble(f"a call to the hub failed: {problem}")
        case httpx.TransportError():
            return Trouble(f"an operator's own page does not answer: {type(problem).__name__}")
        case BaseExceptionGroup():
            return next(filter(None, map(as_trouble, problem.exceptions)), None)
    return None
