"""Cursors: what goes in comes out, and nothing else comes in."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.core.errors import HubError
from hub.core.paging import LIMIT_DEFAULT, LIMIT_MOST, cut_page, decode_cursor, encode_cursor, page_limit
from operator_sdk.contract.public_codes import Code

pytestmark = pytest.mark.property

instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
row_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=120)


@given(instants, row_ids)
def test_a_cursor_gives_back_its_row(at: datetime, row_id: str) -> None:
    assert decode_cursor(encode_cursor(at, row_id)) == (at, row_id)


@given(
    st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode()))
)
@example(base64.urlsafe_b64encode(b'[1,"a\\u0000b"]').decode().rstrip("="))
@example(base64.urlsafe_b64encode(b'[1,"\\ud800"]').decode().rstrip("="))
@example(base64.urlsafe_b64encode(b'[true,"a"]').decode().rstrip("="))
@example(base64.urlsafe_b64encode(b'[99999999999999999999,"a"]').decode().rstrip("="))
@example(base64.urlsafe_b64encode(b'[-1,"a"]').decode().rstrip("="))
@example(base64.urlsafe_b64encode(b'[1.5,"a"]').decode().rstrip("="))
@example(base64.urlsafe_b64encode(b'{"a":1}').decode().rstrip("="))
@example("[" * 200)
def test_anything_else_is_malformed_or_a_cursor_never_a_crash(text: str) -> None:
    try:
        place = decode_cursor(text)
    except HubError as refusal:
        code = refusal.code
    else:
        code, text = Code.MALFORMED, encode_cursor(*place)
        assert decode_cursor(text) == place
    assert code is Code.MALFORMED


@given(st.lists(st.tuples(instants, row_ids), unique=True, max_size=40), st.integers(1, 10))
def test_pages_cut_by_cursor_are_the_whole_list(rows: list[tuple[datetime, str]], limit: int) -> None:
    rows.sort()
    seen: list[tuple[datetime, str]] = []
    after: str | None = None
    while True:
        begin = decode_cursor(after) if after is not None else None
        left = [row for row in rows if begin is None or row > begin]
        page, after = cut_page(left[: limit + 1], limit, lambda row: row)
        seen += page
        if after is None:
            break
    assert seen == rows


def test_limits_are_one_to_two_hundred() -> None:
    assert page_limit(None) == LIMIT_DEFAULT
    assert page_limit(LIMIT_MOST) == LIMIT_MOST
    for bad in (0, -1, 201):
        with pytest.raises(HubError):
            page_limit(bad)
