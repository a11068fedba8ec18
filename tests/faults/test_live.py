"""Live updates between two processes of the hub: at once through Redis, a little later without it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.roaming.following import LOOK_AGAIN_S
from operator_sdk import AsyncHubClient, OperatorCredentials
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.roaming import SessionProgress
from tests.faults.processes import free_port
from tests.faults.services import REDIS_URL, need
from tests.faults.world import World, open_world
from tests.rig import B
from tests.rig_charges import Charge, begin_by_home, charge_of

pytestmark = [pytest.mark.faults, pytest.mark.integration]

PROMPTLY_S = 1.5


@asynccontextmanager
async def followed_elsewhere(
    folder: Path, redis_url: str
) -> AsyncIterator[tuple[World, Charge, "asyncio.Queue[SessionProgress]"]]:
    """A charge that is pushed to one process and followed at another."""
    async with open_world("postgresql", folder, REDIS_URL=redis_url) as world:
        other_url = f"http://127.0.0.1:{free_port()}"
        processes = [(world.fleet.serve(url), url) for url in (world.url, other_url)]
        await asyncio.gather(*(child.answers(url) for child, url in processes))
        charge = await charge_of(world.rig, (await begin_by_home(world.rig)).session_id)
        heard: asyncio.Queue[SessionProgress] = asyncio.Queue()
        credentials = OperatorCredentials(B, world.rig.b.key)
        async with AsyncHubClient(other_url, credentials, issuer=world.url) as home:

            async def follow() -> None:
                async for said in home.session_events(charge.session_id):
                    heard.put_nowait(said)

            following = asyncio.create_task(follow())
            await charge.push(charge.update(0))
            assert (await heard.get()).number == 1
            yield world, charge, heard
            await charge.ends(2)
            await following


async def _arrives_after(charge: Charge, heard: "asyncio.Queue[SessionProgress]") -> float:
    update = charge.update(1, SessionState.CHARGING)
    await charge.push(update)
    pushed = time.monotonic()
    assert (await heard.get()).number == update.number
    return time.monotonic() - pushed


async def test_an_update_reaches_a_follower_at_another_process_at_once(tmp_path: Path) -> None:
    redis_url = need(REDIS_URL, "Redis")
    async with asyncio.timeout(40), followed_elsewhere(tmp_path, redis_url) as (_, charge, heard):
        taken = [await _arrives_after(charge, heard) for _ in range(3)]
        assert max(taken) < PROMPTLY_S, taken


async def test_without_redis_it_arrives_when_the_follower_looks_again(tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    async with asyncio.timeout(40), followed_elsewhere(tmp_path, nowhere) as (_, charge, heard):
        assert await _arrives_after(charge, heard) < LOOK_AGAIN_S + PROMPTLY_S
