"""What a host's word about a charge is read with: the kind of connector, and the tariff it began with."""

from hub.protocols.tcec102.tools import LinkTools
from hub.protocols.tcec102.translate_status import Followed
from hub.roaming.tables import SessionRow
from operator_sdk.contract.messages.directory import Tariff


async def tariff_at_start(tools: LinkTools, session: SessionRow) -> Tariff | None:
    """The version that a session began with."""
    async with tools.database.reading() as unit:
        return await tools.directory.tariff_version(
            unit, session.host_party_id, session.tariff_id, session.tariff_version
        )


async def followed_of(tools: LinkTools, session: SessionRow) -> Followed:
    """What never changes of a session and its statuses are read with."""
    info = await tools.directory.connector_lately(
        session.host_party_id, session.connector_id, session.home_party_id
    )
    return Followed(
        session_id=session.session_id,
        created_at=session.created_at,
        kind="" if info is None else info.kind,
        tariff=await tariff_at_start(tools, session),
    )
