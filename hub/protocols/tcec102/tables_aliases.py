"""Rows of aliases: the ids under which stations, piles and connectors are told to T/CEC 102 homes.

They are the same for every home and public to all of them, so no query here takes a viewer.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from sqlalchemy import UniqueConstraint, bindparam, or_, select
from sqlmodel import Field

from hub.core.database import Unit
from hub.core.tables import insert_for, table_of
from hub.core.types import TableRow

AT_ONCE = 1_000
"""Keys in one statement."""

Key = tuple[str, str]
"""(party, the party's own id of a station, pile or connector)."""


class AliasRow(TableRow, table=True):
    """The one name of a thing towards T/CEC 102 homes; never changed and never given to another thing.

    A pile's own id is unique within its station only, so its `own_id` is `{station_id}/{pile_id}`.
    """

    __tablename__ = "tcec102_alias"
    kind: str = Field(primary_key=True, max_length=9)
    alias: str = Field(primary_key=True, max_length=26)
    party_id: str = Field(max_length=9)
    own_id: str = Field(max_length=70)

    __table_args__ = (UniqueConstraint("kind", "party_id", "own_id"),)


_ALIAS = table_of(AliasRow).c


async def aliases_of(unit: Unit, kind: str, keys: Iterable[Key]) -> dict[Key, str]:
    """The aliases of those of these things that have one."""
    wanted, found = set(keys), dict[Key, str]()
    left = iter(sorted(wanted))
    while some := list(islice(left, AT_ONCE)):
        # Two lists instead of one of pairs: either engine answers it from the unique index.
        statement = select(_ALIAS.party_id, _ALIAS.own_id, _ALIAS.alias).where(
            _ALIAS.kind == kind,
            _ALIAS.party_id.in_(sorted({party_id for party_id, _ in some})),
            _ALIAS.own_id.in_(_in_full("own_ids", sorted({own_id for _, own_id in some}))),
        )
        for row in await unit.execute(statement):
            if (row.party_id, row.own_id) in wanted:
                found[row.party_id, row.own_id] = row.alias
    return found


def _in_full(name: str, values: list[str]) -> Any:
    """A list that stands in the statement itself: of a thousand parameters PostgreSQL makes no set, and holds
    every row against each of them."""
    return bindparam(name, values, expanding=True, literal_execute=True)


async def key_of_alias(unit: Unit, kind: str, alias: str) -> Key | None:
    """The thing that an alias names."""
    statement = select(_ALIAS.party_id, _ALIAS.own_id).where(_ALIAS.kind == kind, _ALIAS.alias == alias)
    row = (await unit.execute(statement)).one_or_none()
    return None if row is None else (row.party_id, row.own_id)


async def named(unit: Unit, name: str) -> list[tuple[str, str, str, str]]:
    """(kind, alias, party, own id) of everything that anybody calls so; a pile also without its station."""
    statement = (
        select(_ALIAS.kind, _ALIAS.alias, _ALIAS.party_id, _ALIAS.own_id)
        .where(
            or_(
                _ALIAS.alias == name, _ALIAS.own_id == name, _ALIAS.own_id.endswith(f"/{name}", autoescape=True)
            )
        )
        .order_by(_ALIAS.kind, _ALIAS.party_id, _ALIAS.own_id)
        .limit(AT_ONCE)
    )
    return [tuple(row) for row in await unit.execute(statement)]


async def add_aliases(unit: Unit, kind: str, wanted: Iterable[tuple[Key, str]]) -> None:
    """Give these aliases where they are free and the thing has none.

    In one order, so that no two that run at once wait for each other; of two things that want the same alias
    the one of the lesser party id gets it.
    """
    rows = [
        {"kind": kind, "alias": alias, "party_id": party_id, "own_id": own_id}
        for (party_id, own_id), alias in sorted(wanted, key=lambda one: (one[1], one[0]))
    ]
    statement = insert_for(unit, AliasRow).on_conflict_do_nothing()
    # Many rows one by one: written out as one statement they take far longer to compile than to store.
    await (await unit.session.connection()).execute(statement, rows)
