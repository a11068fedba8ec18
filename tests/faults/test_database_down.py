"""PostgreSQL cuts every connection in mid-load, and for a while takes no new ones: all goes on by itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

import hub.wiring
from hub.clearing.tables import CycleRow
from hub.core.outbox import Letter
from hub.core.tables import RequestNonce
from hub.jobs import background
from hub.ledger.model import Entry
from hub.ledger.tables import LedgerUnsealed
from operator_sdk.contract.codes import SessionState, TokenKind
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.roaming import AuthorizeRequest, ReleaseRequest
from tests import databases
from tests.faults.world import World, insist, open_world, until
from tests.rig import HOLD_FEN, A, B, Rig, open_rig
from tests.rig_charges import Charge, begin_by_home, charge_of

pytestmark = [pytest.mark.faults, pytest.mark.integration]

CHARGES = 4
OUTAGES_S = (0, 0, 0.6, 0, 1.2)
BETWEEN_S = 0.7
OWED_FEN = 1_000


async def outage(rig: Rig, lasting_s: float) -> None:
    """Cut all connections of the rig's database; where it lasts, refuse new ones meanwhile."""
    name = make_url(rig.hub.database.url).database
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    if not lasting_s:
        await databases.on_server(cut)
        return
    try:
        await databases.on_server(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await databases.on_server(cut)
        await asyncio.sleep(lasting_s)
    finally:
        await databases.on_server(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_what_was_acknowledged_is_there_and_later_calls_succeed_without_a_restart(tmp_path: Path) -> None:
    async with asyncio.timeout(60), open_world("postgresql", tmp_path) as world:
        hub = world.fleet.serve(world.url)
        await hub.answers(world.url)
        charges = [
            await charge_of(world.rig, (await begin_by_home(world.rig)).session_id) for _ in range(CHARGES)
        ]
        stop = asyncio.Event()
        pushing = [asyncio.create_task(_push_until(charge, stop)) for charge in charges]
        shown: list[str] = []
        authorizing = asyncio.create_task(_show_cards(world, shown))
        for lasting_s in OUTAGES_S:
            await asyncio.sleep(BETWEEN_S)
            await outage(world.rig, lasting_s)
        await asyncio.sleep(BETWEEN_S)
        stop.set()
        acknowledged = await asyncio.gather(*pushing)
        before = len(shown)
        await until(lambda: _more(shown, before))
        authorizing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await authorizing
        assert hub.alive
        assert len(world.fleet.children) == 1

        await world.rig.hub.database.engine.dispose()
        for charge, numbers in zip(charges, acknowledged, strict=True):
            stored = [row.number for row in await world.rig.updates(charge.session_id)]
            assert numbers == stored == list(range(1, charge.number + 1))
        await _bill(world, charges)


async def _push_until(charge: Charge, stop: asyncio.Event) -> list[int]:
    acknowledged, ended = [], False
    while not ended:
        ended = stop.is_set()
        minutes = 40 if ended else min(charge.number // 8, 39)
        update = charge.update(
            minutes,
            SessionState.ENDED if ended else SessionState.CHARGING,
            reason="driver_local" if ended else None,
        )
        reply = await insist(lambda: charge.push(update))  # noqa: B023 - awaited within this round
        acknowledged.append(reply.number)
    return acknowledged


async def _show_cards(world: World, shown: list[str]) -> None:
    """Cards are shown and taken away again, two at a time, until cancelled."""
    client = world.rig.client(A)

    async def show() -> None:
        while True:
            card, ref = Token(kind=TokenKind.CARD, ref="BB-1"), world.rig.ref("auth")
            ask = AuthorizeRequest(authorization_ref=ref, token=card, connector_id="A2")
            said = await insist(lambda: client.authorize(ask))  # noqa: B023 - awaited within this round
            if said.state == "granted":
                release = ReleaseRequest(authorization_id=said.authorization_id, reason="gone")
                await insist(lambda: client.release_authorization(release))  # noqa: B023 - the same
            shown.append(ref)

    await asyncio.gather(show(), show())


async def _more(shown: list[str], before: int) -> bool:
    return len(shown) > before


async def _bill(world: World, charges: list[Charge]) -> None:
    rig = world.rig
    for charge in charges:
        bill = charge.record()
        reply = await insist(lambda: rig.client(A).push_record(bill))  # noqa: B023 - awaited within this round
        assert (reply.state, reply.owed_fen) == ("accepted", OWED_FEN)
    await world.forget_leases()

    async def done() -> bool:
        states = [(await rig.session(charge.session_id)).state for charge in charges]
        return set(states) == {"settled"} and not await rig.rows(LedgerUnsealed)

    await until(done)
    assert await rig.obligations() == [(B, A, OWED_FEN, "open")] * CHARGES
    owed_fen, open_fen = await rig.exposure()
    assert (owed_fen, open_fen % HOLD_FEN) == (OWED_FEN * CHARGES, 0)


@asynccontextmanager
async def loops(rig: Rig) -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(work) for work in background(rig.hub)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_loop_beside_the_hub_goes_on_when_the_database_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub.wiring, "CLEARING_EVERY_S", 0.05)
    monkeypatch.setattr(hub.wiring, "TIDY_EVERY_S", 0.05)
    async with asyncio.timeout(40), open_rig("postgresql") as rig, loops(rig) as tasks:
        delivered: list[str] = []

        async def deliver(letter: Letter) -> None:
            delivered.append(letter.subject)

        rig.hub.outbox.handle("greet", deliver)
        for lasting_s in (0, 0.3, 0, 1.5, 0):
            await asyncio.sleep(0.3)
            await outage(rig, lasting_s)
        await until(lambda: _leave_work(rig))
        assert not any(task.done() for task in tasks)
        await until(lambda: _work_is_done(rig), within_s=10)
        assert delivered == ["somebody"]


async def _leave_work(rig: Rig) -> bool:
    """Something for each loop: a letter, a posting to seal, a cycle to close, a nonce to forget."""
    hub = rig.hub
    wall, business = hub.clock.wall(), hub.clock.business()
    async with hub.database.unit() as unit:
        await hub.outbox.post(unit, kind="greet", lane="greetings", subject="somebody")
        unit.session.add(RequestNonce(key_id="k", nonce="n", seen_at=wall - timedelta(hours=1)))
        unit.session.add(
            CycleRow(
                cycle_id="cyc_1",
                currency="CNY",
                frequency="daily",
                state="open",
                opened_at=business - timedelta(days=2),
                due_at=business - timedelta(days=1),
                updated_at=business,
            )
        )
        await unit.session.flush()
        entries = [
            Entry(book=A, kind=kind, amount_fen=fen, currency="CNY")
            for kind, fen in (("funds_at_bank", 100), ("charging_sales", -100))
        ]
        await hub.ledger.post(unit, kind="test", reference="t-1", event_at=business, entries=entries, note="")
    return True


async def _work_is_done(rig: Rig) -> bool:
    letters = await rig.letters("greet")
    cycles = await rig.rows(CycleRow, cycle_id="cyc_1")
    waiting = [*await rig.rows(LedgerUnsealed), *await rig.rows(RequestNonce, key_id="k")]
    return all(letter.done_at for letter in letters) and cycles[0].state != "open" and not waiting
