"""A native home: holds its drivers' money, pays bills from it, and keeps its own books of what it owes."""

from dataclasses import dataclass, field

from operator_sdk.contract.codes import AuthorizationState, RecordKind, SessionState, TokenKind
from operator_sdk.contract.messages.common import Empty, Target, Token
from operator_sdk.contract.messages.records import (
    HomeRecord,
    RecordAnswer,
    SettlementRecord,
    SettlementReply,
)
from operator_sdk.contract.messages.roaming import (
    HomeAuthorization,
    HomeAuthorizeRequest,
    ReleaseReply,
    ReleaseRequest,
    Session,
    SessionProgress,
    StartRequest,
    StopReply,
    StopRequest,
)
from tests.simulation.network import Refusal, Silence
from tests.simulation.operators import Desk, rest

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class HomeConduct:
    """How a home behaves in one session.

    grants: plain | unlimited | lower | higher | refuses | mute (holds, answers nobody) | deaf.
    settles: plain | later | refuses | never. `cancels_s`: the driver stops so long after the start.
    """

    grants: str = "plain"
    settles: str = "plain"
    cancels_s: int | None = None


PLAIN = HomeConduct()


@dataclass(slots=True)
class Held:
    """Money a home holds for one charge. `limit_fen` None: as much as it may cost."""

    session_id: str | None
    limit_fen: int | None
    conduct: HomeConduct
    state: str = "held"
    captured_fen: int = 0
    progress: int = 0


