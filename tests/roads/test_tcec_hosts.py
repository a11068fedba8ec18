"""Roads to a T/CEC 102 host: real HTTP to a partner's platform in a process of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.protocols.tcec102.link_host import HostPart
from hub.roaming.tables import SessionRow
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.messages.roaming import StopRequest
from tests.rig import HOLD_FEN, HUB, B, C, Rig, open_rig
from tests.rig_charges import begin_by_driver, begin_by_home
from tests.tcec_partner import Pair, Simulator, free_port, simulator

pytestmark = pytest.mark.integration

SIM, SPEED, WITHIN_S, ENOUGH_WH = "MA5SIMUL1", 300, 15, 1_000
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""In Shanghai, between two prices of the simulator's day."""

PUSH = "[push]\nstatus_s = 60\n"
"""The simulator pushes five times a second, which at this speed is every minute."""


@dataclass
class Road:
    """The hub with its homes, and the host at the other end."""

    rig: Rig
    host: Simulator
    connectors: list[str]

    def code(self, place: int = 0) -> str:
        """A connector as drivers type it."""
        return f"{self.connectors[place]}.{SIM}"

    async def until(self, session_id: str | None, *states: str, energy_wh: int = 0) -> SessionRow:
        """Work on until a session is in one of these states, and so much was told of."""
        assert session_id is not None
        end = time.monotonic() + WITHIN_S
        while (row := await self.rig.session(session_id)).state not in states or row.energy_wh < energy_wh:
            assert time.monotonic() < end, f"still {row.state}"
            await self.rig.work()
            await asyncio.sleep(0.05)
        return row

    async def charge(self, session: SessionRow) -> dict[str, Any]:
        """The host's own charge, once its order is confirmed."""
        assert session.host_ref is not None
        seq = session.host_ref
        found = await self.host.until(
            lambda: self.host.charge(seq), lambda one: one and one["confirm_result"] is not None
        )
        return dict(found)


@asynccontextmanager
async def open_road(folder: Path, *, more: str = PUSH, options: tuple[str, ...] = ()) -> AsyncIterator[Road]:
    """Hub and host up, and the host's stations known."""
    epoch, port, pair = datetime.now(UTC), free_port(), Pair(sim_id=SIM, hub_id=HUB)
    clock = {
        "SPEED": str(SPEED),
        "INTERPILE_EPOCH": epoch.isoformat(),
        "INTERPILE_EPOCH_BUSINESS": NOON.isoformat(),
        "INTERPILE_ENV": "test",
    }
    async with open_rig("sqlite", speed=SPEED, epoch=epoch, business_epoch=NOON) as rig:
        profile = pair.hub_profile(f"http://127.0.0.1:{port}", roles=["host"], more=more)
        await rig.hub.tcec102.profiles.add(profile, "test")
        for home in (B, C):
            terms = AgreementAdd(home_party_id=home, host_party_id=SIM, hold_fen=HOLD_FEN)
            await rig.hub.parties.add_agreement(terms, actor="test")
        up = simulator(folder, pair, rig.url, role="host", port=port, options=options, environment=clock)
        async with up as host:
            (report,) = await rig.hub.station_pulls.advance()
            assert report is not None
            assert report.problem is None
            dc = [one["connector_id"] for one in await host.get("connectors")]
            yield Road(rig, host, dc)


async def test_a_native_homes_driver_charges_there_until_the_hub_stops_at_the_limit(tmp_path: Path) -> None:
    async with open_road(tmp_path, options=("--vehicle-wh", "200000")) as road:
        limit_fen = 2_500
        begun = await begin_by_home(road.rig, limit_fen=limit_fen, connector=road.code())
        session = await road.until(begun.session_id, "billed", "settled")
        bill, record = await road.charge(session), await road.rig.record(session.session_id)
        assert (bill["confirm_result"], record.state) == (0, "accepted"), record.findings
        assert 0 < record.amount_fen <= limit_fen
        assert record.owed_fen == record.amount_fen
        assert await road.host.count("in:query_stop_charge") == 1
        await road.until(begun.session_id, "settled")
        (told,) = road.rig.b.records
        assert (told.amount_fen, told.metered) == (record.amount_fen, False)
        assert [said.state for said in road.rig.b.progress][-1] == "ended"
        assert await road.rig.obligations() == [(B, SIM, record.owed_fen, "open")]
        partners = road.rig.hub.tcec102
        link = HostPart(await partners.profiles.of(SIM), partners)
        stats = await link.station_stats(record.station_id or "", "2026-03-02", "2026-03-02")
        assert abs(int(stats.station_electricity * 1_000) - record.energy_wh) <= 100


async def test_a_hosted_driver_scans_charges_there_and_stops_by_phone(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        begun = await begin_by_driver(road.rig, code=road.code())
        await road.until(begun.session_id, "charging", energy_wh=ENOUGH_WH)
        stop = StopRequest(stop_ref="stop-1")
        assert begun.session_id is not None
        await road.rig.driver().stop_charging(begun.session_id, stop)
        session = await road.until(begun.session_id, "settled")
        bill, record = await road.charge(session), await road.rig.record(session.session_id)
        assert (bill["confirm_result"], record.state, bill["stop_reason"]) == (0, "accepted", 1), (
            record.findings
        )
        assert record.energy_wh >= ENOUGH_WH
        assert await road.rig.wallet() == (20_000 - record.owed_fen, 0, 0)
