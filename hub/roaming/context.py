"""What every use case of this room is built from."""

from dataclasses import dataclass
from datetime import timedelta

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.group_writer import GroupWriter
from hub.core.ids import Ids
from hub.core.live import Live
from hub.core.outbox import Outbox
from hub.core.pseudonyms import Pseudonyms
from hub.directory.search import StationSearch
from hub.directory.service import DirectoryService
from hub.parties.link import Links
from hub.parties.service import PartiesService
from hub.roaming.model_facts import LIMITS, Limits
from hub.roaming.ports import MoneyWaits, RecordAccepted
from hub.roaming.store_authorize import AuthorizeStore
from hub.roaming.store_updates import UpdateStore

AUTHORIZE_MARGIN = timedelta(seconds=15)
"""An authorization still pending this long after it was asked for has lost its asker."""

START_RESULT = timedelta(seconds=40)
"""Wall time from a start to the host's first update, before the session counts as unknown and it is asked.

In Beijing a T/CEC 102 home is owed the result within 50 s: a question of at most 10 s still fits.
"""

UNKNOWN_MOST = timedelta(hours=24)
"""Business time after which a session nobody can explain is put in suspense."""

UNUSED_AUTHORIZATION = timedelta(minutes=30)
"""Business time within which a host must begin what it was authorized for."""

SECOND_PERSON_FEN = 100_000
"""Above this amount a suspended record, a dispute and an item in suspense are decided by two people."""


@dataclass(frozen=True, slots=True)
class RoamingContext:
    """Ports and lower rooms."""

    database: Database
    writer: GroupWriter
    clock: Clock
    ids: Ids
    links: Links
    outbox: Outbox
    live: Live
    directory: DirectoryService
    search: StationSearch
    parties: PartiesService
    pseudonyms: Pseudonyms
    record_accepted: RecordAccepted
    money_waits: MoneyWaits
    own_base_url: str
    hub_name: str
    scan_keys: dict[str, bytes]
    authorize_store: AuthorizeStore | None
    update_store: UpdateStore | None
    record_limits: Limits = LIMITS
    second_person_fen: int = SECOND_PERSON_FEN
