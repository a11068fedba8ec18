"""The roads of the hub: a home and a host of each kind around one hub, and how a charge goes at each of them.

A home is native, hosted by the hub or a T/CEC 102 platform in a process of its own, and so is a host. What they
do has the same names for all kinds, so that a road is any two of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from hub.roaming.tables import SessionRow
from operator_sdk.contract.codes import ConnectorState, SessionState, StopReason
from operator_sdk.contract.edge_link.frames import StopCommand
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.messages.roaming import StopRequest
from tests.edge_client import AgentLine
from tests.rig import EXPOSURE_FEN, HOLD_FEN, HUB, A, B, C, Rig, open_rig
from tests.rig_charges import Charge, begin_by_driver, begin_by_home, charge_of
from tests.site_world import (
    BILLS,
    LIVE,
    STATION,
    E,
    SiteCharge,
    SiteWorld,
    around,
    charge_at_site,
    send,
    status,
)
from tests.tcec_home_world import described, piles
from tests.tcec_partner import Pair, Simulator, free_port, keys_of, simulator

HOST, HOME = "MA5SIMUL1", "MA5SIMUL2"
SPEED, WITHIN_S = 300, 20
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""In Shanghai, between two prices of the simulated host's day."""

PUSH = "[push]\nstatus_s = 60\n"
"""The simulator pushes five times a second, which at this speed is every minute."""

ENOUGH_WH = 2_000


