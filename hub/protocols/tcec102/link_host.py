"""The hub as the customer side towards a host (T/CEC 102.2, 102.3-2016): what it is asked and told to do."""

import asyncio
from datetime import datetime
from typing import Any

from hub.directory.tables import connector_owners
from hub.parties.link import LinkError, LinkRefused, PulledStations, PullPlan, StationGap
from hub.parties.scope import of_party
from hub.protocols.tcec102.caller import CALL_S, RET_WORDS
from hub.protocols.tcec102.followed import followed_of
from hub.protocols.tcec102.pages_host import UNREADABLE, all_pages
from hub.protocols.tcec102.tools import LinkBase
from hub.protocols.tcec102.translate_orders import tariff_id_of
from hub.protocols.tcec102.translate_policy import PolicyProblem, estimated_tariff, tariff_of_policy
from hub.protocols.tcec102.translate_stations_in import station_put
from hub.protocols.tcec102.translate_status import (
    connector_state,
    host_session,
    start_reply,
    stopped_state,
    update_of,
)
from hub.roaming.tables import SessionRow, get_session
from operator_sdk.contract.codes import ConnectorState, Role, SessionState
from operator_sdk.contract.ids import SESSION
from operator_sdk.contract.messages.directory import ConnectorStatus, Tariff, TariffPut
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    HostSession,
    HostStartReply,
    HostStartRequest,
    StopReply,
    StopRequest,
)
from operator_sdk.contract.pricing import published
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.tcec102.messages import (
    QueryEquipAuth,
    QueryEquipAuthReply,
    QueryEquipBusinessPolicy,
    QueryEquipBusinessPolicyReply,
    QueryEquipChargeStatus,
    QueryEquipChargeStatusReply,
    QueryStartCharge,
    QueryStartChargeReply,
    QueryStationsInfo,
    QueryStationsInfoReply,
    QueryStationStats,
    QueryStationStatsReply,
    QueryStationStatus,
    QueryStationStatusReply,
    QueryStopCharge,
    QueryStopChargeReply,
    StationInfo,
    StationStatsInfo,
)
from operator_sdk.contract.tcec102.sequences import make_seq
from operator_sdk.contract.tcec102.values import format_time
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

START_S, STATIONS_S = 5, 30
PRICES_AT_ONCE = 8
"""Stations whose prices are asked for together: one by one a large host's would take minutes, and drivers who
start at the host meanwhile need places too (`rooms`)."""

STATUS_MOST = 50
"""Stations in one question for states, as the standard has it."""

ESTIMATE = "tcec-estimate"
"""The tariff of stations whose host does not tell its prices."""

NOT_PLUGGED_IN, CHECK_FAILED, NO_SUCH_EQUIPMENT = 1, 2, 1
POLICY = "policy: "
"""Begins the reason where prices came and make no tariff."""


