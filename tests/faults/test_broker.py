"""Whatever becomes of the broker and its messages, the ledger ends the same."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from hub.clearing.tables import ObligationRow
from hub.core.doorbell import CeleryDoorbell
from hub.core.outbox import LocalDoorbell
from hub.ledger.tables import ACCOUNT
from hub.roaming.tables_records import RecordRow
from operator_sdk.clock import machine_now
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.roaming import AuthorizeRequest
from operator_sdk.examples.demo.proxy import Channel
from tests.faults.broker import Meddler, own_queues
from tests.faults.processes import free_port
from tests.faults.services import AMQP_URL, REDIS_URL, need
from tests.faults.world import World, open_world, until
from tests.rig import HUB, A, B, C, Rig
from tests.rig_charges import begin, charge_of

pytestmark = [pytest.mark.faults, pytest.mark.integration]

CHARGES = (("home", 40), ("host", 20), ("hub", 30))
SUBJECTS = ("receivable", "payable")
"""Kinds of accounts whose subject is a party; other subjects are ids of this run."""

Books = dict[str, object]
Way = Callable[[World], AbstractContextManager[None]]
BOOKS: Books = {
    "balances": {
        f"{C} funds_at_bank": 20_000,
        f"{C} payable {A}": -750,
        f"{C} wallet": -19_250,
        f"clearing receivable {B}": 1_500,
        f"clearing receivable {C}": 750,
        f"clearing payable {A}": -2_205,
        f"clearing payable {HUB}": -45,
    },
    "records": [(B, 500, 500, 4_500), (B, 1_000, 1_000, 4_000), (C, 750, 750, 4_250)],
    "obligations": [
        (A, HUB, 45, "in_cycle"),
        (B, A, 500, "in_cycle"),
        (B, A, 1_000, "in_cycle"),
        (C, A, 750, "in_cycle"),
    ],
    "exposures": {B: (1_500, 0), C: (750, 0)},
    "settlements": 3,
    "releases": 1,
    "wallet": (19_250, 0, 0),
}
"""Worked out by hand: 1.50 yuan a kWh at 10 kW, 2 % of it for the hub, and the cycle's net positions."""


@contextmanager
def embedded(_: World) -> Iterator[None]:
    """One process, no broker."""
    yield


@contextmanager
def production(world: World) -> Iterator[None]:
    """Jobs and a Celery worker beside the hub."""
    with own_queues(AMQP_URL, _queue()):
        jobs, worker = world.fleet.jobs(**_rung()), world.fleet.worker("one", 1, **_rung())
        yield
        assert jobs.alive
        assert worker.said().count("] received") >= len(CHARGES), worker.said()[-2000:]


@contextmanager
def broker_gone(world: World) -> Iterator[None]:
    """Nobody ever answers at the broker's address."""
    world.fleet.jobs(BROKER_URL=_nowhere())
    yield


@contextmanager
def messages_lost(world: World) -> Iterator[None]:
    """Every message is taken off the queue and forgotten."""
    with own_queues(AMQP_URL, _queue()), Meddler(AMQP_URL, _queue()).at_work() as meddler:
        world.fleet.jobs(**_rung())
        yield
        assert meddler.taken >= len(CHARGES)


@contextmanager
def messages_doubled(world: World) -> Iterator[None]:
    """Every message comes twice, and two processes work."""
    doubled = f"{_queue()}_doubled"
    with ExitStack() as stack:
        stack.enter_context(own_queues(AMQP_URL, _queue(), doubled))
        meddler = stack.enter_context(Meddler(AMQP_URL, _queue(), doubled, times=2).at_work())
        worker = world.fleet.worker("two", 2, **{**_rung(), "INTERPILE_QUEUE": doubled})
        yield
        assert worker.said().count("] received") >= 2 * len(CHARGES), worker.said()[-2000:]
        assert meddler.taken >= len(CHARGES)


def _queue() -> str:
    return f"interpile_test_{os.getpid()}"


def _rung() -> dict[str, str]:
    return {"BROKER_URL": AMQP_URL, "REDIS_URL": REDIS_URL, "INTERPILE_QUEUE": _queue()}


def _nowhere() -> str:
    return f"amqp://guest:guest@127.0.0.1:{free_port()}//"


