"""What the parts of this protocol work with.

Links are built before `roaming`, which they serve, and so know less than handlers do: `LinkTools` is what a
link may use, `TcecTools` what a handler may. Both have the same names for the same things.
"""

from dataclasses import dataclass, field

from hub.clearing.checking import RecordChecks
from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.ids import Ids
from hub.core.outbox import Outbox
from hub.core.secrets import Seal
from hub.directory.search import StationSearch
from hub.directory.service import DirectoryService
from hub.parties.link import Links, MissingLink
from hub.parties.service import PartiesService
from hub.protocols.tcec102.aliases import Aliases
from hub.protocols.tcec102.caller import PartnerCaller
from hub.protocols.tcec102.policies import Policies
from hub.protocols.tcec102.profiles import Partner, PartnerProfiles
from hub.protocols.tcec102.replay import StoredAnswers
from hub.protocols.tcec102.tokens import HeldTokens, IssuedTokens
from hub.protocols.tcec102.tolerance import Tolerance
from hub.roaming.service import Roaming


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTools:
    """What all links of this protocol share. `seal` closes evidence; `party_id` is the hub's own.

    Towards a partner the hub's OperatorID is `Partner.operator_id`: the profile's, else the setting.
    """

    database: Database
    clock: Clock
    ids: Ids
    seal: Seal
    parties: PartiesService
    directory: DirectoryService
    profiles: PartnerProfiles
    held: HeldTokens
    caller: PartnerCaller
    tolerance: Tolerance
    aliases: Aliases
    party_id: str
    party_name: str
    policies: Policies = field(default_factory=Policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcecTools(LinkTools):
    """What all handlers of this protocol share."""

    search: StationSearch
    links: Links
    roaming: Roaming
    record_checks: RecordChecks
    outbox: Outbox
    issued: IssuedTokens
    answers: StoredAnswers


class LinkBase(MissingLink):
    """The base of `HostPart` and `HomePart`: one partner as it is configured now, and the tools."""

    link_protocol = "tcec102"
    carries_limits = False
    asks_before_start = True

    def __init__(self, partner: Partner, tools: LinkTools) -> None:
        self._partner, self._tools = partner, tools
        self._party_id = partner.party_id
        self.push_every_s = partner.profile.push.status_s
