"""What a site sends is processed before it is acknowledged, refused by rule and kept, or not taken at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy.engine import make_url

from hub.core.errors import HubError
from operator_sdk.contract.codes import ConnectorState, SessionState, TokenKind
from operator_sdk.contract.edge_link.frames import (
    AuthorizeAsk,
    BlacklistCommand,
    FaultItem,
    HealthItem,
    LinkCode,
    Refused,
    UpdateItem,
    encode,
)
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    StatusPush,
)
from operator_sdk.contract.messages.roaming import AuthorizeRequest
from operator_sdk.contract.messages.sites import SiteAdd
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import public_to_b64url
from tests import databases
from tests.edge_client import Site, connected
from tests.rig import A
from tests.rig_charges import begin_by_home, charge_of
from tests.site_world import (
    BILLS,
    CARD,
    CONNECTOR,
    LIVE,
    OTHER,
    E,
    SiteWorld,
    charge_at_site,
    open_site_world,
    send,
    status,
)

pytestmark = pytest.mark.integration

LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)


@pytest.fixture
async def world(kind: str) -> AsyncIterator[SiteWorld]:
    async with open_site_world(kind) as world:
        yield world


async def test_states_faults_and_health_reach_their_rows_and_what_cannot_be_taken_is_kept(
    world: SiteWorld,
) -> None:
    now = world.rig.hub.clock.business()
    health = HealthItem(at=now, can_frames=9, meter_frames=5, spool_waiting=2, version="1.0\0")
    fault = FaultItem(code="leakage", at=now, connector_id=CONNECTOR, text="\0 5 mA")
    async with world.online() as line:
        await send(
            line,
            LIVE,
            [
                status(CONNECTOR, ConnectorState.OCCUPIED, now),
                status("A1", ConnectorState.FAULTED, now),
                status(OTHER, ConnectorState.OCCUPIED, LONG_AGO),
                fault,
                FaultItem(code="door", at=now, connector_id="A1"),
                HealthItem(at=LONG_AGO, can_frames=0, meter_frames=0, spool_waiting=0),
                health,
                msgspec.msgpack.encode({"t": "of tomorrow"}),
            ],
        )
        seen = await world.site_seen()
        assert (seen.connected, seen.agent_version) == (True, "1.0")
        assert (seen.health.can_frames, seen.health.meter_frames, seen.health.spool_waiting) == (9, 5, 2)
        await send(line, LIVE, [FaultItem(code="leakage", at=now, connector_id=CONNECTOR, cleared=True)])
    await world.offline()
    states = [(await world.rig.hub.directory.get_connector(E, one)).state for one in (CONNECTOR, OTHER)]
    assert states == ["occupied", "available"]
    assert (await world.rig.hub.directory.get_connector(A, "A1")).state == "available"
    bad = await world.bad_items()
    assert [(one.number, one.kind, one.problem.split()[0]) for one in bad] == [
        (2, "status", "connector_unknown"),
        (3, "status", "rule_violated"),
        (5, "fault", "connector_unknown"),
        (6, "health", "rule_violated"),
        (8, "unknown", "Invalid"),
    ]
    assert bad[2].raw == encode(FaultItem(code="door", at=now, connector_id="A1"))
    assert await world.alarms() == [("bad_item", None), ("leakage", CONNECTOR)]


async def test_a_site_touches_no_session_but_its_own(world: SiteWorld) -> None:
    foreign = await charge_of(world.rig, (await begin_by_home(world.rig)).session_id)
    await foreign.runs(0, 5)
    before = await world.rig.fingerprint()
    async with world.online() as line:
        theirs = await charge_at_site(world, foreign.session_id)
        await send(line, LIVE, [*theirs.as_items(0, 10), theirs.end_item(12)])
        await send(line, BILLS, [theirs.bill_item(), theirs.bill_item(session_id=f"ses_{'0' * 36}")])
    assert (await world.rig.session(foreign.session_id)).state == "charging"
    assert len(await world.rig.updates(foreign.session_id)) == 2
    assert await world.rig.fingerprint() == before
    bad = await world.bad_items()
    assert [(one.stream, one.kind) for one in bad] == [("live", "update")] * 3 + [("bills", "bill")] * 2
    assert {one.problem for one in bad} == {"not_found"}
    assert await world.alarms() == [("bad_item", None), ("bill_refused", None)]


async def test_a_site_touches_no_session_of_its_operators_other_site(world: SiteWorld) -> None:
    other = await second_site(world)
    async with world.online() as line, connected(world, other, answering=world.answering) as there:
        session = await begin_by_home(world.rig, connector=f"E8.{E}")
        charge = await charge_at_site(world, session.session_id)
        first, second = charge.as_items(0, 5)
        await send(line, LIVE, [first])
        await send(line, BILLS, [charge.bill_item(connector_id="E8")])
        assert await world.rig.updates(session.session_id) == []
        await send(there, LIVE, [first, second])
    assert [row.number for row in await world.rig.updates(session.session_id)] == [1, 2]
    assert [one.kind for one in await world.bad_items()] == ["update", "bill"]


async def second_site(world: SiteWorld) -> Site:
    """Another station of E, with a site of its own."""
    hub, site = world.rig.hub, Site(site_id="site-e2", connectors=("E8",))
    pile = Pile(pile_id="P8", kind="dc", rated_power_w=60_000, connectors=[Connector(connector_id="E8")])
    put = StationPut(name="E2", latitude_e6=0, longitude_e6=0, tariff_id="e", piles=[pile])
    await hub.directory.put_station(E, "S-E2", put)
    state = ConnectorStatus(connector_id="E8", state=ConnectorState.AVAILABLE, at=hub.clock.business())
    await hub.directory.push_status(E, StatusPush(statuses=[state]))
    key = public_to_b64url(site.key.public_key())
    add = SiteAdd(site_id=site.site_id, host_party_id=E, station_id="S-E2", public_key=key)
    await hub.sites.registry.add(add, actor="test", alone=True)
    return site


async def test_a_run_of_updates_is_stored_as_if_each_had_come_alone(world: SiteWorld) -> None:
    async with world.online() as line:
        charges = [
            await charge_at_site(world, (await begin_by_home(world.rig, connector=f"{plug}.{E}")).session_id)
            for plug in (CONNECTOR, OTHER)
        ]
        charges[1].started_at = charges[0].started_at
        alone, run = ([*one.as_items(*range(36)), one.end_item(36)] for one in charges)
        for item in alone:
            await send(line, LIVE, [item])
        wrong = msgspec.structs.replace(run[5].update, at=LONG_AGO, number=90)
        bad = UpdateItem(session_id=run[5].session_id, update=wrong)
        await send(line, LIVE, [*run[:6], bad, *run[3:], run[0]])
        await world.rig.work()
    kept = [await world.rig.updates(one.session_id) for one in charges]
    for name in ("number", "state", "at", "energy_wh", "amount_fen", "percent", "seconds_left"):
        assert [getattr(row, name) for row in kept[0]] == [getattr(row, name) for row in kept[1]], name
    rows = [await world.rig.session(one.session_id) for one in charges]
    for name in ("state", "last_number", "energy_wh", "percent", "started_at", "ended_at", "stop_reason"):
        assert getattr(rows[0], name) == getattr(rows[1], name), name
    heard = [
        [said.number for said in world.rig.b.progress if said.session_id == one.session_id] for one in charges
    ]
    assert heard[1] == [1, 36, 37]
    assert heard[0] == heard[1]
    assert [one.problem.split()[0] for one in await world.bad_items()] == ["rule_violated"]


async def test_a_bill_is_taken_once_and_another_under_its_number_is_refused_and_alarms(
    world: SiteWorld,
) -> None:
    async with world.online() as line:
        charge = await charge_at_site(
            world, (await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")).session_id
        )
        await send(line, LIVE, [*charge.as_items(0, 20), charge.end_item(40)])
        bill = charge.bill_item("bill-1")
        await send(line, BILLS, [bill, bill])
        await send(line, BILLS, [charge.bill_item("bill-1", energy_wh=1)])
    assert (await world.rig.record(charge.session_id)).state == "accepted"
    (bad,) = await world.bad_items()
    assert (bad.stream, bad.number, bad.problem.split()[0]) == ("bills", 3, "id_reused")
    assert await world.alarms() == [("bill_refused", None)]


async def test_updates_that_come_again_after_a_cut_are_stored_once(world: SiteWorld) -> None:
    async with world.online() as line:
        charge = await charge_at_site(
            world, (await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")).session_id
        )
        items = [*charge.as_items(0, 5, 10), charge.end_item(12)]
        await send(line, LIVE, items[:2])
    world.site.spool_id = "another-spool"  # as after a broken disk: everything is numbered anew
    async with world.online() as line:
        await send(line, LIVE, items)
    assert [row.number for row in await world.rig.updates(charge.session_id)] == [1, 2, 3, 4]
    assert (await world.rig.session(charge.session_id)).state == SessionState.ENDED
    assert await world.bad_items() == []


async def test_a_connector_that_was_added_a_moment_ago_may_be_spoken_of(world: SiteWorld) -> None:
    async with world.online() as line:
        directory = world.rig.hub.directory
        station = await directory.get_station(E, "S-E")
        more = Pile(pile_id="PX", kind="dc", rated_power_w=9, connectors=[Connector(connector_id="E9")])
        put = StationPut(name="E", latitude_e6=0, longitude_e6=0, tariff_id="e", piles=[*station.piles, more])
        await directory.put_station(E, "S-E", put)
        await send(line, LIVE, [status("E9", ConnectorState.AVAILABLE, world.rig.hub.clock.business())])
        request = AuthorizeRequest(authorization_ref="x-1", token=CARD, connector_id="E9")
        answer = (await line.ask("x-1", AuthorizeAsk(request=request))).answer
    assert not isinstance(answer, Refused), answer
    assert await world.bad_items() == []


async def test_a_question_no_engine_could_store_is_refused(world: SiteWorld) -> None:
    token = Token(kind=TokenKind.CARD, ref="EE\0")
    async with world.online() as line:
        request = AuthorizeRequest(authorization_ref="x-1", token=token, connector_id=CONNECTOR)
        assert (await line.ask("x-1", AuthorizeAsk(request=request))).answer == Refused(code="malformed")


async def test_a_token_blocked_while_the_site_is_connected_reaches_its_blacklist() -> None:
    async with open_site_world("sqlite") as world, world.online() as line:
        (first,) = await line.commanded(BlacklistCommand)
        assert first.digests == []
        await world.rig.hub.accounts.block_token(world.customer.customer_id, CARD)
        blocked = (await line.commanded(BlacklistCommand, 2))[-1]
        assert blocked.digests == [token_digest(CARD)]
        assert blocked.version > first.version


async def test_a_token_that_may_be_used_again_leaves_the_blacklist(world: SiteWorld) -> None:
    accounts, connections = world.rig.hub.accounts, world.rig.hub.sites.connections
    lists = [await connections.blacklist(E)]
    for blocked in (True, True, False):
        await accounts.block_token(world.customer.customer_id, CARD, blocked=blocked)
        lists.append(await connections.blacklist(E))
    digest = token_digest(CARD)
    assert lists == [(0, []), (1, [digest]), (1, [digest]), (2, [])]


async def test_what_is_not_decided_is_neither_refused_nor_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: Any) -> None:
        raise HubError(Code.UNAVAILABLE)

    async with open_site_world("sqlite") as world:
        async with world.online() as line:
            session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
            charge = await charge_at_site(world, session.session_id)
            with monkeypatch.context() as patch:
                patch.setattr(world.rig.hub.roaming.records, "push", busy)
                await line.offer(BILLS, [charge.bill_item()])
                assert await line.closed() == LinkCode.NOT_STORED
        assert await world.bad_items() == []


@asynccontextmanager
async def away(world: SiteWorld) -> AsyncIterator[None]:
    """PostgreSQL cuts the hub's connections and takes no new ones."""
    name = make_url(world.rig.hub.database.url).database
    try:
        await databases.on_server(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await databases.on_server(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        yield
    finally:
        await databases.on_server(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_without_a_database_nothing_is_acknowledged_and_the_bill_comes_again() -> None:
    async with open_site_world("postgresql") as world:
        async with world.online() as line:
            charge = await charge_at_site(
                world, (await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")).session_id
            )
            await send(line, LIVE, [*charge.as_items(0, 20), charge.end_item(40)])
            bill = charge.bill_item()
            async with away(world):
                await line.offer(BILLS, [bill])
                assert await line.closed() == LinkCode.NOT_STORED
            assert not [one for one in line.events if getattr(one, "stream", None) is BILLS]
        async with connected(world, world.site, answering=world.answering) as line:
            assert line.end.next_number(BILLS) == 1
            await send(line, BILLS, [bill])
        await world.rig.work()
        assert (await world.rig.session(charge.session_id)).state == "settled"
        assert len(await world.rig.obligations()) == 1
