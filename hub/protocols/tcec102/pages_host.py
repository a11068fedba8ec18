"""A host's list of stations, page by page (T/CEC 102.2-2016, query_stations_info): whole, or not at all.

A list that is cut short would make tombstones of everything behind the cut.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from hub.parties.link import UNREAD, LinkError, StationGap
from operator_sdk.contract.tcec102.messages import QueryStationsInfoReply, StationInfo

PAGES_MOST = 5_000
"""So that no host is read forever."""

UNREADABLE = "answer: field"
"""What a call says when a field of its answer is missing or wrong."""

Ask = Callable[[int, int], Awaitable[QueryStationsInfoReply]]
"""Asks for a page by its number, from 1, and its size."""


class _Page(NamedTuple):
    """A page: its stations, the places of those that cannot be read, and whether more are said to follow."""

    stations: list[StationInfo]
    unread: list[int]
    more: bool | None


async def all_pages(ask: Ask, size: int) -> tuple[list[StationInfo], list[StationGap]]:
    """Every station of the list once, and a gap for each that cannot be read.

    Raises:
        LinkError: no decided answer, or a list that repeats itself or does not end.
    """
    found: dict[str, StationInfo] = {}
    gaps: list[StationGap] = []
    for number in range(1, PAGES_MOST + 1):
        page = await _page(ask, number, size)
        if page.stations and all(one.station_id in found for one in page.stations):
            raise LinkError("the list of stations repeats itself")
        found |= {one.station_id: one for one in page.stations}
        gaps += [StationGap(f"#{place}", ("StationInfo",)) for place in page.unread]
        empty = not (page.stations or page.unread)
        if empty and page.more:
            # More were promised: while this gap is there, nobody takes what did not come for gone.
            gaps.append(StationGap(f"{UNREAD}page {number}", ("StationInfos",)))
        elif empty or page.more is False:
            return list(found.values()), gaps
    raise LinkError(f"more than {PAGES_MOST} pages of stations")


async def _page(ask: Ask, number: int, size: int) -> _Page:
    """A page; one that cannot be read because of one of its stations is asked for in smaller pieces."""
    try:
        reply = await ask(number, size)
    except LinkError as problem:
        if problem.reason != UNREADABLE:
            raise
        if size == 1:
            return _Page([], [number], None)
    else:
        # Behind the last station the list is over, however many pages are promised.
        is_within = bool(reply.station_infos) or (number - 1) * size < reply.item_size
        return _Page(reply.station_infos, [], is_within and number < reply.page_count)
    pieces = next(one for one in range(2, size + 1) if size % one == 0)
    whole = _Page([], [], None)
    for piece in range((number - 1) * pieces + 1, number * pieces + 1):
        part = await _page(ask, piece, size // pieces)
        more = whole.more if part.more is None else part.more
        whole = _Page(whole.stations + part.stations, whole.unread + part.unread, more)
        if part.more is False:
            break
    return whole
