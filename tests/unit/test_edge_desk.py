"""What the gateway pushes to a site, and what the site does not take."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus_messages import PileState
from edge_agent.desk import Desk
from edge_agent.keeper import Keeper
from edge_agent.store import Store
from operator_sdk.contract.edge_link.frames import Done, Refused, StartCommand, StartResult, TariffsCommand
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.roaming import HostStartRequest
from operator_sdk.contract.public_codes import Code
from tests.edge_rig import TARIFF, UNPRICEABLE, new_id
from tests.unit.test_edge_attendant import CHARGING, rig, running, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "edge.sqlite3", new_spool_id="spool-1")
    yield opened
    opened.close()


async def test_a_push_with_a_tariff_that_cannot_be_priced_is_refused_whole_and_named(store: Store) -> None:
    keeper = Keeper(store, Clock(), written=lambda: None, on_full=lambda: None)
    desk = Desk("site", {}, keeper, Clock(), 55)
    refused = await desk.commanded("cmd-1", TariffsCommand(tariffs=[TARIFF, UNPRICEABLE]))
    assert isinstance(refused, Refused)
    assert (refused.code, "tou 9" in refused.detail) == (Code.RULE_VIOLATED, True)
    assert store.tariff("tou", 1) is None
    assert store.tariff("tou", 9) is None
    assert await desk.commanded("cmd-2", TariffsCommand(tariffs=[TARIFF])) == Done()
    assert store.tariff("tou", 1) == TARIFF


async def test_a_start_right_after_a_restart_waits_for_the_word_of_the_pile(tmp_path: Path) -> None:
    async with rig(tmp_path, begun=False) as it, running(it.attendant):
        it.bus.seen.status = None
        keeper = Keeper(it.store, Clock(), written=lambda: None, on_full=lambda: None)
        desk = Desk("site", {"P1": it.attendant}, keeper, Clock(), 55)
        it.store.put_tariffs([TARIFF])
        session_id = new_id("ses")
        request = HostStartRequest(
            session_id=session_id,
            authorization_id=session_id.replace("ses", "aut"),
            connector_id="P1",
            home_party_id="HOMEPARTY",
            token_ref="t-1",
            start_mode="home",
            tariff_id=TARIFF.tariff_id,
            tariff_version=TARIFF.version,
            limit_fen=None,
            target=Target(),
        )
        starting = asyncio.create_task(desk.commanded("cmd-1", StartCommand(request=request)))
        await until(lambda: it.line.frames >= 5)
        assert not starting.done()
        it.bus.seen.status = replace(CHARGING, state=PileState.PLUGGED, contactor_closed=False)
        it.attendant.look()
        result = await starting
        assert isinstance(result, StartResult)
        assert result.reply.accepted
