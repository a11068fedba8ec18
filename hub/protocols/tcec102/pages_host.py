"""A host's list of stations, page by page (T/CEC 102.2-2016, query_stations_info): whole, or not at all.

A list that is cut short would make tombstones of everything behind the cut.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from hub.core.outbound import TOO_LARGE
from hub.parties.link import UNREAD, LinkError, StationGap
from hub.protocols.tcec102.caller import UnreadAnswer
from operator_sdk.contract.tcec102.messages import QueryStationsInfoReply, StationInfo
from operator_sdk.contract.tcec102.messages_base import Part, WireId
from operator_sdk.contract.tcec102.reading import read
from operator_sdk.contract.tcec102.wire import WireProblem

PAGES_MOST = 5_000
"""So that no host is read forever."""

UNREADABLE = "answer: field"
"""What a call says when a field of its answer is missing or wrong."""

STATIONS = "StationInfos"

Ask = Callable[[int, int], Awaitable[QueryStationsInfoReply]]
"""Asks for a page by its number, from 1, and its size."""


class _Page(NamedTuple):
    """A page: its stations, a gap for each that cannot be read, and whether more are said to follow."""

    stations: list[StationInfo]
    unread: list[StationGap]
    more: bool | None


class _Named(Part, frozen=True):
    """A station of which nothing but its id is read."""

    station_id: WireId


class _NamedStations(Part, frozen=True):
    """A page of them."""

    station_infos: list[_Named]


class _Again(Exception):
    """The list is to be read anew, in pages of this size."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


async def all_pages(ask: Ask, size: int) -> tuple[list[StationInfo], list[StationGap]]:
    """Every station of the list once, and a gap for each that cannot be read.

    Raises:
        LinkError: no decided answer, or a list that repeats itself or does not end.
    """
    while True:
        try:
            return await _all_pages(ask, size)
        except _Again as smaller:
            size = smaller.size


async def _all_pages(ask: Ask, size: int) -> tuple[list[StationInfo], list[StationGap]]:
    found: dict[str, StationInfo] = {}
    gaps: list[StationGap] = []
    held = size
    for number in range(1, PAGES_MOST + 1):
        page = await _page(ask, number, size, held)
        if page.stations and all(one.station_id in found for one in page.stations):
            raise LinkError("the list of stations repeats itself")
        if number == 1 and page.more:
            held = len(page.stations) + len(page.unread) or size
        found |= {one.station_id: one for one in page.stations}
        gaps += page.unread
        empty = not (page.stations or page.unread)
        if empty and page.more:
            # More were promised: while this gap is there, nobody takes what did not come for gone.
            gaps.append(StationGap(f"{UNREAD}page {number}", (STATIONS,)))
        elif empty or page.more is False:
            return list(found.values()), gaps
    raise LinkError(f"more than {PAGES_MOST} pages of stations")


async def _page(ask: Ask, number: int, size: int, held: int) -> _Page:
    """A page, in smaller pieces where it cannot be read because of one of its stations.

    `held` is how many stations the first page had. Where that is less than was asked for, the host has a size
    of its own, and a place in its list cannot be told from ours.
    """
    try:
        reply = await ask(number, size)
    except LinkError as problem:
        if problem.reason == TOO_LARGE and size > 1:
            raise _Again(size // 2) from problem
        if not _is_for_a_station(problem):
            raise
        if size == 1:
            return _Page([], [_gap(problem, number)], None)
        if held < size:
            raise _Again(held) from problem
        return await _in_pieces(ask, number, size)
    # Behind the last station the list is over, however many pages are promised.
    is_within = bool(reply.station_infos) or (number - 1) * size < reply.item_size
    return _Page(reply.station_infos, [], is_within and number < reply.page_count)


async def _in_pieces(ask: Ask, number: int, size: int) -> _Page:
    pieces = next(one for one in range(2, size + 1) if size % one == 0)
    whole = _Page([], [], None)
    for piece in range((number - 1) * pieces + 1, number * pieces + 1):
        part = await _page(ask, piece, size // pieces, size // pieces)
        more = whole.more if part.more is None else part.more
        whole = _Page(whole.stations + part.stations, whole.unread + part.unread, more)
        if part.more is False:
            break
    return whole


def _is_for_a_station(problem: LinkError) -> bool:
    """Whether a station may be to blame: not what the page says of itself, or the host altogether."""
    if isinstance(problem, UnreadAnswer) and not problem.msg.startswith(STATIONS):
        return False
    return problem.reason in {UNREADABLE, TOO_LARGE}


def _gap(problem: LinkError, place: int) -> StationGap:
    """The gap of the one station of a page: by its own id where that can be read, else by its place."""
    if isinstance(problem, UnreadAnswer):
        try:
            page, _ = read(_NamedStations, problem.plain)
        except WireProblem:
            page = _NamedStations(station_infos=[])
        if len(page.station_infos) == 1:
            where = problem.msg.partition(":")[0].removeprefix(STATIONS).removeprefix("[0]").lstrip(".")
            return StationGap(page.station_infos[0].station_id, (where or "StationInfo",))
    return StationGap(f"{UNREAD}{place}", ("StationInfo",))