@dataclass
class Home(Desk):
    """Plays the home's side. Holds are by authorization, or by the home's own number of a start."""

    prefix: str = ""
    holds: dict[str, Held] = field(default_factory=dict)
    answers: dict[str, HomeAuthorization] = field(default_factory=dict)
    burnt: set[str] = field(default_factory=set)
    expected: dict[str, HomeConduct] = field(default_factory=dict)
    bills: dict[str, HomeRecord] = field(default_factory=dict)
    settlements: dict[str, SettlementRecord] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    following: dict[str, int] = field(default_factory=dict)

    def knows(self, token: Token) -> bool:
        """Whether it issued this card, or this is one of its app's users."""
        return token.kind is TokenKind.APP_USER or token.ref.startswith(self.prefix)

    # What the hub asks.

    async def on_authorize(self, ask: HomeAuthorizeRequest, _: str) -> HomeAuthorization:
        conduct = self.expected.get(ask.token.ref, PLAIN)
        if conduct.grants == "deaf":
            raise Silence
        said = self.answers.get(ask.authorization_id)
        if said is None:
            said = self.answers[ask.authorization_id] = self._decide(ask, conduct)
        if conduct.grants == "mute":
            raise Silence
        return said

    def _decide(self, ask: HomeAuthorizeRequest, conduct: HomeConduct) -> HomeAuthorization:
        self.expected.pop(ask.token.ref, None)
        refusal = "released" if ask.authorization_id in self.burnt else None
        if not self.knows(ask.token) or ask.token.ref.endswith("x"):
            refusal = "token_unknown" if ask.token.ref.endswith("x") else "token_blocked"
        if conduct.grants == "refuses":
            refusal = "insufficient_funds"
        if refusal is not None:
            self.scene.reach(f"home refuses {refusal}")
            return HomeAuthorization(state=AuthorizationState.REFUSED, refusal=refusal)
        limits = {
            "unlimited": None,
            "lower": ask.hold_fen // 2,
            "higher": ask.hold_fen * 2,
        }
        limit = limits.get(conduct.grants, ask.hold_fen)
        self.holds[ask.authorization_id] = Held(ask.session_id, limit, conduct)
        return HomeAuthorization(
            state=AuthorizationState.GRANTED, limit_fen=limit, home_ref=f"g:{ask.authorization_id[-17:]}"
        )

    async def on_release_authorization(self, ask: ReleaseRequest, _: str) -> ReleaseReply:
        hold = self.holds.get(ask.authorization_id) or self.holds.get(ask.home_ref or "")
        if hold is None:
            self.burnt.add(ask.authorization_id)
            self.scene.reach("release of an unknown id")
            return ReleaseReply(authorization_id=ask.authorization_id, state="released")
        self.let_go(hold)
        return ReleaseReply(authorization_id=ask.authorization_id, state=hold.state)

    def let_go(self, hold: Held) -> None:
        """Give back what is still held."""
        if hold.state == "held":
            hold.state = "released"
            self.scene.reach("home released")
            if hold.session_id is not None:
                self.scene.truth.money_released(hold.session_id, self.party_id)

    async def on_push_session(self, said: SessionProgress, _: str) -> Empty:
        newest = self.following.get(said.session_id, 0)
        self.following[said.session_id] = max(newest, said.number)
        return Empty()

    async def on_push_record(self, bill: HomeRecord, _: str) -> RecordAnswer:
        known = self.bills.setdefault(bill.record_id, bill)
        if known != bill:
            self.problem(f"record {bill.record_id} came with two contents")
        hold = self.holds.get(bill.authorization_id or "") or self.holds.get(bill.home_ref or "")
        if hold is None:
            self.problem(f"record {bill.record_id} for an authorization it never gave")
            return RecordAnswer(state="refused", reason="never authorized")
        if bill.record_id in self.settlements:
            return RecordAnswer(state="settled", settlement=self.settlements[bill.record_id])
        if bill.kind == RecordKind.CREDIT:
            self.scene.reach("home credited")
            return RecordAnswer(state="settled", settlement=self._give_back(bill))
        return self._answer(bill, hold)

    def _answer(self, bill: HomeRecord, hold: Held) -> RecordAnswer:
        match hold.conduct.settles:
            case "refuses":
                if bill.record_id not in self.refused:
                    self.refused.add(bill.record_id)
                    self.scene.reach("home refuses a bill")
                return RecordAnswer(state="refused", reason="the driver was not there")
            case "later" | "never":
                if hold.progress >= 0 and hold.conduct.settles == "later":
                    hold.progress = -1
                    self.scene.reach("home settles later")
                    self.scene.network.apart(self._settle_later(bill, hold))
                return RecordAnswer(state="received")
        return RecordAnswer(state="settled", settlement=self._settle(bill, hold))

    def _settle(self, bill: HomeRecord, hold: Held) -> SettlementRecord:
        held = bill.owed_fen if hold.limit_fen is None else hold.limit_fen
        captured = min(bill.owed_fen, held)
        hold.state, hold.captured_fen = "captured", captured
        return self._settled(bill, captured_fen=captured, released_fen=held - captured)

    def _give_back(self, bill: HomeRecord) -> SettlementRecord:
        """A credit: the driver gets back what was charged."""
        return self._settled(bill, captured_fen=0, released_fen=0)

    def _settled(self, bill: HomeRecord, *, captured_fen: int, released_fen: int) -> SettlementRecord:
        settlement = SettlementRecord(
            settlement_ref=f"s:{bill.record_id[-17:]}",
            record_id=bill.record_id,
            session_id=bill.session_id,
            driver_amount_fen=bill.owed_fen,
            captured_fen=captured_fen,
            released_fen=released_fen,
            settled_at=self.scene.now,
        )
        self.settlements[bill.record_id] = settlement
        return settlement

    async def _settle_later(self, bill: HomeRecord, hold: Held) -> None:
        await rest(self.scene.seconds(30, 20 * HOUR_S))
        await self.operator.until_up()
        settlement = self.settlements.get(bill.record_id) or self._settle(bill, hold)
        try:
            await self.scene.door.insist(SettlementReply, "push_settlement", self.operator.me, settlement)
        except Refusal as problem:
            self.problem(f"settlement of {bill.record_id} refused: {problem.code}")

    # What it begins itself.

    async def start(
        self, ref: str, token: Token, connector: str, target: Target, limit_fen: int | None
    ) -> None:
        """A driver scans in this home's own app: hold first, then ask the hub to start."""
        conduct = self.expected.pop(token.ref, PLAIN)
        hold = self.holds[ref] = Held(None, limit_fen, conduct)
        ask = StartRequest(start_ref=ref, token=token, connector=connector, limit_fen=limit_fen, target=target)
        try:
            session = await self.scene.door.insist(Session, "start_session", self.operator.me, ask)
        except Refusal as problem:
            self.scene.reach(f"start refused {problem.code}")
            self.let_go(hold)
            return
        hold.session_id = session.session_id
        self.scene.reach(f"start {session.state}")
        if session.state in {SessionState.START_FAILED, SessionState.REFUSED}:
            self.let_go(hold)
        elif conduct.cancels_s is not None:
            await rest(conduct.cancels_s)
            await self.stop(session.session_id)

    async def stop(self, session_id: str) -> None:
        """A driver wants it to end; the money stays held until the hub says that it may go."""
        ask = StopRequest(stop_ref=f"x:{self.scene.around.chance.between(0, 10**9)}")
        try:
            said = await self.scene.door.insist(
                StopReply, "stop_session", self.operator.me, ask, session_id=session_id
            )
            self.scene.reach(f"stop asked when {said.state}")
        except Refusal as problem:
            self.scene.reach(f"stop refused {problem.code}")