BROKEN = {"BROKER_URL": _nowhere(), "REDIS_URL": REDIS_URL}
WAYS: dict[Way, dict[str, str]] = {
    embedded: {},
    production: _rung(),
    broker_gone: BROKEN,
    messages_lost: _rung(),
    messages_doubled: _rung(),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_three_charges_and_a_refusal_leave_the_same_books(way: Way, tmp_path: Path) -> None:
    need(AMQP_URL, "RabbitMQ")
    need(REDIS_URL, "Redis")
    # Noon in Shanghai, so that no run meets a midnight.
    clock = {"INTERPILE_EPOCH": machine_now().isoformat(), "INTERPILE_EPOCH_BUSINESS": "2026-03-02T04:00:00Z"}
    async with asyncio.timeout(60), open_world("postgresql", tmp_path, **clock) as world:
        with way(world):
            await world.fleet.serve(world.url, **WAYS[way]).answers(world.url)
            for child in world.fleet.children:
                if child.name == "worker":
                    await child.says("ready.")
            await _play(world.rig)
            assert await _books(world.rig) == BOOKS


async def test_a_broker_that_was_cut_off_is_rung_again() -> None:
    need(AMQP_URL, "RabbitMQ")
    at, onward = ("127.0.0.1", free_port()), urlsplit(AMQP_URL)
    channel = Channel("broker", at, (onward.hostname or "127.0.0.1", onward.port or 5672))
    server = await channel.serve()
    with own_queues(AMQP_URL, _queue()), Meddler(AMQP_URL, _queue()).at_work() as meddler:
        through = onward._replace(netloc=f"{onward.username}:{onward.password}@{at[0]}:{at[1]}").geturl()
        doorbell = CeleryDoorbell(through, _queue(), LocalDoorbell())

        async def is_heard(more_than: int) -> bool:
            doorbell.ring("lane")
            await asyncio.sleep(0.1)
            return meddler.taken > more_than

        await until(lambda: is_heard(0))
        channel.obey("cut")
        for _ in range(3):
            await is_heard(0)
        before = meddler.taken
        channel.obey("pass")
        await until(lambda: is_heard(before))
        doorbell.close()
    channel.obey("cut")
    server.close()
    await server.wait_closed()


async def _play(rig: Rig) -> None:
    """Each way to start once, a refusal that must be taken back at the home, and the end of the cycle."""
    for mode, minutes in CHARGES:
        charge = await charge_of(rig, (await begin(rig, mode)).session_id)
        await charge.runs(0, minutes // 2)
        await charge.ends(minutes)
        assert (await charge.bill()).state == "accepted"
    rig.b.moods["authorize"] = "500"
    card = Token(kind=TokenKind.CARD, ref="BB-1")
    ask = AuthorizeRequest(authorization_ref="late", token=card, connector_id="A2")
    assert (await rig.client(A).authorize(ask)).refusal == "home_unavailable"
    await until(lambda: _is_delivered(rig), within_s=30)
    await rig.hub.clearing.close_cycle(rig.hub.clock.business())


async def _is_delivered(rig: Rig) -> bool:
    records = await rig.rows(RecordRow)
    letters = [
        letter for kind in ("push_settlement", "release_authorization") for letter in await rig.letters(kind)
    ]
    return all(row.settlement_ref for row in records) and all(letter.done_at for letter in letters)


async def _books(rig: Rig) -> Books:
    """Everything that is money, without ids and instants."""
    async with rig.hub.database.reading() as unit:
        accounts = (await unit.execute(select(ACCOUNT))).mappings().all()
    balances = {}
    for row in accounts:
        subject = f" {row['subject']}" if row["kind"] in SUBJECTS else ""
        if row["posted_fen"] or row["held_fen"]:
            balances[f"{row['book']} {row['kind']}{subject}"] = row["posted_fen"]
    records = await rig.rows(RecordRow)
    obligations = await rig.rows(ObligationRow)
    return {
        "balances": balances,
        "records": sorted(
            (row.home_party_id, row.owed_fen, row.captured_fen, row.released_fen) for row in records
        ),
        "obligations": sorted(
            (row.debtor_party_id, row.creditor_party_id, row.amount_fen, row.state) for row in obligations
        ),
        "exposures": {party: await rig.exposure(party) for party in (B, C)},
        "settlements": len({said.settlement_ref for said in rig.a.settlements}),
        "releases": len({ask.authorization_id for ask in rig.b.releases}),
        "wallet": await rig.wallet(),
    }
