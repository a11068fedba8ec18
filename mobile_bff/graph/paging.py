"""Connections over the hub's keyset pages.

The hub names a cursor for the end of a page only. A cursor here is `{rows}~{the hub's cursor}`: so many rows
behind that one. The last row of a page has the hub's next cursor with no rows behind it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import strawberry

from mobile_bff.refused import Refused
from operator_sdk.contract.public_codes import Code

FIRST_MOST, FIRST_USUAL = 50, 20
_CURSOR = re.compile(r"(\d{1,3})~([!-}]{0,300})\Z")

Node = TypeVar("Node")
Row = TypeVar("Row")


@strawberry.type(description="Whether there is more, and the cursor to go on from.")
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Edge(Generic[Node]):
    cursor: str
    node: Node


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    edges: list[Edge[Node]]
    page_info: PageInfo


@dataclass(frozen=True, slots=True)
class Asked:
    """A page asked for: `limit` rows behind `after` at the hub, of which the first `skip` are known."""

    first: int
    skip: int
    after: str | None
    limit: int

    def page(
        self, rows: Sequence[Row], next_after: str | None, read: Callable[[Row], Node]
    ) -> Connection[Node]:
        """The connection over the rows that came."""
        shown = rows[self.skip : self.skip + self.first]
        edges = [
            Edge(cursor=self._cursor(place, len(rows), next_after), node=read(row))
            for place, row in enumerate(shown, self.skip + 1)
        ]
        more = next_after is not None or self.skip + len(shown) < len(rows)
        end = edges[-1].cursor if edges else f"0~{next_after}" if next_after else None
        return Connection(edges=edges, page_info=PageInfo(has_next_page=more, end_cursor=end))

    def _cursor(self, place: int, came: int, next_after: str | None) -> str:
        if place == came and next_after is not None:
            return f"0~{next_after}"
        return f"{place}~{self.after or ''}"


def asked(first: int, after: str | None, *, most: int) -> Asked:
    """What to ask the hub for; it gives at most `most` rows at once, more than one page holds.

    Raises:
        Refused: malformed, a page of no size that is allowed or no cursor of ours.
    """
    if not 1 <= first <= FIRST_MOST:
        raise Refused(Code.MALFORMED, field="first")
    if after is None:
        return Asked(first, 0, None, first)
    match = _CURSOR.match(after)
    if match is None or int(match[1]) > most:
        raise Refused(Code.MALFORMED, field="after")
    skip = int(match[1])
    return Asked(first, skip, match[2] or None, min(most, skip + first))
