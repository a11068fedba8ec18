"""What the hub, or this service, decided against: one exception, whatever it came from."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from operator_sdk.contract.public_codes import Code
from operator_sdk.errors import ApiError, InterpileError

RETRY_S = 2
_AT = re.compile(r"at `\$\.([a-z0-9_]+)")


class Refused(Exception):
    """A public code; with the input field it is about, and the seconds to wait, where there are such."""

    def __init__(self, code: str, *, field: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(code)
        self.code, self.field, self.retry_after_s = code, field, retry_after_s


@contextmanager
def told() -> Iterator[None]:
    """Turn whatever a call to the hub raises into `Refused`.

    Raises:
        Refused: the hub's code; `unavailable` where no answer came that could be read.
    """
    try:
        yield
    except ApiError as problem:
        raise Refused(_code(problem), field=_field(problem), retry_after_s=problem.retry_after_s) from problem
    except InterpileError as problem:
        raise Refused(Code.UNAVAILABLE, retry_after_s=RETRY_S) from problem


def _code(problem: ApiError) -> str:
    """The code, where it is one of ours; what stands between us and the hub has others."""
    ours = problem.code in set(Code)
    return problem.code if ours and problem.status < 500 else Code.UNAVAILABLE


def _field(problem: ApiError) -> str | None:
    named = problem.details.get("field")
    if isinstance(named, str):
        return _camel(named)
    found = _AT.search(str(problem.details.get("problem", "")))
    return _camel(found[1]) if found else None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
