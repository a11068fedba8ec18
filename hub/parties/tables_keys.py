"""Queries on parties, their prefixes, keys and agreements."""

from datetime import datetime

from sqlalchemy import literal, or_, tuple_
from sqlmodel import col, select

from hub.core.database import Unit
from hub.core.tables import table_of
from hub.parties.model import KeyState, Protocol
from hub.parties.tables import Exposure, PartyKey, PartyRow, TokenPrefix
from operator_sdk.contract.codes import Role


async def page_of_parties(
    unit: Unit, *, after: tuple[datetime, str] | None, count: int
) -> list[tuple[PartyRow, Exposure | None]]:
    """Parties in order of (created_at, party), with what they owe."""
    columns = table_of(PartyRow).c
    place = (columns.created_at, columns.party_id)
    statement = (
        select(PartyRow, Exposure)
        .join(Exposure, col(Exposure.home_party_id) == PartyRow.party_id, isouter=True)
        .order_by(*place)
        .limit(count)
    )
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after, types=[part.type for part in place]))
    return [(row[0], row[1]) for row in (await unit.session.exec(statement)).all()]


async def page_of_homes(
    unit: Unit, *, after: tuple[datetime, str] | None, count: int
) -> list[tuple[PartyRow, bool]]:
    """Homes whose drivers can sign in, in order of (created_at, party), and whether each has a live key."""
    columns = table_of(PartyRow).c
    place = (columns.created_at, columns.party_id)
    has_key = (
        select(PartyKey.key_id)
        .where(PartyKey.party_id == columns.party_id, PartyKey.state == KeyState.LIVE.value)
        .exists()
    )
    statement = (
        select(PartyRow, has_key)
        .where(
            (literal(",") + columns.roles + ",").contains(f",{Role.HOME.value},"),
            or_(columns.protocol == Protocol.HOSTED.value, has_key),
        )
        .order_by(*place)
        .limit(count)
    )
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after, types=[part.type for part in place]))
    return [(row[0], bool(row[1])) for row in (await unit.session.exec(statement)).all()]


async def prefixes_of(unit: Unit, party_id: str) -> list[str]:
    """A home's token prefixes, in order."""
    statement = select(TokenPrefix.prefix).where(TokenPrefix.party_id == party_id)
    return sorted((await unit.session.exec(statement)).all())


async def keys_of(unit: Unit, party_id: str) -> list[PartyKey]:
    """A party's keys, oldest first."""
    statement = (
        select(PartyKey)
        .where(PartyKey.party_id == party_id)
        .order_by(col(PartyKey.created_at), col(PartyKey.key_id))
    )
    return list((await unit.session.exec(statement)).all())


async def key_for_update(unit: Unit, party_id: str, key_id: str) -> PartyKey | None:
    """A key, held until the unit ends."""
    return await unit.session.get(PartyKey, (party_id, key_id), with_for_update=True)


async def key_by_public(unit: Unit, public_key: str) -> PartyKey | None:
    """Whoever registered this public key before, under whatever id."""
    statement = select(PartyKey).where(PartyKey.public_key == public_key).limit(1)
    return (await unit.session.exec(statement)).first()