@dataclass
class Town:
    """The hub with A, B and C, and T/CEC 102 platforms around it: a host and a home, or one that is both."""

    rig: Rig
    host: Simulator
    home: Simulator

    async def until(self, holds: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Work on until something is so, and give it."""
        end = time.monotonic() + WITHIN_S
        while not (found := await holds()):
            assert time.monotonic() < end, f"never: {what}"
            await self.rig.work()
            await asyncio.sleep(0.03)
        return found

    async def row_in(self, session_id: str, *states: str) -> SessionRow:
        """A session once it is in one of these states."""

        async def holds() -> SessionRow | None:
            row = await self.rig.session(session_id)
            return row if row.state in states else None

        row = await self.until(holds, f"{session_id} {states}")
        assert isinstance(row, SessionRow)
        return row


@dataclass
class Roads(Town):
    """And E's site."""

    site: SiteWorld
    line: AgentLine


class HomeOfRoad(Protocol):
    """What a driver does at a home, and what the home knows of it."""

    party_id: str

    async def start(self, code: str) -> str:
        """Start there; the session's id at the hub."""

    async def sees_charging(self, session: SessionRow) -> bool:
        """Has the home heard that it charges?"""

    async def stop(self, session: SessionRow) -> None:
        """The driver stops in the app."""

    async def paid_fen(self, session: SessionRow) -> int:
        """What the home has on its own bill of it."""


class HostOfRoad(Protocol):
    """What happens at a host's pile."""

    party_id: str

    async def code(self) -> str:
        """A free connector, as drivers type it."""

    async def charges(self, session: SessionRow) -> None:
        """The charge begins and goes on until there is something to pay."""

    async def ends(self, session: SessionRow) -> int:
        """The host hears that it shall stop, stops and bills; the fen on its bill, which was accepted."""


# Homes.


@dataclass
class NativeHome:
    """B, with the driver in B's app."""

    roads: Town
    party_id: str = B

    async def start(self, code: str) -> str:
        """Start there; the session's id at the hub."""
        return (await begin_by_home(self.roads.rig, connector=code)).session_id

    async def sees_charging(self, session: SessionRow) -> bool:
        """Has it been told?"""
        told = [one.state for one in self.roads.rig.b.progress if one.session_id == session.session_id]
        return SessionState.CHARGING in told

    async def stop(self, session: SessionRow) -> None:
        """By B's call."""
        stop = StopRequest(stop_ref=self.roads.rig.ref("stop"))
        await self.roads.rig.client(B).stop_session(session.session_id, stop)

    async def paid_fen(self, session: SessionRow) -> int:
        """The one record that it was given."""
        told = [one for one in self.roads.rig.b.records if one.session_id == session.session_id]
        (record,) = told
        return record.amount_fen


@dataclass
class HostedHome:
    """C, with the driver in the hub's own app and a wallet at the hub."""

    roads: Town
    party_id: str = C
    before_fen: int = 0

    async def start(self, code: str) -> str:
        """Scan and start; the session's id at the hub."""
        self.before_fen = (await self.roads.rig.wallet())[0]
        return (await begin_by_driver(self.roads.rig, code=code)).session_id

    async def sees_charging(self, session: SessionRow) -> bool:
        """Does the driver's phone show it?"""
        shown = await self.roads.rig.driver().get_session(session.session_id)
        return shown.state == SessionState.CHARGING

    async def stop(self, session: SessionRow) -> None:
        """By phone."""
        stop = StopRequest(stop_ref=self.roads.rig.ref("stop"))
        await self.roads.rig.driver().stop_charging(session.session_id, stop)

    async def paid_fen(self, session: SessionRow) -> int:
        """What the wallet has lost, with nothing held and no debt left."""
        balance_fen, held_fen, debt_fen = await self.roads.rig.wallet()
        assert (held_fen, debt_fen) == (0, 0)
        return self.before_fen - balance_fen


@dataclass
class Tcec102Home:
    """The simulated home, with the driver in its app."""

    roads: Town
    party_id: str = HOME

    async def start(self, code: str) -> str:
        """Scan the code on the pile; the session's id at the hub."""
        said = await self.roads.home.post("scan", text=f"hlht://{code}/", balance_fen=HOLD_FEN)
        assert said["accepted"], said
        (row,) = await self.roads.rig.rows(SessionRow, home_ref=said["start_charge_seq"])
        return str(row.session_id)

    async def sees_charging(self, session: SessionRow) -> bool:
        """Start result and status have both come."""
        told = await self.roads.home.home_charge(session.home_ref or "")
        return bool(told["stat"] == 2 and told["statuses"] >= 1)

    async def stop(self, session: SessionRow) -> None:
        """In the home's app."""
        said = await self.roads.home.post("stop", start_charge_seq=session.home_ref)
        assert said["SuccStat"] == 0, said

    async def paid_fen(self, session: SessionRow) -> int:
        """Its one order, which it found in order."""
        told = await self.roads.home.home_charge(session.home_ref or "")
        assert (told["confirm_result"], told["objection"], told["orders"], told["stat"]) == (0, None, 1, 4)
        total_fen: int = round(100 * told["order"]["TotalMoney"])
        return total_fen


# Hosts.


@dataclass
class NativeHost:
    """A, whose pile the test plays."""

    roads: Town
    party_id: str = A
    charge: Charge | None = None

    async def code(self) -> str:
        """A1, which A says is free."""
        await self.roads.rig.report(ConnectorState.AVAILABLE)
        return f"A1.{A}"

    async def charges(self, session: SessionRow) -> None:
        """Twenty minutes."""
        self.charge = await charge_of(self.roads.rig, session.session_id)
        await self.charge.runs(0, 20)

    async def ends(self, session: SessionRow) -> int:
        """Told once, it ends and bills."""
        charge, stops = self.charge, len(self.roads.rig.a.stops)
        assert charge is not None
        assert (stops, charge.session_id) == (self.roads.rig.a.heard.count("stop"), session.session_id)
        await charge.ends(40, StopReason.DRIVER_REMOTE)
        record = charge.record()
        reply = await self.roads.rig.client(A).push_record(record)
        assert reply.state == "accepted", reply
        return record.amount_fen


@dataclass
class HostedHost:
    """E, whose site's agent is connected."""

    roads: Roads
    party_id: str = E
    charge: SiteCharge | None = None

    async def code(self) -> str:
        """E1, which the agent says is free."""
        now = self.roads.rig.hub.clock.business()
        await send(self.roads.line, LIVE, [status("E1", ConnectorState.AVAILABLE, now)])
        return f"E1.{E}"

    async def charges(self, session: SessionRow) -> None:
        """Twenty minutes."""
        self.charge = await charge_at_site(self.roads.site, session.session_id)
        await send(self.roads.line, LIVE, self.charge.as_items(0, 20))

    async def ends(self, session: SessionRow) -> int:
        """The agent was told; it ends and bills."""
        assert self.charge is not None
        assert session.session_id in [one.session_id for one in self.roads.site.commands(StopCommand)]
        await send(self.roads.line, LIVE, [self.charge.end_item(40, StopReason.DRIVER_REMOTE)])
        bill = self.charge.bill_item()
        await send(self.roads.line, BILLS, [bill])
        return bill.record.amount_fen


@dataclass
class Tcec102Host:
    """The simulated host, which does all by itself."""

    roads: Town
    party_id: str = HOST

    async def code(self) -> str:
        """A connector with a vehicle that nobody charges."""
        plugs = await self.roads.host.get("connectors")
        free = [one["connector_id"] for one in plugs if one["charge"] is None and one["status"] == 2]
        return f"{free[0]}.{self.party_id}"

    async def charges(self, session: SessionRow) -> None:
        """Until it has given some energy."""

        async def has_enough() -> bool:
            return (await self.roads.rig.session(session.session_id)).energy_wh > ENOUGH_WH

        await self.roads.until(has_enough, "energy")

    async def ends(self, session: SessionRow) -> int:
        """It was told, and its order was confirmed."""
        assert session.host_ref is not None
        assert session.host_ref != session.home_ref

        async def billed() -> Any:
            bill = await self.roads.host.charge(session.host_ref or "")
            return bill if bill["confirm_result"] is not None else None

        bill = await self.roads.until(billed, "order")
        assert (bill["confirm_result"], bill["stop_reason"]) == (0, 1)
        total_fen: int = round(100 * bill["order"]["TotalMoney"])
        return total_fen


HOMES: dict[str, Callable[[Roads], HomeOfRoad]] = {
    "native": NativeHome,
    "hosted": HostedHome,
    "tcec102": Tcec102Home,
}
HOSTS: dict[str, Callable[[Roads], HostOfRoad]] = {
    "native": NativeHost,
    "hosted": HostedHost,
    "tcec102": Tcec102Host,
}


async def _agree(rig: Rig) -> None:
    """The agreements that the rig does not have: of the T/CEC 102 home with all, and of all with that host."""
    for home, host in ((B, HOST), (C, HOST), (HOME, A), (HOME, E), (HOME, HOST)):
        terms = AgreementAdd(home_party_id=home, host_party_id=host, hold_fen=HOLD_FEN)
        await rig.hub.parties.add_agreement(terms, actor="test")


async def _describe(rig: Rig) -> None:
    """What T/CEC 102 has to know of the stations of A and E."""
    await rig.hub.directory.put_station(A, "S1", described())
    (pile,) = piles("E1", "E2", pile_id="PE")
    at_site = described(tariff_id="e", piles=[replace(pile, kind="ac", rated_power_w=60_000)])
    await rig.hub.directory.put_station(E, STATION, at_site)


def clock_of(epoch: datetime, business: datetime = NOON) -> dict[str, str]:
    """The environment of a simulator that shares the hub's clock."""
    return {
        "SPEED": str(SPEED),
        "INTERPILE_EPOCH": epoch.isoformat(),
        "INTERPILE_EPOCH_BUSINESS": business.isoformat(),
        "INTERPILE_ENV": "test",
    }


@asynccontextmanager
async def open_roads(folder: Path) -> AsyncIterator[Roads]:
    """Everything up: the site connected, the T/CEC 102 host's stations known."""
    epoch, ports = datetime.now(UTC), (free_port(), free_port())
    host_pair = Pair(sim_id=HOST, hub_id=HUB)
    home_pair = Pair(HOME, HUB, keys_of("issued by the home"), keys_of("issued to the home"))
    async with open_rig("sqlite", speed=SPEED, epoch=epoch, business_epoch=NOON) as rig:
        site, profiles = await around(rig), rig.hub.tcec102.profiles
        for pair, port, role in ((host_pair, ports[0], "host"), (home_pair, ports[1], "home")):
            text = pair.hub_profile(f"http://127.0.0.1:{port}", roles=[role], more=PUSH)
            await profiles.add(text, "test", deposit_fen=EXPOSURE_FEN, limit_fen=EXPOSURE_FEN)
        await _agree(rig)
        await _describe(rig)
        clock = clock_of(epoch)
        async with (
            site.online() as line,
            simulator(folder, host_pair, rig.url, role="host", port=ports[0], environment=clock) as host,
            simulator(folder, home_pair, rig.url, role="home", port=ports[1], environment=clock) as home,
        ):
            (report,) = await rig.hub.station_pulls.advance()
            assert report is not None
            assert report.problem is None
            assert await home.post("sync") == {"stations": 4}
            yield Roads(rig, host, home, site, line)
