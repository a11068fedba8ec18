"""Real processes of the hub, one site: any of them commands it, the newest connection counts, none hangs."""

import signal
from pathlib import Path

import pytest

from operator_sdk.contract.edge_link.frames import CheckCommand, CheckResult, HealthItem, LinkCode
from tests.edge_client import connected
from tests.faults.processes import free_port
from tests.faults.world import World, open_world
from tests.site_world import CONNECTOR, LIVE, SITE, SiteWorld, around, send

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CHECK = CheckCommand(connector_id=CONNECTOR)


async def stop(world: World, index: int) -> None:
    """Tell a process to end, as an orchestrator does; it must not hang."""
    child = world.fleet.children[index]
    child.process.send_signal(signal.SIGTERM)
    assert await child.ended(within_s=5) in {0, -signal.SIGTERM}, child.said()


async def answered(sites: SiteWorld) -> bool:
    """Whether the site answers this process, which holds no connection."""
    return isinstance(await sites.rig.hub.sites.commands.run(SITE, CHECK), CheckResult)


async def test_two_processes_serve_one_site_and_say_goodbye(tmp_path: Path) -> None:
    async with open_world("postgresql", tmp_path) as world:
        sites = await around(world.rig)
        elsewhere = f"http://127.0.0.1:{free_port()}"
        await world.fleet.serve(world.url).answers(world.url)
        await world.fleet.serve(elsewhere).answers(elsewhere)
        health = HealthItem(at=world.rig.hub.clock.business(), can_frames=1, meter_frames=0, spool_waiting=0)
        async with sites.online() as first:
            await send(first, LIVE, [health])
            assert await answered(sites)
            sites.url = f"{elsewhere.replace('http', 'ws')}/v1/edge"
            async with connected(sites, sites.site, answering=sites.answering) as second:
                assert second.end.next_number(LIVE) == 2
                assert await first.closed() == LinkCode.SUPERSEDED
                assert await answered(sites)
                assert await sites.alarms() == [("superseded", None)]
                await stop(world, 1)
                assert await second.closed() == LinkCode.GOING_DOWN
        assert not (await sites.site_seen()).connected
        await stop(world, 0)
