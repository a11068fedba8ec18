"""Lists page by keyset: an opaque cursor is the (updated_at, id) of the last row of the page before.

Who follows changes with `updated_since` should go back a little (a minute) from the newest row seen: units
that overlap may commit in another order than their instants.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hub.core.errors import HubError
from operator_sdk.contract.public_codes import Code

Row = TypeVar("Row")

LIMIT_DEFAULT, LIMIT_MOST = 50, 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_CURSOR = re.compile(r"[A-Za-z0-9_-]{8,300}")
# Whatever a database could choke on (NUL, lone surrogates) is not in here.
_ID = re.compile(r"[!-~]{1,120}")


def encode_cursor(at: datetime, row_id: str) -> str:
    """The cursor of a row. `row_id` is printable ASCII without spaces."""
    text = json.dumps([(at - _EPOCH) // _MICROSECOND, row_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """What `encode_cursor` was given.

    Raises:
        HubError: malformed.
    """
    if not _CURSOR.fullmatch(cursor):
        raise _bad_cursor()
    try:
        fields = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _bad_cursor() from None
    match fields:
        case [int(micros), str(row_id)] if (
            type(micros) is int and 0 <= micros <= _LAST and _ID.fullmatch(row_id)
        ):
            return _EPOCH + micros * _MICROSECOND, row_id
        case _:
            raise _bad_cursor()


def page_limit(limit: int | None) -> int:
    """How many rows a page holds.

    Raises:
        HubError: malformed, not within 1 to 200.
    """
    if limit is None:
        return LIMIT_DEFAULT
    if not 1 <= limit <= LIMIT_MOST:
        raise HubError(Code.MALFORMED, limit=f"1 to {LIMIT_MOST}")
    return limit


def cut_page(
    rows: Sequence[Row], limit: int, place: Callable[[Row], tuple[datetime, str]]
) -> tuple[list[Row], str | None]:
    """The page and the cursor behind it, out of up to `limit + 1` rows that were asked for."""
    page = list(rows[:limit])
    return page, encode_cursor(*place(page[-1])) if len(rows) > limit else None


def _bad_cursor() -> HubError:
    return HubError(Code.MALFORMED, after="not a cursor of this list")
