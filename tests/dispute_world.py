"""A hub without a network, with accepted records between two operators, for disputes over them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlmodel import SQLModel, select

from hub.auditor.verify import audit
from hub.clearing.tables import ObligationRow
from hub.core.clock import ManualClock, local_day
from hub.core.database import Database
from hub.core.ids import SeededIds
from hub.core.outbound import Outbound
from hub.core.outbox import LocalDoorbell
from hub.ledger.model import CLEARING
from hub.parties.tables import Exposure, find_agreement
from hub.roaming.acceptance import Acceptance
from hub.roaming.tables_records import RecordRow
from hub.settings import Settings
from hub.wiring import Effects, Hub, build_hub
from operator_sdk.contract.codes import PaymentDirection, Role
from operator_sdk.contract.messages.admin import AgreementAdd, PartyAdd
from operator_sdk.contract.messages.disputes import (
    Dispute,
    DisputeAnswer,
    DisputeEvidence,
    DisputeInsist,
    DisputeRaise,
    DisputeResolve,
    DisputeWithdraw,
)
from operator_sdk.contract.messages.payments import PaymentBook
from operator_sdk.contract.messages.records import CreditRecord, RecordReply, SettlementRecord
from tests.databases import fresh_database
from tests.integration.test_record_states import row as record_row
from tests.simulation.process import fixed_secrets

A, B, D = "MA5AAAAA1", "MA5BBBBB2", "MA5DDDDD4"
"""A host, a home, and somebody else."""

PHOTO = DisputeEvidence(name="photo", link="https://evidence.example/1.jpg", sha256="0" * 64)
LOG = DisputeEvidence(name="log", text="2026-03-02 11:00 unplugged")


@dataclass
class World:
    """One hub; more of them over the same database, with the same source of ids, are as many processes."""

    database: Database
    clock: ManualClock
    settings: Settings
    ids: SeededIds
    hub: Hub = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.hub = build_hub(
            self.settings,
            fixed_secrets(1),
            self.database,
            Effects(Outbound(private=False), LocalDoorbell(), LocalDoorbell(), self.clock, self.ids),
        )

    async def open(self) -> "World":
        """Let the operators in."""
        await self.hub.parties.ensure_hub_party(self.settings.party_id, self.settings.party_name)
        for party_id in (A, B, D):
            await self.hub.parties.add_party(
                PartyAdd(
                    party_id=party_id,
                    name=party_id,
                    roles=[Role.HOME, Role.HOST],
                    protocol="hosted",
                    token_prefixes=[party_id],
                    exposure_limit_fen=1_000_000,
                ),
                actor="test",
            )
        await self.hub.parties.add_agreement(
            AgreementAdd(home_party_id=B, host_party_id=A, hold_fen=5_000), actor="test"
        )
        return self

    async def accept(self, fen: int = 1_000, **more: Any) -> str:
        """A's bill is accepted, and B owes it."""
        self.count += 1
        record_id = self.ids.new("rec")
        facts = {
            "session_id": None,
            "session_ref": f"s-{self.count}",
            "record_ref": f"r-{self.count}",
            "electricity_fen": fen,
            "service_fen": 0,
            "amount_fen": fen,
            "owed_fen": fen,
            "updated_at": self.clock.business(),
        }
        row = record_row(record_id, "accepted", **(facts | more))
        async with self.database.unit() as unit:
            unit.session.add(row)
            agreement = await find_agreement(unit, home_party_id=B, host_party_id=A)
            await Acceptance(self.hub.roaming.disputes._c).accept(unit, row, None, agreement)
        return record_id

    # What the sides say.

    async def dispute(self, record_id: str, by: str = B, ref: str = "", **more: Any) -> Dispute:
        self.count += 1
        message = DisputeRaise(
            dispute_ref=ref or f"d-{self.count}", record_id=record_id, **({"reason": "never there"} | more)
        )
        return await self.hub.roaming.disputes.raise_dispute(by, message)

    async def answer(self, dispute_id: str, answer: str = "contest", by: str = A, **more: Any) -> Dispute:
        said = {"reason": "it was there", "evidence": [PHOTO]} | more
        message = DisputeAnswer(answer=answer, **said)
        return await self.hub.roaming.disputes.answer(by, dispute_id, message)

    async def withdraw(self, dispute_id: str, by: str = B) -> Dispute:
        return await self.hub.roaming.disputes.withdraw(by, dispute_id, DisputeWithdraw(reason="found it"))

    async def insist(self, dispute_id: str, by: str = B) -> Dispute:
        return await self.hub.roaming.disputes.insist(by, dispute_id, DisputeInsist(reason="another car"))

    async def resolve(
        self, dispute_id: str, outcome: str, actor: str = "ann", *, alone: bool = False
    ) -> Dispute:
        message = DisputeResolve(outcome=outcome, reason="looked at it")
        return await self.hub.roaming.disputes.resolve(dispute_id, message, actor, alone=alone)

    async def expire(self) -> int:
        return await self.hub.roaming.disputes.expire_due(self.clock.business())

    async def credit(self, record_id: str, fen: int = 1_000) -> RecordReply:
        self.count += 1
        message = CreditRecord(
            record_ref=f"c-{self.count}", record_id=record_id, amount_fen=fen, reason="billed twice"
        )
        return await self.hub.roaming.credits.push(A, message)

    async def settle(self, record_id: str, fen: int = 1_000) -> str:
        self.count += 1
        message = SettlementRecord(
            settlement_ref=f"s-{self.count}",
            record_id=record_id,
            session_id=None,
            driver_amount_fen=fen,
            captured_fen=fen,
            released_fen=0,
            settled_at=self.clock.business(),
        )
        return (await self.hub.roaming.records.settle(B, message)).state

    # Cycles.

    async def close(self) -> str:
        """Cut the open cycle off; it is fixed at once."""
        self.clock.advance(minutes=1)
        return (await self.hub.clearing.close_cycle(self.clock.business())).cycle.cycle_id

    async def pay(self, cycle_id: str) -> None:
        """Everybody pays: the cycle ends."""
        payments = await self.hub.payments.ask(cycle_id)
        for direction in (PaymentDirection.PAY_IN, PaymentDirection.PAY_OUT):
            for one in payments:
                if one.direction == direction:
                    moved = PaymentBook(
                        movement_ref=one.payment_id, amount_fen=one.amount_fen, moved_at=self.clock.business()
                    )
                    await self.hub.payments.book(one.payment_id, moved, by="test")
        await self.hub.payments.advance(self.clock.business())

    # Rows.

    async def rows(self, model: type[SQLModel], **where: Any) -> list[Any]:
        """Rows of a table."""
        statement = select(model).where(*(getattr(model, name) == value for name, value in where.items()))
        async with self.database.reading() as unit:
            return list((await unit.session.exec(statement)).all())

    async def state(self, record_id: str) -> str:
        """A record's state."""
        (row,) = await self.rows(RecordRow, record_id=record_id)
        return str(row.state)

    async def owed(self, record_id: str) -> list[tuple[str, str, bool]]:
        """(kind, state, whether it is in a cycle) of everything owed for a record, and back."""
        found = await self.rows(ObligationRow, record_id=record_id)
        found += await self.rows(ObligationRow, credit_of=record_id)
        return [(one.kind, one.state, one.cycle_id is not None) for one in found]

    async def exposure(self) -> int:
        """What B owes, in fen."""
        (row,) = await self.rows(Exposure, home_party_id=B)
        return int(row.owed_fen)

    async def posted(self, kind: str, subject: str) -> int:
        """An account of the clearing book, on its natural side."""
        async with self.database.reading() as unit:
            return (await self.hub.ledger.balances(unit, CLEARING, kind, subject)).balance_fen

    async def audit(self) -> None:
        """The books are whole, recomputed from raw entries."""
        report = await audit(self.database.url)
        assert report.verified, report.problems

    def too_old(self, accepted_on: str) -> bool:
        """Whether nobody disputes any more what was accepted on this day."""
        return accepted_on < local_day(self.clock.business() - timedelta(days=90))


@asynccontextmanager
async def dispute_world(kind: str, clock: ManualClock, **settings: Any) -> AsyncIterator[World]:
    """A world on a database of its own; when it ends, the books must be whole."""
    async with fresh_database(kind) as database:
        world = World(database, clock, Settings(**({"env": "test"} | settings)), SeededIds(clock))
        yield await world.open()
        await world.audit()
