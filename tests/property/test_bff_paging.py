"""Paging through a connection shows every row of the hub once, from whichever cursor one goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_bff.graph.paging import FIRST_MOST, asked
from mobile_bff.refused import Refused

pytestmark = pytest.mark.property


def hub_page(rows: int, after: str | None, limit: int) -> tuple[list[int], str | None]:
    """A keyset list as the hub has it: its cursor is the last row, named at the end of a page only."""
    begin = int(after) + 1 if after else 0
    page = list(range(begin, min(begin + limit, rows)))
    return page, str(page[-1]) if page and page[-1] + 1 < rows else None


@given(
    rows=st.integers(0, 130),
    most=st.sampled_from([50, 200]),
    steps=st.lists(st.tuples(st.integers(1, FIRST_MOST), st.integers(0, 10)), min_size=1, max_size=60),
)
def test_pages_join_without_gap_or_repeat(rows: int, most: int, steps: list[tuple[int, int]]) -> None:
    seen: list[int] = []
    after: str | None = None
    more = True
    for first, back in steps * 130:
        page = asked(first, after, most=most)
        assert page.limit <= most
        connection = page.page(*hub_page(rows, page.after, page.limit), lambda row: row)
        nodes = [edge.node for edge in connection.edges]
        assert len(nodes) <= first
        assert nodes == list(range(len(seen), len(seen) + len(nodes)))
        # Going on from an edge in the middle leaves out what is behind it.
        kept = max(1, len(nodes) - back)
        seen += nodes[:kept]
        if nodes:
            after = connection.edges[min(kept, len(nodes)) - 1].cursor
        more = connection.page_info.has_next_page or kept < len(nodes)
        if not more:
            break
        assert nodes, "a page that promises more shows something"
    else:
        raise AssertionError("the pages never end")
    assert seen == list(range(rows))


@given(st.text(max_size=400), st.integers(-100, 100))
def test_any_cursor_gives_a_page_or_a_refusal(after: str, first: int) -> None:
    try:
        page = asked(first, after, most=50)
    except Refused as problem:
        refused: Refused | None = problem
    else:
        refused = None
        assert 1 <= page.limit <= 50
    known = refused is None or (refused.code == "malformed" and refused.field in {"first", "after"})
    assert known
    assert refused is not None or 1 <= first <= FIRST_MOST
