"""A hub in a process of its own, with the platforms of A and B in the test's process.

The test looks at the database through services of its own that serve nobody and do no jobs: whatever
happens, happens in the other processes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import httpx
from sqlmodel import col, update

from hub.core.database import OutOfReach
from hub.core.tables import OutboxLane
from hub.settings import Settings
from hub.wiring import open_hub
from operator_sdk.client.patience import is_passing
from operator_sdk.client.trust import authorities
from operator_sdk.errors import InterpileError
from tests import databases
from tests.faults.processes import Fleet, free_port
from tests.rig import A, B, D, LogLines, Rig, set_up
from tests.rig_partners import Platform, listen, serving

T = TypeVar("T")


@dataclass
class World:
    """The rig of the joined hub around processes."""

    rig: Rig
    fleet: Fleet
    url: str

    async def forget_leases(self) -> None:
        """What a killed process had claimed is free, as it would be a minute later."""
        async with self.rig.hub.database.unit() as unit:
            now = self.rig.hub.clock.wall() - timedelta(seconds=1)
            held = col(OutboxLane.lease_until).is_not(None)
            await unit.execute(update(OutboxLane).where(held).values(lease_until=now))


@asynccontextmanager
async def open_world(
    kind: str,
    folder: Path,
    a: type[Platform] = Platform,
    b: type[Platform] = Platform,
    /,
    **environment: str,
) -> AsyncIterator[World]:
    """Everything but the processes of the hub; the books must be whole at the end.

    `kind` is an engine, or the address of a database of the test's own.
    """
    async with AsyncExitStack() as stack:
        given_one = "://" in kind
        database_url = kind if given_one else await stack.enter_async_context(databases.fresh_url(kind))
        url, ports = f"http://127.0.0.1:{free_port()}", [listen() for _ in range(3)]
        given = {
            "INTERPILE_ENV": "test",
            "DATABASE_URL": database_url,
            "INTERPILE_PUBLIC_URL": url,
            "INTERPILE_SECRET_FILE": str(folder / "secrets.json"),
            **environment,
        }
        makers: list[tuple[type[Platform], str]] = [(a, A), (b, B), (Platform, D)]
        platforms = [make(party, url, port.url) for (make, party), port in zip(makers, ports, strict=True)]
        served = [(one.moody, port) for one, port in zip(platforms, ports, strict=True)]
        await stack.enter_async_context(serving(*served))
        hub = await stack.enter_async_context(open_hub(Settings.from_env(given)))
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, trust_env=False, verify=authorities())
        )
        customer = await set_up(hub, *platforms)
        at_a, at_b, at_d = platforms
        rig = Rig(hub, url, at_a, at_b, at_d, http, LogLines(), folder / "codes.jsonl", customer)
        fleet = stack.enter_context(Fleet(folder, given))
        stack.push_async_callback(_close, rig)
        yield World(rig, fleet, url)
        await rig.audit()


async def _close(rig: Rig) -> None:
    for client in rig._clients.values():
        await client.aclose()


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Say the same again until there is an answer, as a platform does whose message carries an id.

    Silence and what the hub calls passing (503, 429, in progress) are waited out; its bugs (500) are not.
    """
    while True:
        try:
            return await call()
        except InterpileError as problem:
            if not is_passing(problem):
                raise
            await asyncio.sleep(0.03)


async def until(holds: Callable[[], Awaitable[object]], *, within_s: float = 20) -> None:
    """Wait until something holds; a database that is just away is asked again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(OutOfReach):
                    if await holds():
                        return
                await asyncio.sleep(0.05)
    assert await holds(), "did not come true in time"
