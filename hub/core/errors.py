"""Errors of the hub.

HubError                a call that is refused with a public code
├── NotFoundError       unknown or somebody else's: the same to the caller
├── TooManyError        a limit; carries when to come again
└── UnitOpenError       a programmer's error: a remote call inside an open unit of work
"""

from typing import Any

from operator_sdk.contract.public_codes import Code

UNDECIDED = frozenset({Code.IN_PROGRESS, Code.UNAVAILABLE, Code.TOO_MANY_REQUESTS, Code.INTERNAL})
"""What may be answered otherwise the next time: no refusal, whoever says it."""


class HubError(Exception):
    """A call refused with a public code. `details` must hold nothing secret or personal."""

    def __init__(self, code: Code, **details: Any) -> None:
        super().__init__(code.value)
        self.code = code
        self.details = details


class NotFoundError(HubError):
    """Unknown or somebody else's."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND)


class TooManyError(HubError):
    """Above a limit."""

    def __init__(self, retry_after_s: int, code: Code = Code.TOO_MANY_REQUESTS) -> None:
        super().__init__(code)
        self.retry_after_s = retry_after_s


class UnitOpenError(RuntimeError):
    """A remote or queue call was about to be made inside an open unit of work."""
