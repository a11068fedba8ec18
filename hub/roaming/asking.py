"""What a host is asked before a charge begins, where its platform keeps states and prices to itself.

Only links that say so are asked (`asks_before_start`); of everybody else the directory knows. Remote calls:
never within a unit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from hub.core.errors import HubError, NotFoundError
from hub.parties.link import Capability, LinkError, LinkRefused, PartyLink
from hub.roaming.context import RoamingContext
from operator_sdk.contract.messages.directory import ConnectorInfo, Tariff, TariffPut
from operator_sdk.contract.public_codes import Code

T = TypeVar("T")


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


NOT_ASKED, SILENT = Asked(), Asked(refusal=Code.HOST_UNAVAILABLE)


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
        info = await self._c.directory.connector_lately(host_party_id, connector_id, home_party_id)
        known = info is not None and (
            home_party_id == host_party_id
            or await self._c.parties.hold_of_pair(home_party_id, host_party_id) is not None
        )
        if not known:
            return NOT_ASKED
        return await self._ask(link, host_party_id, connector_id)

    async def _ask(self, link: PartyLink, host_party_id: str, connector_id: str) -> Asked:
        """Both questions at once: the driver waits for the slower of the two answers, not for their sum.

        They are judged in the order of a charge; the price of a connector that takes none is dropped.
        """
        checked, said = await asyncio.gather(
            _answer(link, Capability.CHECK_CONNECTOR, link.check_connector, connector_id),
            _answer(link, Capability.QUERY_TARIFF, link.query_tariff, connector_id),
        )
        if isinstance(checked, LinkRefused):
            return Asked(refusal=_code_of(checked))
        if isinstance(checked, LinkError):
            return SILENT
        state = checked.state if checked is not None else None
        if said is None or isinstance(said, LinkRefused):
            # No price for this connector: what the directory knows stands, or nothing does.
            return Asked(state=state)
        if isinstance(said, LinkError):
            return SILENT
        try:
            return Asked(state=state, tariff=await self._frozen(host_party_id, said))
        except HubError:
            return Asked(state=state, refusal=Code.TARIFF_UNKNOWN)

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


async def _answer(
    link: PartyLink, capability: Capability, ask: Callable[[str], Awaitable[T]], connector_id: str
) -> T | LinkError | None:
    """An answer, or the error in its place; None where the host is not asked this."""
    if capability not in link.capabilities:
        return None
    try:
        return await ask(connector_id)
    except LinkError as problem:
        return problem


def _code_of(problem: LinkRefused) -> Code:
    try:
        return Code(problem.reason)
    except ValueError:
        return Code.HOST_REFUSED
