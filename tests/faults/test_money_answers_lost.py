"""Answers of the hub are lost on the way: partners and staff say the same again, and each thing happens once.

The suite's own proxy stands between them and the hub. What it drops has reached the hub, which has committed.
"""

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from hub.clearing.tables_payments import DepositMovement, PaymentMovement
from hub.ledger.tables import POSTING
from hub.roaming.tables import SessionRow
from hub.roaming.tables_records import RecordRow
from operator_sdk import AsyncHubClient, BearerToken, OperatorCredentials
from operator_sdk.client.patience import Patience
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.payments import DepositBook, PaymentBook
from operator_sdk.contract.messages.records import CreditRecord, RecordAnswer
from operator_sdk.errors import TransportError
from operator_sdk.examples.demo.proxy import Channel
from tests.faults.processes import free_port
from tests.faults.world import World, insist, open_world, until
from tests.rig import A, B
from tests.rig_charges import begin_by_home, begin_by_host, charge_of

pytestmark = [pytest.mark.faults, pytest.mark.integration]

T = TypeVar("T")
CHARGES = 6 * int(os.environ.get("INTERPILE_FAULT_ROUNDS", "1"))
OWED_FEN = 1_000
ONCE = Patience(attempts=1)


@dataclass
class Line:
    """The way to the hub, and what is lost on it."""

    world: World
    channel: Channel
    url: str
    lost: int = 0

    async def said(self, call: Callable[[], Awaitable[T]]) -> T:
        """Say something whose answer is lost for certain, and say it again."""
        self.channel.obey("drop_answers")
        with pytest.raises(TransportError):
            await call()
        self.lost += 1
        self.channel.obey("pass")
        return await insist(call)

    @asynccontextmanager
    async def losing(self, lots: random.Random) -> AsyncIterator[None]:
        """Now and then a while in which nothing is answered."""
        task = asyncio.create_task(self._lose(lots))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self.channel.obey("pass")

    async def _lose(self, lots: random.Random) -> None:
        while True:
            await asyncio.sleep(lots.uniform(0.01, 0.06))
            self.channel.obey("drop_answers")
            await asyncio.sleep(lots.uniform(0.01, 0.04))
            self.channel.obey("pass")

    async def staff(self, role: str) -> AsyncHubClient:
        """Somebody of the staff, on the same line."""
        token = await self.world.rig.staff_token(role, role)
        return AsyncHubClient(self.url, BearerToken(token), issuer=self.world.url, patience=ONCE)


@asynccontextmanager
async def bad_line(kind: str, folder: Path) -> AsyncIterator[Line]:
    """A hub in a process of its own, which A and B reach over a bad line."""
    async with open_world(kind, folder) as world:
        there = urlsplit(world.url)
        channel = Channel("hub", ("127.0.0.1", free_port()), ("127.0.0.1", there.port or 80))
        server = await channel.serve()
        url = f"http://127.0.0.1:{channel.listen[1]}"
        for party_id, platform in ((A, world.rig.a), (B, world.rig.b)):
            me = OperatorCredentials(party_id, platform.key)
            world.rig._clients[party_id] = AsyncHubClient(url, me, issuer=world.url, patience=ONCE)
        await world.fleet.serve(world.url).answers(world.url)
        try:
            yield Line(world, channel, url)
        finally:
            channel.obey("cut")
            server.close()


