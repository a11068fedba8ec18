"""What a host is asked before a charge begins, where its platform keeps states and prices to itself.

Only links that say so are asked (`asks_before_start`); of everybody else the directory knows. Remote calls:
never within a unit.
"""

from dataclasses import dataclass

import msgspec

from hub.core.errors import HubError, NotFoundError
from hub.parties.link import Capability, LinkError, LinkRefused, PartyLink
from hub.parties.tables import find_agreement
from hub.roaming.context import RoamingContext
from operator_sdk.contract.messages.directory import ConnectorInfo, Tariff, TariffPut
from operator_sdk.contract.public_codes import Code


@dataclass(frozen=True, slots=True)
class Asked:
    """What the host said: the connector's state, its price where that is told, or why nothing can begin."""

    state: str | None = None
    tariff: Tariff | None = None
    refusal: Code | None = None

    def over(self, info: ConnectorInfo | None) -> ConnectorInfo | None:
        """What the directory says of the connector, with the host's word before its own."""
        if info is None:
            return None
        return msgspec.structs.replace(info, state=self.state or info.state, tariff=self.tariff or info.tariff)


NOT_ASKED = Asked()


class Asking:
    """Asks hosts."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def before_charge(self, home_party_id: str, host_party_id: str, connector_id: str) -> Asked:
        """What the host says of a connector at which a home's driver wants to charge.

        Nobody is asked about a connector that the directory does not know, or for a home that has no agreement
        with the host. A price that changed is a new version of its tariff from now on.
        """
        try:
            link = await self._c.links.of(host_party_id)
        except NotFoundError:
            return NOT_ASKED
        if not link.asks_before_start:
            return NOT_ASKED
        async with self._c.database.reading() as unit:
            info = await self._c.directory.connector(unit, host_party_id, connector_id, home=home_party_id)
            known = info is not None and (
                home_party_id == host_party_id
                or await find_agreement(unit, home_party_id=home_party_id, host_party_id=host_party_id)
            )
        if not known:
            return NOT_ASKED
        try:
            return await self._ask(link, host_party_id, connector_id)
        except LinkError:
            return Asked(refusal=Code.HOST_UNAVAILABLE)

    async def _ask(self, link: PartyLink, host_party_id: str, connector_id: str) -> Asked:
        state = tariff = None
        if Capability.CHECK_CONNECTOR in link.capabilities:
            try:
                state = (await link.check_connector(connector_id)).state
            except LinkRefused as problem:
                return Asked(refusal=_code_of(problem))
        if Capability.QUERY_TARIFF in link.capabilities:
            try:
                tariff = await self._frozen(host_party_id, await link.query_tariff(connector_id))
            except LinkRefused:
                # No price for this connector: what the directory knows stands, or nothing does.
                tariff = None
            except HubError:
                return Asked(state=state, refusal=Code.TARIFF_UNKNOWN)
        return Asked(state=state, tariff=tariff)

    async def _frozen(self, host_party_id: str, said: Tariff) -> Tariff:
        """The version that says what the host says, published now where there is none."""
        put = TariffPut(
            valid_from=self._c.clock.business(),
            periods=said.periods,
            utc_offset_minutes=said.utc_offset_minutes,
            parking=said.parking,
            idle=said.idle,
            binding=said.binding,
        )
        return await self._c.directory.keep_prices(host_party_id, said.tariff_id, put)


def _code_of(problem: LinkRefused) -> Code:
    try:
        return Code(problem.reason)
    except ValueError:
        return Code.HOST_REFUSED
