"""What roaming does later: deliver, release, stop, and ask what became of a silent start."""

from datetime import timedelta

from hub.core.errors import UNDECIDED, HubError
from hub.core.outbox import Dead, Later, Letter
from hub.parties.link import Capability, LinkError, LinkRefused, LinkUntaken, PartyLink
from hub.parties.scope import HUB
from hub.roaming.charges import Charges
from hub.roaming.context import UNKNOWN_MOST, RoamingContext
from hub.roaming.disputes import Disputes
from hub.roaming.following import Following
from hub.roaming.forwarding import put_off, told_again
from hub.roaming.model import NOT_YET_CHARGING, OVER_AT_HOST
from hub.roaming.model_stops import MAY_BE_STOPPED
from hub.roaming.reading_records import home_record, settlement_of
from hub.roaming.records import Records
from hub.roaming.stopping import Stopping
from hub.roaming.tables import SessionRow, get_authorization, get_session
from hub.roaming.tables_records import RecordRow, get_record
from hub.roaming.unexplained import explained, wait_for_word
from operator_sdk.contract.codes import (
    AuthorizationState,
    RecordKind,
    SessionState,
    StartMode,
    StopReason,
)
from operator_sdk.contract.messages.roaming import HostSession, StopRequest
from operator_sdk.contract.public_codes import Code

QUERIES_MOST = 3
QUERY_PAUSE_S = 5
STILL_STARTING_PAUSE_S = 10
"""A host that says the charge is about to begin has until 70 s after the start before it is stopped."""

NOT_BEGUN_S = 60
"""A driver's time runs from the beginning of the charge; until then nobody knows when it is up."""


