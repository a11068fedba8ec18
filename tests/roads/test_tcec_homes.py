"""Roads from a T/CEC 102 home: its driver scans in the home's own app, a process of its own, and charges."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hub.roaming.tables import SessionRow
from operator_sdk.contract.codes import SessionState, StopReason
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.tcec102.values import fen_of
from tests.rig import EXPOSURE_FEN, HOLD_FEN, HUB, A, Rig, open_rig
from tests.rig_charges import Charge, charge_of
from tests.site_world import BILLS, LIVE, STATION, E, around, charge_at_site, send
from tests.tcec_home_world import described, piles
from tests.tcec_partner import Pair, Simulator, free_port, simulator

pytestmark = pytest.mark.integration

SIM, HOST = "MA5SIMUL2", "MA5SIMUL1"
SPEED, WITHIN_S = 300, 15
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""In Shanghai, between two prices of the simulated host's day."""


@dataclass
class Road:
    """The hub with its hosts, and the home at the other end."""

    rig: Rig
    home: Simulator

    async def scan(self, code: str) -> SessionRow:
        """The home's driver scans and starts; the session at the hub."""
        said = await self.home.post("scan", text=code, balance_fen=5_000)
        assert (said["accepted"], said["step"]) == (True, "query_start_charge"), said
        (row,) = await self.rig.rows(SessionRow, home_ref=said["start_charge_seq"])
        assert isinstance(row, SessionRow)
        return row

    async def told(self, seq: str | None) -> dict[str, Any]:
        """The charge as the home knows it."""
        assert seq is not None
        return dict(await self.home.home_charge(seq))


@asynccontextmanager
async def open_road(folder: Path, *hosts: str) -> AsyncIterator[Road]:
    """Hub and home up, with an agreement with each of these hosts."""
    port, pair = free_port(), Pair(sim_id=SIM, hub_id=HUB)
    async with open_rig("sqlite") as rig:
        profile = pair.hub_profile(f"http://127.0.0.1:{port}", roles=["home"])
        profiles = rig.hub.tcec102.profiles
        await profiles.add(profile, "test", deposit_fen=EXPOSURE_FEN, limit_fen=EXPOSURE_FEN)
        for host in hosts:
            terms = AgreementAdd(home_party_id=SIM, host_party_id=host, hold_fen=HOLD_FEN)
            await rig.hub.parties.add_agreement(terms, actor="test")
        await rig.hub.directory.put_station(A, "S1", described())
        async with simulator(folder, pair, rig.url, role="home", port=port) as home:
            yield Road(rig, home)


async def settled(road: Road, charge: Charge, seq: str | None, host: str) -> None:
    """The home was told of start, course, stop and bill, found nothing wrong with it, and owes the host."""
    told, record = await road.told(seq), await road.rig.record(charge.session_id)
    assert (told["confirm_result"], told["objection"], told["orders"]) == (0, None, 1)
    assert fen_of(Decimal(str(told["order"]["TotalMoney"]))) == record.owed_fen
    assert told["stat"] == 4
    assert told["statuses"] >= 1
    assert told["policy"]
    assert (await road.rig.session(charge.session_id)).state == SessionState.SETTLED
    assert (SIM, host, record.owed_fen) in [one[:3] for one in await road.rig.obligations()]


async def test_a_driver_of_the_home_charges_at_a_native_host_and_stops_in_the_homes_app(tmp_path: Path) -> None:
    async with open_road(tmp_path, A) as road:
        assert await road.home.post("sync") == {"stations": 1}
        session = await road.scan(f"hlht://A1.{A}/")
        assert (session.host_party_id, session.connector_id, session.limit_fen) == (A, "A1", 5_000)
        charge = await charge_of(road.rig, session.session_id)
        await charge.runs(0, 20)
        await road.rig.work()
        assert (await road.told(session.home_ref))["stat"] == 2
        stopped = await road.home.post("stop", start_charge_seq=session.home_ref)
        assert (stopped["SuccStat"], stopped["StartChargeSeqStat"]) == (0, 3)
        await road.rig.work()
        assert len(road.rig.a.stops) == 1
        await charge.ends(40, StopReason.DRIVER_REMOTE)
        await charge.bill()
        await road.rig.work()
        await settled(road, charge, session.home_ref, A)
        assert len(road.rig.a.settlements) == 1


