"""PartyLink: the one port through which everything speaks to a party.

`native`, `hosted` and the protocols to come implement it, each with the set of things it can do; what a link
cannot do is answered with a reason by the caller (`Capability` missing), never imitated. Routing picks parties,
never protocols.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from hub.core.tables import Evidence
from operator_sdk.contract.messages.checks import RecordListPart, RecordListReply
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import ConnectorStatus, StationPut, Tariff, TariffPut
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer, SettlementRecord
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    DriverAccount,
    HomeAuthorization,
    HomeAuthorizeRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    SessionProgress,
    StopReply,
    StopRequest,
)


class Capability(StrEnum):
    """What a link can do; one member per method of the port."""

    LIST_STATIONS = "list_stations"
    CONNECTOR_STATUS = "connector_status"
    QUERY_TARIFF = "query_tariff"
    CHECK_CONNECTOR = "check_connector"
    AUTHORIZE = "authorize"
    RELEASE_AUTHORIZATION = "release_authorization"
    START = "start"
    STOP = "stop"
    QUERY_SESSION = "query_session"
    PUSH_STATUS = "push_status"
    PUSH_SESSION = "push_session"
    PUSH_RESULT = "push_result"
    PUSH_RECORD = "push_record"
    PUSH_SETTLEMENT = "push_settlement"
    CHECK_RECORDS = "check_records"
    DRIVER_ACCOUNT = "driver_account"


class LinkError(Exception):
    """The party did not give a decided answer: unreachable, too slow, wrongly signed, or an error of its own.

    `sent` is False only when the message certainly never reached the party.
    """

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.sent = reason, sent


class LinkRefused(LinkError):
    """The party decided: it does not want this message (a 4xx of its own)."""


class LinkCannot(LinkError):
    """This link has no message for it: nothing was sent, and nothing ever will be by trying again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, sent=False)


class LinkUntaken(LinkError):
    """The party heard it and did not acknowledge it: it is to be told again in so many seconds."""

    def __init__(self, reason: str, again_s: int) -> None:
        super().__init__(reason)
        self.again_s = again_s


UNREAD = "#"
"""Begins the id of a gap where not even the id of the station could be read; its place in the list follows."""


class StationGap(NamedTuple):
    """A station that did not come whole: the host's own id for it, and what it lacks or has wrong."""

    station_id: str
    missing: tuple[str, ...]


class PulledStations(NamedTuple):
    """What a host says of its stations: those that can be kept, those that cannot, and the tariffs they name.

    `tariffs` are as they are from now on; they are published before the stations.
    """

    stations: list[tuple[str, StationPut]]
    gaps: list[StationGap]
    tariffs: dict[str, TariffPut]


class PullPlan(NamedTuple):
    """When a host's stations are asked for: all of them at a minute of the business day, and what changed since
    every so many business seconds, 0 for not at all.
    """

    full_minute: int
    incremental_s: int


class PartyLink(Protocol):
    """How the hub speaks to one party. Every method may raise LinkError; times out by itself.

    `link_protocol` is the word under which its numbers are kept (`leg.protocol`). `carries_limits`: a start
    tells the host its limit and target, and the host stops there; where not, the hub stops it, and an update
    comes every `push_every_s` seconds. `asks_before_start`: the host keeps states and prices to itself until
    it is asked.
    """

    capabilities: frozenset[Capability]
    link_protocol: str
    carries_limits: bool
    asks_before_start: bool
    push_every_s: int

    def again_s(self, attempts: int) -> int | None:
        """Seconds until the party is told again what failed so often; None: as everybody is."""

    def mint_host_ref(self) -> str | None:
        """The host's number for a charge about to start, where the hub makes it up; None: the host does."""

    async def list_stations(self, since: datetime | None = None) -> PulledStations:
        """All stations of the host, or those that changed since an instant of business time."""

    def pull_plan(self) -> PullPlan | None:
        """When the host's stations are asked for; None: never, the host pushes them."""

    async def connector_status(self, connector_ids: list[str]) -> list[ConnectorStatus]:
        """Present states."""

    async def query_tariff(self, connector_id: str) -> Tariff:
        """The tariff in force at a connector."""

    async def check_connector(self, connector_id: str) -> CheckConnectorReply:
        """Could a charge start there now?"""

    async def authorize(self, request: HomeAuthorizeRequest) -> tuple[HomeAuthorization, Evidence | None]:
        """May this token charge? Answers within 3 s or raises; with the proof where the answer was signed."""

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        """Give back what the authorization held; an unknown id succeeds and is burnt."""

    async def start(self, request: HostStartRequest) -> HostStartReply:
        """Start at the host. Answers within 5 s or raises."""

    async def stop(self, session_id: str, request: StopRequest) -> StopReply:
        """Stop at the host."""

    async def query_session(self, session_id: str) -> HostSession:
        """What the host knows of a session."""

    async def push_status(self, statuses: Mapping[str, ConnectorStatus]) -> None:
        """Tell the home about connectors, by connector reference."""

    async def push_session(self, progress: SessionProgress) -> None:
        """Tell the home how the charge goes. LinkUntaken: it was told, and is owed a result (`push_result`)."""

    async def push_result(self, progress: SessionProgress) -> None:
        """Tell the home once more that the charge began, or with the last update that it stopped."""

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        """Give the home an accepted record; the answer, with the proof where it was signed."""

    async def push_settlement(self, settlement: SettlementRecord) -> None:
        """Tell the host how its record was settled."""

    async def check_records(self, part: RecordListPart) -> tuple[RecordListReply, Evidence | None]:
        """Give the party a part of the hub's list of a day; what differs in its own, once it has all of it."""

    async def driver_account(self, token: Token) -> DriverAccount:
        """What a driver's account says."""


class Links(Protocol):
    """Finds the link of a party."""

    async def of(self, party_id: str) -> PartyLink:
        """The link, whatever the protocol. Raises NotFoundError for an unknown party."""


class MissingLink:
    """The base of links: every method a link does not offer says so instead of pretending."""

    capabilities: frozenset[Capability] = frozenset()
    link_protocol: str = "native"
    carries_limits: bool = True
    asks_before_start: bool = False
    push_every_s: int = 60

    def again_s(self, attempts: int) -> int | None:
        """As everybody is."""
        return None

    def mint_host_ref(self) -> str | None:
        """The host makes its numbers itself."""
        return None

    async def list_stations(self, since: datetime | None = None) -> PulledStations:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    def pull_plan(self) -> PullPlan | None:
        """Never."""
        return None

    async def connector_status(self, connector_ids: list[str]) -> list[ConnectorStatus]:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def query_tariff(self, connector_id: str) -> Tariff:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def check_connector(self, connector_id: str) -> CheckConnectorReply:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def authorize(self, request: HomeAuthorizeRequest) -> tuple[HomeAuthorization, Evidence | None]:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def start(self, request: HostStartRequest) -> HostStartReply:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def stop(self, session_id: str, request: StopRequest) -> StopReply:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def query_session(self, session_id: str) -> HostSession:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def push_status(self, statuses: Mapping[str, ConnectorStatus]) -> None:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def push_session(self, progress: SessionProgress) -> None:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def push_result(self, progress: SessionProgress) -> None:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def push_settlement(self, settlement: SettlementRecord) -> None:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def check_records(self, part: RecordListPart) -> tuple[RecordListReply, Evidence | None]:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)

    async def driver_account(self, token: Token) -> DriverAccount:
        """Not offered."""
        raise LinkRefused("not_offered", sent=False)
