"""Errors as data: each is a type of its own, and all share `UserError`."""

from collections.abc import Collection
from typing import TypeAlias

import strawberry

from mobile_bff.refused import RETRY_S, Refused
from mobile_bff.words import Locale, word_of
from operator_sdk.contract.public_codes import Code


@strawberry.interface(description="Why something was not done; `message` is in the caller's language.")
class UserError:
    code: str
    message: str


@strawberry.type(description="A token is missing, wrong or expired: sign in, or refresh.")
class NotSignedIn(UserError):
    pass


@strawberry.type(description="The code, assertion or refresh token was not accepted.")
class SignInFailed(UserError):
    pass


@strawberry.type(description="What was scanned is forged, or names no connector known here.")
class CodeNotAccepted(UserError):
    pass


@strawberry.type(description="The scan is unknown, expired, used or another driver's: scan again.")
class ScanNotUsable(UserError):
    pass


@strawberry.type(description="The price is another than the one shown: scan again.")
class PriceChanged(UserError):
    pass


@strawberry.type(description="The home, the host or the hub has decided against it.")
class NotAllowed(UserError):
    pass


@strawberry.type(description="Nothing by that id, or somebody else's.")
class NotFound(UserError):
    pass


@strawberry.type(description="The present state does not allow it, or the key was used for something else.")
class Conflict(UserError):
    pass


@strawberry.type(description="What was sent does not make sense.")
class InvalidInput(UserError):
    field: str | None = None


@strawberry.type(description="Too often; try again after a while.")
class TooManyRequests(UserError):
    retry_after_s: int


@strawberry.type(description="The service is out of reach; the same call with the same key is safe.")
class Unavailable(UserError):
    retry_after_s: int


CommonError: TypeAlias = (
    NotSignedIn | NotAllowed | NotFound | Conflict | InvalidInput | TooManyRequests | Unavailable
)
"""What every result may be."""

_PLAIN: dict[str, type[UserError]] = {
    Code.UNAUTHENTICATED: NotSignedIn,
    Code.TOKEN_INVALID: NotSignedIn,
    Code.SIGN_IN_FAILED: SignInFailed,
    Code.REPLAYED: SignInFailed,
    Code.CODE_FORGED: CodeNotAccepted,
    Code.CODE_UNKNOWN: CodeNotAccepted,
    Code.SCAN_UNKNOWN: ScanNotUsable,
    Code.SCAN_EXPIRED: ScanNotUsable,
    Code.SCAN_USED: ScanNotUsable,
    Code.PRICE_CHANGED: PriceChanged,
    Code.NOT_FOUND: NotFound,
    Code.STATE_CONFLICT: Conflict,
    Code.IN_PROGRESS: Conflict,
    Code.ID_REUSED: Conflict,
}
_INPUT = frozenset({Code.MALFORMED, Code.TOO_LARGE, Code.RULE_VIOLATED})
_OFTEN = frozenset({Code.TOO_MANY_REQUESTS, Code.LOCKED_OUT})
_DOWN = frozenset({Code.UNAVAILABLE, Code.INTERNAL})


def as_data(problem: Refused, locale: Locale, special: Collection[type[UserError]]) -> UserError:
    """The error type of a refusal, one of the common or of the special ones; `NotAllowed` where none fits."""
    code, message = problem.code, word_of(problem.code, locale)
    wait_s = problem.retry_after_s or RETRY_S
    if code in _INPUT:
        return InvalidInput(code=code, message=message, field=problem.field)
    if code in _OFTEN:
        return TooManyRequests(code=code, message=message, retry_after_s=wait_s)
    if code in _DOWN:
        return Unavailable(code=code, message=message, retry_after_s=wait_s)
    kind = _PLAIN.get(code, NotAllowed)
    if kind not in {NotSignedIn, NotFound, Conflict, *special}:
        kind = NotAllowed
    return kind(code=code, message=message)
