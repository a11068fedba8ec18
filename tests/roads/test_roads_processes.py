"""The nine roads between real processes, all at the same time; test_nine_roads has the details of each."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.parties.scope import HUB as STAFF
from operator_sdk import AsyncHubClient, BearerToken
from operator_sdk.contract.codes import RecordState, SessionState
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.access import StaffSignIn
from operator_sdk.contract.messages.admin import StaffAdd
from operator_sdk.contract.messages.records import Record
from operator_sdk.contract.messages.roaming import Session
from operator_sdk.examples.demo.patience import until
from tests.rig import HUB, PASSWORD
from tests.roads.network import TURNS, Network, open_network
from tests.roads.sides import WITHIN_S, HomeSide, HostSide, homes_of, hosts_of

pytestmark = [pytest.mark.faults, pytest.mark.integration]


@dataclass(frozen=True)
class Road:
    """A home with one of its drivers, a host with one of its connectors."""

    home: HomeSide
    host: HostSide
    driver: int
    plug: int


@dataclass(frozen=True)
class Driven:
    """A charge that came to its bill on both sides."""

    home: str
    host: str
    session: Session
    paid_fen: int
    billed_fen: int


async def drive(network: Network, road: Road, together: asyncio.Barrier) -> Driven:
    """One road, from the driver's start to both bills; nobody stops before all nine charge."""
    home, host = road.home, road.host
    plug = await host.plug(road.plug)
    code = connector_ref(host.party_id, plug)
    ref = await home.start(road.driver, code)
    await home.hears_start(ref)
    await together.wait()
    await home.stop(ref)
    await home.hears_end(ref)
    session = await settled(network, ref)
    assert session.connector == code
    paid_fen = await home.paid_fen(ref)
    billed_fen = await host.billed_fen(session.session_id, plug)
    return Driven(home.party_id, host.party_id, session, paid_fen, billed_fen)


async def settled(network: Network, ref: str) -> Session:
    """The one session that the home knows by this number, once the hub has it settled."""

    reading = network.books.roaming.reading

    async def found() -> Session | None:
        (known,) = await reading.known_as(STAFF, ref)
        waiting = await reading.records(STAFF, after=None, updated_since=None, limit=9, state="suspended")
        assert not waiting, waiting[0].findings
        return known.session if known.session.state == SessionState.SETTLED else None

    return await until(found, within_s=WITHIN_S, missing=f"{ref} was never settled")


async def records_of(network: Network) -> list[Record]:
    """Every charge record of the hub, over its API."""
    add = StaffAdd(login="boss", password=PASSWORD, roles=["clearing"])
    await network.books.staff.add_staff(add, actor="test", alone=True)
    async with AsyncHubClient(network.plan.at[HUB]) as public:
        boss = await public.staff_sign_in(StaffSignIn(login="boss", password=PASSWORD))
        return (await public.acting_as(BearerToken(boss.token)).list_records(limit=100)).items


async def test_nine_drivers_charge_at_once_each_on_another_road_between_processes(tmp_path: Path) -> None:
    async with open_network(tmp_path) as network:
        homes, hosts = homes_of(network), hosts_of(network)
        roads = [
            Road(home, host, driver, plug)
            for plug, home in zip(TURNS, homes, strict=True)
            for driver, host in zip(TURNS, hosts, strict=True)
        ]
        together = asyncio.Barrier(len(roads))
        async with asyncio.TaskGroup() as group:
            driving = [group.create_task(drive(network, road, together)) for road in roads]
        driven = [one.result() for one in driving]

        records = await records_of(network)
        of_session = {one.session_id: one for one in records}
        assert len(records) == len(of_session) == len(driven) == len(TURNS) ** 2
        for one in driven:
            record = of_session[one.session.session_id]
            assert (record.home_party_id, record.host_party_id) == (one.home, one.host)
            assert (record.state, record.kind) == (RecordState.ACCEPTED, "charge"), record.findings
            assert record.settlement is not None
            assert 0 < one.billed_fen == record.amount_fen == record.owed_fen == one.paid_fen
        owed = await network.books.clearing.obligations(STAFF, limit=100)
        assert sorted((one.debtor, one.creditor, one.amount_fen, one.state) for one in owed) == sorted(
            (one.home, one.host, one.billed_fen, "open") for one in driven
        )
        await network.ledger_verifies()
        network.log_is_clean()
