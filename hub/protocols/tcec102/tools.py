"""What the parts of this protocol work with.

Links are built before `roaming`, which they serve, and so know less than handlers do: `LinkTools` is what a
link may use, `TcecTools` what a handler may. Both have the same names for the same things.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.clearing.checking import RecordChecks
from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.ids import Ids
from hub.core.memory import Memory
from hub.core.outbox import Outbox, backoff_s
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

RESEND_S, RESENDS = 60, 8
"""T/CEC 102.4, 4.6: what failed is sent again about a minute later, more than three times. Eight pauses, the
first ones of seconds, are as long as that.
"""

ORDER_AGAIN_S = 150
"""Beijing: an order that failed is sent again every 150 s. Nothing else waits longer."""

TOLD_KEPT = timedelta(hours=1)
"""What a home was told stays; this only bounds what a process keeps of charges that are over."""


TELLS_KEPT = timedelta(days=1)
"""How long a host that answered a question about a charge is taken to offer it."""


class ToldCharge(NamedTuple):
    """A charge whose home knows that it began: by its StartChargeSeq, at this connector, since when."""

    seq: str
    connector: str
    started_at: datetime


def _nothing_told() -> Memory[tuple[str, str], ToldCharge]:
    return Memory(TOLD_KEPT)


def _nothing_shown() -> Memory[tuple[str, str], tuple[str, datetime]]:
    return Memory(TOLD_KEPT)


def _nothing_untaken() -> Memory[tuple[str, str], bool]:
    return Memory(timedelta(seconds=RESEND_S))


def _nobody_tells() -> Memory[str, bool]:
    return Memory(TELLS_KEPT)


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
    told: Memory[tuple[str, str], ToldCharge] = field(default_factory=_nothing_told)
    """By home and session."""
    shown: Memory[tuple[str, str], tuple[str, datetime]] = field(default_factory=_nothing_shown)
    """State and sample of the last status that went to a home, by home and session."""
    untaken: Memory[tuple[str, str], bool] = field(default_factory=_nothing_untaken)
    """By home and session: that it began was told just now and not acknowledged."""
    tells: Memory[str, bool] = field(default_factory=_nobody_tells)
    """Hosts that answer query_equip_charge_status, as far as this process has asked."""


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

    def again_s(self, attempts: int) -> int:
        """No later than the standard has it, then Beijing."""
        return min(backoff_s(attempts), RESEND_S if attempts <= RESENDS else ORDER_AGAIN_S)
