"""A host's bills: right ones, late ones, doubled ones and wrong ones, and what the hub said to each."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace as changed

from operator_sdk.contract.codes import RecordState
from operator_sdk.contract.messages.records import ChargeRecord, CreditRecord, RecordReply
from tests.simulation.charge import Charge
from tests.simulation.network import Refusal
from tests.simulation.operators import rest

if TYPE_CHECKING:
    from tests.simulation.host import Host

HOUR_S = 3600


@dataclass
class Bills:
    """What was presented, and the hub's answers, by the host's own numbers."""

    host: "Host"
    answers: dict[str, RecordReply] = field(default_factory=dict)
    presented: dict[str, ChargeRecord] = field(default_factory=dict)
    credits: dict[str, RecordReply] = field(default_factory=dict)

    async def make(self, charge: Charge) -> None:
        """Bill a charge, as the host's conduct has it."""
        scene = self.host.scene
        match charge.conduct.record:
            case "never":
                scene.reach("never billed")
                return
            case "late":
                scene.reach("billed late")
                await rest(scene.seconds(2 * HOUR_S, 22 * HOUR_S))
            case "very_late":
                scene.reach("billed very late")
                await rest(scene.seconds(26 * HOUR_S, 80 * HOUR_S))
        bill = charge.record(f"r:{charge.session_id[-17:]}")
        self.host.send(charge, self._spoilt(charge, bill))

    def _spoilt(self, charge: Charge, bill: ChargeRecord) -> ChargeRecord:
        match charge.conduct.record:
            case "overpriced":
                first = bill.lines[0]
                dearer = changed(first, electricity_fen=first.electricity_fen + 777)
                return changed(
                    bill,
                    lines=[dearer, *bill.lines[1:]],
                    electricity_fen=bill.electricity_fen + 777,
                    amount_fen=bill.amount_fen + 777,
                )
            case "unsummed":
                return changed(bill, amount_fen=bill.amount_fen + 1)
        return bill

    async def present(self, charge: Charge, bill: ChargeRecord) -> None:
        """Carry a bill to the hub until it is decided, and do what follows."""
        self.presented[bill.record_ref] = bill
        try:
            said = await self.host.ask_record(bill)
        except Refusal as problem:
            self.host.problem(f"bill {bill.record_ref} refused: {problem.code}")
            return
        self._keep(bill, said)
        charge.sent.append(bill)
        if len(charge.sent) == 1:
            await self._after_first(charge, bill, said)

    def _keep(self, bill: ChargeRecord, said: RecordReply) -> None:
        rules = ",".join(sorted(finding.rule for finding in said.findings))
        self.host.scene.reach(f"record {said.state}")
        self.host.scene.around.note(self.host.party_id, bill.record_ref, said.state, said.owed_fen, rules)
        known = self.answers.setdefault(bill.record_ref, said)
        if known.record_id != said.record_id:
            self.host.problem(f"bill {bill.record_ref} became two records")

    async def _after_first(self, charge: Charge, bill: ChargeRecord, said: RecordReply) -> None:
        scene = self.host.scene
        match charge.conduct.record:
            case "twice":
                scene.reach("record sent twice")
                await rest(scene.seconds(1, 4 * HOUR_S))
                self._keep(bill, await self.host.ask_record(bill))
            case "second":
                scene.reach("second record")
                self.host.send(charge, changed(bill, record_ref=f"{bill.record_ref}:2"))
            case "reused":
                await self._reuse(bill)
            case "credited" if said.state == RecordState.ACCEPTED:
                await rest(scene.seconds(60, 30 * HOUR_S))
                await self._credit(bill, said)
            case "unsummed" if said.state == RecordState.REJECTED:
                scene.reach("record corrected")
                self.host.send(charge, charge.record(f"{bill.record_ref}:2"))

    async def _credit(self, bill: ChargeRecord, said: RecordReply) -> None:
        """The host takes its bill back."""
        credit = CreditRecord(
            record_ref=f"{bill.record_ref}:c",
            record_id=said.record_id,
            amount_fen=bill.amount_fen,
            reason="the driver complained",
        )
        door, me = self.host.scene.door, self.host.operator.me
        try:
            answer = await door.insist(RecordReply, "push_credit", me, credit)
            self.host.scene.reach(f"credit {answer.state}")
            self.credits[said.record_id] = answer
            if self.host.scene.around.chance.happens(500):
                self.host.scene.reach("credit sent twice")
                if await door.insist(RecordReply, "push_credit", me, credit) != answer:
                    self.host.problem(f"credit {credit.record_ref} was answered in two ways")
        except Refusal as problem:
            self.host.scene.reach(f"credit refused {problem.code}")

    async def _reuse(self, bill: ChargeRecord) -> None:
        other = changed(bill, stop_reason="host" if bill.stop_reason != "host" else "vehicle")
        try:
            await self.host.ask_record(other)
        except Refusal as problem:
            self.host.scene.reach(f"other body, same number: {problem.code}")
            if problem.code != "id_reused":
                self.host.problem(f"another body under a known number: {problem.code}")
        else:
            self.host.problem("another body under a known number was taken")
