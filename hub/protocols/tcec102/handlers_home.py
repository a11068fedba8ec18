"""What T/CEC 102 homes ask the hub: towards them it is the infrastructure side (T/CEC 102.3).

A home is told of the hosts that it has an agreement with, and of its own drivers' charges, and of nothing else:
what belongs to somebody else is as unknown to it as what does not exist.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from hub.core.errors import HubError, NotFoundError
from hub.parties.agreements import Agreements
from hub.parties.link import Capability, LinkError, LinkRefused
from hub.parties.scope import of_party
from hub.protocols.tcec102.aliases import Kind
from hub.protocols.tcec102.handlers_home_stations import HomeStations
from hub.protocols.tcec102.server import Context, Handlers
from hub.protocols.tcec102.tables_aliases import Key
from hub.protocols.tcec102.tools import TcecTools
from hub.protocols.tcec102.translate_fields import scaled
from hub.protocols.tcec102.translate_out import (
    ALREADY_STOPPED,
    ENDED,
    NO_SUCH_EQUIPMENT,
    OWN_REASONS,
    SEQ_STAT,
    START_REASONS,
    STARTING,
    STOPPING,
    Charge,
    Untellable,
    auth_fail_reason,
    charge_status,
    fail_reason_msg,
    policy_of,
    start_fail_reason,
)
from hub.roaming.model import connector_refusal
from hub.roaming.tables import SessionRow, list_updates
from operator_sdk.contract.codes import Role, SessionState, StartMode, TokenKind
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import StartRequest, StopRequest
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
    QueryStopCharge,
    QueryStopChargeReply,
)
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

ASK_S = 5
"""How long a host may take to say what its connector does."""

PARTY_ID_LENGTH = 9
OWNER_NAMES = frozenset({"operatorid", "operationid"})

FAILED = frozenset({SessionState.REFUSED, SessionState.START_FAILED})
OVER = frozenset({SessionState.ENDED, SessionState.BILLED, SessionState.SETTLED}) | FAILED


def home_handlers(tools: TcecTools) -> Handlers:
    """The handlers of what homes ask, by interface."""
    homes = HomeHandlers(tools)
    return {
        **HomeStations(tools).handlers(),
        "query_equip_auth": homes.query_equip_auth,
        "query_equip_business_policy": homes.query_equip_business_policy,
        "query_start_charge": homes.query_start_charge,
        "query_equip_charge_status": homes.query_equip_charge_status,
        "query_stop_charge": homes.query_stop_charge,
    }


class HomeHandlers:
    """Answers homes."""

    def __init__(self, tools: TcecTools) -> None:
        self._tools = tools
        self._agreements = Agreements(tools.database, tools.clock)

    # Before a charge.

    async def query_equip_auth(self, ctx: Context, message: QueryEquipAuth) -> QueryEquipAuthReply:
        """Could a charge start there (102.3, 6.2)? The host is asked where it can be, else the directory."""
        key = await self._connector(ctx, message)
        refusal: str | None = Code.CONNECTOR_UNKNOWN
        if key is not None:
            refusal = await self._refusal_at(key)
        return QueryEquipAuthReply(
            equip_auth_seq=message.equip_auth_seq,
            connector_id=message.connector_id,
            succ_stat=0 if refusal is None else 1,
            fail_reason=0 if refusal is None else auth_fail_reason(refusal),
            fail_reason_msg=None if refusal is None else fail_reason_msg(refusal),
        )

    async def _refusal_at(self, key: Key) -> str | None:
        try:
            info = await self._tools.directory.get_connector(*key)
            link = await self._tools.links.of(key[0])
        except NotFoundError:
            return Code.CONNECTOR_UNKNOWN
        state = info.state
        if Capability.CHECK_CONNECTOR in link.capabilities:
            try:
                async with asyncio.timeout(ASK_S):
                    state = (await link.check_connector(key[1])).state
            except LinkRefused as problem:
                if problem.reason != Code.NOT_FOUND:  # else it does not offer to be asked
                    return problem.reason
            except (LinkError, TimeoutError):
                return Code.HOST_UNAVAILABLE
        return connector_refusal(state, StartMode.HOME)

    async def query_equip_business_policy(
        self, ctx: Context, message: QueryEquipBusinessPolicy
    ) -> QueryEquipBusinessPolicyReply:
        """The prices of a charge that begins there now, for this home's drivers (102.3, 6.3).

        Where there is none, or only an estimate, or one that the standard cannot tell: FailReason 1.
        """
        key = await self._connector(ctx, message)
        tariff = None if key is None else await self._tariff_at(key, ctx.party_id)
        policies = []
        if tariff is not None and tariff.binding:
            try:
                policies = policy_of(tariff, ctx.profile, self._tools.clock.business())
            except Untellable:
                policies = []
        return QueryEquipBusinessPolicyReply(
            equip_biz_seq=message.equip_biz_seq,
            connector_id=message.connector_id,
            succ_stat=0 if policies else 1,
            fail_reason=0 if policies else 1,
            sum_period=len(policies),
            policy_infos=policies,
        )

    async def _tariff_at(self, key: Key, home: str) -> Tariff | None:
        """What a host that prices by itself says now; else, or where it is silent, what the directory has."""
        try:
            info = await self._tools.directory.get_connector(*key, home=home)
            link = await self._tools.links.of(key[0])
        except NotFoundError:
            return None
        if Capability.QUERY_TARIFF in link.capabilities:
            try:
                return await link.query_tariff(key[1])
            except LinkRefused:
                return None
            except LinkError:
                return info.tariff
        return info.tariff

    async def _connector(
        self,
        ctx: Context,
        message: QueryEquipAuth | QueryEquipBusinessPolicy | QueryStartCharge | QueryStopCharge,
    ) -> Key | None:
        """The connector that a home means: the one that it was told of by this id.

        Hosts share ids, so a bare one is never taken for a host's own. Where the home names the owner (an
        extension; the code on the pile does) and was told of another owner's by this id, it is the owner's own.
        """
        key = await self._tools.aliases.find(Kind.CONNECTOR, message.connector_id)
        said = message.operator_id if isinstance(message, QueryEquipAuth) else _owner_in(message.extra)
        owner = _owner(said)
        if owner is not None and owner != ctx.operator_id and (key is None or key[0] != owner):
            key = owner, message.connector_id
        hosts = await self._agreements.hosts_of_home(ctx.party_id)
        return key if key is not None and (key[0] in hosts or key[0] == ctx.party_id) else None

    # A charge.

    async def query_start_charge(self, ctx: Context, message: QueryStartCharge) -> QueryStartChargeReply:
        """Start for a driver of the home's (102.3, 6.4). SuccStat 0: the host took the command, no more.

        The same StartChargeSeq again gets the same charge, whose limit is the Balance of the first; for another
        connector it is refused (4004).
        """
        key = await self._connector(ctx, message)
        if key is None:
            return _started(message, ENDED, NO_SUCH_EQUIPMENT)
        try:
            session = await self._start(ctx, message, key)
        except HubError as problem:
            if problem.code not in START_REASONS and problem.code not in OWN_REASONS:
                raise
            return _started(message, ENDED, start_fail_reason(problem.code))
        if session.state in FAILED:
            return _started(message, ENDED, start_fail_reason(session.refusal))
        # A host that has not answered yet is starting for all that the home must know: the result follows.
        stat = STARTING if session.state == SessionState.UNKNOWN else SEQ_STAT[session.state]
        return _started(message, stat, 0)

    async def _start(self, ctx: Context, message: QueryStartCharge, key: Key) -> SessionRow:
        """The charge of a number, begun now or before: a driver's balance may change between two tries."""
        request = StartRequest(
            start_ref=message.start_charge_seq,
            token=Token(kind=TokenKind.APP_USER, ref=message.start_charge_seq),
            connector=connector_ref(*key),
            limit_fen=_limit_of(message),
            qr_tail=message.qr_code or None,
        )
        roaming, known = self._tools.roaming, None
        try:
            return await roaming.starting.for_home(ctx.party_id, request, ctx.evidence())
        except HubError as problem:
            if problem.code is Code.ID_REUSED:
                viewer = of_party(ctx.party_id)
                known = await roaming.reading.find_by_ref(viewer, Role.HOME, message.start_charge_seq)
            if known is None or (known.host_party_id, known.connector_id) != key:
                raise
        return known

    async def query_equip_charge_status(
        self, ctx: Context, message: QueryEquipChargeStatus
    ) -> QueryEquipChargeStatusReply:
        """How one of the home's own charges goes (102.3, 6.6)."""
        session = await self._session(ctx, message.start_charge_seq)
        async with self._tools.database.reading() as unit:
            last = await list_updates(
                of_party(ctx.party_id), unit, session.session_id, above=session.last_number - 1, limit=1
            )
        key = session.host_party_id, session.connector_id
        charge = Charge(
            seq=message.start_charge_seq,
            connector=await self._tools.aliases.alias(Kind.CONNECTOR, key),
            state=session.state,
            started_at=session.started_at or session.created_at,
            at=session.last_at or session.updated_at,
            energy_wh=session.energy_wh,
            amount_fen=session.amount_fen,
            soc_percent=last[0].soc_percent if last else None,
        )
        return charge_status(QueryEquipChargeStatusReply, charge, ctx.profile)

    async def query_stop_charge(self, ctx: Context, message: QueryStopCharge) -> QueryStopChargeReply:
        """Stop one of the home's own charges (102.3, 6.8): noted at once, and carried on until it stops."""
        session = await self._session(ctx, message.start_charge_seq)
        same = message.connector_id == session.connector_id  # by the owner's own id, as its code has it
        if not same and await self._connector(ctx, message) != (session.host_party_id, session.connector_id):
            return _stopped(message, SEQ_STAT[session.state], NO_SUCH_EQUIPMENT)
        if session.state in OVER:
            return _stopped(message, ENDED, ALREADY_STOPPED)
        request = StopRequest(stop_ref=message.start_charge_seq)
        viewer = of_party(ctx.party_id)
        reply = await self._tools.roaming.stopping.stop(viewer, session.session_id, request, ctx.evidence())
        if reply.state in OVER:
            return _stopped(message, ENDED, ALREADY_STOPPED)
        return _stopped(message, STOPPING, 0)

    async def _session(self, ctx: Context, seq: str) -> SessionRow:
        """A home's own charge by its number."""
        session = await self._tools.roaming.reading.find_by_ref(of_party(ctx.party_id), Role.HOME, seq)
        if session is None or session.home_party_id != ctx.party_id:
            raise WireProblem(Ret.BUSINESS, "StartChargeSeq: no such charge of yours", "seq_unknown")
        return session