class RoamingJobs:
    """Handlers of this room's letters, by kind."""

    def __init__(
        self,
        context: RoamingContext,
        charges: Charges,
        stopping: Stopping,
        *,
        following: Following,
        records: Records,
        disputes: Disputes,
    ) -> None:
        self._c, self._charges, self._stopping = context, charges, stopping
        self._following, self._records, self._disputes = following, records, disputes

    def register(self) -> None:
        """Hand the handlers to the outbox. Money and stops are carried until they arrive, however late.

        So is a driver's time: it is looked for as long as nobody knows whether his charge has begun.
        """
        for kind in ("push_record", "push_settlement", "release_authorization", "stop_at_host", "target_time"):
            self._c.outbox.handle(kind, getattr(self, kind), stubborn=True)
        for kind in (
            "authorize_timeout",
            "authorization_unused",
            "start_check",
            "explain_unknown",
            "unknown_overdue",
        ):
            self._c.outbox.handle(kind, getattr(self, kind))

    async def _session(self, letter: Letter) -> SessionRow:
        async with self._c.database.reading() as unit:
            session = await get_session(HUB, unit, letter.subject)
        if session is None:
            raise Dead("no such session")
        return session

    async def _link(self, party_id: str) -> PartyLink:
        return await self._c.links.of(party_id)

    async def push_record(self, letter: Letter) -> None:
        """An accepted record, or a credit, to the home; its answer settles or disputes it."""
        async with self._c.database.reading() as unit:
            row = await get_record(HUB, unit, letter.payload["record_id"])
            session = await get_session(HUB, unit, (row.session_id if row else None) or "")
        if row is None or row.home_party_id is None or row.settlement_ref is not None:
            return
        link = await self._link(row.home_party_id)
        try:
            answer, evidence = await link.push_record(home_record(row, session))
        except LinkRefused as problem:
            # A home that answers 4xx to a bill refuses it; silence and its own faults are tried again. A link
            # that cannot say it is not the home's word: it owes, and learns of it from its statement.
            await self._refused(row, problem.reason)
            return
        except LinkError as problem:
            raise put_off(problem, after_s=link.again_s(letter.attempts + 1)) from problem
        if answer.state == "refused":
            await self._refused(row, answer.reason or "refused by the home")
        elif answer.state == "settled" and answer.settlement is not None:
            if answer.settlement.record_id != row.record_id:
                raise Dead("settlement of another record")
            try:
                await self._records.settle(row.home_party_id, answer.settlement, evidence)
            except HubError as problem:
                # The home may still send a right one by itself; until then the letter shows why.
                raise Dead(f"settlement refused: {problem.code}") from problem

    async def _refused(self, row: RecordRow, reason: str) -> None:
        if row.kind == RecordKind.CREDIT:
            # It is owed the money all the same: nobody disputes what he is given back.
            raise Dead(f"credit refused: {reason}")
        try:
            await self._disputes.refuse(row.record_id, reason)
        except HubError as problem:
            # Too late, or its own record: it is owed all the same, and the letter shows what the home said.
            raise Dead(f"refused ({reason}), which is no dispute: {problem.code}") from problem

    async def push_settlement(self, letter: Letter) -> None:
        """A settlement record to the host."""
        async with self._c.database.reading() as unit:
            row = await get_record(HUB, unit, letter.payload["record_id"])
        settlement = settlement_of(row) if row is not None else None
        if row is None or settlement is None:
            return
        link = await self._link(row.host_party_id)
        if Capability.PUSH_SETTLEMENT not in link.capabilities:
            return
        try:
            await link.push_settlement(settlement)
        except LinkError as problem:
            raise put_off(problem) from problem

    async def release_authorization(self, letter: Letter) -> None:
        """Have the home give back what it holds."""
        session = await self._session(letter)
        link = await self._link(session.home_party_id)
        if Capability.RELEASE_AUTHORIZATION not in link.capabilities:
            return
        try:
            await link.release_authorization(
                letter.payload["authorization_id"], letter.payload["reason"], session.home_ref
            )
        except LinkUntaken as problem:
            raise told_again(letter, problem, self._c.clock.wall()) from problem
        except LinkError as problem:
            raise put_off(problem, after_s=link.again_s(letter.attempts + 1)) from problem

    async def stop_at_host(self, letter: Letter) -> None:
        """Stop at the host; tried until it answers."""
        session = await self._session(letter)
        if session.state in {SessionState.ENDED, SessionState.BILLED, SessionState.SETTLED}:
            return
        if letter.payload.get("only_unknown") and session.state in {SessionState.CHARGING, SessionState.PAUSED}:
            return
        link = await self._link(session.host_party_id)
        request = StopRequest(stop_ref=letter.letter_id, reason=letter.payload["reason"])
        try:
            state = (await link.stop(session.session_id, request)).state
        except LinkRefused as problem:
            if problem.reason != Code.NOT_FOUND:
                raise put_off(problem, UNDECIDED) from problem
            state = SessionState.START_FAILED
        except LinkError as problem:
            raise put_off(problem) from problem
        if state == SessionState.START_FAILED:
            async with self._c.database.unit() as unit:
                row = await get_session(HUB, unit, session.session_id, lock=True)
                if row is not None:
                    # A host that was authorized and never began has let its authorization expire.
                    unused = row.start_mode == StartMode.HOST and row.last_number == 0
                    ended = AuthorizationState.EXPIRED if unused else AuthorizationState.RELEASED
                    await self._charges.fail_start(unit, row, Code.HOST_REFUSED, ended)
                    await explained(unit, self._c.money_waits, row)

    async def authorize_timeout(self, letter: Letter) -> None:
        """Nobody waits any more for this authorization: a pending one is refused, an unstarted one let go."""
        async with self._c.database.unit() as unit:
            session = await get_session(HUB, unit, letter.subject, lock=True)
            if session is None:
                return
            authorization = await get_authorization(HUB, unit, session.authorization_id, lock=True)
            if authorization is not None and authorization.state == AuthorizationState.PENDING:
                await self._charges.decide(unit, authorization.authorization_id, None)
            elif session.state == SessionState.AUTHORIZED and session.start_mode != StartMode.HOST:
                # `starting` is committed before the host is called, so this one was never sent.
                await self._charges.fail_start(unit, session, Code.HOST_UNAVAILABLE)

    async def authorization_unused(self, letter: Letter) -> None:
        """A host that reported nothing may have begun all the same: it is asked before anything is released."""
        await self._to_unknown(letter.subject, SessionState.AUTHORIZED)

    async def start_check(self, letter: Letter) -> None:
        """If the host has sent nothing by then, nobody knows."""
        await self._to_unknown(letter.subject, SessionState.STARTING)

    async def _to_unknown(self, session_id: str, silent: SessionState) -> None:
        async with self._c.database.unit() as unit:
            session = await get_session(HUB, unit, session_id, lock=True)
            if session is None or session.state != silent:
                return
            session.state, session.updated_at = SessionState.UNKNOWN, self._c.clock.business()
            await self._c.outbox.post(
                unit,
                kind="explain_unknown",
                lane=f"unknown:{session.session_id}",
                subject=session.session_id,
                party_id=session.host_party_id,
            )

    async def explain_unknown(self, letter: Letter) -> None:
        """Ask the host three times, then stop; the hold stays until a stop is confirmed or a bill comes."""
        session = await self._session(letter)
        if session.state not in NOT_YET_CHARGING:
            return
        link = await self._link(session.host_party_id)
        if Capability.QUERY_SESSION in link.capabilities and letter.attempts < QUERIES_MOST:
            try:
                said = await link.query_session(session.session_id)
            except LinkError as problem:
                raise Later(problem.reason, after_s=QUERY_PAUSE_S) from problem
            if await self._note_query(session.session_id, said):
                return
            if said.known and said.state not in OVER_AT_HOST:
                raise Later(f"still {said.state}", after_s=STILL_STARTING_PAUSE_S)
        async with self._c.database.unit() as unit:
            row = await get_session(HUB, unit, session.session_id, lock=True)
            if row is None or row.state not in NOT_YET_CHARGING:
                return
            await self._stopping.ask(unit, row, StopReason.HUB, only_unknown=True)
            await self._c.outbox.post(
                unit,
                kind="unknown_overdue",
                lane=f"overdue:{row.session_id}",
                subject=row.session_id,
                after=self._c.clock.wall_for(UNKNOWN_MOST),
            )

    async def _note_query(self, session_id: str, said: HostSession) -> bool:
        """Whether the host's word, which is taken down, explains the session."""
        async with self._c.database.unit() as unit:
            row = await get_session(HUB, unit, session_id, lock=True)
            if row is not None and row.state in NOT_YET_CHARGING:
                await self._following.hear(unit, row, said)
            return row is None or row.state not in NOT_YET_CHARGING

    async def target_time(self, letter: Letter) -> None:
        """A driver's time is up at a host that could not be told of it: the hub stops the charge."""
        async with self._c.database.unit() as unit:
            session = await get_session(HUB, unit, letter.subject, lock=True)
            if session is None or SessionState(session.state) not in {*MAY_BE_STOPPED, *NOT_YET_CHARGING}:
                return
            if session.started_at is not None and session.state in MAY_BE_STOPPED:
                until = session.started_at + timedelta(seconds=session.target_value)
                left = until - self._c.clock.business()
                if left <= timedelta(0):
                    await self._stopping.ask(unit, session, StopReason.TARGET_TIME)
                    return
                wait_s = -(-self._c.clock.wall_for(left) // timedelta(seconds=1))
            else:
                wait_s = NOT_BEGUN_S
        raise Later("its time is not up", after_s=wait_s)

    async def unknown_overdue(self, letter: Letter) -> None:
        """A day later: into suspense, never a silent release."""
        async with self._c.database.unit() as unit:
            session = await get_session(HUB, unit, letter.subject, lock=True)
            if session is not None and session.state in NOT_YET_CHARGING:
                await wait_for_word(unit, self._c.money_waits, session)
                session.updated_at = self._c.clock.business()
