"""When a call is tried again, and after how long."""

from dataclasses import dataclass

from operator_sdk.chance import Roll, roll
from operator_sdk.contract.operations import Operation
from operator_sdk.contract.public_codes import Code
from operator_sdk.errors import ApiError, InterpileError, TransportError

# The POSTs whose message carries its sender's id (or a stream number), so that a repeat is known.
WITH_SENDERS_ID = frozenset(
    {
        "authorize",
        "release_authorization",
        "start_session",
        "stop_session",
        "start_charging",
        "stop_charging",
        "push_session",
        "push_record",
        "push_settlement",
        "push_status",
        "issue_token",
        "top_up_wallet",
    }
)
_PASSING_STATUSES = frozenset({429, 502, 503, 504})


def is_repeatable(operation: Operation) -> bool:
    """Whether saying it twice does no more than saying it once."""
    return operation.method in {"GET", "PUT"} or operation.id in WITH_SENDERS_ID


def is_passing(problem: InterpileError) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(problem, ApiError):
        return problem.status in _PASSING_STATUSES or (
            problem.status == 409 and problem.code == Code.IN_PROGRESS
        )
    return isinstance(problem, TransportError)


def is_decided(problem: InterpileError) -> bool:
    """Whether the hub has decided against the message, so that saying it again does not help.

    Who may not (401, 403) may be let in later; who is told to wait (409 in_progress, 429) waits.
    """
    return (
        isinstance(problem, ApiError)
        and problem.status in {400, 404, 405, 409, 413, 422}
        and problem.code != Code.IN_PROGRESS
    )


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `attempts`; the server's Retry-After first, else exponential with full jitter.

    A Retry-After above `wait_ms_max` is not waited for: the error says how long it is.
    """

    attempts: int = 4
    first_ms: int = 200
    wait_ms_max: int = 10_000
    roll: Roll = roll

    def wait_ms(self, operation: Operation, problem: InterpileError, attempt: int) -> int | None:
        """Milliseconds to wait after attempt number `attempt`, or None to give up."""
        if attempt >= self.attempts or not is_repeatable(operation) or not is_passing(problem):
            return None
        named = problem.retry_after_s if isinstance(problem, ApiError) else None
        if named is not None:
            return named * 1000 if named * 1000 <= self.wait_ms_max else None
        return self.jittered_ms(attempt)

    def jittered_ms(self, attempt: int) -> int:
        """A random wait that grows with the attempts."""
        return self.roll(min(self.wait_ms_max, self.first_ms << min(attempt - 1, 20)) + 1)