async def test_each_message_whose_answer_was_lost_has_one_effect(kind: str, tmp_path: Path) -> None:
    async with asyncio.timeout(60), bad_line(kind, tmp_path) as line:
        rig = line.world.rig
        a, b = rig.client(A), rig.client(B)
        rig.b.record_answer = lambda _: RecordAnswer(state="received")
        await insist(lambda: begin_by_host(rig, ref="first"))
        await insist(lambda: begin_by_home(rig, ref="first"))
        starts = len(rig.a.starts)

        await line.said(lambda: begin_by_host(rig, ref="auth-1"))
        session = await line.said(lambda: begin_by_home(rig, ref="start-1"))
        assert (len(rig.b.authorizations), len(rig.a.starts) - starts) == (2, 1)
        charge = await charge_of(rig, session.session_id)
        for update in (charge.update(0), charge.update(40, SessionState.ENDED, reason="driver_local")):
            await line.said(lambda: a.push_session(charge.session_id, update))  # noqa: B023 - awaited here
        bill = charge.record("rec-1")
        reply = await line.said(lambda: a.push_record(bill))
        assert (reply.state, reply.owed_fen) == ("accepted", OWED_FEN)
        await until(lambda: _heard(rig.b.records))
        settlement = rig.b.settlement(rig.b.records[0])
        await line.said(lambda: b.push_settlement(settlement))
        credit = CreditRecord(record_ref="cr-1", record_id=reply.record_id, amount_fen=OWED_FEN, reason="again")
        given = await line.said(lambda: a.push_credit(credit))
        assert given.state == "accepted"

        assert len(await rig.rows(SessionRow)) == 4
        assert [row.number for row in await rig.updates(charge.session_id)] == [1, 2]
        assert Counter(row.kind for row in await rig.rows(RecordRow)) == {"charge": 1, "credit": 1}
        assert sorted(await rig.obligations()) == [(A, B, OWED_FEN, "open"), (B, A, OWED_FEN, "open")]
        assert (await rig.exposure())[0] == 0
        await until(lambda: _heard(rig.a.settlements))
        assert {said.settlement_ref for said in rig.a.settlements} == {settlement.settlement_ref}


async def _heard(said: list) -> bool:
    return bool(said)


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_everything_is_owed_and_paid_once_over_a_line_that_loses_answers(
    kind: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    lots = random.Random(20_260_302)
    async with asyncio.timeout(40 + 5 * CHARGES), bad_line(kind, tmp_path) as line:
        rig = line.world.rig
        async with line.losing(lots):
            replies = [await _charge(line) for _ in range(CHARGES)]
        assert [(reply.state, reply.owed_fen) for reply in replies] == [("accepted", OWED_FEN)] * CHARGES
        assert await rig.obligations() == [(B, A, OWED_FEN, "open")] * CHARGES
        assert len({reply.record_id for reply in replies}) == len(await rig.rows(RecordRow)) == CHARGES
        assert (await rig.exposure())[0] == CHARGES * OWED_FEN
        await _settled(line, CHARGES)
        await _pay(line)
        record_property("lost", f"{line.lost} answers for certain, more by chance")


async def _charge(line: Line):
    rig = line.world.rig
    ref, bill_ref = rig.ref("start"), rig.ref("rec")
    charge = await charge_of(rig, (await insist(lambda: begin_by_home(rig, ref=ref))).session_id)
    for update in (charge.update(0), charge.update(40, SessionState.ENDED, reason="driver_local")):
        await insist(lambda: charge.push(update))  # noqa: B023 - awaited within this round
    bill = charge.record(bill_ref)
    return await insist(lambda: rig.client(A).push_record(bill))


async def _settled(line: Line, count: int) -> None:
    async def done() -> bool:
        rows = await line.world.rig.rows(RecordRow)
        return sum(row.settlement_ref is not None for row in rows) == count

    await until(done)


async def _pay(line: Line) -> None:
    """Deposit, pay-in, pay-outs: each movement at the bank is booked over the same line."""
    rig = line.world.rig
    clerk = await line.staff("accountant")
    now = rig.hub.clock.business()
    deposit = DepositBook(movement_ref="bank-d", amount_fen=500, moved_at=now)
    assert (await line.said(lambda: clerk.book_deposit(B, deposit))).balance_fen == 500
    cycle = (await rig.hub.clearing.close_cycle(now - timedelta(milliseconds=1))).cycle
    asked = (await line.said(lambda: clerk.begin_payments(cycle.cycle_id))).items
    for payment in sorted(asked, key=lambda one: one.direction):
        book = PaymentBook(movement_ref=f"bank-{payment.party_id}", amount_fen=payment.amount_fen, moved_at=now)
        paid = await line.said(lambda: clerk.book_payment(payment.payment_id, book))  # noqa: B023 - awaited
        assert (paid.state, paid.paid_fen) == ("paid", payment.amount_fen)
    assert len(await rig.rows(PaymentMovement)) == len(asked) == 3
    assert [row.amount_fen for row in await rig.rows(DepositMovement)] == [500]
    async with rig.hub.database.reading() as unit:
        kinds = Counter(row.kind for row in (await unit.execute(POSTING.select())).all())
    assert (kinds["pay_in"], kinds["pay_out"], kinds["deposit"]) == (1, 2, 1)
    assert await rig.posted("clearing", "settlement_cash") == 500
    await clerk.aclose()
