"""A page of a list that people and partners read: by (updated_at, id), from a keyset position."""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import tuple_
from sqlmodel import SQLModel

from hub.core.database import Unit
from hub.core.tables import table_of

Row = TypeVar("Row", bound=SQLModel)


async def page_of(
    unit: Unit,
    statement: Any,
    model: type[Row],
    row_id: str,
    *,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
    newest: bool = False,
) -> list[Row]:
    """Up to `limit` rows of a selection behind a position: oldest change first, or newest first.

    `row_id` names the column of the id.
    """
    columns = table_of(model).c
    place = (columns.updated_at, columns[row_id])
    if updated_since is not None:
        statement = statement.where(columns.updated_at >= updated_since)
    if after is not None:
        behind, begin = tuple_(*place), tuple_(*after, types=[part.type for part in place])
        statement = statement.where(behind < begin if newest else behind > begin)
    order = [part.desc() for part in place] if newest else place
    return list((await unit.session.exec(statement.order_by(*order).limit(limit))).all())
