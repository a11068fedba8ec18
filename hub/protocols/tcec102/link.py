"""PartyLink to a partner that speaks T/CEC 102: as a host, as a home, or as both, by its roles."""

from collections.abc import Mapping
from datetime import datetime

from hub.core.tables import Evidence
from hub.parties.link import Capability, PulledStations, PullPlan
from hub.protocols.tcec102.link_home import HomePart
from hub.protocols.tcec102.link_host import HostPart
from hub.protocols.tcec102.profiles import Partner
from hub.protocols.tcec102.tools import LinkBase, LinkTools
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.checks import RecordListPart, RecordListReply
from operator_sdk.contract.messages.directory import ConnectorStatus, Tariff
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    HostSession,
    HostStartReply,
    HostStartRequest,
    SessionProgress,
    StopReply,
    StopRequest,
)

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
        Capability.PUSH_RESULT,
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


class Tcec102Link(LinkBase):
    """One partner as it is configured now; made anew for every use, so that a changed profile is in force."""

    def __init__(self, partner: Partner, tools: LinkTools) -> None:
        super().__init__(partner, tools)
        self.capabilities = capabilities_of(partner)
        self._host, self._home = HostPart(partner, tools), HomePart(partner, tools)

    # As a host.

    def mint_host_ref(self) -> str | None:
        """The hub makes the StartChargeSeq of a charge that it starts."""
        return self._host.mint_host_ref()

    def pull_plan(self) -> PullPlan | None:
        """A host's stations are asked for, as its profile says."""
        return self._host.pull_plan() if Role.HOST in self._partner.roles else None

    async def list_stations(self, since: datetime | None = None) -> PulledStations:
        """query_stations_info."""
        return await self._host.list_stations(since)

    async def connector_status(self, connector_ids: list[str]) -> list[ConnectorStatus]:
        """query_station_status."""
        return await self._host.connector_status(connector_ids)

    async def query_tariff(self, connector_id: str) -> Tariff:
        """query_equip_business_policy."""
        return await self._host.query_tariff(connector_id)

    async def check_connector(self, connector_id: str) -> CheckConnectorReply:
        """query_equip_auth."""
        return await self._host.check_connector(connector_id)

    async def start(self, request: HostStartRequest) -> HostStartReply:
        """query_start_charge."""
        return await self._host.start(request)

    async def stop(self, session_id: str, request: StopRequest) -> StopReply:
        """query_stop_charge."""
        return await self._host.stop(session_id, request)

    async def query_session(self, session_id: str) -> HostSession:
        """query_equip_charge_status."""
        return await self._host.query_session(session_id)

    # As a home.

    async def push_status(self, statuses: Mapping[str, ConnectorStatus]) -> None:
        """notification_stationStatus."""
        await self._home.push_status(statuses)

    async def push_session(self, progress: SessionProgress) -> None:
        """notification_start_charge_result, _equip_charge_status or _stop_charge_result."""
        await self._home.push_session(progress)

    async def push_result(self, progress: SessionProgress) -> None:
        """notification_start_charge_result or _stop_charge_result, once more."""
        await self._home.push_result(progress)

    async def release_authorization(
        self, authorization_id: str, reason: str, home_ref: str | None = None
    ) -> None:
        """notification_start_charge_result of a charge that never was."""
        await self._home.release_authorization(authorization_id, reason, home_ref)

    async def push_record(self, record: HomeRecord) -> tuple[RecordAnswer, Evidence | None]:
        """notification_charge_order_info."""
        return await self._home.push_record(record)

    async def check_records(self, part: RecordListPart) -> tuple[RecordListReply, Evidence | None]:
        """check_charge_orders."""
        return await self._home.check_records(part)
