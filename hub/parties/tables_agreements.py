"""Who has agreed with whom, as sets."""

from collections.abc import Collection

from sqlmodel import col, select

from hub.core.database import Unit
from hub.parties.tables import AgreementRow, PartyRow


async def all_pairs(unit: Unit) -> list[tuple[str, str]]:
    """(home, host) of every agreement."""
    rows = await unit.session.exec(select(AgreementRow.home_party_id, AgreementRow.host_party_id))
    return [(home, host) for home, host in rows]


async def parties_speaking(unit: Unit, protocols: Collection[str]) -> list[tuple[str, str]]:
    """(party, its roles joined by commas) of those that speak one of these protocols, in order of id."""
    statement = (
        select(PartyRow.party_id, PartyRow.roles)
        .where(col(PartyRow.protocol).in_(sorted(protocols)))
        .order_by(col(PartyRow.party_id))
    )
    return [(party_id, roles) for party_id, roles in await unit.session.exec(statement)]