async def test_a_driver_of_the_home_charges_at_a_hosted_site_whose_connector_is_called_like_anothers(
    tmp_path: Path,
) -> None:
    async with open_road(tmp_path, A) as road:
        world = await around(road.rig)
        terms = AgreementAdd(home_party_id=SIM, host_party_id=E, hold_fen=HOLD_FEN)
        await road.rig.hub.parties.add_agreement(terms, actor="test")
        await road.rig.hub.directory.put_station(
            A, "S1", described(piles=[*piles("A1", "A2"), *piles("E1", pile_id="P2")])
        )
        (pile,) = piles("E1", "E2", pile_id="PE")
        site = described(tariff_id="e", piles=[replace(pile, kind="ac", rated_power_w=60_000)])
        await road.rig.hub.directory.put_station(E, STATION, site)
        assert await road.home.post("sync") == {"stations": 2}
        async with world.online() as line:
            session = await road.scan(f"hlht://E1.{E}/")
            assert session.host_party_id == E
            charge = await charge_at_site(world, session.session_id)
            await send(line, LIVE, charge.as_items(0, 20))
            await road.rig.work()
            await send(line, LIVE, [charge.end_item(40)])
            await send(line, BILLS, [charge.bill_item()])
            await road.rig.work()
            told = await road.told(session.home_ref)
            assert told["order"]["ConnectorID"].startswith(E)
            await settled(road, charge, session.home_ref, E)


@asynccontextmanager
async def open_long_road(folder: Path) -> AsyncIterator[tuple[Road, Simulator]]:
    """A T/CEC 102 home, the hub, and a T/CEC 102 host: three platforms on one quick clock."""
    epoch, ports = datetime.now(UTC), (free_port(), free_port())
    pairs = Pair(sim_id=SIM, hub_id=HUB), Pair(sim_id=HOST, hub_id=HUB)
    clock = {
        "SPEED": str(SPEED),
        "INTERPILE_EPOCH": epoch.isoformat(),
        "INTERPILE_EPOCH_BUSINESS": NOON.isoformat(),
        "INTERPILE_ENV": "test",
    }
    async with open_rig("sqlite", speed=SPEED, epoch=epoch, business_epoch=NOON) as rig:
        profiles = rig.hub.tcec102.profiles
        for pair, port, role in zip(pairs, ports, ("home", "host"), strict=True):
            profile = pair.hub_profile(f"http://127.0.0.1:{port}", roles=[role], more="[push]\nstatus_s = 60\n")
            await profiles.add(profile, "test", deposit_fen=EXPOSURE_FEN, limit_fen=EXPOSURE_FEN)
        terms = AgreementAdd(home_party_id=SIM, host_party_id=HOST, hold_fen=HOLD_FEN)
        await rig.hub.parties.add_agreement(terms, actor="test")
        up = [
            simulator(folder, pair, rig.url, role=role, port=port, environment=clock)
            for pair, port, role in zip(pairs, ports, ("home", "host"), strict=True)
        ]
        async with up[0] as home, up[1] as host:
            await rig.hub.station_pulls.advance()
            yield Road(rig, home), host


async def test_a_driver_of_the_home_charges_at_a_host_of_the_same_protocol(tmp_path: Path) -> None:
    async with open_long_road(tmp_path) as (road, host):
        assert (await road.home.post("sync"))["stations"] >= 1
        connector = (await host.get("connectors"))[0]
        session = await road.scan(connector["qr"])
        assert session.host_ref is not None
        assert session.host_ref != session.home_ref
        end = time.monotonic() + WITHIN_S
        stopped = False
        while (row := await road.rig.session(session.session_id)).state != SessionState.SETTLED:
            assert time.monotonic() < end, f"still {row.state}"
            await road.rig.work()
            if row.energy_wh > 2_000 and not stopped:
                said = await road.home.post("stop", start_charge_seq=session.home_ref)
                stopped = said["SuccStat"] == 0
            await asyncio.sleep(0.05)
        told, billed = await road.told(session.home_ref), await host.charge(session.host_ref)
        record = await road.rig.record(session.session_id)
        assert (told["confirm_result"], told["objection"], billed["confirm_result"]) == (0, None, 0)
        assert told["order"]["TotalMoney"] == billed["order"]["TotalMoney"]
        assert told["order"]["TotalPower"] == billed["order"]["TotalPower"]
        assert fen_of(Decimal(str(told["order"]["TotalMoney"]))) == record.owed_fen
        assert await road.rig.obligations() == [(SIM, HOST, record.owed_fen, "open")]
