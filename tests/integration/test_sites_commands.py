"""Commands to sites: from any process, once, in time or not at all; stops wait for a site that is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hub.parties.link import LinkError
from hub.sites.connections import SiteClosed, Superseded, Taken
from hub.sites.model import RefusedItem
from hub.sites.tables import SiteCommandRow
from hub.wiring import Hub, open_hub
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.edge_link.frames import (
    CheckCommand,
    CheckResult,
    Command,
    Done,
    HealthItem,
    Result,
    StartCommand,
    StopCommand,
    UnlockCommand,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived
from operator_sdk.contract.messages.roaming import StopRequest
from tests.rig import HOLD_FEN, B
from tests.rig_charges import begin_by_home
from tests.site_world import BILLS, CONNECTOR, LIVE, SITE, E, SiteWorld, charge_at_site, open_site_world, send

pytestmark = pytest.mark.integration

HEALTH = HealthItem(at=datetime(2026, 3, 2, tzinfo=UTC), can_frames=1, meter_frames=0, spool_waiting=0)
CHECK = CheckCommand(connector_id=CONNECTOR)
SOON = timedelta(milliseconds=300)


@pytest.fixture
async def world(kind: str) -> AsyncIterator[SiteWorld]:
    async with open_site_world(kind) as world:
        yield world


@asynccontextmanager
async def second_hub(world: SiteWorld) -> AsyncIterator[Hub]:
    """Another hub over the same database, as another process is: they share nothing else."""
    async with open_hub(world.rig.hub.settings) as other:
        yield other


async def test_a_hub_that_does_not_hold_the_connection_gets_its_answer(world: SiteWorld) -> None:
    async with world.online(), second_hub(world) as other:
        answer = await other.sites.commands.run(SITE, CHECK)
        link = await other.links.of(E)
        reply = await link.check_connector(CONNECTOR)
    assert isinstance(answer, CheckResult)
    assert reply.state == "available"


async def test_the_same_command_gets_the_first_result_and_is_done_once(world: SiteWorld) -> None:
    run = world.rig.hub.sites.commands.run
    async with world.online():
        answers = await asyncio.gather(*(run(SITE, CHECK, command_id="mine") for _ in range(4)))
    assert await run(SITE, CHECK, command_id="mine") == answers[0]
    assert all(one == answers[0] for one in answers)
    assert len(world.commands(CheckCommand)) == 1


async def test_a_start_at_a_site_that_is_away_is_refused_at_once_and_gives_everything_back(
    world: SiteWorld,
) -> None:
    session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
    assert (session.state, session.refusal) == ("start_failed", "connector_offline")
    assert await world.rig.exposure(B) == (0, 0)
    async with world.online():
        again = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
        assert (await world.rig.session(again.session_id)).state == "starting"
        assert await world.rig.exposure(B) == (0, HOLD_FEN)
    assert [one.request.session_id for one in world.commands(StartCommand)] == [again.session_id]


async def test_what_nobody_sent_in_time_is_never_sent_and_certainly_did_not_leave(world: SiteWorld) -> None:
    """The row says that the site is connected, but whoever held the connection was killed."""
    hub = world.rig.hub
    known = await hub.sites.connections.known(SITE)
    assert known is not None
    await hub.sites.connections.open(known, "spool-0", "")
    with pytest.raises(LinkError) as raised:
        await hub.sites.commands.run(SITE, UnlockCommand(connector_id=CONNECTOR), within=SOON)
    assert not raised.value.sent
    async with world.online():
        await hub.sites.commands.run(SITE, CHECK)
    assert world.commands(UnlockCommand) == []


async def test_a_site_that_is_silent_may_have_heard(world: SiteWorld) -> None:
    def silent(command: Command) -> Result | None:
        return None if isinstance(command, UnlockCommand) else world.answering(command)

    run = world.rig.hub.sites.commands.run
    async with world.online(silent):
        with pytest.raises(LinkError) as raised:
            await run(SITE, UnlockCommand(connector_id=CONNECTOR), within=SOON)
        assert raised.value.sent
        assert isinstance(await run(SITE, CHECK), CheckResult)


async def test_a_stop_waits_for_the_site_and_is_there_as_soon_as_it_is(world: SiteWorld) -> None:
    async with world.online() as line:
        session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
        charge = await charge_at_site(world, session.session_id)
        await send(line, LIVE, charge.as_items(0, 10))
    await world.offline()
    await world.rig.client(B).stop_session(session.session_id, StopRequest(stop_ref="s-1"))
    await world.rig.work()
    (letter,) = await world.rig.letters("stop_at_host")
    assert (letter.done_at, letter.reason) == (None, "site_offline")
    (kept,) = await world.rig.rows(SiteCommandRow, kind="stop")
    assert (kept.expires_at, kept.sent_at) == (None, None)
    async with world.online() as line:
        await line.commanded(StopCommand)  # without the outbox trying again
        await world.rig.work_now("stop_at_host")
    (letter,) = await world.rig.letters("stop_at_host")
    assert letter.done_at is not None
    assert [one.session_id for one in world.commands(StopCommand)] == [session.session_id]


async def test_a_start_whose_answer_was_lost_is_explained_by_the_site() -> None:
    async with open_site_world("sqlite") as world:

        def deaf(command: Command) -> Result | None:
            answer = world.answering(command)
            return None if isinstance(command, StartCommand) else answer

        async with world.online(deaf):
            session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
            assert session.state == SessionState.UNKNOWN
            await world.rig.work()
        assert (await world.rig.session(session.session_id)).state == SessionState.CHARGING


async def test_a_connection_that_counts_no_more_stores_nothing(world: SiteWorld) -> None:
    connections = world.rig.hub.sites.connections
    known = await connections.known(SITE)
    assert known is not None
    first, second = [await connections.open(known, "spool-1", "") for _ in range(2)]
    refused = [RefusedItem(1, "bill", "not_found", b"")]
    with pytest.raises(Superseded):
        await connections.store(first, Arrived(LIVE, 1, [HEALTH]), Taken(refused=refused))
    assert await connections.durable(SITE, "spool-1") == {LIVE: 0, BILLS: 0}
    assert (await world.bad_items(), await world.alarms()) == ([], [])
    await connections.close(first)
    assert await connections.store(second, Arrived(LIVE, 1, [HEALTH]), Taken()) == 1
    await connections.close(second)
    with pytest.raises(SiteClosed):
        await connections.store(second, Arrived(LIVE, 2, [HEALTH]), Taken())
    assert await connections.durable(SITE, "spool-1") == {LIVE: 1, BILLS: 0}


async def test_only_the_site_itself_answers_its_commands(world: SiteWorld) -> None:
    hub = world.rig.hub
    run = hub.sites.commands.run
    async with world.online(lambda _: None) as line:
        asking = asyncio.create_task(run(SITE, CHECK, command_id="mine", within=timedelta(seconds=2)))
        await line.commanded(CheckCommand)
        await hub.sites.commands.note_result("site-of-others", "mine", Done())
        await hub.sites.commands.note_result(SITE, "mine", world.answering(CHECK) or Done())
        await hub.sites.commands.note_result(SITE, "mine", Done())
        assert isinstance(await asking, CheckResult)
    assert isinstance(await run(SITE, CHECK, command_id="mine"), CheckResult)
