"""Carries out the gateway's commands. What was decided once is kept with the command's id, and said again."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from edge_agent.attendant import Attendant
from edge_agent.charge import Charge
from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus_messages import Lock, LockAction
from edge_agent.drivers.pile_bus import BusError
from edge_agent.keeper import Keeper
from edge_agent.session import StopAsked
from edge_agent.store import Store, StoreFull, Written
from operator_sdk.contract.codes import StopReason
from operator_sdk.contract.edge_link.frames import (
    BlacklistCommand,
    CheckCommand,
    CheckResult,
    Command,
    Done,
    QueryCommand,
    QueryResult,
    Refused,
    Result,
    StartCommand,
    StartResult,
    StopCommand,
    StopResult,
    TariffsCommand,
    UnlockCommand,
)
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import (
    Authorization,
    CheckConnectorReply,
    HostSession,
    HostStartReply,
    HostStartRequest,
)
from operator_sdk.contract.pricing import PricingError, check_tariff
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.edge.desk")

NOT_KEPT = Refused(code=Code.UNAVAILABLE, detail="nothing can be kept just now")
NOT_STARTED = StartResult(reply=HostStartReply(accepted=False, refusal=Code.CONNECTOR_OFFLINE))


class Desk:
    """The site's commands. `start_wait`: how long a charge may take to begin, wall time."""

    def __init__(
        self, site_id: str, attendants: Mapping[str, Attendant], keeper: Keeper, clock: Clock, start_wait_s: int
    ) -> None:
        self._site_id, self._attendants = site_id, attendants
        self._keeper, self._clock, self._start_wait_s = keeper, clock, start_wait_s
        self._store: Store = keeper.store

    async def commanded(self, command_id: str, command: Command) -> Result | None:
        """What becomes of a command; of one that was carried out before, what became of it then.

        None: nobody can say whether this start was answered before.
        """
        try:
            known = self._store.result(command_id)
            return known if known is not None else await self._carry_out(command_id, command)
        except StoreFull as problem:
            log.warning("%s not carried out: %s", type(command).__name__, problem)
            return None if isinstance(command, StartCommand) else NOT_KEPT

    async def _carry_out(self, command_id: str, command: Command) -> Result:
        match command:
            case StartCommand():
                await self._seen(command.request.connector_id)
                return self._start(command_id, command.request)
            case StopCommand():
                return await self._stop(command_id, command)
            case QueryCommand():
                return QueryResult(session=self._query(command.session_id))
            case CheckCommand():
                await self._seen(command.connector_id)
                return self._check(command.connector_id)
            case TariffsCommand():
                return self._take_tariffs(command.tariffs)
            case BlacklistCommand():
                self._store.put_blacklist(command.version, command.digests)
                return Done()
            case UnlockCommand():
                return await self._unlock(command.connector_id)

    async def _seen(self, connector_id: str) -> None:
        """An agent that has only just begun waits for the pile's word before it speaks of it."""
        if (attendant := self._attendants.get(connector_id)) is not None:
            await attendant.seen.wait()

    def _take_tariffs(self, tariffs: Sequence[Tariff]) -> Result:
        for tariff in tariffs:
            try:
                check_tariff(tariff)
            except PricingError as problem:
                detail = f"{tariff.tariff_id} {tariff.version}: {problem}"
                log.error("tariffs refused: %s", detail)  # noqa: TRY400 - no trace is needed
                return Refused(code=Code.RULE_VIOLATED, detail=detail[:200])
        self._store.put_tariffs(tariffs)
        return Done()

    def _start(self, command_id: str, request: HostStartRequest) -> StartResult:
        decided = self._store.reply(request.session_id)
        if decided is not None:
            return StartResult(reply=decided)
        attendant = self._attendants.get(request.connector_id)
        tariff = self._store.tariff(request.tariff_id, request.tariff_version)
        refusal = Code.CONNECTOR_UNKNOWN if attendant is None else attendant.objection()
        if refusal is None and tariff is None:
            refusal = Code.TARIFF_UNKNOWN
        charge = None
        if refusal is None and tariff is not None:
            charge = self._charge(request, tariff)
        reply = HostStartReply(
            accepted=charge is not None, refusal=refusal, host_ref=charge.host_ref if charge else None
        )
        result = StartResult(reply=reply)
        try:
            self._keeper.write(
                Written(
                    at=self._clock.business(),
                    charge=charge,
                    reply=(request.session_id, reply),
                    result=(command_id, result),
                )
            )
        except StoreFull as problem:
            log.warning("%s: no start: %s", request.connector_id, problem)
            return NOT_STARTED
        log.info("%s: start %s %s", request.connector_id, request.session_id, refusal or "accepted")
        if charge is not None and attendant is not None:
            attendant.begin(charge)
        return result

    def _charge(self, request: HostStartRequest, tariff: Tariff) -> Charge:
        return self._new_charge(
            session_id=request.session_id,
            authorization_id=request.authorization_id,
            connector_id=request.connector_id,
            tariff=tariff,
            limit_fen=request.limit_fen,
            target=request.target,
        )

    def opening(self, attendant: Attendant, granted: Authorization, card: bytes) -> Charge:
        """The charge of an authorization that was granted to a card."""
        assert granted.tariff is not None
        assert granted.session_id is not None
        return self._new_charge(
            session_id=granted.session_id,
            authorization_id=granted.authorization_id,
            connector_id=attendant.connector_id,
            tariff=granted.tariff,
            limit_fen=granted.limit_fen,
            target=Target(),
            card=card,
        )

    def _new_charge(
        self,
        *,
        session_id: str,
        authorization_id: str,
        connector_id: str,
        tariff: Tariff,
        limit_fen: int | None,
        target: Target,
        card: bytes | None = None,
    ) -> Charge:
        return Charge(
            session_id=session_id,
            authorization_id=authorization_id,
            connector_id=connector_id,
            host_ref=f"{self._site_id[:31]}-{secrets.token_hex(16)}",
            tariff=tariff,
            limit_fen=limit_fen,
            target=target,
            deadline=self._clock.wall() + timedelta(seconds=self._start_wait_s),
            card=card,
        )

    async def _stop(self, command_id: str, command: StopCommand) -> Result:
        attendant = self._running(command.session_id)
        if attendant is not None:
            await attendant.told(StopAsked(at=attendant.moment(), reason=_reason(command.reason)))
        charge = self._known(command.session_id)
        at = self._clock.business()
        if charge is not None:
            return StopResult(state=charge.state)
        refused = Refused(code=Code.NOT_FOUND)
        burnt = HostStartReply(accepted=False, refusal=Code.HOST_REFUSED)
        self._keeper.write(Written(at=at, reply=(command.session_id, burnt), result=(command_id, refused)))
        return refused

    def _query(self, session_id: str) -> HostSession:
        charge = self._known(session_id)
        if charge is None:
            return HostSession(known=False)
        return HostSession(
            known=True,
            state=charge.state,
            last_number=charge.last_number,
            energy_wh=charge.energy_wh,
            stop_reason=charge.stop_reason,
        )

    def _check(self, connector_id: str) -> Result:
        attendant = self._attendants.get(connector_id)
        if attendant is None:
            return Refused(code=Code.CONNECTOR_UNKNOWN)
        return CheckResult(reply=CheckConnectorReply(state=attendant.state, at=self._clock.business()))

    async def _unlock(self, connector_id: str) -> Result:
        attendant = self._attendants.get(connector_id)
        if attendant is None:
            return Refused(code=Code.CONNECTOR_UNKNOWN)
        if attendant.charge is not None:
            return Refused(code=Code.CONNECTOR_BUSY)
        try:
            await attendant.command(Lock(LockAction.UNLOCK))
        except BusError as problem:
            return Refused(code=Code.CONNECTOR_OFFLINE, detail=str(problem)[:200])
        return Done()

    def _running(self, session_id: str) -> Attendant | None:
        for attendant in self._attendants.values():
            if attendant.charge is not None and attendant.charge.session_id == session_id:
                return attendant
        return None

    def _known(self, session_id: str) -> Charge | None:
        attendant = self._running(session_id)
        return attendant.charge if attendant is not None else self._store.charge(session_id)


def _reason(word: str) -> StopReason:
    try:
        return StopReason(word)
    except ValueError:
        return StopReason.HUB
