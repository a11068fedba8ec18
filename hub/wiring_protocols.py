"""The composition of the protocols: which link speaks to a party, and what the links share."""

from dataclasses import fields

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.errors import NotFoundError
from hub.core.group_writer import GroupWriter
from hub.core.ids import Ids
from hub.core.outbound import Outbound
from hub.core.secrets import Seal, Secrets
from hub.directory.service import DirectoryService
from hub.parties.audit import AuditLog
from hub.parties.link import PartyLink
from hub.parties.service import PartiesService
from hub.protocols.hosted.link import HostedLink, HostedTools
from hub.protocols.native.call import Services
from hub.protocols.native.link import NativeLink, NativeTools
from hub.protocols.tcec102.aliases import Aliases
from hub.protocols.tcec102.caller import PartnerCaller
from hub.protocols.tcec102.link import Tcec102Link
from hub.protocols.tcec102.profiles import PartnerProfiles
from hub.protocols.tcec102.replay import StoredAnswers
from hub.protocols.tcec102.tokens import HeldTokens, IssuedTokens
from hub.protocols.tcec102.tolerance import Tolerance
from hub.protocols.tcec102.tools import LinkTools, TcecTools
from hub.settings import Settings


class LinkRegistry:
    """Finds a party's link by the protocol it speaks; implements `parties.Links`."""

    def __init__(
        self, parties: PartiesService, native: NativeTools, hosted: HostedTools, tcec102: LinkTools
    ) -> None:
        self._parties, self._native, self._hosted, self._tcec102 = parties, native, hosted, tcec102

    async def of(self, party_id: str) -> PartyLink:
        """The party's link.

        Raises:
            NotFoundError: no such party, or the hub itself.
        """
        party = await self._parties.party(party_id)
        if party.protocol == "hosted":
            return HostedLink(party_id, party.roles, self._hosted)
        if party.protocol == "tcec102":
            return Tcec102Link(await self._tcec102.profiles.of(party_id), self._tcec102)
        if party.protocol == "native" and party.base_url is not None:
            return NativeLink(party_id, party.base_url, self._native)
        raise NotFoundError


def tcec102_links(
    settings: Settings,
    secrets: Secrets,
    outbound: Outbound,
    audit: AuditLog,
    *,
    parties: PartiesService,
    directory: DirectoryService,
    rooms: tuple[Database, Clock, Ids],
) -> LinkTools:
    """What links to partners that speak T/CEC 102 share."""
    database, clock, ids = rooms
    seal, tolerance = Seal(secrets.derive("tcec102")), Tolerance(database, clock)
    held = HeldTokens(database, clock, seal)
    profiles = PartnerProfiles(
        database,
        clock,
        parties=parties,
        seal=seal,
        audit=audit,
        operator_id=settings.operator_id or settings.party_id,
        relaxed=settings.relaxed,
    )
    return LinkTools(
        database=database,
        clock=clock,
        ids=ids,
        seal=Seal(secrets.derive("evidence")),
        parties=parties,
        directory=directory,
        profiles=profiles,
        held=held,
        caller=PartnerCaller(
            outbound,
            clock,
            profiles=profiles,
            held=held,
            tolerance=tolerance,
            first_seq=int(ids.digits(4)),
        ),
        tolerance=tolerance,
        aliases=Aliases(database, clock),
        party_id=settings.party_id,
        party_name=settings.party_name,
    )


def tcec102_tools(hub: Services, links: LinkTools) -> TcecTools:
    """What handlers of partners' messages share: the same, and the rooms above the links."""
    same = {field.name: getattr(links, field.name) for field in fields(links)}
    return TcecTools(
        **same,
        search=hub.search,
        links=hub.links,
        roaming=hub.roaming,
        record_checks=hub.record_checks,
        outbox=hub.outbox,
        issued=IssuedTokens(hub.database, hub.clock, hub.ids, hub.secrets.derive("tcec102/tokens")),
        answers=StoredAnswers(hub.database, hub.clock, GroupWriter(hub.database)),
    )
