"""The bank and the hub's staff: money really moves, late, in parts or not at all, and people book it."""

import sqlite3
from dataclasses import dataclass, field

from operator_sdk.contract.codes import PaymentDirection
from operator_sdk.contract.messages.payments import (
    Deposit,
    DepositBook,
    Payment,
    PaymentBook,
)
from operator_sdk.contract.messages.records import RecordDecided, RecordDecision
from operator_sdk.contract.operations import HUB
from tests.simulation.door import staff
from tests.simulation.network import Refusal
from tests.simulation.operators import Scene, rest

CLERK, SECOND = staff("clerk"), staff("controller")
PAYMENTS = "SELECT * FROM payment WHERE state = 'due' ORDER BY payment_id"
SUSPENDED = "SELECT record_id FROM charge_record WHERE state = 'suspended' ORDER BY record_id"
WAITING = "SELECT COUNT(*) FROM payment WHERE cycle_id = ? AND direction = 'pay_in' AND state = 'due'"
STANDS = """
SELECT COUNT(*) FROM charge_record r JOIN charge_record s ON s.session_id = r.session_id
WHERE r.record_id = ? AND s.kind = 'charge' AND s.state IN ('accepted', 'disputed', 'settled')
"""
HABITS = ("prompt", "prompt", "prompt", "in parts", "late", "short", "never")
LOOK_S = 1_200


@dataclass(frozen=True, slots=True)
class Moved:
    """A line of the bank's own book: into the settlement account positive."""

    ref: str
    party_id: str
    amount_fen: int
    deposit: bool = False


@dataclass
class Bank:
    """Moves money by each party's habit, and has the staff book it."""

    scene: Scene
    numbers: int = 0
    moved: list[Moved] = field(default_factory=list)
    habits: dict[tuple[str, str], str] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    accepted_by_hand: set[str] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)

    def _ref(self) -> str:
        self.numbers += 1
        return f"bank-{self.numbers}"

    async def deposit(self, party_id: str, amount_fen: int) -> None:
        """An operator pays in its deposit."""
        moved = Moved(self._ref(), party_id, amount_fen, deposit=True)
        self.moved.append(moved)
        message = DepositBook(movement_ref=moved.ref, amount_fen=amount_fen, moved_at=self.scene.now)
        await self.scene.door.insist(Deposit, "book_deposit", CLERK, message, party_id=party_id)

    async def work(self) -> None:
        """Look at what is due, again and again."""
        eyes = sqlite3.connect(self.scene.around.path, isolation_level=None)
        eyes.row_factory = sqlite3.Row
        try:
            while True:
                await rest(LOOK_S)
                for row in eyes.execute(PAYMENTS).fetchall():
                    self._look_at(row)
                for row in eyes.execute(SUSPENDED).fetchall():
                    self._look_at_record(row["record_id"])
        finally:
            eyes.close()

    def _look_at(self, row: sqlite3.Row) -> None:
        if row["payment_id"] in self.under_way:
            return
        self.under_way.add(row["payment_id"])
        open_fen = row["amount_fen"] - row["paid_fen"] - row["deposit_fen"]
        open_fen -= row["missing_fen"] + row["withheld_fen"]
        pays_in = row["direction"] == PaymentDirection.PAY_IN
        move = self._pay_in if pays_in else self._pay_out
        self.scene.network.apart(move(row["payment_id"], row["cycle_id"], row["party_id"], open_fen))

    async def _pay_in(self, payment_id: str, cycle_id: str, party_id: str, open_fen: int) -> None:
        chance = self.scene.around.chance
        habit = self.habits.setdefault((party_id, cycle_id), chance.pick(HABITS))
        self.scene.reach(f"pays in {habit}")
        await rest(self.scene.seconds(60, 3_000))
        match habit:
            case "prompt":
                parts = [open_fen]
            case "in parts" if open_fen > 1:
                first = chance.between(1, open_fen - 1)
                parts = [first, open_fen - first]
            case "short" if open_fen > 1:
                parts = [chance.between(1, open_fen - 1)]
            case "late":
                await rest(self.scene.seconds(4 * 3600, 40 * 3600))
                parts = [open_fen]
            case _:
                parts = []
        for part in parts:
            await self._move(payment_id, party_id, part)
            await rest(self.scene.seconds(10, 900))

    async def _pay_out(self, payment_id: str, cycle_id: str, party_id: str, open_fen: int) -> None:
        """Staff pay out what the hub says may go; how much that is, a default may change until then."""
        await rest(self.scene.seconds(60, 3_000))
        try:
            payment = await self.scene.door.insist(Payment, "get_payment", CLERK, payment_id=payment_id)
            open_fen = payment.amount_fen - payment.paid_fen - payment.withheld_fen
            if open_fen and await self._may_go(payment):
                await self._move(payment_id, party_id, -open_fen)
        finally:
            self.under_way.discard(payment_id)

    async def _may_go(self, payment: Payment) -> bool:
        """Staff do not send money for a cycle whose pay-ins are open."""
        return not self._count(WAITING, payment.cycle_id)

    def _count(self, query: str, value: str) -> int:
        eyes = sqlite3.connect(self.scene.around.path, isolation_level=None)
        try:
            return int(eyes.execute(query, (value,)).fetchone()[0])
        finally:
            eyes.close()

    async def _move(self, payment_id: str, party_id: str, amount_fen: int) -> None:
        """Money moves at the bank, and is booked under the bank's number until the hub has said yes or no."""
        moved = Moved(self._ref(), party_id, amount_fen)
        message = PaymentBook(movement_ref=moved.ref, amount_fen=abs(amount_fen), moved_at=self.scene.now)
        self.moved.append(moved)
        try:
            await self.scene.door.insist(Payment, "book_payment", CLERK, message, payment_id=payment_id)
            self.scene.reach("booked")
        except Refusal as problem:
            # Money that nothing is open for goes back where it came from.
            self.moved.remove(moved)
            self.scene.reach(f"booking refused {problem.code}")

    # Suspended records.

    def _look_at_record(self, record_id: str) -> None:
        if record_id not in self.undecided and "decide_record" in HUB:
            self.undecided.add(record_id)
            self.scene.network.apart(self._decide(record_id))

    async def _decide(self, record_id: str) -> None:
        chance = self.scene.around.chance
        await rest(self.scene.seconds(600, 20 * 3600))
        if chance.happens(200):
            return
        # Nobody pays for a charge twice, whatever else there is to say of the bill.
        choices = ("reject",) if self._count(STANDS, record_id) else ("accept", "reject")
        decision = RecordDecision(decision=chance.pick(choices), reason="looked at")
        if decision.decision == "accept":
            self.accepted_by_hand.add(record_id)
        for who in (CLERK, SECOND):
            try:
                said = await self.scene.door.insist(
                    RecordDecided, "decide_record", who, decision, record_id=record_id
                )
            except Refusal as problem:
                self.scene.reach(f"decision refused {problem.code}")
                self.accepted_by_hand.discard(record_id)
                return
            if said.decided_by is not None:
                self.scene.reach(f"decided {said.state}")
                return