class HostPart(LinkBase):
    """A partner as a host."""

    # Charges.

    def mint_host_ref(self) -> str | None:
        """A StartChargeSeq of ours; the standard has whoever starts a charge number it."""
        return self._seq()

    async def start(self, request: HostStartRequest) -> HostStartReply:
        """Start. What the host takes up is the command; that it charges it says later."""
        assert request.host_ref is not None, "a charge is numbered before its host is called"
        message = QueryStartCharge(
            start_charge_seq=request.host_ref,
            connector_id=request.connector_id,
            qr_code=request.qr_tail or "",
        )
        reply: QueryStartChargeReply = await self._call("query_start_charge", message, timeout_s=START_S)
        _same(reply.start_charge_seq, request.host_ref)
        return start_reply(reply)

    async def stop(self, session_id: str, request: StopRequest) -> StopReply:
        """Stop. A charge that ended before any word of it, and without energy, never began."""
        session, seq = await self._session(session_id)
        message = QueryStopCharge(start_charge_seq=seq, connector_id=session.connector_id)
        try:
            reply: QueryStopChargeReply = await self._call("query_stop_charge", message)
        except LinkRefused as problem:
            raise _not_stopped(session, problem) from problem
        _same(reply.start_charge_seq, seq)
        state = stopped_state(reply.start_charge_seq_stat, reply.succ_stat, reply.fail_reason)
        if state is None:
            nothing_there = _unknown_there(session) if reply.fail_reason == NO_SUCH_EQUIPMENT else None
            raise nothing_there or LinkError(f"FailReason {reply.fail_reason}")
        if state is SessionState.ENDED and not session.last_number:
            said = await self.query_session(session_id)
            state = said.state if said.state is SessionState.START_FAILED else state
        return StopReply(session_id=session_id, state=state)

    async def query_session(self, session_id: str) -> HostSession:
        """What the host knows of a charge; one that it refuses to speak of it does not know.

        The question is optional in the standard, and 4004 is also what is said where it is not offered. So of a
        charge that was heard of it counts only from a host that has answered the question before.

        Raises:
            LinkError: no decided answer; 4003 is none, for it is about the envelope.
        """
        session, seq = await self._session(session_id)
        message = QueryEquipChargeStatus(start_charge_seq=seq)
        wall = self._tools.clock.wall()
        try:
            reply: QueryEquipChargeStatusReply = await self._call("query_equip_charge_status", message)
        except LinkRefused as problem:
            tells = self._tools.tells.get(self._party_id, wall) or not session.last_number
            if problem.reason == RET_WORDS[Ret.ENVELOPE] or not tells:
                raise LinkError(problem.reason) from problem
            return HostSession(known=False)
        self._tools.tells.put(self._party_id, value=True, now=wall)
        _same(reply.start_charge_seq, seq)
        of, now = await followed_of(self._tools, session), self._tools.clock.business()
        try:
            update, tolerated = update_of(reply, self._partner.profile, of, now)
            said = host_session(reply, update)
        except WireProblem as problem:
            raise LinkError(f"answer: {problem}") from problem
        self._tools.tolerance.note(self._party_id, tolerated)
        return said

    async def _session(self, session_id: str) -> tuple[SessionRow, str]:
        """A session of this host's and its number there."""
        async with self._tools.database.reading() as unit:
            session = await get_session(of_party(self._party_id), unit, session_id)
        if session is None or session.host_party_id != self._party_id or session.host_ref is None:
            raise LinkRefused(Code.NOT_FOUND, sent=False)
        return session, session.host_ref

    # Connectors and prices.

    async def check_connector(self, connector_id: str) -> CheckConnectorReply:
        """Is the vehicle plugged in, and the pile in order? Before that a charge would wait for nothing.

        Raises:
            LinkRefused: connector_unplugged, or host_refused for a reason of the host's own.
            LinkError: no decided answer.
        """
        message = QueryEquipAuth(equip_auth_seq=self._seq(), connector_id=connector_id)
        reply: QueryEquipAuthReply = await self._call("query_equip_auth", message, timeout_s=START_S)
        at = self._tools.clock.business()
        if not reply.succ_stat:
            return CheckConnectorReply(state=ConnectorState.OCCUPIED.value, at=at)
        if reply.fail_reason == CHECK_FAILED:
            return CheckConnectorReply(state=ConnectorState.FAULTED.value, at=at)
        unplugged = reply.fail_reason == NOT_PLUGGED_IN
        raise LinkRefused(Code.CONNECTOR_UNPLUGGED if unplugged else Code.HOST_REFUSED)

    async def query_tariff(self, connector_id: str) -> Tariff:
        """The prices at a connector; the profile's estimate where the host gives none that can be read.

        Raises:
            LinkRefused: tariff_unknown, and the profile has no estimate.
            LinkError: no decided answer, and the profile has no estimate.
        """
        try:
            put = await self._policy(connector_id)
        except LinkError:
            estimate = estimated_tariff(self._partner.profile, self._tools.clock.business())
            if estimate is None:
                raise
            put = estimate
        tariff_id = tariff_id_of(connector_id)
        return published(put, party_id=self._party_id, tariff_id=tariff_id, version=1)

    async def _policy(self, connector_id: str) -> TariffPut:
        """The prices at a connector, as old as the profile allows."""
        told, now = self._tools.policies, self._tools.clock.wall()
        life_s = self._partner.profile.pricing.policy_life_s
        put = told.get(self._party_id, connector_id, life_s=life_s, now=now)
        if put is None:
            put = await self._ask_policy(connector_id)
            told.put(self._party_id, connector_id, put, now)
        return put

    async def _ask_policy(self, connector_id: str) -> TariffPut:
        message = QueryEquipBusinessPolicy(equip_biz_seq=self._seq(), connector_id=connector_id)
        reply: QueryEquipBusinessPolicyReply = await self._call(
            "query_equip_business_policy", message, timeout_s=START_S
        )
        if reply.succ_stat:
            raise LinkRefused(Code.TARIFF_UNKNOWN)
        try:
            return tariff_of_policy(reply.policy_infos, self._partner.profile, self._tools.clock.business())
        except PolicyProblem as problem:
            raise LinkError(f"{POLICY}{problem.field}") from problem

    async def connector_status(self, connector_ids: list[str]) -> list[ConnectorStatus]:
        """Present states, asked for by station; connectors that the host does not name are left out."""
        async with self._tools.database.reading() as unit:
            stations = set((await connector_owners(unit, self._party_id, connector_ids)).values())
        wanted, found = set(connector_ids), []
        asked = sorted(stations)
        for begin in range(0, len(asked), STATUS_MOST):
            at = self._tools.clock.business()
            message = QueryStationStatus(station_ids=asked[begin : begin + STATUS_MOST])
            reply: QueryStationStatusReply = await self._call("query_station_status", message)
            plugs = [plug for one in reply.station_status_infos for plug in one.connector_status_infos]
            for plug in plugs:
                state = connector_state(plug.status)
                if state is not None and plug.connector_id in wanted:
                    found.append(ConnectorStatus(connector_id=plug.connector_id, state=state, at=at))
        return found

    # Stations.

    async def station_stats(self, station_id: str, first_day: str, last_day: str) -> StationStatsInfo:
        """What a station gave from one day to another (yyyy-MM-dd), as the host counts it: to whomever.

        Raises:
            LinkError: no decided answer, or one about another station.
        """
        message = QueryStationStats(station_id=station_id, start_time=first_day, end_time=last_day)
        reply: QueryStationStatsReply = await self._call("query_station_stats", message)
        if reply.station_stats.station_id != station_id:
            raise LinkError("answer: another station")
        return reply.station_stats

    def pull_plan(self) -> PullPlan | None:
        """All of them once a day, and what changed as often as the profile says."""
        if Role.HOST not in self._partner.roles:
            return None
        stations = self._partner.profile.stations
        hours, minutes = stations.full_at.split(":")
        return PullPlan(60 * int(hours) + int(minutes), stations.incremental_s)

    async def list_stations(self, since: datetime | None = None) -> PulledStations:
        """The host's stations, page by page.

        Raises:
            LinkError: no decided answer, or a list that does not end; half a list is none.
        """
        zone = self._partner.profile.time.zone
        last = None if since is None else format_time(since, zone)

        async def ask(number: int, size: int) -> QueryStationsInfoReply:
            message = QueryStationsInfo(last_query_time=last, page_no=number, page_size=size)
            reply: QueryStationsInfoReply = await self._call(
                "query_stations_info", message, timeout_s=STATIONS_S
            )
            return reply

        infos, gaps = await all_pages(ask, self._partner.profile.stations.page_size)
        estimate = estimated_tariff(self._partner.profile, self._tools.clock.business())
        pulled = PulledStations([], gaps, {} if estimate is None else {ESTIMATE: estimate})
        for first in range(0, len(infos), PRICES_AT_ONCE):
            some = infos[first : first + PRICES_AT_ONCE]
            names = await asyncio.gather(*(self._tariff_of(info, pulled.tariffs) for info in some))
            for info, tariff_id in zip(some, names, strict=True):
                self._add(info, tariff_id, pulled)
        return pulled

    def _add(self, info: StationInfo, tariff_id: str | None, pulled: PulledStations) -> None:
        put, missing = station_put(info, self._partner.profile, self._party_id, tariff_id or ESTIMATE)
        if tariff_id is None:
            put, missing = None, (*missing, "PolicyInfos")
        if put is not None:
            pulled.stations.append((info.station_id, put))
        if missing:
            pulled.gaps.append(StationGap(info.station_id[:80], missing))

    async def _tariff_of(self, info: StationInfo, tariffs: dict[str, TariffPut]) -> str | None:
        """The first price that the host tells of one of a station's connectors stands for the station.

        Each charge asks for its own connector's. Prices that nobody can read are none.
        """
        if ESTIMATE in tariffs:
            return ESTIMATE
        for plug in (plug for pile in info.equipment_infos for plug in pile.connector_infos):
            try:
                tariff_id, put = tariff_id_of(plug.connector_id), await self._policy(plug.connector_id)
            except LinkError as problem:
                refused = isinstance(problem, LinkRefused)
                if refused or problem.reason.startswith((POLICY, UNREADABLE)):
                    continue
                raise
            tariffs[tariff_id] = put
            return tariff_id
        return None

    async def _call(self, interface: str, message: Any, *, timeout_s: int = CALL_S) -> Any:
        return await self._tools.caller.call(self._party_id, interface, message, timeout_s=timeout_s)

    def _seq(self) -> str:
        return make_seq(self._partner.operator_id, self._tools.ids.new(SESSION))


def _same(answered: str, asked: str) -> None:
    """An answer about another charge says nothing about this one."""
    if answered != asked:
        raise LinkError("answer: another charge")


def _not_stopped(session: SessionRow, problem: LinkRefused) -> LinkError:
    """A refusal of a stop. 4003 is about the envelope, and no refusal says that a charge is over."""
    unknown = None if problem.reason == RET_WORDS[Ret.ENVELOPE] else _unknown_there(session)
    return unknown or LinkError(problem.reason)


def _unknown_there(session: SessionRow) -> LinkRefused | None:
    """What a host that knows nothing of a charge means for one that it never said a word of."""
    return None if session.last_number else LinkRefused(Code.NOT_FOUND)