def _owner_in(extra: Mapping[str, Any]) -> Any:
    """The extension OperatorID, however it is cased."""
    return next((value for name, value in extra.items() if name.lower() in OWNER_NAMES), None)


def _owner(said: Any) -> str | None:
    """The party that an OperatorID names; None where it is empty.

    A code of digits alone may have come as a number. What is no code at all names nobody: to pass over it would
    start a connector of the same name elsewhere.
    """
    text = "" if said is None else str(said).strip().upper()
    return text.zfill(PARTY_ID_LENGTH) if text.isdecimal() else text or None


def _limit_of(message: QueryStartCharge) -> int | None:
    """The driver's balance, where the home tells it, as the charge's limit in whole fen."""
    if message.balance is None:
        return None
    return int(scaled(message.balance, 100, "Balance"))


def _started(message: QueryStartCharge, stat: int, fail_reason: int) -> QueryStartChargeReply:
    return QueryStartChargeReply(
        start_charge_seq=message.start_charge_seq,
        start_charge_seq_stat=stat,
        connector_id=message.connector_id,
        succ_stat=1 if fail_reason else 0,
        fail_reason=fail_reason,
    )


def _stopped(message: QueryStopCharge, stat: int, fail_reason: int) -> QueryStopChargeReply:
    return QueryStopChargeReply(
        start_charge_seq=message.start_charge_seq,
        start_charge_seq_stat=stat,
        succ_stat=1 if fail_reason else 0,
        fail_reason=fail_reason,
    )
