"""The agent's disk is full: the charge stops, nothing is lost or doubled, work goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_rig import open_world

pytestmark = pytest.mark.faults


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of one megabyte."""
    folder = tmp_path / "state"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_stops_the_charge_and_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    async with open_world(tmp_path, "dc") as world:
        (pile,) = world.piles
        agent = world.start_agent()
        await world.push_tariff()
        await world.available(pile)
        session_id, _ = await world.start(pile)
        await world.charging(session_id, energy_wh=100)
        fill_up(small_disk / "ballast")
        await pile.until(lambda said: said["state"] == "plugged")
        await world.receiver.until(lambda: "all charges are stopped" in world.said())
        _, refused = await world.start(pile)
        assert (refused.accepted, refused.refusal) == (False, "connector_offline")
        assert agent.poll() is None
        assert world.receiver.bills(session_id) == []
        (small_disk / "ballast").unlink()
        await world.ended(session_id)
        updates = world.receiver.updates(session_id)
        await world.receiver.until(lambda: ("disk_full", True) in world.receiver.faults())
        (bill,) = world.receiver.bills(session_id)
        assert [update.number for update in updates] == list(range(1, len(updates) + 1))
        assert bill.stop_reason == "fault"
        assert bill.meter_end_wh == (await pile.do("status"))["meter_wh"] // 10 * 10
        second, reply = await world.start(pile)
        assert reply.accepted
        await world.charging(second)
        await world.stop(second)
        await world.ended(second)
        assert world.receiver.bills(second)[0].meter_start_wh == bill.meter_end_wh
        assert agent.poll() is None


def fill_up(path: Path) -> None:
    """Until not one more byte goes on."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(512))
        except OSError:
            return
