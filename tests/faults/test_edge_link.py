"""The agent's end of the link: long queues, lines that flap, gateways that forget, two agents of one name."""

import asyncio
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.key_file import init_key
from edge_agent.settings import read_settings
from edge_agent.spool import Spool
from edge_agent.store import Store, Written
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.edge_link.frames import BillItem, FaultItem, Stream, UpdateItem, encode
from operator_sdk.contract.messages.roaming import SessionUpdate
from tests.edge_rig import EPOCH, SITE_ID, Pile, World, new_id, open_world
from tests.property.test_edge_spool import bill

pytestmark = pytest.mark.faults

LONG, BILLS = 100_000, 300
IDLE_PILE = Pile(
    "P1", "ac", 7_000, None, "", {"interface": "virtual", "channel": "nobody", "node": 1}, "/dev/null"
)


def fill(world: World, many: int = LONG, state_dir: str = "state") -> tuple[str, list[str]]:
    """A spool with that many updates and some bills, as a long outage leaves it."""
    session_id, billed = new_id("ses"), [new_id("ses") for _ in range(BILLS)]
    store = Store(world.folder / state_dir / "edge.sqlite3", new_spool_id=f"of-{state_dir}")
    rows = [
        ("live", "update", session_id, 2, 0, encode(UpdateItem(session_id=session_id, update=said)))
        for said in (update(number) for number in range(1, many + 1))
    ]
    rows += [("bills", "bill", one, 9, 0, encode(BillItem(record=bill(one, 1)))) for one in billed]
    with store.transaction() as db:
        db.executemany(
            "insert into spool (stream, kind, subject, weight, at, body) values (?, ?, ?, ?, ?, ?)", rows
        )
    store.close()
    return session_id, billed


def update(number: int) -> SessionUpdate:
    return SessionUpdate(
        number=number,
        at=EPOCH,
        state=SessionState.CHARGING,
        meter_wh=number,
        energy_wh=number,
        amount_fen=number,
        power_w=7_000,
    )


async def test_a_hundred_thousand_items_arrive_once_over_a_line_that_flaps(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        world.piles = [IDLE_PILE]
        world.write_site(status_every_s=300, health_every_s=60)
        session_id, billed = fill(world)
        receiver = world.receiver
        receiver.lapses.cut_after, receiver.lapses.doubled, receiver.lapses.lost = 10, True, 3
        world.start_agent()
        for after in (40, 60, 80):
            await receiver.until(lambda: receiver.lapses.is_cut)
            receiver.lapses.lost, receiver.lapses.cut_after = 2, after
        await receiver.until(lambda: receiver.lapses.is_cut)
        receiver.lapses.cut_after, receiver.lapses.lost = None, 0
        seen, begun_s = len(receiver.items), time.monotonic()
        await receiver.until(lambda: len(receiver.items) >= LONG + BILLS)
        await receiver.until(lambda: len(receiver.of_session(session_id)) == LONG)
        per_s = (len(receiver.items) - seen) / (time.monotonic() - begun_s)
        numbers = [item.update.number for item in receiver.of_session(session_id)]
        assert numbers == list(range(1, LONG + 1)), "in order, each once"
        assert [len(receiver.bills(one)) for one in billed] == [1] * BILLS
        kinds = [isinstance(item, BillItem) for item in receiver.items]
        assert all(kinds[:BILLS]), "bills go first"
        assert receiver.connections >= 5
        await receiver.until(lambda: not any(world.status()["spool"].values()))
        assert per_s > 1_000, "slow, even for a machine that does much else"


async def test_a_gateway_that_lost_its_data_gets_the_bills_again_and_an_alarm(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        world.piles = [IDLE_PILE]
        world.write_site()
        _, billed = fill(world, many=50)
        agent = world.start_agent()
        await world.receiver.until(lambda: world.receiver.items and not any(world.status()["spool"].values()))
        spool_id = world.status()["spool_id"]
        agent.terminate()
        await asyncio.to_thread(agent.wait, 20)
        world.receiver.items.clear()
        world.receiver.db.execute("delete from arrived")
        world.start_agent()
        await world.receiver.until(lambda: len(world.receiver.items) >= BILLS)
        assert [len(world.receiver.bills(one)) for one in billed] == [1] * BILLS
        await world.receiver.until(lambda: ("gateway_behind", False) in world.receiver.faults())
        assert world.status()["spool_id"] != spool_id


async def test_an_old_copy_of_the_spool_is_noticed_and_nothing_of_it_is_taken_for_delivered(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        world.piles = [IDLE_PILE]
        world.write_site()
        fill(world, many=50)
        path = read_settings(world.site_file).database
        old = path.read_bytes()
        agent = world.start_agent()
        await world.receiver.until(lambda: world.receiver.items and not any(world.status()["spool"].values()))
        agent.terminate()
        await asyncio.to_thread(agent.wait, 20)
        for one in path.parent.glob("edge.sqlite3*"):
            one.unlink()
        path.write_bytes(old)
        store = Store(path, new_spool_id="unused")
        store.write(Written(at=EPOCH, live=[FaultItem(code="made_since", at=EPOCH)]))
        assert Spool(store).batch(Stream.BILLS, 1) != []
        store.close()
        world.start_agent()
        await world.receiver.until(lambda: ("made_since", False) in world.receiver.faults())
        await world.receiver.until(lambda: ("spool_behind", False) in world.receiver.faults())


async def test_two_agents_of_one_name_are_noticed_and_lose_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        world.piles = [IDLE_PILE]
        first, _ = fill(world, many=500)
        second, _ = fill(world, many=500, state_dir="other")
        world.start_agent(world.write_site())
        await world.receiver.until(lambda: len(world.receiver.of_session(first)) == 500)
        in_the_way = world.start_agent()
        assert await asyncio.to_thread(in_the_way.wait, 20) == 2, "one file has one agent"
        assert "another agent runs here" in world.said()
        world.start_agent(world.write_site("other"))
        await world.receiver.until(lambda: len(world.receiver.of_session(second)) == 500)
        world.write_site()
        await world.receiver.until(lambda: "is its key used twice?" in world.said())
        assert len(world.receiver.of_session(first)) == 500
        world.agents[-1].terminate()
        await asyncio.to_thread(world.agents[-1].wait, 20)


@pytest.mark.parametrize("who", ["gateway", "site"])
async def test_neither_end_talks_to_one_that_is_not_who_it_should_be(tmp_path: Path, who: str) -> None:
    async with open_world(tmp_path) as world:
        world.piles = [IDLE_PILE]
        world.write_site()
        fill(world, many=10)
        if who == "gateway":
            # Its name and its address, and another key.
            world.receiver.key = Ed25519PrivateKey.generate()
        else:
            (tmp_path / "site.jwk").unlink()
            init_key(tmp_path / "site.jwk")
        world.start_agent()
        words = "gateway_forged" if who == "gateway" else "proof_wrong"
        await world.receiver.until(lambda: words in world.said())
        assert world.receiver.items == []
        assert SITE_ID in world.said()
