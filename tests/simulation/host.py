"""A native host: piles that start and stop, a courier that carries updates and bills, and its own books."""

from dataclasses import dataclass, field

from operator_sdk.contract.codes import AuthorizationState, SessionState
from operator_sdk.contract.messages.common import Empty, Target, Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import (
    ChargeRecord,
    RecordReply,
    SettlementRecord,
    SettlementReply,
)
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    ReleaseReply,
    ReleaseRequest,
    SessionUpdate,
    StopReply,
    StopRequest,
    UpdateReply,
)
from tests.simulation.bills import Bills
from tests.simulation.charge import (
    AS_TOLD,
    BURNT,
    ON,
    PLAIN,
    REFUSED,
    TAKEN,
    Charge,
    HostConduct,
)
from tests.simulation.network import Refusal, Silence
from tests.simulation.operators import Desk, rest
from tests.simulation.piles import Pile

POWERS_W = (7_000, 30_000, 60_000, 117_000)


@dataclass
class Host(Desk):
    """Plays the host's side of every message."""

    tariffs: dict[tuple[str, int], Tariff] = field(default_factory=dict)
    connectors: list[str] = field(default_factory=list)
    meters: dict[str, int] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    burnt: set[str] = field(default_factory=set)
    expected: dict[str, HostConduct] = field(default_factory=dict)
    settlements: dict[str, SettlementRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bills = Bills(self)
        self.pile = Pile(self)

    # What the hub asks.

    async def on_start(self, ask: HostStartRequest, _: str) -> HostStartReply:
        conduct = self.expected.get(ask.connector_id, PLAIN)
        if conduct.start == "deaf" and ask.session_id not in self.charges:
            raise Silence
        charge = self.charges.get(ask.session_id)
        if charge is None:
            self.expected.pop(ask.connector_id, None)
            charge = self._new(ask, conduct)
            if charge.state == TAKEN:
                self._go(charge)
        if charge.conduct.start == "mute":
            raise Silence
        taken = charge.state not in {REFUSED, BURNT}
        refusal = None if taken else "connector_busy"
        return HostStartReply(accepted=taken, refusal=refusal, host_ref=charge.host_ref if taken else None)

    def _new(self, ask: HostStartRequest, conduct: HostConduct) -> Charge:
        charge = Charge(
            session_id=ask.session_id,
            connector_id=ask.connector_id,
            tariff=self.tariffs[ask.tariff_id, ask.tariff_version],
            limit_fen=ask.limit_fen,
            target=ask.target,
            conduct=conduct,
            power_w=self.scene.around.chance.pick(POWERS_W),
            meter_start_wh=0,
            host_ref=f"h:{ask.session_id[-17:]}",
        )
        if ask.session_id in self.burnt:
            charge.state = BURNT
            self.scene.reach("start after stop")
        elif conduct.start == "refuses" or self.is_busy(ask.connector_id):
            charge.state = REFUSED
            self.scene.reach("host refuses")
        self.charges[ask.session_id] = charge
        return charge

    def is_busy(self, connector_id: str) -> bool:
        """Whether a charge stands there that is not over."""
        standing = (one for one in self.charges.values() if one.connector_id == connector_id)
        return any(one.state in {TAKEN, ON} for one in standing)

    def _go(self, charge: Charge) -> None:
        self.scene.truth.of(charge.session_id).host_lied = charge.conduct.record == "lies"
        self.scene.network.apart(self.pile.run(charge))

    async def on_stop(self, ask: StopRequest, session_id: str) -> StopReply:
        charge = self.charges.get(session_id)
        if charge is None:
            # Whatever start of it is still on its way must not begin anything.
            self.burnt.add(session_id)
            self.scene.reach("stop of an unknown session")
            raise Refusal("not_found")
        if charge.state == TAKEN:
            charge.state = BURNT
            self.scene.reach("stop before the start")
        elif charge.state == ON:
            charge.stop_reason = ask.reason
            charge.stop.set()
            return StopReply(session_id=session_id, state=SessionState.STOPPING)
        return StopReply(session_id=session_id, state=AS_TOLD[charge.state])

    async def on_query_session(self, _: Empty, session_id: str) -> HostSession:
        charge = self.charges.get(session_id)
        if charge is None:
            return HostSession(known=False)
        self.scene.reach(f"asked while {charge.state}")
        return HostSession(
            known=True, state=AS_TOLD[charge.state], last_number=charge.number, update=charge.last
        )

    async def on_push_settlement(self, said: SettlementRecord, _: str) -> SettlementReply:
        known = self.settlements.setdefault(said.record_id, said)
        if known != said:
            self.problem(f"two settlements of {said.record_id}")
        return SettlementReply(record_id=said.record_id, state="settled")

    # What happens at the piles.

    async def card_shown(
        self, token: Token, connector_id: str, target: Target, conduct: HostConduct, *, waits_s: float
    ) -> None:
        """A driver shows a card: ask the hub, and begin when it says so."""
        ref = f"a:{self.party_id[-3:]}:{len(self.charges)}:{self.scene.around.chance.between(0, 999_999)}"
        ask = AuthorizeRequest(authorization_ref=ref, token=token, connector_id=connector_id, target=target)
        try:
            said = await self.scene.door.insist(Authorization, "authorize", self.operator.me, ask, tries=12)
        except Refusal as problem:
            self.scene.reach(f"authorize {problem.code}")
            return
        except Silence:
            self.scene.reach("authorize given up")
            return
        self.scene.reach(f"authorization {said.state} {said.refusal or ''}".strip())
        if said.state != AuthorizationState.GRANTED or said.session_id is None or said.tariff is None:
            return
        if said.session_id in self.burnt:
            return
        charge = Charge(
            session_id=said.session_id,
            connector_id=connector_id,
            tariff=said.tariff,
            limit_fen=said.limit_fen,
            target=target,
            conduct=conduct,
            power_w=self.scene.around.chance.pick(POWERS_W),
            meter_start_wh=0,
            host_ref=ref,
        )
        self.charges[said.session_id] = charge
        await rest(waits_s)
        if charge.state == TAKEN and (conduct.start == "refuses" or self.is_taken_by_another(charge)):
            await self._give_back(charge, said.authorization_id)
        elif charge.state == TAKEN:
            self._go(charge)

    def is_taken_by_another(self, charge: Charge) -> bool:
        """Somebody else was quicker at this connector."""
        others = (one for one in self.charges.values() if one is not charge)
        return any(one.connector_id == charge.connector_id and one.state == ON for one in others)

    async def _give_back(self, charge: Charge, authorization_id: str) -> None:
        """Nothing was started on it, and nothing will be."""
        charge.state = BURNT
        request = ReleaseRequest(authorization_id=authorization_id, reason="unused")
        try:
            said = await self.scene.door.insist(
                ReleaseReply,
                "release_authorization",
                self.operator.me,
                request,
                authorization_id=authorization_id,
            )
            self.scene.reach(f"host gives back {said.state}")
        except Refusal as problem:
            self.problem(f"could not give back {authorization_id}: {problem.code}")

    # What is carried to the hub.

    def send(self, charge: Charge, message: SessionUpdate | ChargeRecord) -> None:
        """Put something into a session's bag; its courier carries one thing at a time."""
        charge.outgoing.append(message)
        if not charge.courier:
            charge.courier = True
            self.scene.network.apart(self._carry(charge))

    async def _carry(self, charge: Charge) -> None:
        while charge.outgoing:
            await self.operator.until_up()
            message = charge.outgoing[0]
            if isinstance(message, ChargeRecord):
                await self.bills.present(charge, message)
            else:
                await self._report(charge, message)
            charge.outgoing.pop(0)
        charge.courier = False

    async def _report(self, charge: Charge, update: SessionUpdate) -> None:
        try:
            said = await self.scene.door.insist(
                UpdateReply, "push_session", self.operator.me, update, session_id=charge.session_id
            )
        except Refusal as problem:
            self.scene.reach(f"update refused {problem.code}")
            if not self.scene.truth.of(charge.session_id).host_lied:
                self.problem(f"update {update.number} of {charge.session_id} refused: {problem.code}")
            return
        if said.number != update.number:
            self.problem(f"update {update.number} acknowledged as {said.number}")
        charge.acknowledged.append(update)

    async def ask_record(self, record: ChargeRecord) -> RecordReply:
        """Present a bill until it is decided. Raises Refusal."""
        return await self.scene.door.insist(RecordReply, "push_record", self.operator.me, record)
