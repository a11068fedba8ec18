"""PartyLink to a partner that speaks T/CEC 102: as a host, as a home, or as both, by its roles."""

from hub.parties.link import Capability
from hub.protocols.tcec102.link_home import HomePart
from hub.protocols.tcec102.link_host import HostPart
from hub.protocols.tcec102.profiles import Partner
from hub.protocols.tcec102.tools import LinkTools
from operator_sdk.contract.codes import Role

HOST = frozenset(
    {
        Capability.LIST_STATIONS,
        Capability.CONNECTOR_STATUS,
        Capability.CHECK_CONNECTOR,
        Capability.START,
        Capability.STOP,
        Capability.QUERY_SESSION,
    }
)
"""What a host is asked. It can be told no limit and no settlement, and asked to authorize nothing."""

HOME = frozenset(
    {
        Capability.PUSH_STATUS,
        Capability.PUSH_SESSION,
        Capability.PUSH_RECORD,
        Capability.RELEASE_AUTHORIZATION,
        Capability.CHECK_RECORDS,
    }
)
"""What a home is told. It starts charges by itself only, and so is never asked to authorize one."""


def capabilities_of(partner: Partner) -> frozenset[Capability]:
    """What can be done with a partner: by its roles, and prices only where it serves them."""
    found: frozenset[Capability] = frozenset()
    if Role.HOST in partner.roles:
        found |= HOST
        if partner.profile.pricing.mode == "policy":
            found |= {Capability.QUERY_TARIFF}
    if Role.HOME in partner.roles:
        found |= HOME
        if not partner.profile.push.station_status:
            found -= {Capability.PUSH_STATUS}
    return found


class Tcec102Link(HostPart, HomePart):
    """One partner as it is configured now; made anew for every use, so that a changed profile is in force."""

    def __init__(self, partner: Partner, tools: LinkTools) -> None:
        super().__init__(partner, tools)
        self.capabilities = capabilities_of(partner)
